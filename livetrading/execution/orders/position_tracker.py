"""The book against the broker: a difference stops the agent, a person resolves it."""

from datetime import datetime

from ...adapters.brokers.base import Broker
from ...core.events import StatusChanged
from ...core.types import AgentStatus
from ..state.agent_repository import AgentRepository
from . import execution_reports


def difference(repository: AgentRepository, broker: Broker) -> str | None:
    """Both sides in words if they differ; None while they agree."""
    ours, theirs = repository.state.book.shares, broker.position()
    if theirs in (ours, expected(repository, broker)):
        return None
    symbol = repository.state.agent.symbol
    return f"the book holds {ours} {symbol}, the broker {theirs}"


def unexplained(repository: AgentRepository, broker: Broker) -> str | None:
    """The same, but None as well while a fill of another agent of the account, which is on its way, explains it."""
    problem = difference(repository, broker)
    if problem is None:
        return None
    beyond, (low, high) = broker.position() - expected(repository, broker), broker.unsettled()
    return None if -low <= beyond <= high else problem


def expected(repository: AgentRepository, broker: Broker) -> int:
    """Shares in the book once everything that the broker has told has a price."""
    return repository.state.book.shares + execution_reports.unpriced(repository.state, broker)


def reconcile(repository: AgentRepository, broker: Broker, now: datetime) -> str | None:
    """Block a running agent whose book is not its broker's; the reason, or None."""
    problem = difference(repository, broker)
    if problem and repository.state.status in (AgentStatus.RUNNING, AgentStatus.PAUSED):
        repository.commit([StatusChanged(AgentStatus.BLOCKED, problem, "position tracker")], now)
    return problem
