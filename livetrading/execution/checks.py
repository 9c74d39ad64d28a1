"""One pass over all agents of real days, as of a time: what the scheduler and ``check`` do."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from ..adapters.stamps import stamp
from ..core.errors import Conflict, LivetradingError, Refused
from ..core.events import Deployed
from ..core.exposure import bare
from ..core.types import Mode
from .desk import Desk
from .dossier import Dossier
from .passes import Pass, due_sessions

OF_REAL_DAYS = (Mode.PAPER, Mode.IBKR)


def run(
    desk: Desk, now: datetime, between: Callable[[], bool] = lambda: True,
    clock: Callable[[], datetime] | None = None,
) -> tuple[Pass, dict[str, str]]:
    """Let every agent of real days do what is due.

    ``between`` runs after each agent, and a False from it ends the pass; ``clock``
    gives each agent its own time, since a pass may last. Returns what was done,
    and per agent the error that stopped its pass: one agent's trouble is not another's.
    """
    total, failed = Pass(), dict[str, str]()
    failed |= desk.hear(now)
    # Shares without a stop come first: a pass over many agents takes its time.
    for agent_id in sorted(desk.active(), key=lambda a: not bare(desk.dossier(a).state)):
        # A request that came between two agents may have removed this one.
        if agent_id not in desk.active() or desk.dossier(agent_id).state.agent.mode not in OF_REAL_DAYS:
            continue
        if desk.account.settling and desk.dossier(agent_id).state.agent.mode == Mode.IBKR:
            total.more = True
            continue
        at = clock() if clock else now
        desk.pulse()
        try:
            total.add(desk.trader(agent_id).run(at))
        except LivetradingError as error:
            failed[agent_id] = str(error)
            desk.trouble(agent_id, error, at)
        if not between():
            return total, failed
    if not desk.account.settling:
        desk.compared(failed)
    return total, failed


def check_as_of(desk: Desk, now: datetime) -> tuple[Pass, dict[str, str]]:
    """A pass as of a given time, which is the time of everything that it records.

    For an agent that has settled nothing yet, the last session complete then
    counts as its first, and an earlier time becomes its deployment date.
    """
    for agent_id in desk.active():
        state = desk.dossier(agent_id).state
        if state.agent.mode == Mode.IBKR:
            raise Conflict("an agent of an Interactive Brokers account exists; a check as of another time is refused.")
        if state.agent.mode == Mode.PAPER and state.settled is None and state.booked is None:
            first = desk.calendar.last_complete(now, desk.delay).isoformat()
            if first < state.first_session:
                at = min(stamp(now), state.deployed_at)
                desk.dossier(agent_id).commit([Deployed(at, first)], now)
    return run(desk, now)


def wanted(desk: Desk, now: datetime) -> bool:
    """Whether any agent has something due or an order on its way, or an account is to be compared: cheap, no I/O."""
    if desk.account.unread:
        return True
    for agent_id in desk.active():
        state = desk.dossier(agent_id).state
        if state.agent.mode not in OF_REAL_DAYS:
            continue
        try:
            if state.orders or state.book.shares or due_sessions(state, desk.calendar, now, desk.delay):
                return True
        except Refused:  # a year that the calendar does not know: the pass says so, agent by agent
            return True
    return False


def exposed(desk: Desk) -> list[Dossier]:
    """Agents of real days whose shares have neither a stop nor an exit at work."""
    dossiers = [desk.dossier(agent_id) for agent_id in desk.active()]
    return [d for d in dossiers if d.exposure.bare_since is not None and d.state.agent.mode in OF_REAL_DAYS]


def document(done: Pass, failed: dict[str, str]) -> dict[str, Any]:
    """A pass as JSON: agents that failed count as held, with the reason."""
    held = [*done.held, *({"agent_id": a, "reason": why} for a, why in failed.items())]
    return {
        "due": done.due, "decided": done.decided, "planned": done.planned, "sent": done.sent,
        "held": held, "missed": done.missed,
    }
