"""What a broker's words mean for an agent: statements and executions as events."""

from ..adapters.brokers.base import Broker, BrokerOrder, Execution
from ..core.agent import AgentState
from ..core.events import Event, Filled, OrderMoved
from ..core.orders import Order, OrderState
from ..core.types import Leg


def news(state: AgentState, broker: Broker) -> list[Event]:
    """What the broker says that the book does not hold yet; nothing is written."""
    found: list[Event] = []
    for order in state.open_orders():
        answer = broker.find(order.key) if order.at_broker else None
        if answer is not None and _changed(order, answer):
            found.append(moved(order, answer))
    fills = [e for e in broker.executions() if e.exec_id not in state.book.executions]
    return [*found, *(_filled(state, broker, fill) for fill in fills if state.order(fill.ref) is not None)]


def moved(order: Order, answer: BrokerOrder) -> OrderMoved:
    """The broker's word on an order, and the only source of a terminal state."""
    stop = answer.stop_price if order.leg == Leg.STOP else None
    return OrderMoved(
        order.key, str(answer.state), answer.reason, answer.broker_id, answer.filled, answer.qty, stop
    )


def _changed(order: Order, answer: BrokerOrder) -> bool:
    waiting = order.state == OrderState.PENDING_CANCEL and answer.state == OrderState.NEW
    state = order.state != answer.state and not waiting
    return state or order.filled != answer.filled or order.qty != answer.qty or (
        order.leg == Leg.STOP and order.stop_price != answer.stop_price
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
        fill.exec_id, fill.ref, str(order.leg), fill.session, fill.qty, fill.price, fill.fee, stop
    )
