"""Rebuilds a lost simulated account from the agent's own journal."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from ...adapters.brokers.paper import AcceptedOrder, PaperBroker, rebuild
from ...adapters.files import sync_directory, unavailable
from ...adapters.stamps import stamp
from ...adapters.store import Store
from ...core.agent import AgentState
from ...core.errors import Damaged
from ...core.events import Event, OrderMoved
from ...core.orders import OrderState
from ..state.agent_repository import AgentRepository, events_of
from .order_plans import ticket_of

_SENT = (OrderState.NEW, OrderState.PARTIALLY_FILLED, OrderState.PENDING_CANCEL)


def open_broker(store: Store, repository: AgentRepository) -> tuple[PaperBroker, str]:
    """An agent's broker, and a message if its file had to be rebuilt.

    When the file is unreadable, missing, or older than the book, the journal has
    everything that was in it, except a session that was traded and not booked.
    That session is traded again from the same bar.
    """
    path = repository.directory / "paper.json"
    costs, state = repository.state.agent.terms.costs, repository.state
    try:
        broker = PaperBroker(store, path, costs)
        if broker.traded() >= (state.booked or "") and (path.exists() or not _used(state)):
            return broker, ""
        why = "is older than the last booked session" if path.exists() else "is gone"
    except Damaged:
        why = "was damaged"
    _keep(path)
    _rebuild(store, path, repository)
    return PaperBroker(store, path, costs), f"{path.name} {why} and was rebuilt from the journal"


def _used(state: AgentState) -> bool:
    return state.booked is not None or any(o.state in _SENT for o in state.orders)


def _keep(path: Path) -> None:
    """Keep the unusable file beside the new one, for whoever looks for the cause."""
    if not path.exists():
        return
    try:
        path.replace(path.with_name(f"{path.name}.damaged"))
        sync_directory(path.parent)
    except OSError as error:
        raise unavailable(error, path, "set aside") from None


def _rebuild(store: Store, path: Path, repository: AgentRepository) -> None:
    state = repository.state
    accepted, last = _acceptances(events_of(repository.directory))
    orders = [
        AcceptedOrder(
            ticket=ticket_of(order),
            broker_id=order.broker_id or "",
            accepted=accepted[order.key],
            parent=order.parent,
            waits=_waits(state, order.parent),
            cancelled=order.state == OrderState.PENDING_CANCEL,
        )
        for order in state.orders
        if order.state in _SENT and order.key in accepted
    ]
    rebuild(store, path, position=state.book.shares, session=state.booked or "", next_id=last + 1, accepted=orders)


def _waits(state: AgentState, parent: str | None) -> bool:
    entry = state.order(parent) if parent else None
    return entry is not None and entry.open


def _acceptances(history: Iterable[tuple[datetime, list[Event]]]) -> tuple[dict[str, str], int]:
    """When the broker accepted each order, and the highest number that it gave."""
    accepted: dict[str, str] = {}
    last = 0
    for at, events in history:
        for event in events:
            if isinstance(event, OrderMoved) and event.broker_id:
                accepted.setdefault(event.key, stamp(at))
                last = max(last, int(event.broker_id.removeprefix("P")))
    return accepted, last
