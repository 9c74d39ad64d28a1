"""The emergency stop: set the latch, cancel, flatten, and report what is really flat.

The latch is usually set before this runs, by the process that asked for the stop. This part
needs the scheduler's lock. It acts on our agents' shares and orders.
"""

import logging
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ...adapters import logs
from ...core import stopping, windows
from ...core.agent import AgentState
from ...core.errors import Conflict, Unavailable
from ...core.events import Noted, OrderMoved, StatusChanged
from ...core.exposure import bare
from ...core.orders import WORKING, OrderState
from ...core.stopping import Outcome, StopState
from ...core.types import AgentStatus, Leg, Mode
from ...core.wording import counted
from ..accounts.broker_account import BrokerAccount
from ..node import Node
from ..orders import missed_open, order_recovery, protective_stop, sending
from ..orders.order_executor import OrderExecutor
from ..orders.order_plans import planned_exit
from ..orders.position_tracker import difference, unexplained
from ..state import stop_record
from ..state.agent_repository import AgentRepository
from ..state.stop_record import StopRecord
from ..trading import replay
from ..trading.live_trader import LiveTrader
from . import account_stop

log = logging.getLogger(__name__)
LOOK_AGAIN_SECONDS = 1.0
"""When the broker is asked again about an exit that it answered with an error."""
FLAT, QUEUED, WAITING = Outcome.FLAT, Outcome.QUEUED, Outcome.WAITING
NOT_ACCEPTED = "the broker does not answer, and has not accepted the exit yet; the stop goes on by itself"
NOT_STARTED = "the stop has not reached this agent yet; it goes on by itself"
OVER = {"status": str(Outcome.OVER), "flat": True}
"""A finished replay holds no real shares, and there is no bar to sell at."""


@dataclass(frozen=True)
class StopContext:
    """What is needed to end an agent's orders and position at ``now``: its broker, but no bars and no model.

    ``replayed`` is the trader of a replay: its time is virtual, and its exit fills at the next bar.
    """

    executor: OrderExecutor
    now: datetime
    replayed: LiveTrader | None = None
    account: BrokerAccount | None = None
    """The broker account, if the agent has one."""

    @property
    def repository(self) -> AgentRepository:
        return self.executor.repository


def context_of(node: Node, agent_id: str, now: datetime) -> StopContext:
    """An agent's context; a replay's is in its virtual time."""
    if node.repository(agent_id).state.agent.mode != Mode.REPLAY:
        account = node.account if node.repository(agent_id).state.agent.mode == Mode.BROKER else None
        return StopContext(node.executor(agent_id), now, account=account)
    trader = node.trader(agent_id)
    return StopContext(trader.executor, replay.virtual_now(trader), trader)


def flatten(context: StopContext, reason: str, note: Noted | None = None) -> Outcome:
    """Sell what is held as soon as possible. Returns FLAT, QUEUED or WAITING.

    Raises Conflict if book and broker differ in shares: selling could then make the
    account short, and the user has to decide which side is right.
    """
    executor, repository, broker = context.executor, context.repository, context.executor.broker
    unbooked = broker.traded() > (repository.state.booked or "")
    problem = None if unbooked else unexplained(repository, broker)
    if problem:
        cure = (
            "compare them, then adopt the difference"
            if context.account is None
            else context.account.shares.cure(repository.state)
        )
        raise Conflict(f"{repository.agent_id}: {problem}; {cure}.")
    if not repository.state.flat:
        if again := missed_open.refused(repository, context.now):
            raise Conflict(f"{repository.agent_id}: {again}.")
        _replan_exit(executor, reason, context.now, note)
        if not unbooked:  # otherwise it is sent after that session is booked
            sending.send(executor, context.now)
    if context.replayed is not None and not is_flat(executor):
        # A replay's clock stands still between bars; its exit fills at the next.
        replay.advance(context.replayed)
    return outcome(executor, context.now)


def outcome(executor: OrderExecutor, now: datetime) -> Outcome:
    """How far the sale of everything is. QUEUED: a real broker works the exit, or the exit waits for its window.
    WAITING: the broker has not confirmed that it works the exit."""
    if is_flat(executor):
        return FLAT
    state = executor.repository.state
    if state.agent.mode != Mode.BROKER:
        return QUEUED
    open_ = [o for o in state.open_orders() if o.leg != Leg.STOP]
    planned = OrderState.PLANNED if windows.day_orders_refused(now) else None
    return QUEUED if open_ and all(o.state in WORKING or o.state == planned for o in open_) else WAITING


