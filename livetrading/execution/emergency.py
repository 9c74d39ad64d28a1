"""Stop everything: latch, cancel, flatten, and say truly what is flat.

The latch is set before this runs, by whoever asked; this is the part that needs
the scheduler's lock. Its scope is our agents' shares and our orders.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..core import account
from ..core.agent import AgentState
from ..core.errors import Conflict, LivetradingError, Refused, Unavailable
from ..core.events import Noted, OrderMoved, StatusChanged
from ..core.orders import OrderState
from ..core.types import AgentStatus, Leg, Mode
from . import late, replay
from .desk import Desk
from .dossier import Dossier
from .live_trader import LiveTrader
from .order_executor import OrderExecutor
from .position_tracker import difference

log = logging.getLogger(__name__)

RECONNECT_SECONDS = (0.0, 2.0)
"""That a stop waits for the connection, each time that it is lost meanwhile."""
FLAT, QUEUED = "flat", "exit queued"
OVER = {"status": "finished replay", "flat": True}
"""A replay whose history is over holds nothing real, and there is no bar to sell at."""


@dataclass(frozen=True)
class Hand:
    """What acts on an agent's orders at ``now``: a broker is enough, bars and model are not needed.

    ``replayed`` is the trader of a replay, whose time is virtual and whose exit fills at its next bar.
    """

    executor: OrderExecutor
    now: datetime
    replayed: LiveTrader | None = None

    @property
    def dossier(self) -> Dossier:
        return self.executor.dossier


def hand_on(desk: Desk, agent_id: str, now: datetime) -> Hand:
    """An agent's orders, in the time that it lives in."""
    if desk.dossier(agent_id).state.agent.mode != Mode.REPLAY:
        return Hand(desk.executor(agent_id), now)
    trader = desk.trader(agent_id)
    return Hand(trader.executor, replay.virtual_now(trader), trader)


def flatten(hand: Hand, reason: str, note: str = "") -> str:
    """Sell what is held as soon as it can be sold: ``flat``, or ``exit queued``.

    Raises Conflict if the broker does not hold what the book says: selling then
    could end short, and which of the two is right is a person's word.
    """
    executor, dossier, broker = hand.executor, hand.dossier, hand.executor.broker
    unbooked = broker.traded() > (dossier.state.booked or "")
    problem = None if unbooked else difference(dossier, broker)
    if problem:
        raise Conflict(f"{dossier.agent_id}: {problem}; compare them, and sell what is really held by hand.")
    if not dossier.state.flat:
        if again := late.refused(dossier, hand.now):
            raise Conflict(f"{dossier.agent_id}: {again}.")
        _replan_exit(executor, reason, hand.now, note)
        if not unbooked:  # else it goes when that session is booked
            executor.send_due(hand.now)
    if hand.replayed is not None and not is_flat(executor):
        # A replay's clock stands still between bars; its exit fills at the next.
        replay.advance(hand.replayed)
    return FLAT if is_flat(executor) else QUEUED


def _replan_exit(executor: OrderExecutor, reason: str, now: datetime, note: str) -> None:
    """One exit, to go now: one that only waited for its window is replaced."""
    dossier = executor.dossier
    for order in dossier.state.open_orders(Leg.EXIT):
        if order.state == OrderState.PLANNED and order.tif == "OPG":
            executor.drop(order, OrderState.CANCELED, reason, now)
    said = [Noted(note)] if note else []
    if dossier.state.open_orders(Leg.EXIT):
        if said:
            dossier.commit([*said], now)
        return
    bar = dossier.state.booked or dossier.state.first_session
    dossier.commit([*said, *executor.exit(bar, now, "DAY", reason)], now)


def is_flat(executor: OrderExecutor) -> bool:
    """Nothing held, nothing open, and the broker says the same."""
    return executor.dossier.state.idle and difference(executor.dossier, executor.broker) is None


