"""How agents of one account and one stock wait for each other, and how long at most."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ...core import windows
from ...core.agent import AgentState
from ...core.types import Leg

ABOUT_TO_GO = timedelta(minutes=2)
"""How long an entry waits after the open for another agent's exit that has not been sent yet."""
UNREPORTED_FOR = timedelta(minutes=2)
"""After this time without another agent's fills, an agent's entries wait and the user is notified."""

FILL_LATE_FOR = timedelta(minutes=2)
"""How long a fill of another agent that is not reported yet may explain a difference."""


@dataclass
class Siblings:
    """Since when each wait lasts; known only to this process."""

    _exits: dict[str, datetime] = field(default_factory=dict)
    _doubts: dict[str, datetime] = field(default_factory=dict)
    _overdue: set[str] = field(default_factory=set)
    _unreported: dict[str, datetime] = field(default_factory=dict)

    def note_unreported(self, failed: Collection[str], now: datetime) -> None:
        """Note the agents whose fills could not be taken over in this pass."""
        self._unreported = {agent_id: self._unreported.get(agent_id, now) for agent_id in failed}

    def doubts(self, agent_id: str, differs: bool, now: datetime) -> None:
        """Note whether an agent's shares differ now: other agents' fills explain that only for FILL_LATE_FOR."""
        if not differs:
            self._doubts.pop(agent_id, None)
            self._overdue.discard(agent_id)
        elif now - self._doubts.setdefault(agent_id, now) >= FILL_LATE_FOR:
            self._overdue.add(agent_id)

    def overdue(self, agent_id: str) -> bool:
        """Whether an agent's difference has lasted too long to come from a late report."""
        return agent_id in self._overdue

    def awaited(self) -> frozenset[str]:
        """Agents whose fills could not be taken over, and may explain another agent's difference."""
        return frozenset(self._unreported)

    def unreported(self, others: Collection[str], now: datetime) -> str:
        """Why entries wait: fills of ``others`` have been unknown for too long; empty if not."""
        late = sorted(a for a in others if a in self._unreported and now - self._unreported[a] >= UNREPORTED_FOR)
        return (
            (
                f"the fills of {', '.join(late)} of the same account cannot be taken over, so this agent's shares cannot be"
                f" compared with the account; entries wait until that is repaired"
            )
            if late
            else ""
        )

    def opposed(
        self, state: AgentState, others: Iterable[AgentState], working: Collection[str], now: datetime
    ) -> str | None:
        """Why an entry waits for another agent's exit. ``working`` are the keys of orders that the broker works. An
        entry and an exit could trade with each other in one auction, so until the auction is over the entry waits
        for any open exit; after it for ABOUT_TO_GO at most, if the exit is not at the broker."""
        auction = windows.for_open(now.astimezone(windows.NEW_YORK).date(), now)
        exits = [(other, order) for other in others for order in other.open_orders(Leg.EXIT)]
        for other, order in exits:
            if order.key in working:
                return f"{self._sells(other, state)} at the broker; the entry waits until that is done"
            if auction:
                return f"{self._sells(other, state)}, and both could meet in one auction; the entry waits"
            if now - self._exits.setdefault(order.key, now) < ABOUT_TO_GO:
                return f"{self._sells(other, state)} first; the entry waits {ABOUT_TO_GO.seconds // 60} minutes for that at most"
        return None

    @staticmethod
    def _sells(other: AgentState, state: AgentState) -> str:
        return f"{other.agent.agent_id} of the same account sells {state.agent.symbol}"
