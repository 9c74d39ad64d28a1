"""A replay: the live trader over historical bars, with a virtual clock."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from ...core import agent_ledger, windows
from ...core.agent import AgentState
from ...core.events import StatusChanged
from ...core.orders import OrderState
from ...core.types import AgentStatus
from ..state.agent_repository import events_of
from .live_trader import LiveTrader

MORNING = time(9, 0)
"""When a replay sends planned orders, New York time."""


def current_session(trader: LiveTrader) -> date:
    """The session that a replay runs next."""
    state = trader.repository.state
    if state.booked is None:
        return date.fromisoformat(state.first_session)
    return trader.calendar.next_session(date.fromisoformat(state.booked))


def virtual_now(trader: LiveTrader) -> datetime:
    """A replay's time between two sessions: ``delay`` after the close of the last one."""
    state = trader.repository.state
    if state.booked is None:
        return windows.at(date.fromisoformat(state.first_session), windows.OPG_FROM)
    return trader.calendar.close_at(date.fromisoformat(state.booked)) + trader.delay


def exhausted(trader: LiveTrader) -> bool:
    """Whether the history has no further session."""
    session = current_session(trader)
    return trader.series.end < session


def advance(trader: LiveTrader) -> bool:
    """Run one session; False when the history is over and the agent is finished."""
    if exhausted(trader):
        finish(trader)
        return False
    session = current_session(trader)
    trader.run(windows.at(session, MORNING))
    trader.run(trader.calendar.close_at(session) + trader.delay)
    if exhausted(trader):
        finish(trader)
    return True


def finish(trader: LiveTrader) -> None:
    """End the replay: open orders are cancelled, because no bar can fill them."""
    now = virtual_now(trader)
    repository = trader.repository
    for order in repository.state.open_orders():
        still = repository.state.order(order.key)
        if still is not None and still.open and not still.at_broker:
            trader.executor.drop(still, OrderState.CANCELED, "the replay is over", now)
        elif still is not None and still.open:
            trader.executor.cancel(order.key, "the replay is over", now)
    if repository.state.status != AgentStatus.FINISHED:
        repository.commit([StatusChanged(AgentStatus.FINISHED, "the history is over", "replay")], now)


@dataclass(frozen=True)
class Replayed:
    """The figures of a replay; ``rows`` is its ledger."""

    rows: list[dict[str, Any]]
    decisions: int
    orders: int
    fills: int
    state: AgentState


def run(trader: LiveTrader, last: date, progress: Callable[[int, int], None]) -> Replayed:
    """Run every session up to ``last``."""
    sessions = trader.calendar.sessions(current_session(trader), last)
    for done, _ in enumerate(sessions, 1):
        session = current_session(trader)
        trader.run(windows.at(session, MORNING))
        trader.run(trader.calendar.close_at(session) + trader.delay)
        progress(done, len(sessions))
    return summary(trader)


def summary(trader: LiveTrader) -> Replayed:
    """The figures of a replay, read from its journal."""
    directory = trader.repository.directory
    events = [event for _, batch in events_of(directory) for event in batch]
    rows = agent_ledger.rows(events)
    return Replayed(
        rows=rows,
        decisions=sum(1 for row in rows if row["obs"] is not None),
        orders=sum(1 for row in rows if row["qty"]),
        fills=sum(len(row["fills"]) for row in rows),
        state=trader.repository.state,
    )