def cover(executor: OrderExecutor, now: datetime) -> str:
    """If nothing protects the position, look up its exit, and place the stop again if the broker refused the exit.
    Returns why there is no exit; empty if there is one, or nothing is held."""
    if not bare(executor.repository.state):
        return ""
    order_recovery.recover(executor, now)
    executor.repository.notices += protective_stop.protect(executor, now)
    state = executor.repository.state
    refused = "" if state.flat or state.open_orders(Leg.EXIT) else missed_open.refused(executor.repository, now)
    executor.repository.notices += [refused] if refused else []
    return refused


def _replan_exit(executor: OrderExecutor, reason: str, now: datetime, note: Noted | None) -> None:
    """Plan one exit to be sent now; it replaces one that only waited for the open."""
    repository = executor.repository
    for order in repository.state.open_orders(Leg.EXIT):
        if order.state == OrderState.PLANNED and order.tif == "OPG":
            executor.drop(order, OrderState.CANCELED, reason, now)
    noted = [note] if note is not None else []
    if repository.state.open_orders(Leg.EXIT):
        if noted:
            repository.commit([*noted], now)
        return
    bar = repository.state.booked or repository.state.first_session
    repository.commit([*noted, *planned_exit(repository.state, bar, now, "DAY", reason)], now)


def is_flat(executor: OrderExecutor) -> bool:
    """Nothing held, no open order, and the broker agrees."""
    return executor.repository.state.idle and difference(executor.repository, executor.broker) is None


def stop(
    node: Node, reason: str, by: str, now: datetime, all_orders: bool = False, wait: bool = True
) -> tuple[str, dict[str, Any]]:
    """Cancel all entries, then stop and flatten agent by agent; a failure of one does not affect the others.

    May be repeated until everything is flat: it is the same stop while the same latch is set, and
    the next call asks a broker again that did not answer. ``all_orders``: also cancel orders of the
    account that are not ours; that request is kept until it is done. Without ``wait`` a lost
    connection is not waited for.
    """
    halt = node.latch.set(reason or "emergency stop", by, now)
    record = StopRecord(node.store, halt, now)
    agents = [node.repository(agent_id).state for agent_id in node.active()]
    record.begin(
        agents, {s.agent.agent_id: stop_record.fills_of(node.store, s.agent.agent_id) for s in agents}, all_orders
    )
    _announce(node, record)
    for agent_id in node.active():
        _halt_first(node, agent_id, by, now)
    of_account, away = account_stop.withdraw(node, record, now, wait)
    for agent_id in node.active():
        if not (away and _in_account(node, agent_id)):
            _withdraw_first(node, agent_id, now)
        node.pulse()
    items, away = _stop_each(node, record, by, away, now)
    items += [{"agent_id": agent_id, **account_stop.failed(why)} for agent_id, why in node.damaged.items()]
    items += of_account
    state = stopping.state_of(items)
    text = f"{_headline(state, away)}: {counted(len(items) - len(of_account), 'agent')}.{_frozen(items)}"
    record.end(state, items, text, _seq(node))
    return text, {**stop_record.identity(halt), "state": str(state), "flat": state == StopState.DONE, "items": items}


def _stop_each(node: Node, record: StopRecord, by: str, away: str, now: datetime) -> tuple[list[dict[str, Any]], str]:
    """Stop agent by agent. Returns an item for each, and why the account is away, if it is. A position without a
    stop is covered again while the next agents are still being stopped."""
    items: list[dict[str, Any]] = []
    exposed: list[tuple[str, int, float]] = []
    for agent_id in node.active():
        if away and _in_account(node, agent_id):
            done = account_stop.waiting(away)
        else:
            done = _stop_one(node, agent_id, by, now)
            if done["status"] == Outcome.WAITING and not node.account.connection.usable:
                away = done["error"]  # so that the other agents of the account do not wait for it, too
        items.append(_item(node, agent_id, record, done))
        record.progress(items)
        if node.repository(agent_id).exposure.bare_since and not done["flat"]:
            exposed.append((agent_id, len(items) - 1, time.monotonic()))
        while exposed and time.monotonic() - exposed[0][2] >= LOOK_AGAIN_SECONDS:
            _cover(node, record, items, exposed.pop(0), now)
        node.pulse()
    for one in exposed:
        _cover(node, record, items, one, now)
        node.pulse()
    return items, away


