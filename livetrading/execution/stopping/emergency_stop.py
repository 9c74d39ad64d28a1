"""Stop everything: latch, cancel, flatten, and say truly what is flat.

The latch is set before this runs, by whoever asked; this is the part that needs
the scheduler's lock. Its scope is our agents' shares and our orders.
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
"""After which the broker is asked again for an exit that it answered with an error."""
FLAT, QUEUED, WAITING = Outcome.FLAT, Outcome.QUEUED, Outcome.WAITING
NOT_TAKEN = "the broker does not answer, and has not taken the exit yet; it goes on by itself"
TURN = "its turn has not come yet; the stop goes on by itself"
OVER = {"status": str(Outcome.OVER), "flat": True}
"""A replay whose history is over holds nothing real, and there is no bar to sell at."""


@dataclass(frozen=True)
class AgentInHand:
    """What acts on an agent's orders at ``now``: a broker is enough, bars and model are not needed.

    ``replayed`` is the trader of a replay, whose time is virtual and whose exit fills at its next bar.
    """

    executor: OrderExecutor
    now: datetime
    replayed: LiveTrader | None = None
    account: BrokerAccount | None = None
    """Of an agent that trades one."""

    @property
    def repository(self) -> AgentRepository:
        return self.executor.repository


def hand_on(node: Node, agent_id: str, now: datetime) -> AgentInHand:
    """An agent's orders, in the time that it lives in."""
    if node.repository(agent_id).state.agent.mode != Mode.REPLAY:
        account = node.account if node.repository(agent_id).state.agent.mode == Mode.BROKER else None
        return AgentInHand(node.executor(agent_id), now, account=account)
    trader = node.trader(agent_id)
    return AgentInHand(trader.executor, replay.virtual_now(trader), trader)


def flatten(hand: AgentInHand, reason: str, note: Noted | None = None) -> Outcome:
    """Sell what is held as soon as it can be sold; how far that is: FLAT, QUEUED or WAITING.

    Raises Conflict if the broker does not hold what the book says: selling then
    could end short, and which of the two is right is a person's word.
    """
    executor, repository, broker = hand.executor, hand.repository, hand.executor.broker
    unbooked = broker.traded() > (repository.state.booked or "")
    problem = None if unbooked else unexplained(repository, broker)
    if problem:
        cure = (
            "compare them, then adopt the difference"
            if hand.account is None
            else hand.account.shares.cure(repository.state)
        )
        raise Conflict(f"{repository.agent_id}: {problem}; {cure}.")
    if not repository.state.flat:
        if again := missed_open.refused(repository, hand.now):
            raise Conflict(f"{repository.agent_id}: {again}.")
        _replan_exit(executor, reason, hand.now, note)
        if not unbooked:  # else it goes when that session is booked
            sending.send(executor, hand.now)
    if hand.replayed is not None and not is_flat(executor):
        # A replay's clock stands still between bars; its exit fills at the next.
        replay.advance(hand.replayed)
    return outcome(executor, hand.now)


def outcome(executor: OrderExecutor, now: datetime) -> Outcome:
    """How far a sale of everything is. QUEUED: a real broker has taken the exit, or its hour comes; it
    waits for the broker as long as that has not said that it works it."""
    if is_flat(executor):
        return FLAT
    state = executor.repository.state
    if state.agent.mode != Mode.BROKER:
        return QUEUED
    open_ = [o for o in state.open_orders() if o.leg != Leg.STOP]
    planned = OrderState.PLANNED if windows.day_orders_refused(now) else None
    return QUEUED if open_ and all(o.state in WORKING or o.state == planned for o in open_) else WAITING


def cover(executor: OrderExecutor, now: datetime) -> str:
    """If nothing protects the position, ask what became of its exit, and give the stop back if the broker
    refused it. Why no exit is on its way; empty if one is, or nothing is held."""
    if not bare(executor.repository.state):
        return ""
    order_recovery.recover(executor, now)
    executor.repository.notices += protective_stop.protect(executor, now)
    state = executor.repository.state
    refused = "" if state.flat or state.open_orders(Leg.EXIT) else missed_open.refused(executor.repository, now)
    executor.repository.notices += [refused] if refused else []
    return refused


def _replan_exit(executor: OrderExecutor, reason: str, now: datetime, note: Noted | None) -> None:
    """One exit, to go now: one that only waited for its window is replaced."""
    repository = executor.repository
    for order in repository.state.open_orders(Leg.EXIT):
        if order.state == OrderState.PLANNED and order.tif == "OPG":
            executor.drop(order, OrderState.CANCELED, reason, now)
    said = [note] if note is not None else []
    if repository.state.open_orders(Leg.EXIT):
        if said:
            repository.commit([*said], now)
        return
    bar = repository.state.booked or repository.state.first_session
    repository.commit([*said, *planned_exit(repository.state, bar, now, "DAY", reason)], now)


