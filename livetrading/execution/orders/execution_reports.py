"""A broker's reports as events of an agent: order status reports and executions.

A broker may report an order as filled before it reports the fill. It may report a
fill twice, or a sale before its purchase. The order then waits for the fill, and
the sale for the purchase: an order ends when its money is in the book.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date

from ...adapters.brokers.base import Broker, BrokerOrder, Execution
from ...core import estimates
from ...core.agent import AgentState
from ...core.events import Event, Filled, OrderMoved
from ...core.orders import WORKING, Order, OrderState
from ...core.types import Leg
from . import corrections

PriceOf = Callable[[Execution, Order], float]
"""The price of a fill that the broker reports without one; 0 while it is unknown."""


def as_reported(fill: Execution, order: Order) -> float:
    return fill.price


def news(state: AgentState, broker: Broker, price_of: PriceOf = as_reported) -> list[Event]:
    """What the broker reports and the book does not have yet; nothing is written."""
    answers = [(o, broker.find(o.key)) for o in state.open_orders() if o.at_broker]
    fills = _bookable(state, _priced(state, broker.executions(), price_of))
    booked: Counter[str] = Counter()
    for fill in fills:
        booked[fill.ref] += fill.qty
    found: list[Event] = []
    for order, answer in answers:
        # A fill may be booked although the broker has not reported its order.
        report = answer and believed(order, answer, max(order.filled, state.booked_of(order.key)) + booked[order.key])
        if report and _changed(order, report):
            found.append(moved(order, report))
    return [*found, *(_filled(state, broker, fill) for fill in fills), *corrections.news(state, broker, fills)]


def _priced(state: AgentState, reports: list[Execution], price_of: PriceOf) -> list[Execution]:
    """The executions that have a price. The others are read again in the next pass."""
    found = []
    for fill in reports:
        order = state.order(fill.ref)
        price = fill.price or (price_of(fill, order) if order is not None else 0.0)
        if price > 0:
            found.append(fill if price == fill.price else _at(state, order, fill, price))
    return found


def _at(state: AgentState, order: Order | None, fill: Execution, price: float) -> Execution:
    """A fill at an estimated price, with an estimated fee if the broker has not reported one."""
    if fill.final or order is None:
        return replace(fill, price=price)
    day, costs = date.fromisoformat(fill.session), state.agent.terms.costs
    return replace(fill, price=price, fee=estimates.fee(order.side, fill.qty, price, day, costs))


def unpriced(state: AgentState, broker: Broker) -> int:
    """Shares (signed) that the broker reports as traded for an agent, without a price."""
    reports = {e.exec_id: e for e in broker.executions() if e.price <= 0 and not state.book.counted(e.exec_id)}
    return sum(_signed(state, e) for e in reports.values() if state.order(e.ref) is not None)


def _bookable(state: AgentState, reports: list[Execution]) -> list[Execution]:
    """New fills of this agent, each once. A sale of shares that are not in the book yet waits. An execution that
    the broker cancelled before it was booked is left out."""
    fresh = {e.exec_id: e for e in reports if not state.book.counted(e.exec_id) and e.qty > 0}
    waiting = [e for e in fresh.values() if state.order(e.ref) is not None]
    shares, taken = state.book.shares, list[Execution]()
    while ready := next((e for e in waiting if shares + _signed(state, e) >= 0), None):
        waiting.remove(ready)
        taken.append(ready)
        shares += _signed(state, ready)
    return taken


def _signed(state: AgentState, fill: Execution) -> int:
    order = state.order(fill.ref)
    return fill.qty if order is not None and order.side == "BUY" else -fill.qty


def believed(order: Order, answer: BrokerOrder, booked: int) -> BrokerOrder:
    """The broker's report of an order, limited to the ``booked`` shares.

    Further fills that it reports are still to be booked, and the order stays open until then.
    """
    state = answer.state
    if answer.filled > booked or state in WORKING:
        state = OrderState.PARTIALLY_FILLED if booked else OrderState.NEW
        if order.state == OrderState.PENDING_CANCEL:
            state = order.state
    return replace(answer, state=state, filled=booked)


def moved(order: Order, answer: BrokerOrder) -> OrderMoved:
    """The event of a broker's report, which is the only source of a terminal state. If we cancelled an entry, our
    reason stays on record, whatever reason the broker gives: it decides what is done with shares that were bought."""
    stop = answer.stop_price if order.leg == Leg.STOP else None
    reason = "" if order.withdrawn and order.leg == Leg.ENTRY else answer.reason
    return OrderMoved(
        order.key,
        str(answer.state),
        reason,
        answer.broker_id,
        answer.filled,
        answer.qty,
        stop,
        complaint="" if order.complaint else None,  # the broker lists the order, so it was not refused
    )


def _changed(order: Order, answer: BrokerOrder) -> bool:
    return (
        order.state != answer.state
        or order.filled != answer.filled
        or order.qty != answer.qty
        or (order.leg == Leg.STOP and order.stop_price != answer.stop_price)
        or bool(order.complaint)
    )


def _filled(state: AgentState, broker: Broker, fill: Execution) -> Filled:
    order = state.order(fill.ref)
    assert order is not None
    stop = 0.0
    if order.leg == Leg.ENTRY:
        children = [o for o in state.open_orders(Leg.STOP) if o.parent == order.key]
        answer = broker.find(children[0].key) if children else None
        stop = answer.stop_price if answer else order.stop_price
    return Filled(
        fill.exec_id,
        fill.ref,
        str(order.leg),
        fill.session,
        fill.qty,
        fill.price,
        fill.fee,
        stop,
        fill.estimated or not fill.final,
    )