def _announce(node: Node, record: StopRecord) -> None:
    """Before anything is done, write an item for each agent, so that every reader sees all agents."""
    if record.doc["state"] is not None:
        return
    items = [_item(node, agent_id, record, account_stop.waiting(NOT_STARTED)) for agent_id in node.active()]
    if items:
        record.end(StopState.WAITING, items, f"Stopped; the stop goes on: {counted(len(items), 'agent')}.", -1)


def _cover(
    node: Node, record: StopRecord, items: list[dict[str, Any]], exposed: tuple[str, int, float], now: datetime
) -> None:
    """If the broker does not work an agent's exit, place its stop again while the others are being sold."""
    agent_id, at, _ = exposed
    refused = ""
    try:
        if node.repository(agent_id).state.agent.mode != Mode.REPLAY:
            refused = cover(node.executor(agent_id), now)
            if not refused and items[at]["status"] == WAITING and outcome(node.executor(agent_id), now) == QUEUED:
                items[at] = _item(node, agent_id, record, {"status": str(QUEUED), "flat": False})
    except Exception as error:  # the next pass tries again
        log.error("emergency stop of %s: %s", agent_id, logs.caught(log, f"the emergency stop of {agent_id}", error))
        return
    if refused:
        items[at] = _item(node, agent_id, record, account_stop.failed(f"{agent_id}: {refused}."))


def _headline(state: StopState, away: str) -> str:
    if state == StopState.DONE:
        return "Everything is flat"
    if state != StopState.WAITING:
        return "Stopped; not everything is flat yet"
    why = f" ({away.rstrip('.')})" if away else ""
    return f"Stopped; the broker has not answered yet{why}, and the stop goes on by itself"


def _frozen(items: list[dict[str, Any]]) -> str:
    """A hint about shares of a finished replay: they stay in its book, and "flat" does not include them."""
    over = any(item["status"] == Outcome.OVER and item.get("shares") for item in items)
    return " Shares of a finished replay are history and are not sold." if over else ""


def _seq(node: Node) -> int:
    """A number that grows with every event of any agent."""
    return sum(node.repository(agent_id).seq for agent_id in node.active())


def _in_account(node: Node, agent_id: str) -> bool:
    state = node.repository(agent_id).state
    return state.agent.mode == Mode.BROKER and state.status != AgentStatus.FINISHED


def _item(node: Node, agent_id: str, record: StopRecord, done: dict[str, Any]) -> dict[str, Any]:
    """An agent's item: its name, what the stop has done for it so far, and its state."""
    state, fills = node.repository(agent_id).state, stop_record.fills_of(node.store, agent_id)
    so_far = stopping.progress(state, record.found(state, fills), fills)
    return {"agent_id": agent_id, "symbol": state.agent.symbol, **so_far, "error": "", **done}


def _halt_first(node: Node, agent_id: str, by: str, now: datetime) -> None:
    """Stop an agent's decisions before any broker is asked. Replays are stopped later, in their virtual time."""
    repository = node.repository(agent_id)
    if repository.state.agent.mode == Mode.REPLAY or repository.state.status == AgentStatus.FINISHED:
        return
    try:
        _halt(repository, by, now)
    except Exception as error:
        log.error("emergency stop of %s: %s", agent_id, logs.caught(log, f"the emergency stop of {agent_id}", error))


def _withdraw_first(node: Node, agent_id: str, now: datetime) -> None:
    """Cancel an agent's entries before any agent is sold. What fails here is tried again, and reported,
    when the agent itself is stopped."""
    try:
        state = node.repository(agent_id).state
        if state.agent.mode != Mode.REPLAY and state.open_orders(Leg.ENTRY):
            node.executor(agent_id).withdraw_entries("emergency stop", now)
    except Exception as error:
        _failed(node, agent_id, error)


