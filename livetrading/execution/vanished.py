"""An exit that the broker had accepted and does not list any more: it sells nothing, and the position needs its stop.

Interactive Brokers may end an order with an error alone, or without a word, and leave it out of the completed
orders. Such an exit ends in the book when the broker, answering every question, has twice been asked for it
and, after a pause, twice more. A question without an answer ends nothing.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ..adapters.stamps import parse_stamp
from ..core import exposure
from ..core.events import OrderMoved
from ..core.orders import WORKING, Order, OrderState
from ..core.types import Leg

if TYPE_CHECKING:
    from .order_executor import OrderExecutor

NOWHERE = "the broker lists it nowhere"
PAUSE = timedelta(seconds=2)
"""Between the first absence and the question that decides."""
LATE_FILL = timedelta(seconds=60)
"""So long an exit stays open while the broker does not hold what the book does: its fill may be on its way."""


def end_unlisted(executor: "OrderExecutor", now: datetime) -> None:
    """Note what is not listed, so that its position counts as unprotected, and end it when that is sure."""
    state = executor.dossier.state
    if state.flat or executor.broker.traded() > (state.booked or ""):
        return
    for order in state.open_orders(Leg.EXIT):
        if order.state not in WORKING or executor.known(order):
            continue
        if not exposure.unlisted(order):
            executor.dossier.commit([OrderMoved(order.key, order.state, complaint=NOWHERE)], now)
        elif _sure(executor, order, now):
            to = OrderState.CANCELED if order.filled else OrderState.REJECTED
            executor.dossier.commit([OrderMoved(order.key, to, NOWHERE)], now)


def _sure(executor: "OrderExecutor", order: Order, now: datetime) -> bool:
    """Whether the broker has answered all that could show it, and holds what the book does."""
    since = executor.dossier.exposure.bare_since
    absent = now - since if since else timedelta(0)
    if absent < PAUSE or executor.broker.unanswered():
        return False
    return absent >= LATE_FILL or executor.broker.position() == executor.dossier.state.book.shares
