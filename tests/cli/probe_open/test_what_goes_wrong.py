"""What goes wrong while ``doctor --probe-open`` holds a share, and how a later run ends it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from livetrading.adapters import settings
from livetrading.adapters.halt import HaltLatch
from livetrading.adapters.home import Home
from livetrading.adapters.store import Store
from livetrading.cli.ibkr import probe_open, probe_record
from livetrading.core import windows
from livetrading.core.errors import BadInput, Damaged, Unavailable
from tests.doubles import listeners
from tests.doubles.probe_mornings import ACCOUNT, MONDAY, Morning, filled_then_gone, on, probe, sent, what_was_found
from tests.doubles.tws import Fault, TwsDouble
from tests.doubles.tws.faults import CANCEL_ORDER
from tests.doubles.tws.ledger import Event, Ledger

HASTY: dict[str, Any] = {"acknowledge": 0.2, "cancel": (0.02, 0.05), "cancel_again": 0.1}
"""Short waits for a confirmation that never comes; the virtual minutes of patience are the product's."""


def test_a_connection_that_is_gone_when_it_should_sell_says_what_is_held_and_what_to_do(
    home: Home, morning: Morning, tws: TwsDouble
) -> None:
    def bought_then_gone(ledger: Ledger) -> list[Event]:
        assert probe_record.load(Store(home))[0].bought == 1
        tws.close_port()
        return []

    morning.to_come = {"09:12": lambda x: x.auction("INTC", 30.0), "09:29": bought_then_gone}
    with pytest.raises(Unavailable) as told:
        probe(home, morning)
    for words in (
        "1 share of INTC",
        "still held",
        f"account {ACCOUNT}",
        f"PROBE:{MONDAY}:exit:1",
        f"doctor --probe-open --confirm {ACCOUNT}` again",
    ):
        assert words in str(told.value)
    tws.open_port()
    morning.now, tws.ledger.clock = on("11:00"), morning
    tws.fills_at = 30.2
    assert "sold again" in probe(home, morning)["message"]
    assert tws.ledger.holds("INTC") == 0 and probe_record.load(Store(home))[0].done


@pytest.mark.parametrize("clock", ["2024-06-03 11:00", "2024-06-04 11:00", "2024-06-04 03:00", "2024-06-08 12:00"])
@pytest.mark.parametrize("listed", [True, False], ids=["listed", "no longer listed"])
def test_a_later_run_ends_what_an_earlier_one_left_at_any_hour_of_any_day(
    home: Home, morning: Morning, tws: TwsDouble, clock: str, listed: bool
) -> None:
    """Also when IB lists neither the order nor its execution any more."""
    tws.ledger.positions[270639] = (3.0, 20.0)  # what the account held before is nobody's business
    morning.to_come = {"09:30:02": filled_then_gone(tws)}
    with pytest.raises(Unavailable, match="is not known"):
        probe(home, morning)
    if not listed:
        for order in tws.ledger.orders:
            order.listed = False
        tws.ledger.fills.clear()
    tws.open_port()
    morning.now = datetime.fromisoformat(clock).replace(tzinfo=windows.NEW_YORK).astimezone(UTC)
    in_session = "11:00" in clock
    tws.fills_at = 30.2 if in_session else None
    if in_session:
        assert "sold again" in probe(home, morning)["message"]
    else:
        with pytest.raises(Unavailable, match="still held.*waits for the open.*again"):
            probe(home, morning)
        tws.happen(lambda x: x.market("INTC", 30.2))
        assert "sold again" in probe(home, morning)["message"]
    assert tws.ledger.holds("INTC") == 3 and [o.action for o in tws.ledger.orders] == ["BUY", "SELL"]


def test_an_order_that_was_left_open_is_cancelled_by_a_later_run(home: Home, morning: Morning, tws: TwsDouble) -> None:
    morning.to_come = {"09:29": lambda x: tws.close_port() or []}
    with pytest.raises(Unavailable, match="is not known"):
        probe(home, morning)
    tws.open_port()
    morning.now = on("18:30")
    assert "Nothing was bought" in probe(home, morning)["message"]
    assert [o.status for o in tws.ledger.orders] == ["Cancelled"]
    assert not tws.ledger.open_orders()


def test_a_later_run_needs_the_account_that_was_probed_typed_again(
    home: Home, morning: Morning, tws: TwsDouble
) -> None:
    morning.to_come = {"09:30:02": filled_then_gone(tws)}
    with pytest.raises(Unavailable):
        probe(home, morning)
    tws.open_port()
    morning.now = on("11:00")
    with pytest.raises(BadInput, match="--confirm"):
        probe(home, morning, "")
    assert len(tws.ledger.orders) == 1


def test_the_emergency_stop_set_in_between_cancels_the_order_and_decides_nothing(
    home: Home, morning: Morning, tws: TwsDouble
) -> None:
    morning.to_come = {"09:15": lambda x: HaltLatch(home).set("test", "test", morning.now) and []}
    done = probe(home, morning)
    assert "Nothing was bought" in done["message"] and done["paper_open"] is None
    assert [o.status for o in tws.ledger.orders] == ["Cancelled"] and morning.now < on("09:17")
    assert what_was_found(home) == []


