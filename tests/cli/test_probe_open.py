"""``doctor --probe-open`` on a paper account at a TWS double, on a virtual morning."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from ib_async.client import Client

from livetrading.adapters import settings
from livetrading.adapters.brokers import ibkr_evidence
from livetrading.adapters.brokers.ibkr import IbkrBroker
from livetrading.adapters.halt import HaltLatch
from livetrading.adapters.home import Home
from livetrading.adapters.store import Store
from livetrading.cli import probe_open, probe_record
from livetrading.core import windows
from livetrading.core.errors import BadInput, Conflict, Damaged, LivetradingError, Refused, Unavailable
from tests.doubles import listeners
from tests.doubles.ibkr import QUICK
from tests.doubles.tws import Fault, TwsDouble
from tests.doubles.tws.faults import CANCEL_ORDER
from tests.doubles.tws.ledger import Event, Ledger

MONDAY, ACCOUNT = date(2024, 6, 3), "DU1234567"
ALWAYS_LOOK = replace(QUICK, fresh=0.0)
Happens = dict[str, Callable[[Ledger], list[Event]]]


@dataclass
class Morning:
    """A clock that only pauses move, and what happens at the broker when it passes."""

    now: datetime
    tws: TwsDouble | None = None
    to_come: Happens = field(default_factory=dict)

    def __call__(self) -> datetime:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        for clock in [c for c in sorted(self.to_come) if windows.at(MONDAY, time.fromisoformat(c)) <= self.now]:
            assert self.tws is not None
            self.tws.happen(self.to_come.pop(clock))


@pytest.fixture(autouse=True)
def unthrottled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library sends 45 messages a second at most; a virtual morning is over sooner."""
    monkeypatch.setattr(Client, "MaxRequests", 0)


@pytest.fixture
def morning() -> Morning:
    return Morning(windows.at(MONDAY, time(9, 10)))


@pytest.fixture(params=(157, 178))
def tws(request: pytest.FixtureRequest, morning: Morning) -> Iterator[TwsDouble]:
    with TwsDouble(request.param, clock=morning) as double:
        morning.tws = double
        yield double


@pytest.fixture
def home(tmp_path: Path, tws: TwsDouble) -> Home:
    made = Home.resolve(str(tmp_path))
    settings.save_all(made, {"ibkr_port": tws.port, "ibkr_restart": ""})
    return made


def probe(home: Home, morning: Morning, confirm: str = ACCOUNT, **timing: float) -> dict[str, Any]:
    patience = replace(ALWAYS_LOOK, **timing)
    return probe_open.probe(home, confirm, "INTC", clock=morning, pause=morning.pause, timing=patience)


def sent(tws: TwsDouble) -> list[tuple[str, float, str]]:
    return [(o.action, o.qty, o.tif) for o in tws.ledger.orders]


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


def test_a_fill_before_the_open_is_no_auction_and_is_sold_after_it(home: Home, morning: Morning, tws: TwsDouble) -> None:
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


@pytest.mark.parametrize("clock", ["2024-06-03 03:59", "2024-06-03 09:21", "2024-06-03 18:00", "2024-06-01 08:00", "2024-07-04 08:00"])
def test_outside_the_window_of_a_session_nothing_is_sent(home: Home, morning: Morning, tws: TwsDouble, clock: str) -> None:
    morning.now = datetime.fromisoformat(clock).replace(tzinfo=windows.NEW_YORK).astimezone(UTC)
    with pytest.raises(Refused, match="04:00 and 09:20 New York"):
        probe(home, morning)
    assert tws.order_bytes() == 0


