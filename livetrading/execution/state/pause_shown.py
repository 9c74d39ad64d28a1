"""How an agent's drawdown pause is shown: its length, what is left of it, and when it ends."""

from datetime import date
from typing import TypedDict

from ...adapters.calendar import calendar
from ...core import limits
from ...core.agent import AgentState
from ...core.errors import LivetradingError
from ...core.events import EntriesPaused, EntriesResumed
from ...core.types import AgentStatus


class PauseShown(TypedDict):
    """``pause_sessions``: the length by the agent's terms, None: until a person resumes. While entries are paused for
    a length: ``pause_sessions_left``, at how many decided closes they will still be refused, and ``pause_ends``,
    the session at whose close they are allowed again if every session is decided (None while the agent does not
    run, and beyond the known calendar)."""

    entries_paused: bool
    pause_sessions: int | None
    pause_sessions_left: int | None
    pause_ends: str | None


def shown(state: AgentState) -> PauseShown:
    left = _left(state)
    return {
        "entries_paused": state.book.entries_paused,
        "pause_sessions": state.agent.terms.limits.pause_sessions,
        "pause_sessions_left": left,
        "pause_ends": _ends(state, left),
    }


def warnings(state: AgentState) -> list[str]:
    """Why entries are refused, while they are."""
    return [limits.words(_left(state))] if state.book.entries_paused else []


def line(event: EntriesPaused | EntriesResumed) -> str:
    """For the agent's own log."""
    verb = "paused" if isinstance(event, EntriesPaused) else "resumed"
    return f"{event.session}: entries {verb}: {event.reason}"


def _left(state: AgentState) -> int | None:
    return state.book.pause.left(state.agent.terms.limits)


def _ends(state: AgentState, left: int | None) -> str | None:
    if left is None or state.settled is None or state.status != AgentStatus.RUNNING:
        return None
    try:
        session = date.fromisoformat(state.settled)
        for _ in range(left + 1):
            session = calendar().next_session(session)
    except LivetradingError:  # its holidays are not known that far
        return None
    return session.isoformat()
