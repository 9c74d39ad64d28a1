"""Finds out what became of orders that were sent or cancelled without a known outcome."""

from datetime import datetime

from ...core import windows
from ...core.events import OrderMoved
from ...core.orders import WORKING, Order, OrderState
from ...core.types import Leg
from . import vanished_exits
from .order_executor import OrderExecutor
from .order_plans import planned_exit

_S = OrderState


def recover(executor: OrderExecutor, now: datetime) -> None:
    """Resolve orders whose outcome is unknown: the process ended, or the broker did not answer."""
    executor.sync(now)
    for before in executor.repository.state.open_orders():
        order = executor.repository.state.order(before.key)
        if order is None or order.state not in (_S.PENDING_NEW, _S.PENDING_CANCEL):
            continue
        parent = executor.repository.state.order(order.parent) if order.parent else None
        if parent is not None and parent.state == _S.PENDING_NEW:
            continue  # it is sent together with its entry
        if order.complaint:
            _after_complaint(executor, order, now)
        elif executor.known(order):
            _ask_again(executor, order, now)
        elif order.state == _S.PENDING_CANCEL or parent is not None:
            executor.give_up(order, "it never reached the broker", now)
        else:
            _resend(executor, order, now)
    vanished_exits.end_unlisted(executor.repository, executor.broker, executor.known, now)


def _ask_again(executor: OrderExecutor, order: Order, now: datetime) -> None:
    """Request a cancel again if the request, or the report of its outcome, was lost."""
    answer = executor.broker.find(order.key)
    if (
        order.state == _S.PENDING_CANCEL
        and answer is not None
        and (
            answer.state in WORKING
            or (answer.state == _S.PENDING_CANCEL and executor.cancel_unanswered(order.key, now))
        )
    ):
        executor.request_cancel(order.key, now)
    else:
        executor.sync(now)


def _after_complaint(executor: OrderExecutor, order: Order, now: datetime) -> None:
    """An order that the broker answered with an error and does not list was refused."""
    if executor.broker.find(order.key) is None:
        children = [o for o in executor.repository.state.open_orders(Leg.STOP) if o.parent == order.key]
        reason = order.complaint
        ended = [
            OrderMoved(order.key, _S.REJECTED, reason),
            *(OrderMoved(o.key, _S.CANCELED, reason) for o in children),
        ]
        executor.repository.commit([*ended], now)
        if order.leg == Leg.STOP:
            executor.stop_refused = now
    else:
        executor.sync(now)
        after = executor.repository.state.order(order.key)
        if after is not None and after.open:
            executor.repository.commit([OrderMoved(order.key, after.state, complaint="")], now)


def _resend(executor: OrderExecutor, order: Order, now: datetime) -> None:
    """Send an order again that did not arrive, if it is not too late."""
    barred = executor.barred() if order.leg == Leg.ENTRY else None
    if barred:
        return executor.give_up(order, barred, now)
    session = executor.window.session(order)
    close = executor.calendar.close_at(session)
    if order.leg == Leg.EXIT and not executor.window.exit_may_go_again(order, now):
        return _postpone(executor, order, now)
    if order.leg == Leg.ENTRY and order.tif == "DAY" and not windows.for_late_entry(session, now):
        return executor.give_up(order, "it did not reach the broker in time", now)
    if order.tif == "OPG" and not windows.may_recover(session, now):
        if executor.window.too_late(order, now) or (order.leg == Leg.ENTRY and not executor.window.by_day(order)):
            return executor.give_up(order, "it did not reach the broker in time", now)
        if not windows.for_day(session, close, now):
            return None  # the window for the open is over, that for day orders not yet open
        executor.repository.commit([OrderMoved(order.key, _S.PENDING_NEW, tif="DAY")], now)
    children = [o for o in executor.repository.state.open_orders(Leg.STOP) if o.parent == order.key]
    executor.deliver(order.key, children[0] if children else None, now)
    return None


def _postpone(executor: OrderExecutor, order: Order, now: datetime) -> None:
    """Plan an exit again that did not arrive and may not be sent now. The stop is placed again meanwhile."""
    executor.give_up(order, "it did not reach the broker in time", now)
    if not executor.repository.state.flat and not executor.window.too_late(order, now):
        executor.repository.commit(
            planned_exit(executor.repository.state, order.bar, now, order.tif, order.reason), now
        )
