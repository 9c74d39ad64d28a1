"""The state of an emergency stop as codes: how far it is, as a whole and for each agent."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from .agent import AgentState
from .orders import OrderState
from .types import Leg

Doc = dict[str, Any]


class StopState(StrEnum):
    """``done``: everything is flat, as the brokers report. ``queued``: exits are sent and fill when the
    market trades. ``waiting``: a broker or the scheduler does not answer; the process that holds the
    lock continues. ``failed``: a person is needed, the items say for what."""

    DONE = "done"
    QUEUED = "queued"
    WAITING = "waiting"
    FAILED = "failed"


class Outcome(StrEnum):
    """The result for one agent, or for the account."""

    FLAT = "flat"
    QUEUED = "exit queued"
    WAITING = "waiting for the broker"
    FAILED = "failed"
    OVER = "finished replay"
    ALL_CANCELLED = "all orders cancelled"
    ASKED = "cancel asked"


class ExitState(StrEnum):
    """An agent's sale: not needed, not yet at the broker, there, or filled."""

    NONE = "none"
    QUEUED = "queued"
    WORKING = "working"
    FILLED = "filled"


WAITS = frozenset({Outcome.WAITING, Outcome.ASKED})


def state_of(items: Sequence[Doc]) -> StopState:
    """How far the whole stop is. WAITING comes before FAILED, because it can still change by itself."""
    if all(item["flat"] for item in items):
        return StopState.DONE
    open_ = [item["status"] for item in items if not item["flat"]]
    if any(status in WAITS for status in open_):
        return StopState.WAITING
    return StopState.FAILED if Outcome.FAILED in open_ else StopState.QUEUED


def baseline(state: AgentState, fills: Sequence[Doc]) -> Doc:
    """The state in which a stop began; ``progress`` counts from here. ``fills`` as there."""
    orders = {o.key: o.filled for o in state.open_orders()}
    return {
        "realized": state.book.realized,
        "num_trades": state.book.num_trades,
        "orders": orders,
        "ended": [o.key for o in state.recent],
        "fills": [f["exec_id"] for f in fills if f["key"] in orders],
    }


def progress(state: AgentState, before: Doc, fills: Sequence[Doc]) -> Doc:
    """What one stop did to an agent so far; the same whoever asks and however often.

    ``shares`` were held when it began, or bought since by an order that could not be cancelled in
    time; ``orders`` were open then; ``cancelled`` of them ended without filling, ``{key, leg, qty}``;
    ``sold`` shares at the average ``price``, USD a share, None until filled; ``pnl`` the
    result of the closed round trip in USD, net of fees, None until it is closed. ``fills`` are
    documents ``{exec_id, key, qty, price}`` of this agent, among them all since the stop.
    """
    sales = {o.key for o in (*state.recent, *state.orders) if o.side == "SELL" and o.key not in before["ended"]}
    counted = [f for f in fills if f["key"] in sales and f["exec_id"] not in before["fills"]]
    sold = sum(f["qty"] for f in counted)
    closed = state.book.num_trades > before["num_trades"]
    return {
        "shares": state.book.shares + sold,
        "orders": len(before["orders"]),
        "cancelled": _cancelled(state, before),
        "sold": sold,
        "price": sum(f["qty"] * f["price"] for f in counted) / sold if sold else None,
        "pnl": state.book.realized - before["realized"] if closed else None,
        "exit": str(_exit(state, sold)),
    }


def _cancelled(state: AgentState, before: Doc) -> list[Doc]:
    found = []
    for key in before["orders"]:
        order = state.order(key)
        if order is not None and not order.open and order.state != OrderState.FILLED:
            found.append({"key": key, "leg": str(order.leg), "qty": order.qty - order.filled})
    return found


def _exit(state: AgentState, sold: int) -> ExitState:
    if exits := state.open_orders(Leg.EXIT):
        known = exits[0].state not in (OrderState.PLANNED, OrderState.PENDING_NEW)
        return ExitState.WORKING if known else ExitState.QUEUED
    return ExitState.FILLED if sold and state.flat else ExitState.NONE


def cancelled(item: Doc) -> str:
    """An item's cancelled orders in words: ``entry 10, stop 10``; empty if there are none."""
    return ", ".join(f"{order['leg']} {order['qty']:,}" for order in item.get("cancelled") or [])
