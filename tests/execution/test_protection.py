"""A broker that tells fills late, twice or in the wrong order, and a person who trades beside us."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from livetrading.adapters.home import Home
from livetrading.core.errors import Unavailable
from livetrading.core.events import Filled
from livetrading.core.types import AgentStatus, Leg
from livetrading.execution.orders import execution_reports
from livetrading.execution.state.agent_repository import events_of
from tests.doubles.lives import FIRST, at
from tests.faults.bad_broker import Schedule, cheap


@pytest.fixture
def bought(tmp_path: Path) -> Iterator[Schedule]:
    """An entry of the eve has filled at the open; nothing has heard of it yet."""
    with cheap():
        life = Schedule(Home.resolve(str(tmp_path / "home")), 0)
        life.broker.faults = ()
        life.trader.run(at(life.days[FIRST], "16:40"))
        life.trader.run(at(life.days[FIRST + 1], "08:00"))
        life.broker.open(str(life.days[FIRST + 1]), float(life.frame["open"].iloc[FIRST + 1]))
        yield life


@pytest.fixture
def holding(bought: Schedule) -> Schedule:
    bought.trader.run(clock(bought, "09:31"))
    assert bought.repository.state.book.shares == bought.broker.own > 30
    return bought


def clock(life: Schedule, time: str, day: int = 1) -> datetime:
    return at(life.days[FIRST + day], time)


def leave(life: Schedule) -> datetime:
    """Hold until the exit is planned; the next morning."""
    life.broker.price = 1e9
    life.trader.run(clock(life, "16:40"))
    assert [o.leg for o in life.repository.state.orders] == [Leg.STOP, Leg.EXIT]
    return clock(life, "08:00", 2)


def fills(life: Schedule) -> list[tuple[str, int]]:
    return [(e.leg, e.qty) for _, batch in events_of(life.repository.directory) for e in batch if isinstance(e, Filled)]


def test_an_order_has_not_ended_before_its_fill_is_in_the_book(bought: Schedule) -> None:
    bought.broker.hidden = [bought.broker.done[0].exec_id]
    bought.trader.run(clock(bought, "09:31"))
    assert bought.repository.state.open_orders(Leg.ENTRY) and bought.repository.state.flat
    bought.broker.hidden = []
    bought.trader.run(clock(bought, "09:50"))
    assert (
        not bought.repository.state.open_orders(Leg.ENTRY) and bought.repository.state.book.shares == bought.broker.own
    )


def test_a_sale_told_before_its_purchase_waits_for_it(bought: Schedule) -> None:
    qty = bought.broker.own
    bought.broker.trade(1.0)
    bought.broker.hidden = [bought.broker.done[0].exec_id]
    bought.trader.run(clock(bought, "09:31"))
    assert fills(bought) == []
    bought.broker.hidden, bought.broker.done = [], bought.broker.done[::-1]
    bought.trader.run(clock(bought, "09:50"))
    assert fills(bought) == [("entry", qty), ("stop", qty)] and bought.repository.state.idle


def test_a_fill_told_twice_in_one_answer_is_news_once(bought: Schedule) -> None:
    bought.broker.done *= 2
    found = execution_reports.news(bought.repository.state, bought.broker)
    assert [type(e).__name__ for e in found].count("Filled") == 1


def test_an_exit_sells_only_what_a_crossed_stop_has_left_even_if_its_fill_is_told_late(holding: Schedule) -> None:
    broker, cancel = holding.broker, holding.broker.cancel
    morning, held = leave(holding), broker.own

    def crossing(ref: str, now: datetime) -> None:
        broker._fill(next(o for o in broker.orders if o.ticket.ref == ref), 10)
        broker.hidden = [broker.done[-1].exec_id]
        cancel(ref, now)

    broker.cancel = crossing  # type: ignore[method-assign]
    holding.trader.run(morning)
    assert [o.ticket.side for o in broker.orders] == ["BUY", "SELL"], "no exit while a fill may be on its way"
    broker.hidden = []
    holding.trader.run(clock(holding, "08:10", 2))
    assert broker.orders[-1].ticket.qty == held - 10 and broker.wrongs == []


def test_a_stop_for_more_than_the_account_still_holds_is_withdrawn(holding: Schedule) -> None:
    holding.broker.by_hand = -7
    done = holding.trader.run(clock(holding, "11:00"))
    assert "cancelled" in done.alarms[0]["text"] and holding.broker.on_sale(set()) == 0
    holding.trader.run(clock(holding, "16:40"))
    assert (
        holding.repository.state.status == AgentStatus.BLOCKED
        and "the broker" in holding.repository.state.status_reason
    )


def test_shares_bought_by_hand_leave_the_stop_where_it_is(holding: Schedule) -> None:
    holding.broker.by_hand = 7
    holding.trader.run(clock(holding, "11:00"))
    assert holding.broker.on_sale(set()) == holding.broker.own


def test_a_sale_in_doubt_is_not_sent_again_for_more_than_the_account_holds(
    holding: Schedule, monkeypatch: pytest.MonkeyPatch
) -> None:
    morning = leave(holding)

    def lost(*args: Any) -> Any:
        raise Unavailable("no connection")

    with monkeypatch.context() as patch:
        patch.setattr(holding.broker, "submit", lost)
        holding.trader.run(morning)
    assert holding.repository.state.open_orders(Leg.EXIT)[0].state == "PENDING_NEW"
    holding.broker.by_hand = -7
    holding.trader.run(clock(holding, "08:10", 2))
    assert [o.ticket.side for o in holding.broker.orders] == ["BUY", "SELL"], "the entry and its stop alone"
    assert holding.repository.state.open_orders(Leg.EXIT) == []


def test_a_stop_of_another_size_than_the_position_is_replaced(bought: Schedule) -> None:
    stop = next(o for o in bought.broker.orders if o.ticket.type == "STP")
    stop.ticket = type(stop.ticket)(**{**vars(stop.ticket), "qty": 5})
    bought.trader.run(clock(bought, "09:31"))
    bought.trader.run(clock(bought, "09:32"))
    assert bought.broker.on_sale(set()) == bought.broker.own and bought.broker.wrongs == []
