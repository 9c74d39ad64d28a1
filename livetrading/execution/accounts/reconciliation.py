"""Compares an agent's book with its broker account: shares, and orders with our key.

A difference may come from a fill that is not reported yet, so it counts only when it
lasts. Then the agent is blocked and both sides are shown. The user decides: the book
takes the difference over (adopt), or the shares are unmanaged (ignore).
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
"""A difference that lasts so long does not come from a late report."""


@dataclass
class Reconciliation:
    """Compares one agent's book with its account."""

    repository: AgentRepository
    broker: AgentBroker
    broker_account: BrokerAccount
    lasting: str = ""
    """The problem, once a late report can no longer explain it."""
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
        """How the two sides differ, as a message; None if they agree."""
        if differs := difference(self.repository, self.broker):
            return f"{differs} (beside {self.broker_account.shares.unmanaged(self.repository.state)} unmanaged)"
        if unknown := self.unknown_orders():
            return f"the broker has an open order {', '.join(unknown)} that the agent's book does not have as open"
        duplicates = self.duplicate_keys()
        return f"the broker has more than one open order with the key {', '.join(duplicates)}" if duplicates else None

    def differs(self) -> bool:
        """Whether book and account differ in shares now, also if a late report may explain it."""
        return difference(self.repository, self.broker) is not None

    def unknown_orders(self) -> list[str]:
        """Keys of this agent's orders that work at the broker and have ended, or never were, in the book."""
        return self.broker.unknown([o.key for o in self.repository.state.orders])

    def duplicate_keys(self) -> list[str]:
        """Keys of this agent that more than one working order has: another program used them."""
        return sorted(ref for ref, n in Counter(o.ref for o in self.broker.working()).items() if n > 1)

    def judge(self, now: datetime) -> str | None:
        """The problem, if any; a running agent is blocked when it lasts."""
        problem = self.problem()
        if problem is None:
            self._since, self.lasting = None, ""
            return None
        if self._since is None or self._since[0] != problem or self._report_pending():
            # A fill that the broker has not reported yet may explain the difference: wait from now on.
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
        """What the user does about orders that the book does not have."""
        return f"compare with {self.broker_account.words.program}, then adopt or ignore the difference"

    def _report_pending(self) -> bool:
        """Whether the broker has not answered every question, or a fill of another agent may explain it."""
        return bool(self.broker.health().missing) or (
            self.differs() and unexplained(self.repository, self.broker) is None
        )

    def document(self, problem: str | None, now: datetime) -> dict[str, Any]:
        """For a page: both sides, and what differs."""
        return {"agent_id": self.repository.agent_id, **self.sides(), "text": problem or "", "at": stamp(now)}
