"""A simulated broker that fills from completed daily bars, so that paper equals backtest.

It keeps its own ledger on disk, so accepted orders survive the process that sent
them, as at a real broker. A market order fills at the first open after it was
accepted. A protective stop is active from its entry's fill on, including the entry
bar. A cancel after an open whose bar is unknown waits for that bar, because the
order may have filled at the open. Prices and fees are those of ``core.rules``.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from ...core import rules
from ...core.errors import BadInput, Damaged
from ...core.orders import OrderState
from ...core.rules import Quote
from ...core.types import Costs
from ..calendar import calendar
from ..stamps import parse_stamp, stamp
from ..store import Store
from .base import BrokerOrder, Execution, Ticket

KEEP = 40
"""Finished orders and executions that are kept; the book takes over each within a session."""


@dataclass(frozen=True)
class _Accepted:
    """An accepted order. ``waits``: its parent entry has not filled yet.

    ``cancel_at`` is the time of a cancel request that is not answered yet.
    """

    ticket: Ticket
    broker_id: str
    accepted: str
    parent: str | None = None
    waits: bool = False
    state: OrderState = OrderState.NEW
    filled: int = 0
    reason: str = ""
    cancel_at: str = ""

    @property
    def working(self) -> bool:
        return self.state in (OrderState.NEW, OrderState.PENDING_CANCEL)

    def live_at(self, opened: datetime) -> bool:
        """Whether it is working and was not cancelled before this open."""
        return self.working and not (self.cancel_at and parse_stamp(self.cancel_at) < opened)

    def canceled(self) -> "_Accepted":
        return replace(self, state=OrderState.CANCELED, reason="cancelled on request", cancel_at="")

    def report(self) -> BrokerOrder:
        t = self.ticket
        return BrokerOrder(
            t.ref, self.broker_id, self.state, t.side, t.qty, self.filled, t.type, t.stop_price, self.reason
        )


@dataclass(frozen=True)
class _Ledger:
    """The account at the broker; ``session`` is the last one traded."""

    position: int = 0
    session: str = ""
    next_id: int = 1
    orders: tuple[_Accepted, ...] = ()
    executions: tuple[Execution, ...] = ()

    def accept(self, ticket: Ticket, at: str, parent: str | None) -> "_Ledger":
        order = _Accepted(ticket, f"P{self.next_id}", at, parent, waits=parent is not None)
        return replace(self, next_id=self.next_id + 1, orders=(*self.orders, order))

    def swap(self, order: _Accepted) -> "_Ledger":
        swapped = (order if o.broker_id == order.broker_id else o for o in self.orders)
        return replace(self, orders=tuple(swapped))

    def execute(self, order: _Accepted, session: str, fill: rules.Fill) -> "_Ledger":
        qty = int(fill.qty)
        execution = Execution(
            f"{order.broker_id}.{order.ticket.ref}", order.ticket.ref, session, qty, float(fill.price), float(fill.fee)
        )
        signed = qty if order.ticket.side == "BUY" else -qty
        after = self.swap(replace(order, state=OrderState.FILLED, filled=qty, cancel_at=""))
        return replace(after, position=self.position + signed, executions=(*self.executions, execution))

    def forget(self) -> "_Ledger":
        done = [o.broker_id for o in self.orders if not o.working][:-KEEP]
        kept = tuple(o for o in self.orders if o.broker_id not in done)
        return replace(self, orders=kept, executions=self.executions[-KEEP:])


class PaperBroker:
    """One agent's account at a simulated broker, in one TinyDB file."""

    def __init__(self, store: Store, path: Path, costs: Costs) -> None:
        self._store, self._path, self._costs = store, path, costs
        self._ledger = _load(store, path)

    def submit(self, ticket: Ticket, child: Ticket | None, now: datetime) -> BrokerOrder:
        if ticket.qty < 1:
            raise BadInput(f"Order {ticket.ref} is for {ticket.qty} shares; a broker takes whole shares from 1.")
        ledger = self._ledger.accept(ticket, stamp(now), None)
        accepted = ledger.orders[-1]
        if child is not None:
            ledger = ledger.accept(child, stamp(now), ticket.ref)
        self._save(ledger)
        return accepted.report()

    def cancel(self, ref: str, now: datetime) -> None:
        """Cancel an order, and with an entry the stop that waits for its fill."""
        ledger = self._ledger
        for order in ledger.orders:
            if order.ticket.ref == ref and order.state == OrderState.NEW:
                pending = replace(order, state=OrderState.PENDING_CANCEL, cancel_at=stamp(now))
                ledger = ledger.swap(pending)
        ledger = _answer_cancels(ledger)
        if ledger != self._ledger:
            self._save(ledger)

    def find(self, ref: str) -> BrokerOrder | None:
        found = [o for o in self._ledger.orders if o.ticket.ref == ref]
        return found[-1].report() if found else None

    def executions(self) -> list[Execution]:
        return list(self._ledger.executions)

    def reported(self) -> list[Execution]:
        """Always empty: this broker corrects nothing."""
        return []

    def position(self) -> int:
        return self._ledger.position

    def unsettled(self) -> tuple[int, int]:
        """Always 0: each agent has a simulated account of its own."""
        return 0, 0

    def traded(self) -> str:
        """The last session that was traded, an ISO date; empty before the first."""
        return self._ledger.session

    def unknown(self, keys: Collection[str]) -> list[str]:
        """Always empty: it has only orders of this agent."""
        return []

    def unanswered(self) -> tuple[str, ...]:
        return ()

    def since(self) -> None:
        """None: it is always available."""

    def fee(self, exec_id: str) -> float | None:
        """Fees are final at the fill."""
        return None

    def advance(self, session: str, opened: datetime, quote: Quote) -> None:
        """Trade one completed session; a second call for it does nothing."""
        ledger = self._ledger
        if session <= ledger.session:
            return
        ledger = _split(ledger, float(quote.split))
        for order in ledger.orders:
            live = order.live_at(opened) and parse_stamp(order.accepted) < opened
            if live and order.ticket.type == "MKT":
                ledger = self._at_open(ledger, order, session, quote)
        for order in ledger.orders:
            live = order.live_at(opened) and order.ticket.type == "STP" and not order.waits
            if live and quote.low <= order.ticket.stop_price:
                price = rules.stop_price_hit(np.float64(order.ticket.stop_price), quote)
                fill = rules.sell_at(np.float64(order.ticket.qty), price, quote, self._costs)
                ledger = ledger.execute(order, session, fill)
        self._save(_answer_cancels(replace(ledger, session=session)).forget())

    def _at_open(self, ledger: _Ledger, order: _Accepted, session: str, quote: Quote) -> _Ledger:
        qty = np.float64(order.ticket.qty)
        if order.ticket.side == "SELL":
            return ledger.execute(order, session, rules.sell_at(qty, quote.open, quote, self._costs))
        ledger = ledger.execute(order, session, rules.buy_at(qty, quote.open, self._costs))
        for child in ledger.orders:
            if child.parent == order.ticket.ref and child.working:
                ledger = ledger.swap(replace(child, waits=False))
        return ledger

    def _save(self, ledger: _Ledger) -> None:
        """Write first, then change memory: an order that could not be written was not accepted."""
        _write(self._store, self._path, ledger)
        self._ledger = ledger


