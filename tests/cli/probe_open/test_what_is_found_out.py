"""``doctor --probe-open`` on a paper account: what it finds out, and when it may not ask."""

from datetime import UTC, datetime, time
from typing import Any

import pytest

from livetrading.adapters import settings
from livetrading.adapters.halt import HaltLatch
from livetrading.adapters.home import Home
from livetrading.core import windows
from livetrading.core.errors import BadInput, Conflict, LivetradingError, Refused
from tests.doubles.probe_mornings import ACCOUNT, MONDAY, Morning, probe, sent, what_was_found
from tests.doubles.tws import Fault, TwsDouble
from tests.doubles.tws.ledger import Event, Ledger


def test_a_fill_in_the_auction_is_stored_and_the_share_is_sold(home: Home, morning: Morning, tws: TwsDouble) -> None:
    morning.to_come = {"09:30:02": lambda x: x.auction("INTC", 30.0), "09:30:20": lambda x: x.market("INTC", 30.1)}
    done = probe(home, morning)
    assert done["paper_open"] == settings.load(home, {}).ibkr_paper_open == "auction"
    assert sent(tws) == [("BUY", 1, "OPG"), ("SELL", 1, "DAY")]
    assert tws.ledger.holds("INTC") == 0 and "sold again" in done["message"]


def test_an_order_that_ib_cancels_at_the_open_means_day_orders(home: Home, morning: Morning, tws: TwsDouble) -> None:
    settings.save(home, "ibkr_paper_open", "auction")
    morning.to_come = {"09:30:05": lambda x: x.expire(f"PROBE:{MONDAY}:entry:1")}
    done = probe(home, morning)
    assert done["paper_open"] == settings.load(home, {}).ibkr_paper_open == "day"
    assert sent(tws) == [("BUY", 1, "OPG")] and "Nothing was bought" in done["message"]


def test_an_order_still_open_after_the_auction_is_cancelled(home: Home, morning: Morning, tws: TwsDouble) -> None:
    assert probe(home, morning)["paper_open"] == "day"
    assert [o.status for o in tws.ledger.orders] == ["Cancelled"]
    assert windows.at(MONDAY, time(9, 35)) <= morning.now < windows.at(MONDAY, time(9, 36))


def test_a_fill_before_the_open_is_no_auction_and_is_sold_after_it(
    home: Home, morning: Morning, tws: TwsDouble
) -> None:
    morning.to_come = {"09:12": lambda x: x.auction("INTC", 30.0), "09:30:20": lambda x: x.market("INTC", 30.1)}
    assert probe(home, morning)["paper_open"] == "day"
    assert tws.ledger.holds("INTC") == 0


def test_a_refused_order_means_day_orders(home: Home, morning: Morning, tws: TwsDouble) -> None:
    tws.fail(Fault("reject", text="Order rejected - reason:no OPG on paper"))
    assert probe(home, morning)["paper_open"] == "day"
    assert tws.ledger.holds("INTC") == 0


def test_a_probe_that_was_interrupted_is_gone_on_with_and_buys_no_second_share(
    home: Home, morning: Morning, tws: TwsDouble
) -> None:
    class Interrupted(Exception):
        pass

    def interrupt(ledger: Ledger) -> list[Event]:
        raise Interrupted

    morning.to_come = {"09:20": interrupt}
    with pytest.raises(Interrupted):
        probe(home, morning)
    morning.to_come = {"09:30:02": lambda x: x.auction("INTC", 30.0), "09:30:20": lambda x: x.market("INTC", 30.1)}
    assert probe(home, morning)["paper_open"] == "auction"
    assert sent(tws) == [("BUY", 1, "OPG"), ("SELL", 1, "DAY")]


@pytest.mark.parametrize(
    "clock", ["2024-06-03 03:59", "2024-06-03 09:21", "2024-06-03 18:00", "2024-06-01 08:00", "2024-07-04 08:00"]
)
def test_outside_the_window_of_a_session_nothing_is_sent(
    home: Home, morning: Morning, tws: TwsDouble, clock: str
) -> None:
    morning.now = datetime.fromisoformat(clock).replace(tzinfo=windows.NEW_YORK).astimezone(UTC)
    with pytest.raises(Refused, match="04:00 and 09:20 New York"):
        probe(home, morning)
    assert tws.order_bytes() == 0


@pytest.mark.parametrize(
    ("spoil", "kind", "words"),
    [
        (lambda home, tws: settings.save(home, "ibkr_mode", "live"), Refused, "paper account alone"),
        (lambda home, tws: HaltLatch(home).set("test", "test", datetime.now(UTC)), Conflict, "re-arm first"),
        (lambda home, tws: tws.accounts.__setitem__(0, "U1234567"), LivetradingError, "not a paper account"),
        (lambda home, tws: setattr(tws, "read_only", True), LivetradingError, "Read-Only"),
    ],
)
def test_without_a_paper_account_or_under_the_halt_nothing_is_sent(
    home: Home, morning: Morning, tws: TwsDouble, spoil: Any, kind: type[Exception], words: str
) -> None:
    spoil(home, tws)
    with pytest.raises(kind, match=words):
        probe(home, morning)
    assert tws.order_bytes() == 0


@pytest.mark.parametrize("confirm", ["", "DU7654321"])
def test_without_consent_nothing_is_bought(home: Home, morning: Morning, tws: TwsDouble, confirm: str) -> None:
    with pytest.raises(BadInput, match=f"--confirm {ACCOUNT}"):
        probe(home, morning, confirm)
    assert tws.order_bytes() == 0


def test_what_the_probe_found_out_is_kept_as_a_proof(home: Home, morning: Morning, tws: TwsDouble) -> None:
    morning.to_come = {"09:30:02": lambda x: x.auction("INTC", 30.0), "09:30:20": lambda x: x.market("INTC", 30.1)}
    probe(home, morning)
    assert what_was_found(home) == [(True, tws.version)]


def test_an_order_that_the_auction_left_is_a_proof_to_the_contrary(
    home: Home, morning: Morning, tws: TwsDouble
) -> None:
    probe(home, morning)
    assert what_was_found(home) == [(False, tws.version)]


def test_a_refused_order_proves_nothing(home: Home, morning: Morning, tws: TwsDouble) -> None:
    tws.fail(Fault("reject", text="Order rejected - reason:not enough money"))
    probe(home, morning)
    assert what_was_found(home) == []
