"""Orders as they are planned, before any broker knows them: an entry with its stop, an exit, a stop alone."""

from datetime import datetime

from ...adapters.brokers.base import Ticket
from ...adapters.stamps import stamp
from ...core.agent import AgentState
from ...core.events import Event, OrderPlanned
from ...core.orders import Order
from ...core.types import Leg


def planned_entry(
    state: AgentState, bar: str, qty: int, stop_price: float, now: datetime, tif: str = "OPG"
) -> list[Event]:
    """A purchase at the open (OPG) or after it (DAY), and the stop that its fill activates."""
    at = stamp(now)
    buy = Order(
        state.next_key(bar, Leg.ENTRY), Leg.ENTRY, qty, bar, tif=tif, stop_price=stop_price, created=at, updated=at
    )
    stop = planned_stop(state, bar, qty, stop_price, buy.key, at)
    return [OrderPlanned(buy.to_dict()), OrderPlanned(stop.to_dict())]


def planned_exit(state: AgentState, bar: str, now: datetime, tif: str = "OPG", reason: str = "") -> list[Event]:
    """A sale of everything held: at the open (OPG), or as soon as it may be sent (DAY)."""
    at = stamp(now)
    order = Order(
        state.next_key(bar, Leg.EXIT), Leg.EXIT, state.book.shares, bar, tif=tif, reason=reason, created=at, updated=at
    )
    return [OrderPlanned(order.to_dict())]


def planned_stop(state: AgentState, bar: str, qty: int, price: float, parent: str | None, at: str) -> Order:
    """A protective stop of ``qty`` shares at ``price`` USD, under its next key."""
    key = state.next_key(bar, Leg.STOP)
    return Order(key, Leg.STOP, qty, bar, "STP", "GTC", price, parent, created=at, updated=at)


def ticket_of(order: Order) -> Ticket:
    """An order as it is sent to a broker."""
    tif = "GTC" if order.leg == Leg.STOP else order.tif
    price = order.stop_price if order.leg == Leg.STOP else 0.0
    return Ticket(order.key, order.side, order.qty, order.type, tif, price)