def _failed(node: Node, agent_id: str, error: Exception) -> str:
    """Why an agent could not be stopped. Its state is read from disk again, since a step may be half done."""
    reason = str(logs.caught(log, f"the emergency stop of {agent_id}", error))
    log.error("emergency stop of %s: %s", agent_id, reason)
    node.renew(agent_id)
    return reason


def unfinished(node: Node) -> bool:
    """Whether the stop has anything left to do: the latch was set without a request, a stop was
    interrupted, or a broker did not answer."""
    record = stop_record.read(node.store, node.latch.status())
    waits = record is not None and record["state"] == StopState.WAITING
    return waits or any(_unfinished_of(node, agent_id) for agent_id in node.active())


def _unfinished_of(node: Node, agent_id: str) -> bool:
    try:
        return _unfinished(node.repository(agent_id).state)
    except Exception as error:  # the stop itself reports what is wrong with this agent
        logs.caught(log, f"the emergency stop of {agent_id}", error)
        return True


def needs_round(node: Node) -> bool:
    """Whether another round of the stop is needed: it is unfinished, or an agent has changed since its item
    was written (for example, an exit has filled)."""
    record = stop_record.read(node.store, node.latch.status())
    behind = record is not None and not record["flat"] and record["seq"] != _seq(node)
    return behind or unfinished(node)


def _unfinished(state: AgentState) -> bool:
    if state.status == AgentStatus.FINISHED:
        return False
    buying = any(o.state != OrderState.PENDING_CANCEL for o in state.open_orders(Leg.ENTRY))
    kept = not state.flat and not any(o.tif == "DAY" or o.at_broker for o in state.open_orders(Leg.EXIT))
    waits = state.agent.mode == Mode.REPLAY and not state.idle
    return state.status != AgentStatus.STOPPED or buying or kept or waits or _in_doubt(state)


def _in_doubt(state: AgentState) -> bool:
    """At a real broker, any open order but a working exit: a cancel or an exit may not have reached the broker."""
    return state.agent.mode == Mode.BROKER and any(o.leg != Leg.EXIT or o.state not in WORKING for o in state.orders)


def _stop_one(node: Node, agent_id: str, by: str, now: datetime) -> dict[str, Any]:
    """``status``, ``flat`` and ``error`` of an agent after this round."""
    try:
        repository = node.repository(agent_id)
        if repository.state.status == AgentStatus.FINISHED:
            return OVER
        context = context_of(node, agent_id, now)
        _halt(repository, by, context.now)
        context.executor.withdraw_entries("emergency stop", context.now)
        order_recovery.recover(context.executor, context.now)
        status = flatten(context, "emergency stop")
    except Exception as error:
        away = isinstance(error, Unavailable) and _in_account(node, agent_id)
        reason = _failed(node, agent_id, error)
        return account_stop.waiting(reason) if away else account_stop.failed(reason)
    if repository.state.status == AgentStatus.FINISHED:
        return OVER
    if status == WAITING:
        return account_stop.waiting(f"{agent_id}: {NOT_ACCEPTED}.")
    return {"status": str(status), "flat": status == FLAT}


def _halt(repository: AgentRepository, by: str, now: datetime) -> None:
    """Stop the agent and end its planned entries: that needs no broker, and must not wait for one."""
    if repository.state.status != AgentStatus.STOPPED:
        repository.commit([StatusChanged(AgentStatus.STOPPED, "emergency stop", by)], now)
    entries = [o.key for o in repository.state.open_orders(Leg.ENTRY) if o.state == OrderState.PLANNED]
    planned = [
        OrderMoved(o.key, OrderState.CANCELED, "emergency stop")
        for o in repository.state.open_orders()
        if o.state == OrderState.PLANNED and (o.key in entries or o.parent in entries)
    ]
    if planned:
        repository.commit([*planned], now)


def rearm(node: Node, by: str, now: datetime) -> tuple[str, dict[str, Any]]:
    """Clear the latch; agents stay stopped until a person starts each."""
    halt = node.latch.clear(by, now)
    if halt is None:
        return "No emergency stop is set.", {"rearmed": False}
    log.warning("re-armed by %s; the emergency stop was set by %s: %s", by, halt.by, halt.reason)
    return "Re-armed; all agents stay stopped until they are started.", {"rearmed": True}
