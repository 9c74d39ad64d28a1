"""What a pass over an agent found due and did, and what is due at all."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from ...adapters.calendar import Calendar
from ...core.agent import AgentState
from ...core.types import AgentStatus


@dataclass
class PassResult:
    """What a pass found due and did. ``alarms`` are for a person to see; ``waiting`` {agent_id, text}: entries
    that could go but for something that may pass; ``more``: the pass gave way before it was through."""

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
        """Take in what another agent's pass did."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value if isinstance(value, list) else self.more or value)


def due_sessions(state: AgentState, calendar: Calendar, now: datetime, delay: timedelta) -> list[date]:
    """Sessions complete at ``now`` that an agent has not yet booked and settled."""
    ended = state.status in (AgentStatus.STOPPED, AgentStatus.FINISHED)
    # Booked, and then a crash before the session was decided or held: it is gone on with.
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
