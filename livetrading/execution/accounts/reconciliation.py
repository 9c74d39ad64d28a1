"""The book against a real account: shares, and orders that carry our key.

A difference may be a fill that is still on its way, so it counts when it is seen
twice; then the agent is blocked, both sides are shown, and a person says which is
right: the book takes it over (adopt), or it is the person's own (ignore).
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ...adapters.brokers.base import AgentBroker
from ...adapters.stamps import stamp
from ...core.events import StatusChanged
from ...core.types import AgentStatus
from ..orders.position_tracker import difference, expected, unexplained
from ..state.agent_repository import AgentRepository
from .broker_account import BrokerAccount

SURE_AFTER = timedelta(seconds=10)
"""A difference that lasts so long is none of a fill on its way."""


@dataclass
class Reconciliation:
    """Compares one agent's book with its account."""

    repository: AgentRepository
    broker: AgentBroker
    broker_account: BrokerAccount
    lasting: str = ""
    """The problem, once it is none of a fill on its way."""
    _since: tuple[str, datetime] | None = None

    def sides(self) -> dict[str, int]:
        """Shares in the book, at the broker for this agent, and unmanaged."""
        state = self.repository.state
        return {
            "book": expected(self.repository, self.broker),
            "broker": self.broker.position(),
            "unmanaged": self.broker_account.shares.unmanaged(state),
        }

    def problem(self) -> str | None:
        """Both sides in words if they differ now; None while they agree."""
        if differs := difference(self.repository, self.broker):
            return f"{differs} (beside {self.broker_account.shares.unmanaged(self.repository.state)} unmanaged)"
        if strange := self.strangers():
            return f"the broker has an open order {', '.join(strange)} that the agent's book does not have as open"
        doubled = self.doubled()
        return f"the broker has more than one open order with the key {', '.join(doubled)}" if doubled else None

    def differs(self) -> bool:
        """Whether book and account hold other shares now, whatever explains it."""
        return difference(self.repository, self.broker) is not None

    def strangers(self) -> list[str]:
        """Keys of this agent's orders that work at the broker and have ended, or never were, in the book."""
        return self.broker.unknown([o.key for o in self.repository.state.orders])

    def doubled(self) -> list[str]:
        """Keys of this agent that more than one working order carries: somebody else used them."""
        return sorted(ref for ref, n in Counter(o.ref for o in self.broker.working()).items() if n > 1)

    def judge(self, now: datetime) -> str | None:
        """The problem, if any; a running agent is blocked when it lasts."""
        problem = self.problem()
        if problem is None:
            self._since, self.lasting = None, ""
            return None
        if self._since is None or self._since[0] != problem or self._may_be_told():
            # What the broker has not told yet may be the very fill that explains it.
            self._since = (problem, now)
        lasts = now - self._since[1] >= SURE_AFTER
        text = (
            f"{problem}; {self.broker_account.shares.cure(self.repository.state) if self.differs() else self._cure()}"
        )
        self.lasting = text if lasts else ""
        if lasts and self.repository.state.status in (AgentStatus.RUNNING, AgentStatus.PAUSED):
            self.repository.commit([StatusChanged(AgentStatus.BLOCKED, text, "account watch")], now)
        return problem

    def _cure(self) -> str:
        """What a person does about orders that the book does not have."""
        return f"compare with {self.broker_account.words.program}, then adopt or ignore the difference"

    def _may_be_told(self) -> bool:
        """Whether the broker has still to answer, or a fill of another agent is on its way."""
        return bool(self.broker.health().missing) or (
            self.differs() and unexplained(self.repository, self.broker) is None
        )

    def document(self, problem: str | None, now: datetime) -> dict[str, Any]:
        """For a page: both sides, and what differs."""
        return {"agent_id": self.repository.agent_id, **self.sides(), "text": problem or "", "at": stamp(now)}
