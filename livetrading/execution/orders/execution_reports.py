"""What a broker's words mean for an agent: statements and executions as events.

A broker may tell that an order filled before it tells the fill, tell a fill
twice, or a sale before its purchase. The order then waits for the fill, and the
sale for the purchase: an order has ended when its money is in the book.
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
"""The price of a fill of which the broker no longer tells one; 0 while that is not known."""


def as_reported(fill: Execution, order: Order) -> float:
    return fill.price


def news(state: AgentState, broker: Broker, price_of: PriceOf = as_reported) -> list[Event]:
    """What the broker says that the book does not hold yet; nothing is written."""
    answers = [(o, broker.find(o.key)) for o in state.open_orders() if o.at_broker]
    fills = _bookable(state, _priced(state, broker.executions(), price_of))
    booked: Counter[str] = Counter()
    for fill in fills:
        booked[fill.ref] += fill.qty
    found: list[Event] = []
    for order, answer in answers:
        # A fill may have been booked while the broker told nothing of its order.
        heard = answer and believed(order, answer, max(order.filled, state.booked_of(order.key)) + booked[order.key])
        if heard and _changed(order, heard):
            found.append(moved(order, heard))
    return [*found, *(_filled(state, broker, fill) for fill in fills), *corrections.news(state, broker, fills)]


def _priced(state: AgentState, told: list[Execution], price_of: PriceOf) -> list[Execution]:
    """What has a price; the others are told again until they have one."""
    found = []
    for fill in told:
        order = state.order(fill.ref)
        price = fill.price or (price_of(fill, order) if order is not None else 0.0)
        if price > 0:
            found.append(fill if price == fill.price else _at(state, order, fill, price))
    return found


def _at(state: AgentState, order: Order | None, fill: Execution, price: float) -> Execution:
    """A fill at a price that its broker did not tell, with the fee of such a fill where none is stated."""
    if fill.final or order is None:
        return replace(fill, price=price)
    day, costs = date.fromisoformat(fill.session), state.agent.terms.costs
    return replace(fill, price=price, fee=estimates.fee(order.side, fill.qty, price, day, costs))


def unpriced(state: AgentState, broker: Broker) -> int:
    """Shares, signed, that the broker says to have traded for an agent without telling at which price."""
    told = {e.exec_id: e for e in broker.executions() if e.price <= 0 and not state.book.counted(e.exec_id)}
    return sum(_signed(state, e) for e in told.values() if state.order(e.ref) is not None)


def _bookable(state: AgentState, told: list[Execution]) -> list[Execution]:
    """New fills of this agent, each once; what sells shares that are not in the book yet waits. One that its
    broker took back before it was booked is none."""
    fresh = {e.exec_id: e for e in told if not state.book.counted(e.exec_id) and e.qty > 0}
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
    """The broker's statement as far as the book bears it out, ``booked`` shares of it.

    What it says to have filled beyond them is on its way, and the order goes on
    until it arrives.
    """
    state = answer.state
    if answer.filled > booked or state in WORKING:
        state = OrderState.PARTIALLY_FILLED if booked else OrderState.NEW
        if order.state == OrderState.PENDING_CANCEL:
            state = order.state
    return replace(answer, state=state, filled=booked)


def moved(order: Order, answer: BrokerOrder) -> OrderMoved:
    """The broker's word on an order, and the only source of a terminal state. Why we withdrew an entry stays on
    record, whatever the broker says of its end: what is done with shares that it bought depends on it."""
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
        complaint="" if order.complaint else None,  # it is listed
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
