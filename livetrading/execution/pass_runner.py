"""One pass over all agents of real days, as of a time: what the scheduler and ``check`` do."""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from ..adapters import logs
from ..adapters.stamps import stamp
from ..core.errors import Conflict, Unavailable
from ..core.events import Deployed
from ..core.types import AgentStatus, Mode
from .node import Node
from .orders import order_recovery, protective_stop, sending
from .state import troubles
from .state.agent_repository import AgentRepository
from .trading.pass_result import PassResult, due_sessions

log = logging.getLogger(__name__)
OF_REAL_DAYS = (Mode.PAPER, Mode.BROKER)


def run(
    node: Node, now: datetime, between: Callable[[], bool] = lambda: True, clock: Callable[[], datetime] | None = None
) -> tuple[PassResult, dict[str, str]]:
    """Let every agent of real days do what is due.

    ``between`` runs after each agent, and a False from it ends the pass; ``clock``
    gives each agent its own time, since a pass may last. Returns what was done,
    and per agent the error that stopped its pass: one agent's trouble is not another's.
    """
    total, failed = PassResult(), _heard(node, now)
    looked_at = set(failed)
    # Shares without a stop come first: a pass over many agents takes its time.
    for agent_id in sorted(
        node.active(), key=lambda a: a not in node.repositories or not node.repositories[a].exposure.bare_since
    ):
        at = now
        try:
            node.pulse()
            if not _takes_part(node, agent_id, total):
                continue
            at = clock() if clock else now
            looked_at.add(agent_id)
            total.add(node.trader(agent_id).run(at))
        except Exception as error:
            failed[agent_id] = node.trouble(agent_id, error, at)
            if not isinstance(error, Unavailable):
                total.alarms += _look_after(node, agent_id, at)
        if not between():
            break
    else:
        _compare(node, failed)
    troubles.publish(node.store, looked_at, failed, {w["agent_id"]: w["text"] for w in total.waiting})
    return total, failed


def _takes_part(node: Node, agent_id: str, total: PassResult) -> bool:
    # A request that came between two agents may have removed this one.
    if agent_id not in node.active() or node.repository(agent_id).state.agent.mode not in OF_REAL_DAYS:
        return False
    if node.repository(agent_id).state.agent.mode == Mode.BROKER and node.account.connection.settling:
        total.more = True
        return False
    return True


def _heard(node: Node, now: datetime) -> dict[str, str]:
    """What failed, by agent. A shared account that cannot be heard is no trouble of simulated ones."""
    try:
        return node.take_reports(now)
    except Exception as error:
        told = logs.caught(log, "hearing a shared account", error)
        return {state.agent.agent_id: str(told) for state in node.account.agents()}


def _compare(node: Node, failed: dict[str, str]) -> None:
    try:
        if not node.account.connection.settling:
            node.compared(failed)
    except Exception as error:
        log.warning("the shared account was not compared: %s", logs.caught(log, "comparing a shared account", error))


def _look_after(node: Node, agent_id: str, now: datetime) -> list[dict[str, Any]]:
    """What an agent whose pass failed still needs: its exit and its protective stop. They take neither
    bars nor model; nothing is bought. Alarms for a person."""
    if agent_id not in node.repositories:
        return []
    try:
        executor = node.executor(agent_id)
        order_recovery.recover(executor, now)
        if executor.repository.state.status == AgentStatus.BLOCKED:
            executor.withdraw_entries("the agent is blocked", now)
        sending.send(executor, now, sending.buys_nothing)
        texts = protective_stop.protect(executor, now)
    except Exception as error:
        node.renew(agent_id)
        texts = [f"its orders could not be looked after: {logs.caught(log, f'looking after {agent_id}', error)}"]
    return [{"agent_id": agent_id, "text": text} for text in texts]


def check_as_of(node: Node, now: datetime) -> tuple[PassResult, dict[str, str]]:
    """A pass as of a given time, which is the time of everything that it records.

    For an agent that has settled nothing yet, the last session complete then
    counts as its first, and an earlier time becomes its deployment date.
    """
    if node.account.wanted:
        raise Conflict(f"an agent of {node.account.words.an_account} exists; a check as of another time is refused.")
    failed: dict[str, str] = {}
    for agent_id in node.active():
        try:
            _begin_earlier(node, agent_id, now)
        except Exception as error:
            failed[agent_id] = node.trouble(agent_id, error, now)
    done, later = run(node, now)
    return done, failed | later


def _begin_earlier(node: Node, agent_id: str, now: datetime) -> None:
    state = node.repository(agent_id).state
    if state.agent.mode == Mode.PAPER and state.settled is None and state.booked is None:
        first = node.calendar.last_complete(now, node.delay).isoformat()
        if first < state.first_session:
            at = min(stamp(now), state.deployed_at)
            node.repository(agent_id).commit([Deployed(at, first)], now)


def wanted(node: Node, now: datetime) -> bool:
    """Whether any agent has something due or an order on its way, or an account is to be compared: cheap, no I/O."""
    if node.account.connection.unread:
        return True
    for agent_id in node.active():
        try:
            state = node.repository(agent_id).state
            if state.agent.mode not in OF_REAL_DAYS:
                continue
            if state.orders or state.book.shares or due_sessions(state, node.calendar, now, node.delay):
                return True
        except Exception as error:  # a year that the calendar does not know, or worse: the pass says so
            logs.caught(log, f"what is due of {agent_id}", error)
            return True
    return False


def exposed(node: Node) -> list[AgentRepository]:
    """Agents of real days whose shares have neither a stop nor an exit at work."""
    found = [d for d in node.repositories.values() if d.exposure.bare_since is not None and d.state.config is not None]
    return [d for d in found if d.state.agent.mode in OF_REAL_DAYS]


def document(done: PassResult, failed: dict[str, str]) -> dict[str, Any]:
    """A pass as JSON: agents that failed count as held, with the reason."""
    held = [*done.held, *({"agent_id": a, "reason": why} for a, why in failed.items())]
    return {
        "due": done.due,
        "decided": done.decided,
        "planned": done.planned,
        "sent": done.sent,
        "held": held,
        "missed": done.missed,
    }
