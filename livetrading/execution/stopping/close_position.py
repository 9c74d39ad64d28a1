"""Close: everything that an agent holds is sold. If the broker does not answer now, the request is kept."""

from datetime import datetime
from typing import Any

from ...core.agent import AgentState
from ...core.errors import Conflict, Unavailable
from ...core.events import Event, Noted, OrderMoved
from ...core.orders import Cause, Order, OrderState
from ...core.stopping import Outcome
from ...core.types import AgentStatus, Leg, Mode
from ..node import Node
from ..orders import order_recovery
from ..orders.order_plans import planned_exit
from ..trading import no_further_bars
from . import emergency_stop

Result = tuple[str, dict[str, Any]]


def _waits(node: Node) -> str:
    """A message about a close that the broker has not answered."""
    return f"the close is on record and goes on by itself as soon as it answers; look at {node.account.words.program}"


def close(node: Node, agent_id: str, by: str, now: datetime, note: Noted | None = None) -> Result:
    """Sell everything held; the agent keeps running. ``note`` marks the request in the journal."""
    try:
        return _sold(node, agent_id, by, now, note)
    except Unavailable as error:
        if not _recorded(node, agent_id, by, now, note):
            raise
        return _answer(node, agent_id, emergency_stop.WAITING, f"{str(error).rstrip('.')}; {_waits(node)}")


def _sold(node: Node, agent_id: str, by: str, now: datetime, note: Noted | None) -> Result:
    context = emergency_stop.context_of(node, agent_id, now)
    order_recovery.recover(context.executor, context.now)
    state = context.repository.state
    _may_close(agent_id, state.status, state.flat and not state.open_orders(Leg.ENTRY))
    if state.flat and note is not None:
        context.repository.commit([note], context.now)
    reason = f"closed by {by}"
    requested = _requested(state, reason)
    if requested:
        context.repository.commit(requested, context.now)
    context.executor.withdraw_entries(reason, context.now, Cause.CLOSE)
    emergency_stop.flatten(context, reason, note)
    if refused := emergency_stop.cover(context.executor, context.now):
        raise Conflict(f"{agent_id}: {refused}.")
    done = emergency_stop.outcome(context.executor, context.now)
    if done == emergency_stop.WAITING:
        flat = context.repository.state.flat
        missing = (
            "confirmed the cancel of the entry yet; shares that it still buys are sold"
            if flat
            else "accepted the exit yet"
        )
        return _answer(node, agent_id, done, f"the broker has not {missing}; {_waits(node)}")
    until = no_further_bars.ended(context.repository.state)
    waits = (
        f"; {no_further_bars.exit_waits(context.repository.state, until)}"
        if until and not context.repository.state.flat
        else ""
    )
    return _answer(node, agent_id, done, f"{done}{waits}")


def _requested(state: AgentState, reason: str) -> list[Event]:
    """Record the close with entries that are already being cancelled for another reason."""
    going = [o for o in state.open_orders(Leg.ENTRY) if o.state == OrderState.PENDING_CANCEL]
    return [_moved(o, o.state, reason) for o in going if o.cause != Cause.CLOSE]


def _moved(order: Order, to: OrderState, reason: str) -> OrderMoved:
    return OrderMoved(order.key, to, reason, cause=Cause.CLOSE)


def _may_close(agent_id: str, status: AgentStatus, nothing: bool) -> None:
    if status == AgentStatus.FINISHED:
        raise Conflict(f"{agent_id} has finished its replay: there is no next bar to sell at.")
    if nothing:
        raise Conflict(f"{agent_id} holds no position; there is nothing to close.")


def _answer(node: Node, agent_id: str, done: Outcome, text: str) -> Result:
    return f"{agent_id}: {text}.", {
        "agent_id": agent_id,
        "outcome": str(done),
        "flat": node.repository(agent_id).state.flat,
    }


def _recorded(node: Node, agent_id: str, by: str, now: datetime, note: Noted | None) -> bool:
    """Record the close without an answer of the broker; book and broker are compared before anything is sold.
    Returns whether it is on record: False for an agent without a broker account, or with nothing to close."""
    repository, reason = node.repository(agent_id), f"closed by {by}"
    state = repository.state
    exits, entries = state.open_orders(Leg.EXIT), state.open_orders(Leg.ENTRY)
    if state.agent.mode != Mode.BROKER or not repository.whole or (state.flat and not entries):
        return False
    events: list[Event] = []
    for order in entries:
        children = [o for o in state.open_orders(Leg.STOP) if o.parent == order.key and o.state == OrderState.PLANNED]
        to = OrderState.CANCELED if order.state == OrderState.PLANNED else OrderState.PENDING_CANCEL
        events += [] if order.state == to else [_moved(order, to, reason)]
        events += [_moved(o, OrderState.CANCELED, reason) for o in children if to == OrderState.CANCELED]
    waits = [o for o in exits if o.state == OrderState.PLANNED and o.tif == "OPG"]
    events += [_moved(o, OrderState.CANCELED, reason) for o in waits]
    events += _requested(state, reason)
    noted: list[Event] = [note] if note is not None else []
    if not state.flat and len(waits) == len(exits):
        state = repository.commit([*noted, *events], now) if noted or events else state
        repository.commit(planned_exit(state, state.booked or state.first_session, now, "DAY", reason), now)
    elif events:
        repository.commit([*noted, *events], now)
    return True
