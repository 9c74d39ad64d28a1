"""The book against the broker: a difference stops the agent, a person resolves it."""

from datetime import datetime

from ..adapters.brokers.base import Broker
from ..core.events import StatusChanged
from ..core.types import AgentStatus
from . import statements
from .dossier import Dossier


def difference(dossier: Dossier, broker: Broker) -> str | None:
    """Both sides in words if they differ; None while they agree."""
    ours, theirs = dossier.state.book.shares, broker.position()
    if theirs in (ours, expected(dossier, broker)):
        return None
    symbol = dossier.state.agent.symbol
    return f"the book holds {ours} {symbol}, the broker {theirs}"


def unexplained(dossier: Dossier, broker: Broker) -> str | None:
    """The same, but None as well while a fill of another agent of the account, which is on its way, explains it."""
    problem = difference(dossier, broker)
    if problem is None:
        return None
    beyond, (low, high) = broker.position() - expected(dossier, broker), broker.unsettled()
    return None if -low <= beyond <= high else problem


def expected(dossier: Dossier, broker: Broker) -> int:
    """Shares in the book once everything that the broker has told has a price."""
    return dossier.state.book.shares + statements.unpriced(dossier.state, broker)


def reconcile(dossier: Dossier, broker: Broker, now: datetime) -> str | None:
    """Block a running agent whose book is not its broker's; the reason, or None."""
    problem = difference(dossier, broker)
    if problem and dossier.state.status in (AgentStatus.RUNNING, AgentStatus.PAUSED):
        dossier.commit([StatusChanged(AgentStatus.BLOCKED, problem, "position tracker")], now)
    return problem