def test_the_emergency_stop_set_after_the_fill_does_not_keep_the_share(
    home: Home, morning: Morning, tws: TwsDouble
) -> None:
    def fill(ledger: Ledger) -> list[Event]:
        HaltLatch(home).set("test", "test", morning.now)
        return ledger.auction("INTC", 30.0)

    morning.to_come = {"09:30:02": fill, "09:30:20": lambda x: x.market("INTC", 30.1)}
    assert "sold again" in probe(home, morning)["message"] and tws.ledger.holds("INTC") == 0


def test_a_fill_that_crosses_the_cancel_is_sold(home: Home, morning: Morning, tws: TwsDouble) -> None:
    tws.fail(Fault("stall", CANCEL_ORDER, times=99))
    morning.to_come = {"09:36": lambda x: x.auction("INTC", 30.0), "09:36:30": lambda x: x.market("INTC", 30.1)}
    done = probe(home, morning, **HASTY)
    assert done["paper_open"] == "day" and tws.ledger.holds("INTC") == 0
    assert sent(tws) == [("BUY", 1, "OPG"), ("SELL", 1, "DAY")]


def test_a_cancel_that_ib_never_confirms_is_told_and_ended_by_a_later_run(
    home: Home, morning: Morning, tws: TwsDouble
) -> None:
    tws.fail(Fault("stall", CANCEL_ORDER, times=99))
    with pytest.raises(Unavailable, match=f"PROBE:{MONDAY}:entry:1.*again"):
        probe(home, morning, **HASTY)
    tws.happen(lambda x: x.expire(f"PROBE:{MONDAY}:entry:1"))
    morning.now = on("14:00")
    assert "Nothing was bought" in probe(home, morning)["message"]


def test_an_order_that_ib_refuses_without_listing_it_is_not_bought_twice(
    home: Home, morning: Morning, tws: TwsDouble
) -> None:
    tws.fail(Fault("vanish", times=1000))
    with pytest.raises(Unavailable, match="is not known"):
        probe(home, morning)
    morning.now = on("14:00")
    assert "Nothing was bought" in probe(home, morning)["message"] and not tws.ledger.orders


def test_a_sale_that_ib_ends_is_sent_again_and_then_told(home: Home, morning: Morning, tws: TwsDouble) -> None:
    morning.to_come = {"09:30:02": lambda x: x.auction("INTC", 30.0)}
    tws.fail(Fault("reject", skip=1, times=3))
    with pytest.raises(Unavailable, match="1 share of INTC.*still held.*the double says no.*exit:4"):
        probe(home, morning)
    tws.fills_at = 30.2
    assert "sold again" in probe(home, morning)["message"] and tws.ledger.holds("INTC") == 0


def test_a_share_that_a_person_sold_meanwhile_is_not_sold_again(home: Home, morning: Morning, tws: TwsDouble) -> None:
    morning.to_come = {"09:30:02": filled_then_gone(tws)}
    with pytest.raises(Unavailable):
        probe(home, morning)
    tws.ledger.positions[270639] = (0.0, 0.0)
    tws.open_port()
    morning.now = on("11:00")
    assert "no longer holds" in probe(home, morning)["message"]
    assert sent(tws) == [("BUY", 1, "OPG")]


def test_a_full_disk_before_the_order_sends_nothing_and_after_it_does_not_keep_the_share(
    home: Home, morning: Morning, tws: TwsDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, full = probe_record.save, [True]

    def refusing(store: Store, record: probe_record.Record) -> None:
        if full[0]:
            raise Unavailable("the disk is full; free some space.")
        save(store, record)

    monkeypatch.setattr(probe_record, "save", refusing)
    with pytest.raises(Unavailable, match="disk is full"):
        probe(home, morning)
    assert tws.order_bytes() == 0
    full[0], morning.now = False, on("09:10")

    def fill(ledger: Ledger) -> list[Event]:
        full[0] = True
        return ledger.auction("INTC", 30.0)

    morning.to_come = {"09:30:02": fill, "09:30:20": lambda x: x.market("INTC", 30.1)}
    assert "sold again" in probe(home, morning)["message"] and tws.ledger.holds("INTC") == 0


def test_a_tws_that_does_not_speak_is_told_with_its_cure_and_what_is_held_with_it(
    home: Home, morning: Morning, tws: TwsDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe_open, "READY_SECONDS", 0.3)
    with listeners.listening(listeners.greeting(203)) as port:
        settings.save(home, "ibkr_port", port)
        with pytest.raises(Unavailable, match="server version 203, which is too new.*install an earlier release"):
            probe(home, morning)
        left = probe_record.Record(
            str(MONDAY), ACCOUNT, "INTC", 270639, "NASDAQ", 18, 0, sent=True, entry_over=True, bought=1
        )
        probe_record.save(Store(home), left)
        with pytest.raises(Unavailable, match="1 share of INTC .* still held .*too new.* again"):
            probe(home, morning)


def test_a_damaged_record_is_told_and_nothing_is_sent(home: Home, morning: Morning, tws: TwsDouble) -> None:
    Store(home).path(probe_record.NAME).write_text("garbage")
    with pytest.raises(Damaged, match="look in TWS"):
        probe(home, morning)
    assert tws.order_bytes() == 0
