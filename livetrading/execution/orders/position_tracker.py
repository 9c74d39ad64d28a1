"""Compares the book with the broker. A difference blocks the agent, and a person resolves it."""

from datetime import datetime

from ...adapters.brokers.base import Broker
from ...core.events import StatusChanged
from ...core.types import AgentStatus
from ..state.agent_repository import AgentRepository
from . import execution_reports


def difference(repository: AgentRepository, broker: Broker) -> str | None:
    """The shares of both sides, as a message, if they differ; None if they agree."""
    ours, theirs = repository.state.book.shares, broker.position()
    if theirs in (ours, expected(repository, broker)):
        return None
    symbol = repository.state.agent.symbol
    return f"the book holds {ours} {symbol}, the broker {theirs}"


def unexplained(repository: AgentRepository, broker: Broker) -> str | None:
    """Like ``difference``, but also None while a fill of another agent, not yet reported or booked, may explain it."""
    problem = difference(repository, broker)
    if problem is None:
        return None
    beyond, (low, high) = broker.position() - expected(repository, broker), broker.unsettled()
    return None if -low <= beyond <= high else problem


def expected(repository: AgentRepository, broker: Broker) -> int:
    """Shares that the book will have when every reported execution has a price."""
    return repository.state.book.shares + execution_reports.unpriced(repository.state, broker)


def reconcile(repository: AgentRepository, broker: Broker, now: datetime) -> str | None:
    """Block a running or paused agent whose book differs from its broker; the reason, or None."""
    problem = difference(repository, broker)
    if problem and repository.state.status in (AgentStatus.RUNNING, AgentStatus.PAUSED):
        repository.commit([StatusChanged(AgentStatus.BLOCKED, problem, "position tracker")], now)
    return problem
