"""The part of an emergency stop that concerns a whole broker account: all entries are cancelled together.

It cancels our agents' orders. Other orders of the account are cancelled only if the user asked for it.
"""

import logging
import time
from datetime import datetime
from typing import Any

from ...adapters import logs
from ...adapters.brokers.connection import Connection
from ...core.errors import Refused, Unavailable
from ...core.events import OrderMoved
from ...core.order_key import OrderKey
from ...core.orders import OrderState
from ...core.stopping import Outcome
from ...core.types import AgentStatus, Leg
from ..node import Node
from ..state.stop_record import StopRecord

log = logging.getLogger(__name__)
RECONNECT_SECONDS = (0.0, 2.0)
"""How long the stop waits for the connection at its first and its second attempt."""


def waiting(why: str) -> dict[str, Any]:
    return {"status": str(Outcome.WAITING), "flat": False, "error": why}


def failed(why: str) -> dict[str, Any]:
    return {"status": str(Outcome.FAILED), "flat": False, "error": why}


def withdraw(node: Node, record: StopRecord, now: datetime, wait: bool) -> tuple[list[dict[str, Any]], str]:
    """Cancel all entries of our agents in a shared account together: one by one would take seconds each. What
    fails is tried again agent by agent. Returns items for the stop's record, and why the account cannot be
    used now (empty if it can)."""
    agents = [s for s in node.account.agents() if s.status != AgentStatus.FINISHED]
    if not agents:
        return [], ""
    item = {"agent_id": "", "account": agents[0].agent.account, "error": ""}
    try:
        left = _withdraw_all(node, record, now, wait)
    except Exception as error:
        reason = str(logs.caught(log, "the emergency stop of the account", error))
        log.error("emergency stop of the account: %s", reason)
        if isinstance(error, Unavailable):
            return [{**item, **waiting(reason)}], "" if node.account.connection.usable else reason
        return [{**item, **failed(reason)}], ""
    if left:
        why = f"not confirmed as cancelled yet: {', '.join(left)}"
        return [{**item, "status": str(Outcome.ASKED), "flat": False, "error": why}], ""
    return [{**item, "status": str(Outcome.ALL_CANCELLED), "flat": True}] if record.doc["asked"] is not None else [], ""


def _withdraw_all(node: Node, record: StopRecord, now: datetime, wait: bool) -> list[str]:
    """The keys that the broker has not confirmed as ended. A lost connection is usually back within two
    seconds: the stop waits for it and tries again."""
    for patience in RECONNECT_SECONDS if wait else ():
        try:
            return _ask_all(node, record, now, min(patience, _left(node)))
        except Unavailable as error:
            log.warning("emergency stop of the account: %s", error)
    return _ask_all(node, record, now, min(RECONNECT_SECONDS[-1], _left(node)) if wait else 0.0)


def _left(node: Node) -> float:
    """Seconds that may still be waited for a connection."""
    return max(node.until - time.monotonic(), 0.0)


def _ask_all(node: Node, record: StopRecord, now: datetime, patience: float) -> list[str]:
    """One attempt: the keys that the broker has not confirmed as ended. Raises Unavailable without an answer."""
    agents = [s for s in node.account.agents() if s.status != AgentStatus.FINISHED]
    link = node.account.connection.ready("", patience)
    number, theirs = link.health().account, {s.agent.account for s in agents}
    if number not in theirs:
        program = node.account.words.program
        raise Refused(
            f"{program} is logged in to account {number}, and the agents trade {', '.join(theirs)}; log in to that."
        )
    legs = {s.agent.agent_id: _withdrawn_legs(node, s.agent.agent_id, now) for s in agents}
    working = [o.ref for o in link.open_orders() if _goes(OrderKey.parse(o.ref), legs)]
    left = link.cancel(working)
    return _global_cancel(link, record, left)


def _global_cancel(link: Connection, record: StopRecord, left: list[str]) -> list[str]:
    """Cancel all orders of the account, once for each request: an order that the user places later is kept. Orders
    that are still open count as left until the broker reports their end."""
    if record.doc["all_orders"]:
        link.cancel_everything()
        record.doc |= {"all_orders": False, "asked": [o.broker_id for o in link.open_orders()]}
    asked = record.doc["asked"]
    still = [o.ref or o.broker_id for o in link.open_orders() if o.broker_id in asked] if asked else []
    return sorted({*left, *still})


def _withdrawn_legs(node: Node, agent_id: str, now: datetime) -> tuple[Leg, ...]:
    """Which orders of an agent are cancelled; on record before the broker is asked. A working exit is kept. The
    stop of a position is kept until the agent's exit is sent: otherwise the last of many agents would be
    unprotected until all others are sold."""
    try:
        repository, executor = node.repository(agent_id), node.executor(agent_id)
        executor.sync(now)
    except Unavailable:
        raise
    except Exception as error:  # reported when this agent is stopped; the other agents must not wait for it
        log.error("emergency stop of %s: %s", agent_id, logs.caught(log, f"the emergency stop of {agent_id}", error))
        return ()
    legs = (Leg.ENTRY, Leg.STOP) if repository.state.flat else (Leg.ENTRY,)
    asked = [
        OrderMoved(o.key, OrderState.PENDING_CANCEL, "emergency stop")
        for o in repository.state.open_orders()
        if o.leg in legs and o.at_broker and o.state != OrderState.PENDING_CANCEL
    ]
    if asked:
        repository.commit([*asked], now)
    return legs


def _goes(key: OrderKey | None, legs: dict[str, tuple[Leg, ...]]) -> bool:
    """Whether an order of the account is one that the stop cancels."""
    return key is not None and key.leg in legs.get(key.agent_id, ())
