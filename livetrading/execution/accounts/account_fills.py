"""Fills that are reported and not yet booked, when several agents trade the same stock.

The account has one position. A broker reports the position and the fills that changed it one after the other.
Between the two reports it looks as if the position lacked an agent's shares, or had too many.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from ...adapters.brokers.connection import Report
from ...core.agent import AgentState

POSITION_LATE = timedelta(seconds=10)
"""How long after a fill the reported position may still be the old one."""


def unbooked(state: AgentState, reports: Iterable[Report]) -> int:
    """Shares (signed) that the broker reports as traded for an agent, and that its book does not have yet."""
    most: dict[str, int] = {}
    for done in reports:
        most[done.ref] = max(most.get(done.ref, 0), done.cum)
    orders = {o.key: o for o in (*state.recent, *state.orders)}
    return sum(
        (1 if orders[key].side == "BUY" else -1) * max(cum - state.booked_of(key), 0)
        for key, cum in most.items()
        if key in orders
    )


def in_doubt(state: AgentState, reports: Iterable[Report], now: datetime) -> tuple[int, int]:
    """By how many shares the position may be too small and too large because of one agent's orders. Open orders
    may have filled without a report, and the newest fills may not be in the position yet."""
    done = list(reports)
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