def stop(desk: Desk, reason: str, by: str, now: datetime, all_orders: bool = False) -> tuple[str, dict[str, Any]]:
    """Cancel every purchase, then stop and flatten agent by agent; one that fails does not stop the others.

    ``all_orders``: in a real account also what is not ours, by the user's explicit word.
    """
    desk.latch.set(reason or "emergency stop", by, now)
    told = _withdraw_account(desk, now, all_orders)
    for agent_id in desk.active():
        _withdraw_first(desk, agent_id, now)
        desk.pulse()
    items = []
    for agent_id in desk.active():
        items.append(_stop_one(desk, agent_id, by, now))
        desk.pulse()
    items += [
        {"agent_id": agent_id, "status": "failed", "flat": False, "error": why}
        for agent_id, why in desk.damaged.items()
    ]
    items += told
    flat = all(item["flat"] for item in items)
    text = "Everything is flat" if flat else "Stopped; not everything is flat yet"
    return f"{text}: {len(items) - len(told)} agents.", {"items": items, "flat": flat}


def _withdraw_account(desk: Desk, now: datetime, all_orders: bool) -> list[dict[str, Any]]:
    """Everything that works in a shared account for our agents is cancelled in one go: sale by sale
    would take seconds each. What fails is tried again agent by agent."""
    agents = [s for s in desk.account.agents() if s.status != AgentStatus.FINISHED]
    if not agents:
        return []
    item = {"agent_id": "", "account": agents[0].agent.account}
    try:
        left = _withdraw_all(desk, now, all_orders)
    except LivetradingError as error:
        log.error("emergency stop of the account: %s", error)
        return [{**item, "status": "failed", "flat": False, "error": str(error)}]
    if left:
        return [{**item, "status": "cancel asked", "flat": False, "error": f"not confirmed as cancelled yet: {', '.join(left)}"}]
    return [{**item, "status": "all orders cancelled", "flat": True}] if all_orders else []


def _withdraw_all(desk: Desk, now: datetime, all_orders: bool) -> list[str]:
    """The keys that the broker has not confirmed as ended. A connection that is lost meanwhile is
    made again within a second or two: the stop waits for it, and asks anew."""
    for patience in RECONNECT_SECONDS:
        try:
            return _ask_all(desk, now, all_orders, patience)
        except Unavailable as error:
            log.warning("emergency stop of the account: %s", error)
    return _ask_all(desk, now, all_orders, RECONNECT_SECONDS[-1])


def _ask_all(desk: Desk, now: datetime, all_orders: bool, patience: float) -> list[str]:
    """One try: the keys that the broker has not confirmed as ended. Unavailable when it cannot be asked."""
    agents = [s for s in desk.account.agents() if s.status != AgentStatus.FINISHED]
    link = desk.account.ready("", patience)
    number, theirs = link.health().account, {s.agent.account for s in agents}
    if number not in theirs:
        raise Refused(f"TWS is logged in to account {number}, and the agents trade {', '.join(theirs)}; log in to that.")
    legs = {s.agent.agent_id: _withdrawn_legs(desk, s.agent.agent_id, now) for s in agents}
    working = [o.ref for o in link.open_orders() if _leg(o.ref) in legs.get(account.owner(o.ref), ())]
    left = link.cancel(working)
    if all_orders:
        link.cancel_everything()
        left = [o.ref or o.broker_id for o in link.open_orders()]
    return left


def _withdrawn_legs(desk: Desk, agent_id: str, now: datetime) -> tuple[str, ...]:
    """Which orders of an agent go, on record before the broker is asked. An exit that sells already
    goes on; the stop stays where nothing is sold now: book and broker differ, or the broker refuses it."""
    try:
        dossier, executor = desk.dossier(agent_id), desk.executor(agent_id)
        executor.sync(now)
    except Unavailable:
        raise
    except LivetradingError as error:  # told when its turn comes; the others and the user's word do not wait for it
        log.error("emergency stop of %s: %s", agent_id, error)
        return ()
    stays = difference(dossier, executor.broker) or late.refused(dossier, now)
    legs = (Leg.ENTRY,) if stays else (Leg.ENTRY, Leg.STOP)
    asked = [
        OrderMoved(o.key, OrderState.PENDING_CANCEL, "emergency stop")
        for o in dossier.state.open_orders()
        if o.leg in legs and o.at_broker and o.state != OrderState.PENDING_CANCEL
    ]
    if asked:
        dossier.commit([*asked], now)
    return tuple(str(leg) for leg in legs)


