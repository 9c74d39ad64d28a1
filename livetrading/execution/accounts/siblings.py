"""What agents of one account and one stock wait for of each other, and for how long at most."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ...core import windows
from ...core.agent import AgentState
from ...core.types import Leg

ABOUT_TO_GO = timedelta(minutes=2)
"""So long an entry waits after the open for another agent's exit that is not at the broker: it would have gone by then."""
UNREPORTED_FOR = timedelta(minutes=2)
"""So long an agent waits silently for fills of another that cannot be taken over; then its entries wait, and it says so."""

UNTOLD_FOR = timedelta(minutes=2)
"""So long a fill of another agent that the broker has not told may explain a difference."""


@dataclass
class Siblings:
    """Since when each wait lasts, as this process has seen it."""

    _exits: dict[str, datetime] = field(default_factory=dict)
    _doubts: dict[str, datetime] = field(default_factory=dict)
    _overdue: set[str] = field(default_factory=set)
    _unreported: dict[str, datetime] = field(default_factory=dict)

    def heard(self, failed: Collection[str], now: datetime) -> None:
        """Whose fills could not be taken over in this pass; all others' could."""
        self._unreported = {agent_id: self._unreported.get(agent_id, now) for agent_id in failed}

    def doubts(self, agent_id: str, differs: bool, now: datetime) -> None:
        """Whether an agent's shares differ from the account's now: other agents' fills explain that for a while only."""
        if not differs:
            self._doubts.pop(agent_id, None)
            self._overdue.discard(agent_id)
        elif now - self._doubts.setdefault(agent_id, now) >= UNTOLD_FOR:
            self._overdue.add(agent_id)

    def overdue(self, agent_id: str) -> bool:
        """Whether an agent's difference has lasted too long to be another's fill on its way."""
        return agent_id in self._overdue

    def awaited(self) -> frozenset[str]:
        """Agents whose fills may explain another's difference."""
        return frozenset(self._unreported)

    def unreported(self, others: Collection[str], now: datetime) -> str:
        """Why nothing is bought: the fills of one of ``others`` are unknown for long; empty if not."""
        late = sorted(a for a in others if a in self._unreported and now - self._unreported[a] >= UNREPORTED_FOR)
        return (
            (
                f"the fills of {', '.join(late)} of the same account cannot be taken over, so this agent's shares cannot be"
                f" compared with the account; entries wait until that is mended"
            )
            if late
            else ""
        )

    def opposed(
        self, state: AgentState, others: Iterable[AgentState], working: Collection[str], now: datetime
    ) -> str | None:
        """Why a purchase waits for a sale of another agent: one of the keys that the broker works, or one that
        is about to be sent. Both can meet in one auction: until that is over an exit that cannot go holds up the
        entry, and after it for two minutes."""
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
