"""An exit that the broker had accepted and does not list any more: it sells nothing, and the position needs its stop.

Interactive Brokers may end an order with an error alone, or without a word, and leave it out of the completed
orders. Such an exit ends in the book when the broker, answering every question, has twice been asked for it
and, after a pause, twice more. A question without an answer ends nothing.
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
"""Between the first absence and the question that decides."""
LATE_FILL = timedelta(seconds=60)
"""So long an exit stays open while the broker does not hold what the book does: its fill may be on its way."""


def end_unlisted(repository: AgentRepository, broker: Broker, known: Callable[[Order], bool], now: datetime) -> None:
    """Note what is not listed, so that its position counts as unprotected, and end it when that is sure."""
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
    """Whether the broker has answered all that could show it, and holds what the book does."""
    since = repository.exposure.bare_since
    absent = now - since if since else timedelta(0)
    if absent < PAUSE or broker.unanswered():
        return False
    return absent >= LATE_FILL or broker.position() == repository.state.book.shares
