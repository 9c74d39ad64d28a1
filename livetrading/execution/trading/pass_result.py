"""The pass result: what a pass found due and what it did; and which sessions are due."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from ...adapters.calendar import Calendar
from ...core.agent import AgentState
from ...core.types import AgentStatus


@dataclass
class PassResult:
    """What a pass found due and did. ``alarms`` are shown to the user. ``waiting`` {agent_id, text}: entries that
    wait for something temporary. ``more``: the pass ended early, and another one has to follow."""

    due: list[dict[str, Any]] = field(default_factory=list)
    decided: list[dict[str, Any]] = field(default_factory=list)
    planned: list[dict[str, Any]] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    held: list[dict[str, Any]] = field(default_factory=list)
    missed: list[dict[str, Any]] = field(default_factory=list)
    alarms: list[dict[str, Any]] = field(default_factory=list)
    waiting: list[dict[str, Any]] = field(default_factory=list)
    more: bool = False

    def add(self, other: "PassResult") -> None:
        """Add the result of another agent's pass."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value if isinstance(value, list) else self.more or value)


def due_sessions(state: AgentState, calendar: Calendar, now: datetime, delay: timedelta) -> list[date]:
    """Sessions complete at ``now`` that an agent has not yet both booked and decided (or missed)."""
    ended = state.status in (AgentStatus.STOPPED, AgentStatus.FINISHED)
    # A crash came after the booking, before the session was decided or held: it is continued.
    half = state.booked is not None and state.booked > max(
        state.settled or "", state.held.session if state.held else ""
    )
    if state.status == AgentStatus.REMOVED or not state.first_session or (ended and state.idle and not half):
        return []
    first = date.fromisoformat(state.first_session)
    last = calendar.last_complete(now, delay)
    known = [s for s in (state.booked, state.settled) if s]
    if len(known) == 2:
        first = max(first, calendar.next_session(date.fromisoformat(min(known))))
    return calendar.sessions(first, last) if first <= last else []
