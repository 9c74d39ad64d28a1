"""One pass over all agents but replays, as of a time; used by the scheduler and ``check``."""

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
IN_REAL_TIME = (Mode.PAPER, Mode.BROKER)


def run(
    node: Node, now: datetime, between: Callable[[], bool] = lambda: True, clock: Callable[[], datetime] | None = None
) -> tuple[PassResult, dict[str, str]]:
    """Let every agent, except replays, do what is due.

    ``between`` runs after each agent, and False from it ends the pass. ``clock`` gives each
    agent the current time, because a pass may take long. Returns what was done, and for each
    failed agent its error; an error of one agent does not affect the others.
    """
    total, failed = PassResult(), _take_reports(node, now)
    checked = set(failed)
    # Shares without a stop come first: a pass over many agents may take long.
    for agent_id in sorted(
        node.active(), key=lambda a: a not in node.repositories or not node.repositories[a].exposure.bare_since
    ):
        at = now
        try:
            node.pulse()
            if not _takes_part(node, agent_id, total):
                continue
            at = clock() if clock else now
            checked.add(agent_id)
            total.add(node.trader(agent_id).run(at))
        except Exception as error:
            failed[agent_id] = node.trouble(agent_id, error, at)
            if not isinstance(error, Unavailable):
                total.alarms += _protect_failed(node, agent_id, at)
        if not between():
            break
    else:
        _compare(node, failed)
    troubles.publish(node.store, checked, failed, {w["agent_id"]: w["text"] for w in total.waiting})
    return total, failed


def _takes_part(node: Node, agent_id: str, total: PassResult) -> bool:
    # A request that was answered between two agents may have removed this one.
    if agent_id not in node.active() or node.repository(agent_id).state.agent.mode not in IN_REAL_TIME:
        return False
    if node.repository(agent_id).state.agent.mode == Mode.BROKER and node.account.connection.connecting:
        total.more = True
        return False
    return True


def _take_reports(node: Node, now: datetime) -> dict[str, str]:
    """Take over the broker's reports. Returns errors by agent; agents without a broker account are not affected."""
    try:
        return node.take_reports(now)
    except Exception as error:
        reason = logs.caught(log, "reading a shared account", error)
        return {state.agent.agent_id: str(reason) for state in node.account.agents()}


def _compare(node: Node, failed: dict[str, str]) -> None:
    try:
        if not node.account.connection.connecting:
            node.compared(failed)
    except Exception as error:
        log.warning("the shared account was not compared: %s", logs.caught(log, "comparing a shared account", error))


def _protect_failed(node: Node, agent_id: str, now: datetime) -> list[dict[str, Any]]:
    """Send the exit and the protective stop of an agent whose pass failed: they need neither bars nor model.
    Nothing is bought. Returns alarms for the user."""
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
        texts = [f"its orders could not be checked: {logs.caught(log, f'checking the orders of {agent_id}', error)}"]
    return [{"agent_id": agent_id, "text": text} for text in texts]


def check_as_of(node: Node, now: datetime) -> tuple[PassResult, dict[str, str]]:
    """A pass as of a given time, which is also the time of everything that it records.

    For an agent without any session so far, the last session complete at that time
    becomes its first, and an earlier time becomes its deployment date.
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
    """Whether a pass is needed: an agent has something due, an order or shares, or an account has to be compared.
    Cheap: no I/O."""
    if node.account.connection.unread:
        return True
    for agent_id in node.active():
        try:
            state = node.repository(agent_id).state
            if state.agent.mode not in IN_REAL_TIME:
                continue
            if state.orders or state.book.shares or due_sessions(state, node.calendar, now, node.delay):
                return True
        except Exception as error:  # for example a year that the calendar does not know: the pass reports it
            logs.caught(log, f"what is due of {agent_id}", error)
            return True
    return False


def exposed(node: Node) -> list[AgentRepository]:
    """Agents, except replays, whose shares have neither a working stop nor a working exit."""
    found = [d for d in node.repositories.values() if d.exposure.bare_since is not None and d.state.config is not None]
    return [d for d in found if d.state.agent.mode in IN_REAL_TIME]


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
