"""The ledger of an agent's real decisions and fills, folded from its journal."""

from collections.abc import Iterable
from typing import Any

from . import agent as agents
from . import ledger
from .agent import AgentState
from .events import Decided, Event, Missed


def rows(events: Iterable[Event]) -> list[dict[str, Any]]:
    """One ledger row for each decided or MISSED session, in order."""
    state, found = AgentState(), []
    for event in events:
        if isinstance(event, Decided | Missed):
            found.append(_row(state, event))
        state = agents.apply(state, event)
    return found


def _row(state: AgentState, event: Decided | Missed) -> dict[str, Any]:
    """``state`` is the one at the session's close, before its decision."""
    book = state.book
    fills = [(f.leg, f.qty, f.price, f.fee) for f in state.fills if f.session == event.session]
    if isinstance(event, Missed):
        action, qty, obs = None, 0, None
    else:
        action, qty, obs = event.action, event.qty, event.obs
    return ledger.row(event.session, action, qty, obs, book.cash, book.equity, book.shares, fills)