@pytest.mark.parametrize(
    ("spoil", "kind", "words"),
    [
        (lambda home, tws: settings.save(home, "ibkr_mode", "live"), Refused, "paper account alone"),
        (lambda home, tws: HaltLatch(home).set("test", "test", datetime.now(UTC)), Conflict, "re-arm first"),
        (lambda home, tws: tws.accounts.__setitem__(0, "U1234567"), LivetradingError, "no paper account"),
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


# -- what goes wrong in between -----------------------------------------


def filled_then_gone(tws: TwsDouble) -> Callable[[Ledger], list[Event]]:
    """The auction takes the order, and TWS goes away before anybody hears of it."""

    def act(ledger: Ledger) -> list[Event]:
        tws.close_port()
        return ledger.auction("INTC", 30.0)

    return act


def on(clock: str, day: int = 3) -> datetime:
    return datetime.fromisoformat(f"2024-06-{day:02} {clock}").replace(tzinfo=windows.NEW_YORK).astimezone(UTC)


def what_was_found(home: Home) -> list[tuple[bool, int]]:
    return [(p.holds, p.server_version) for p in ibkr_evidence.proofs(Store(home))["paper-auction"]]


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
    for words in ("1 share of INTC", "still held", f"account {ACCOUNT}", f"PROBE:{MONDAY}:exit:1",
                  f"doctor --probe-open --confirm {ACCOUNT}` again"):
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


def test_a_later_run_needs_the_account_that_was_probed_typed_again(home: Home, morning: Morning, tws: TwsDouble) -> None:
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


def test_the_emergency_stop_set_after_the_fill_does_not_keep_the_share(home: Home, morning: Morning, tws: TwsDouble) -> None:
    def fill(ledger: Ledger) -> list[Event]:
        HaltLatch(home).set("test", "test", morning.now)
        return ledger.auction("INTC", 30.0)

    morning.to_come = {"09:30:02": fill, "09:30:20": lambda x: x.market("INTC", 30.1)}
    assert "sold again" in probe(home, morning)["message"] and tws.ledger.holds("INTC") == 0


def test_a_fill_that_crosses_the_cancel_is_sold(home: Home, morning: Morning, tws: TwsDouble) -> None:
    tws.fail(Fault("stall", CANCEL_ORDER, times=99))
    morning.to_come = {"09:36": lambda x: x.auction("INTC", 30.0), "09:36:30": lambda x: x.market("INTC", 30.1)}
    done = probe(home, morning, acknowledge=0.2)
    assert done["paper_open"] == "day" and tws.ledger.holds("INTC") == 0
    assert sent(tws) == [("BUY", 1, "OPG"), ("SELL", 1, "DAY")]


def test_a_cancel_that_ib_never_confirms_is_told_and_ended_by_a_later_run(home: Home, morning: Morning, tws: TwsDouble) -> None:
    tws.fail(Fault("stall", CANCEL_ORDER, times=99))
    with pytest.raises(Unavailable, match=f"PROBE:{MONDAY}:entry:1.*again"):
        probe(home, morning, acknowledge=0.2)
    tws.happen(lambda x: x.expire(f"PROBE:{MONDAY}:entry:1"))
    morning.now = on("14:00")
    assert "Nothing was bought" in probe(home, morning)["message"]


def test_an_order_that_ib_refuses_without_listing_it_is_not_bought_twice(home: Home, morning: Morning, tws: TwsDouble) -> None:
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
        left = probe_record.Record(str(MONDAY), ACCOUNT, "INTC", 270639, "NASDAQ", 18, 0, sent=True, entry_over=True, bought=1)
        probe_record.save(Store(home), left)
        with pytest.raises(Unavailable, match="1 share of INTC .* still held .*too new.* again"):
            probe(home, morning)


def test_a_damaged_record_is_told_and_nothing_is_sent(home: Home, morning: Morning, tws: TwsDouble) -> None:
    Store(home).path(probe_record.NAME).write_text("garbage")
    with pytest.raises(Damaged, match="look in TWS"):
        probe(home, morning)
    assert tws.order_bytes() == 0


class Killed(BaseException):
    """What no handler of the program catches."""


@pytest.mark.parametrize("resumed", ["2024-06-03 11:00", "2024-06-04 11:00"])
def test_a_kill_at_any_point_leaves_nothing_that_a_later_run_does_not_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resumed: str
) -> None:
    """Before and after each message to the broker and each note; never a second share, never short."""
    real = {name: getattr(IbkrBroker, name) for name in ("submit", "cancel")} | {"save": probe_record.save}
    for missed in (False, True):  # filled in the auction, or left by it
        for n in itertools.count(1):
            steps, killed = itertools.count(1), []

            def wrapped(name: str) -> Callable[..., Any]:
                def call(*args: Any) -> Any:
                    if next(steps) == n:
                        killed.append(f"before {name}")
                        raise Killed
                    answer = real[name](*args)
                    if next(steps) == n:
                        killed.append(f"after {name}")
                        raise Killed
                    return answer

                return call

            with monkeypatch.context() as patched, TwsDouble(178) as tws:
                morning = Morning(on("09:10"), tws)
                tws.ledger.clock = morning
                home = Home.resolve(str(tmp_path / f"{missed}{n}"))
                settings.save_all(home, {"ibkr_port": tws.port, "ibkr_restart": ""})
                auction = {} if missed else {"09:30:02": lambda x: x.auction("INTC", 30.0)}
                morning.to_come = {**auction, "09:30:20": lambda x: x.market("INTC", 30.1)}
                for name in ("submit", "cancel"):
                    patched.setattr(IbkrBroker, name, wrapped(name))
                patched.setattr(probe_record, "save", wrapped("save"))
                try:
                    probe(home, morning)
                except Killed:
                    pass
                patched.undo()
                patched.setattr(Client, "MaxRequests", 0)
                if not killed:
                    break
                if not missed:
                    tws.happen(lambda x: x.auction("INTC", 30.0))
                morning.to_come, tws.fills_at = {}, 30.1
                morning.now = datetime.fromisoformat(resumed).replace(tzinfo=windows.NEW_YORK).astimezone(UTC)
                tws.happen(lambda x: x.market("INTC", 30.1))
                try:
                    probe(home, morning)
                except Refused as refused:  # nothing was left, so it is a new probe at the wrong hour
                    assert "04:00 and 09:20" in str(refused)
                where = (killed, missed, [(o.action, o.status) for o in tws.ledger.orders])
                assert tws.ledger.holds("INTC") == 0 and not tws.ledger.open_orders(), where
                assert len([o for o in tws.ledger.orders if o.action == "BUY"]) <= 1, where
                assert not [r for r in probe_record.load(Store(home)) if not r.done], where
        assert n > 6
