"""An exit that the broker had accepted and no longer lists: it sells nothing, and the position needs its stop.

A broker may end an order with only an error, or without a report, and leave it out of the completed orders
(source: seen at Interactive Brokers). Such an exit ends in the book when two look-ups and, after a pause, two
more have not found it, and no other question to the broker is open. An unanswered question ends nothing.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from ...adapters.brokers.base import Broker
from ...core import exposure
from ...core.events import OrderMoved
from ...core.orders import WORKING, Order, OrderState
from ...core.types import Leg
from ..state.agent_repository import AgentRepository

NOWHERE = "the broker lists it nowhere"
PAUSE = timedelta(seconds=2)
"""Between the first look-up without a result and the one that decides."""
LATE_FILL = timedelta(seconds=60)
"""How long an exit stays open while broker and book differ in shares: its fill may be reported late."""


def end_unlisted(repository: AgentRepository, broker: Broker, known: Callable[[Order], bool], now: datetime) -> None:
    """Record exits that are not listed, so that their position counts as unprotected, and end them once it is sure."""
    state = repository.state
    if state.flat or broker.traded() > (state.booked or ""):
        return
    for order in state.open_orders(Leg.EXIT):
        if order.state not in WORKING or known(order):
            continue
        if not exposure.unlisted(order):
            repository.commit([OrderMoved(order.key, order.state, complaint=NOWHERE)], now)
        elif _sure(repository, broker, order, now):
            to = OrderState.CANCELED if order.filled else OrderState.REJECTED
            repository.commit([OrderMoved(order.key, to, NOWHERE)], now)


def _sure(repository: AgentRepository, broker: Broker, order: Order, now: datetime) -> bool:
    """Whether every open question is answered, and the broker holds what the book does (or LATE_FILL is over)."""
    since = repository.exposure.bare_since
    absent = now - since if since else timedelta(0)
    if absent < PAUSE or broker.unanswered():
        return False
    return absent >= LATE_FILL or broker.position() == repository.state.book.shares