def _leg(key: str) -> str:
    return key.split(":")[2] if key.count(":") == 3 else ""


def _withdraw_first(desk: Desk, agent_id: str, now: datetime) -> None:
    """No purchase waits for its cancel until the agents before it are sold. What fails here
    is tried again, and told, when its agent's turn comes."""
    state = desk.dossier(agent_id).state
    if state.agent.mode == Mode.REPLAY or not state.open_orders(Leg.ENTRY):
        return
    try:
        desk.executor(agent_id).withdraw_entries("emergency stop", now)
    except LivetradingError as error:
        log.error("emergency stop of %s: %s", agent_id, error)
        desk.forget(agent_id)


def unfinished(desk: Desk) -> bool:
    """Whether the latch leaves anything to do: it may have been set without a request,
    and a stop may have been cut short."""
    return any(_unfinished(desk.dossier(agent_id).state) for agent_id in desk.active())


def _unfinished(state: AgentState) -> bool:
    if state.status == AgentStatus.FINISHED:
        return False
    buying = any(o.state != OrderState.PENDING_CANCEL for o in state.open_orders(Leg.ENTRY))
    kept = not state.flat and not any(o.tif == "DAY" or o.at_broker for o in state.open_orders(Leg.EXIT))
    waits = state.agent.mode == Mode.REPLAY and not state.idle
    return state.status != AgentStatus.STOPPED or buying or kept or waits


def _stop_one(desk: Desk, agent_id: str, by: str, now: datetime) -> dict[str, Any]:
    state = desk.dossier(agent_id).state
    item: dict[str, Any] = {"agent_id": agent_id, "symbol": state.agent.symbol, "shares": state.book.shares}
    if state.status == AgentStatus.FINISHED:
        return {**item, **OVER}
    dossier, orders = desk.dossier(agent_id), len(state.orders)
    try:
        if state.agent.mode != Mode.REPLAY:
            _halt(dossier, by, now)
        hand = hand_on(desk, agent_id, now)
        _halt(dossier, by, hand.now)
        hand.executor.withdraw_entries("emergency stop", hand.now)
        hand.executor.recover(hand.now)
        status = flatten(hand, "emergency stop")
    except LivetradingError as error:
        log.error("emergency stop of %s: %s", agent_id, error)
        desk.forget(agent_id)
        return {**item, "status": "failed", "flat": False, "error": str(error)}
    if dossier.state.status == AgentStatus.FINISHED:
        return {**item, **OVER}
    return {**item, "orders": orders, "status": status, "flat": status == FLAT}


def _halt(dossier: Dossier, by: str, now: datetime) -> None:
    """Stopped, and nothing planned any more: that needs no broker, and must not wait for one."""
    if dossier.state.status != AgentStatus.STOPPED:
        dossier.commit([StatusChanged(AgentStatus.STOPPED, "emergency stop", by)], now)
    entries = [o.key for o in dossier.state.open_orders(Leg.ENTRY) if o.state == OrderState.PLANNED]
    planned = [
        OrderMoved(o.key, OrderState.CANCELED, "emergency stop")
        for o in dossier.state.open_orders()
        if o.state == OrderState.PLANNED and (o.key in entries or o.parent in entries)
    ]
    if planned:
        dossier.commit([*planned], now)


def rearm(desk: Desk, by: str, now: datetime) -> tuple[str, dict[str, Any]]:
    """Clear the latch; agents stay stopped until a person starts each."""
    halt = desk.latch.clear(by, now)
    if halt is None:
        return "No emergency stop is set.", {"rearmed": False}
    log.warning("re-armed by %s; the emergency stop was set by %s: %s", by, halt.by, halt.reason)
    return "Re-armed; all agents stay stopped until they are started.", {"rearmed": True}