def is_flat(executor: OrderExecutor) -> bool:
    """Nothing held, nothing open, and the broker says the same."""
    return executor.repository.state.idle and difference(executor.repository, executor.broker) is None


def stop(
    node: Node, reason: str, by: str, now: datetime, all_orders: bool = False, wait: bool = True
) -> tuple[str, dict[str, Any]]:
    """Cancel every purchase, then stop and flatten agent by agent; one that fails does not stop the others.

    May be repeated until everything is flat: it is the same stop as long as the same latch is set,
    and a broker that does not answer is asked again by the next call. ``all_orders``: in a real
    account also what is not ours, by the user's explicit word, which is kept until it is done. Not
    ``wait``: a connection that is away is not waited for.
    """
    halt = node.latch.set(reason or "emergency stop", by, now)
    record = StopRecord(node.store, halt, now)
    agents = [node.repository(agent_id).state for agent_id in node.active()]
    record.begin(
        agents, {s.agent.agent_id: stop_record.fills_of(node.store, s.agent.agent_id) for s in agents}, all_orders
    )
    _first_word(node, record)
    for agent_id in node.active():
        _halt_first(node, agent_id, by, now)
    told, away = account_stop.withdraw(node, record, now, wait)
    for agent_id in node.active():
        if not (away and _in_account(node, agent_id)):
            _withdraw_first(node, agent_id, now)
        node.pulse()
    items, away = _stop_each(node, record, by, away, now)
    items += [{"agent_id": agent_id, **account_stop.failed(why)} for agent_id, why in node.damaged.items()]
    items += told
    state = stopping.state_of(items)
    text = f"{_headline(state, away)}: {counted(len(items) - len(told), 'agent')}.{_frozen(items)}"
    record.end(state, items, text, _seq(node))
    return text, {**stop_record.identity(halt), "state": str(state), "flat": state == StopState.DONE, "items": items}


def _stop_each(node: Node, record: StopRecord, by: str, away: str, now: datetime) -> tuple[list[dict[str, Any]], str]:
    """Stop agent by agent; an item for each, and why the account is away, if it is. A position that lost its stop
    meanwhile gets it back before long, also while the next agents are still being stopped."""
    items: list[dict[str, Any]] = []
    exposed: list[tuple[str, int, float]] = []
    for agent_id in node.active():
        if away and _in_account(node, agent_id):
            done = account_stop.waiting(away)
        else:
            done = _stop_one(node, agent_id, by, now)
            if done["status"] == Outcome.WAITING and not node.account.connection.usable:
                away = done["error"]  # the others of the account are not each asked as long
        items.append(_told(node, agent_id, record, done))
        record.goes_on(items)
        if node.repository(agent_id).exposure.bare_since and not done["flat"]:
            exposed.append((agent_id, len(items) - 1, time.monotonic()))
        while exposed and time.monotonic() - exposed[0][2] >= LOOK_AGAIN_SECONDS:
            _cover(node, record, items, exposed.pop(0), now)
        node.pulse()
    for one in exposed:
        _cover(node, record, items, one, now)
        node.pulse()
    return items, away


def _first_word(node: Node, record: StopRecord) -> None:
    """Before anything is done, each agent's item says that its turn comes: whoever asks meanwhile sees all agents."""
    if record.doc["state"] is not None:
        return
    items = [_told(node, agent_id, record, account_stop.waiting(TURN)) for agent_id in node.active()]
    if items:
        record.end(StopState.WAITING, items, f"Stopped; the stop goes on: {counted(len(items), 'agent')}.", -1)


def _cover(
    node: Node, record: StopRecord, items: list[dict[str, Any]], exposed: tuple[str, int, float], now: datetime
) -> None:
    """An agent whose exit did not get to work: its stop comes back while the others are being sold."""
    agent_id, at, _ = exposed
    refused = ""
    try:
        if node.repository(agent_id).state.agent.mode != Mode.REPLAY:
            refused = cover(node.executor(agent_id), now)
            if not refused and items[at]["status"] == WAITING and outcome(node.executor(agent_id), now) == QUEUED:
                items[at] = _told(node, agent_id, record, {"status": str(QUEUED), "flat": False})
    except Exception as error:  # the next pass looks after it
        log.error("emergency stop of %s: %s", agent_id, logs.caught(log, f"the emergency stop of {agent_id}", error))
        return
    if refused:
        items[at] = _told(node, agent_id, record, account_stop.failed(f"{agent_id}: {refused}."))


def _headline(state: StopState, away: str) -> str:
    if state == StopState.DONE:
        return "Everything is flat"
    if state != StopState.WAITING:
        return "Stopped; not everything is flat yet"
    why = f" ({away.rstrip('.')})" if away else ""
    return f"Stopped; the broker has not answered yet{why}, and the stop goes on by itself"


