"""The simulated broker: what it fills, when, and what outlives the process."""

from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest

from livetrading.adapters.brokers.base import Ticket
from livetrading.adapters.brokers.paper import PaperBroker
from livetrading.adapters.calendar import calendar
from livetrading.adapters.home import Home
from livetrading.adapters.store import Store
from livetrading.core import rules, windows
from livetrading.core.errors import BadInput, Damaged, Unavailable
from livetrading.core.orders import OrderState
from livetrading.core.rules import Quote
from livetrading.core.types import Costs
from tests.doubles.processes import in_child, limit_file_size

MONDAY, TUESDAY, WEDNESDAY = date(2024, 6, 3), date(2024, 6, 4), date(2024, 6, 5)
BUY = Ticket("A:entry:1", "BUY", 10, "MKT", "OPG")
STOP = Ticket("A:stop:1", "SELL", 10, "STP", "GTC", 90.0)
EXIT = Ticket("A:exit:1", "SELL", 10, "MKT", "OPG")


def clock(session: date, text: str) -> datetime:
    hour, minute = map(int, text.split(":"))
    return windows.at(session, windows.time(hour, minute))


def bar(opened: float = 100.0, low: float = 99.0, close: float = 101.0, split: float = 1.0) -> Quote:
    values = (opened, low, close, 100.0, 0.0, split, 0.0, 0.0, 0.0)
    return Quote(*map(np.float64, values))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "paper.json"


def broker_at(path: Path) -> PaperBroker:
    return PaperBroker(Store(Home(path.parent)), path, Costs())


def trade(broker: PaperBroker, session: date, quote: Quote) -> None:
    broker.advance(session.isoformat(), calendar().open_at(session), quote)


@pytest.fixture
def holding(path: Path) -> PaperBroker:
    """Bought on Tuesday's open with a stop at 90."""
    broker = broker_at(path)
    broker.submit(BUY, STOP, clock(TUESDAY, "08:00"))
    trade(broker, TUESDAY, bar())
    assert broker.position() == 10
    return broker


def state(broker: PaperBroker, ticket: Ticket) -> OrderState:
    found = broker.find(ticket.ref)
    assert found is not None
    return found.state


def test_an_order_fills_at_the_first_open_after_it_was_accepted_with_slippage_and_fee(path: Path) -> None:
    broker = broker_at(path)
    broker.submit(BUY, STOP, clock(TUESDAY, "08:00"))
    trade(broker, TUESDAY, bar(opened=100.0))
    (fill,) = broker.executions()
    assert (fill.session, fill.qty, fill.price, fill.fee) == ("2024-06-04", 10, 100.0 * 1.0005, 1.0)


def test_no_order_fills_at_an_open_before_it_was_accepted(path: Path) -> None:
    broker = broker_at(path)
    broker.submit(BUY, None, clock(TUESDAY, "09:31"))
    trade(broker, TUESDAY, bar())
    assert broker.executions() == [] and state(broker, BUY) == OrderState.NEW
    trade(broker, WEDNESDAY, bar())
    assert [e.session for e in broker.executions()] == ["2024-06-05"]


def test_a_session_trades_once(holding: PaperBroker) -> None:
    before = holding.executions()
    trade(holding, TUESDAY, bar(low=10.0))
    assert holding.executions() == before and holding.position() == 10


def test_a_stop_is_active_on_its_entrys_own_bar(path: Path) -> None:
    broker = broker_at(path)
    broker.submit(BUY, STOP, clock(TUESDAY, "08:00"))
    trade(broker, TUESDAY, bar(low=89.0))
    assert [e.ref for e in broker.executions()] == [BUY.ref, STOP.ref]
    assert broker.executions()[1].price == 90.0 * 0.9995 and broker.position() == 0


def test_a_gap_through_the_stop_fills_at_the_open(holding: PaperBroker) -> None:
    trade(holding, WEDNESDAY, bar(opened=80.0, low=79.0))
    assert holding.executions()[-1].price == 80.0 * 0.9995


def test_the_stop_of_an_unfilled_entry_sleeps_and_goes_with_it(path: Path) -> None:
    broker = broker_at(path)
    broker.submit(BUY, STOP, clock(MONDAY, "17:00"))
    broker.cancel(BUY.ref, clock(MONDAY, "18:00"))
    assert state(broker, BUY) == state(broker, STOP) == OrderState.CANCELED
    trade(broker, TUESDAY, bar(low=1.0))
    assert broker.executions() == [] and broker.position() == 0


