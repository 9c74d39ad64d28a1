"""What other agents' fills mean for an agent of the same stock, before they are in their books.

The account has one position. A broker tells it and the fills that changed it one after the other, so
for a moment the position of one agent looks as if another's shares were missing from it.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from ...adapters.brokers.connection import Report
from ...core.agent import AgentState

POSITION_LATE = timedelta(seconds=10)
"""So long after a fill the position may still be the one before it."""


def unbooked(state: AgentState, told: Iterable[Report]) -> int:
    """Shares, signed, that the broker has told to be traded for an agent and its book does not hold yet."""
    most: dict[str, int] = {}
    for done in told:
        most[done.ref] = max(most.get(done.ref, 0), done.cum)
    orders = {o.key: o for o in (*state.recent, *state.orders)}
    return sum(
        (1 if orders[key].side == "BUY" else -1) * max(cum - state.booked_of(key), 0)
        for key, cum in most.items()
        if key in orders
    )


def in_doubt(state: AgentState, told: Iterable[Report], now: datetime) -> tuple[int, int]:
    """By how many shares the position may be too small and too large because of one agent's orders: what is still
    open of them may have filled without a word, and what has just filled may not be in the position yet."""
    done = list(told)
    filled: dict[str, int] = {}
    for one in done:
        filled[one.ref] = max(filled.get(one.ref, 0), one.cum)
    low = high = 0
    for order in (o for o in state.orders if o.at_broker):
        left = max(order.qty - max(filled.get(order.key, 0), order.filled), 0)
        low, high = (low, high + left) if order.side == "BUY" else (low + left, high)
    for one in (d for d in done if now - d.at < POSITION_LATE):
        low, high = (low + one.qty, high) if one.side == "BUY" else (low, high + one.qty)
    return low, high