def _answer_cancels(ledger: _Ledger) -> _Ledger:
    """Confirm each cancel whose order cannot have filled before, and end stops without an entry."""
    for order in ledger.orders:
        if order.state == OrderState.PENDING_CANCEL and not _in_doubt(ledger, order):
            ledger = ledger.swap(order.canceled())
    ended = {o.ticket.ref for o in ledger.orders if not o.working and o.state != OrderState.FILLED}
    for order in ledger.orders:
        if order.waits and order.working and order.parent in ended:
            ledger = ledger.swap(order.canceled())
    return ledger


def _in_doubt(ledger: _Ledger, order: _Accepted) -> bool:
    """Whether there was an open between acceptance and cancel that is not traded yet."""
    accepted, cancelled = parse_stamp(order.accepted), parse_stamp(order.cancel_at)
    return any(
        session.isoformat() > ledger.session and accepted < calendar().open_at(session) <= cancelled
        for session in calendar().sessions(accepted.date(), max(accepted, cancelled).date())
    )


def _split(ledger: _Ledger, ratio: float) -> _Ledger:
    """Convert shares and working orders by a split; an order of less than one share expires."""
    if ratio == 1.0:
        return ledger
    ledger = replace(ledger, position=int(rules.whole(ledger.position, ratio)))
    for order in ledger.orders:
        if not order.working:
            continue
        qty = int(rules.whole(order.ticket.qty, ratio))
        ticket = replace(order.ticket, qty=qty, stop_price=order.ticket.stop_price / ratio)
        after = replace(order, ticket=ticket)
        if qty < 1:
            after = replace(after, state=OrderState.EXPIRED, reason="a split left no whole share")
        ledger = ledger.swap(after)
    return ledger


def _load(store: Store, path: Path) -> _Ledger:
    if not path.exists():
        return _Ledger()
    tables = store.read_docs(path)
    try:
        orders = tuple(
            _Accepted(**{**o, "ticket": Ticket(**o["ticket"]), "state": OrderState(o["state"])})
            for o in tables["orders"]
        )
        executions = tuple(Execution(**e) for e in tables["executions"])
        account = tables["account"][0]
        return _Ledger(account["position"], account["session"], account["next_id"], orders, executions)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise Damaged(
            f"{path} does not hold a simulated account ({error}); start the scheduler if none runs: it rebuilds the file from the journal."
        ) from None


@dataclass(frozen=True)
class AcceptedOrder:
    """An open order that the broker had accepted, to rebuild a lost ledger."""

    ticket: Ticket
    broker_id: str
    accepted: str
    parent: str | None
    waits: bool
    cancelled: bool


def rebuild(
    store: Store, path: Path, *, position: int, session: str, next_id: int, accepted: list[AcceptedOrder]
) -> None:
    """Write a lost ledger again, from the agent's own journal.

    Executions that were not booked are not lost: their session is traded again
    from the same bar.
    """
    orders = tuple(
        _Accepted(
            s.ticket, s.broker_id, s.accepted, s.parent, s.waits, OrderState.CANCELED if s.cancelled else OrderState.NEW
        )
        for s in accepted
    )
    _write(store, path, _Ledger(position, session, next_id, orders))


def _write(store: Store, path: Path, ledger: _Ledger) -> None:
    account = {"position": ledger.position, "session": ledger.session, "next_id": ledger.next_id}
    tables = {
        "account": [account],
        "orders": [{**vars(o), "ticket": vars(o.ticket), "state": str(o.state)} for o in ledger.orders],
        "executions": [vars(e) for e in ledger.executions],
    }
    store.write_docs(path, tables)