def test_a_cancel_after_the_open_may_have_crossed_the_fill_and_waits_for_the_bar(path: Path) -> None:
    broker = broker_at(path)
    broker.submit(BUY, STOP, clock(TUESDAY, "08:00"))
    broker.cancel(BUY.ref, clock(TUESDAY, "11:00"))
    assert state(broker, BUY) == OrderState.PENDING_CANCEL
    trade(broker, TUESDAY, bar())
    assert state(broker, BUY) == OrderState.FILLED and state(broker, STOP) == OrderState.NEW


def test_a_stop_cancelled_in_the_session_still_guards_that_session(holding: PaperBroker) -> None:
    holding.cancel(STOP.ref, clock(WEDNESDAY, "11:00"))
    trade(holding, WEDNESDAY, bar(low=85.0))
    assert state(holding, STOP) == OrderState.FILLED and holding.position() == 0


def test_a_stop_that_was_not_hit_is_cancelled_with_the_bar(holding: PaperBroker) -> None:
    holding.cancel(STOP.ref, clock(WEDNESDAY, "11:00"))
    trade(holding, WEDNESDAY, bar())
    assert state(holding, STOP) == OrderState.CANCELED and holding.position() == 10


def test_a_cancel_before_the_open_is_answered_at_once(holding: PaperBroker) -> None:
    holding.cancel(STOP.ref, clock(WEDNESDAY, "08:00"))
    assert state(holding, STOP) == OrderState.CANCELED


def test_a_split_rescales_shares_orders_and_stop(holding: PaperBroker) -> None:
    trade(holding, WEDNESDAY, bar(opened=50.0, low=49.0, split=2.0))
    stop = holding.find(STOP.ref)
    assert stop is not None and (holding.position(), stop.qty, stop.stop_price) == (20, 20, 45.0)


def test_an_order_that_a_split_leaves_without_a_share_expires(path: Path) -> None:
    broker = broker_at(path)
    broker.submit(BUY, STOP, clock(TUESDAY, "08:00"))
    trade(broker, TUESDAY, bar(split=0.05))
    assert state(broker, BUY) == OrderState.EXPIRED and broker.position() == 0


def test_what_was_accepted_outlives_the_process(path: Path) -> None:
    in_child(lambda: broker_at(path).submit(BUY, STOP, clock(TUESDAY, "08:00")).broker_id)
    broker = broker_at(path)
    trade(broker, TUESDAY, bar())
    assert broker.position() == 10 == broker_at(path).position()


def test_what_could_not_be_written_was_not_accepted(path: Path) -> None:
    broker_at(path).submit(BUY, STOP, clock(TUESDAY, "08:00"))

    def full() -> tuple[bool, bool]:
        broker = broker_at(path)
        limit_file_size(path.stat().st_size)
        try:
            broker.submit(EXIT, None, clock(TUESDAY, "08:01"))
        except Unavailable:
            return True, broker.find(EXIT.ref) is None
        return False, False

    assert in_child(full) == (True, True)
    assert broker_at(path).find(EXIT.ref) is None


def test_an_order_for_no_share_is_refused(path: Path) -> None:
    with pytest.raises(BadInput, match="whole shares"):
        broker_at(path).submit(Ticket("A", "BUY", 0, "MKT", "OPG"), None, clock(TUESDAY, "08:00"))


@pytest.mark.parametrize("text", ["{", "{}", '{"account": {"1": {"position": 1}}}'])
def test_a_spoilt_account_is_named_and_never_taken_for_an_empty_one(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(Damaged, match="paper.json"):
        broker_at(path)


def test_fills_are_those_of_the_rules_that_backtests_run(holding: PaperBroker) -> None:
    quote = bar(opened=105.0)
    holding.cancel(STOP.ref, clock(WEDNESDAY, "08:00"))
    holding.submit(EXIT, None, clock(WEDNESDAY, "08:00"))
    trade(holding, WEDNESDAY, quote)
    expected = rules.sell_at(np.float64(10), quote.open, quote, Costs())
    assert (holding.executions()[-1].price, holding.executions()[-1].fee) == (
        float(expected.price),
        float(expected.fee),
    )