def _frozen(items: list[dict[str, Any]]) -> str:
    """Shares of a replay whose history is over stay on its record, and "flat" does not mean them."""
    over = any(item["status"] == Outcome.OVER and item.get("shares") for item in items)
    return " Shares of a finished replay are history and are not sold." if over else ""


def _seq(node: Node) -> int:
    """Grows with every event of an agent."""
    return sum(node.repository(agent_id).seq for agent_id in node.active())


def _in_account(node: Node, agent_id: str) -> bool:
    state = node.repository(agent_id).state
    return state.agent.mode == Mode.BROKER and state.status != AgentStatus.FINISHED


def _told(node: Node, agent_id: str, record: StopRecord, done: dict[str, Any]) -> dict[str, Any]:
    """An agent's item: who it is, what the stop has done to it so far, and how it stands."""
    state, fills = node.repository(agent_id).state, stop_record.fills_of(node.store, agent_id)
    so_far = stopping.progress(state, record.found(state, fills), fills)
    return {"agent_id": agent_id, "symbol": state.agent.symbol, **so_far, "error": "", **done}


def _halt_first(node: Node, agent_id: str, by: str, now: datetime) -> None:
    """Whatever a broker answers, and how late: no agent decides any more. A replay lives in another time."""
    repository = node.repository(agent_id)
    if repository.state.agent.mode == Mode.REPLAY or repository.state.status == AgentStatus.FINISHED:
        return
    try:
        _halt(repository, by, now)
    except Exception as error:
        log.error("emergency stop of %s: %s", agent_id, logs.caught(log, f"the emergency stop of {agent_id}", error))


def _withdraw_first(node: Node, agent_id: str, now: datetime) -> None:
    """No purchase waits for its cancel until the agents before it are sold. What fails here
    is tried again, and told, when its agent's turn comes."""
    try:
        state = node.repository(agent_id).state
        if state.agent.mode != Mode.REPLAY and state.open_orders(Leg.ENTRY):
            node.executor(agent_id).withdraw_entries("emergency stop", now)
    except Exception as error:
        _failed(node, agent_id, error)


def _failed(node: Node, agent_id: str, error: Exception) -> str:
    """Why an agent could not be stopped, in words; what may be half done is read from disk the next time."""
    told = str(logs.caught(log, f"the emergency stop of {agent_id}", error))
    log.error("emergency stop of %s: %s", agent_id, told)
    node.renew(agent_id)
    return told


def unfinished(node: Node) -> bool:
    """Whether the latch leaves anything to do: it may have been set without a request, a stop
    may have been cut short, or a broker may not have answered it."""
    record = stop_record.read(node.store, node.latch.status())
    waits = record is not None and record["state"] == StopState.WAITING
    return waits or any(_unfinished_of(node, agent_id) for agent_id in node.active())


def _unfinished_of(node: Node, agent_id: str) -> bool:
    try:
        return _unfinished(node.repository(agent_id).state)
    except Exception as error:  # the stop itself says what is wrong with this agent
        logs.caught(log, f"the emergency stop of {agent_id}", error)
        return True


def goes_on(node: Node) -> bool:
    """Whether another round of the stop is worth it: it is unfinished, or an agent has moved
    since what is shown of it was true, as it does when an exit fills."""
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
    """At a real broker, anything but an exit that it works: a cancel or an exit may not have reached it."""
    return state.agent.mode == Mode.BROKER and any(o.leg != Leg.EXIT or o.state not in WORKING for o in state.orders)


def _stop_one(node: Node, agent_id: str, by: str, now: datetime) -> dict[str, Any]:
    """``status``, ``flat`` and ``error``: how an agent stands after this round."""
    try:
        repository = node.repository(agent_id)
        if repository.state.status == AgentStatus.FINISHED:
            return OVER
        hand = hand_on(node, agent_id, now)
        _halt(repository, by, hand.now)
        hand.executor.withdraw_entries("emergency stop", hand.now)
        order_recovery.recover(hand.executor, hand.now)
        status = flatten(hand, "emergency stop")
    except Exception as error:
        away = isinstance(error, Unavailable) and _in_account(node, agent_id)
        told = _failed(node, agent_id, error)
        return account_stop.waiting(told) if away else account_stop.failed(told)
    if repository.state.status == AgentStatus.FINISHED:
        return OVER
    if status == WAITING:
        return account_stop.waiting(f"{agent_id}: {NOT_TAKEN}.")
    return {"status": str(status), "flat": status == FLAT}


def _halt(repository: AgentRepository, by: str, now: datetime) -> None:
    """Stopped, and nothing planned any more: that needs no broker, and must not wait for one."""
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
