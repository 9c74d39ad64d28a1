"""The account at the broker: orders, fills, positions. It does not know sockets.

Each change returns events, ``(kind, subject)``, in the order in which the server
sends them. docs/IBKR.md marks what is only assumed of the real TWS.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from .faults import Fault

NEW_YORK = ZoneInfo("America/New_York")
Event = tuple[str, Any]
LIVE = ("PendingSubmit", "PreSubmitted", "Submitted", "PendingCancel")


@dataclass(frozen=True)
class Listing:
    """A stock that the double knows."""

    con_id: int
    symbol: str
    primary: str = "NASDAQ"
    min_tick: float = 0.01


@dataclass
class Order:
    """An order at the broker."""

    order_id: int
    client_id: int
    listing: Listing
    action: str
    qty: float
    type: str
    aux: float
    tif: str
    ref: str
    account: str
    parent_id: int
    transmit: bool
    outside_rth: bool = False
    perm_id: int = 0
    parent_perm: int = 0
    status: str = ""
    filled: float = 0.0
    avg: float = 0.0
    last: float = 0.0
    why_held: str = ""
    waits: bool = False
    listed: bool = True
    """Whether open and completed orders show it."""
    done_at: datetime | None = None

    @property
    def live(self) -> bool:
        return self.status in LIVE

    @property
    def remaining(self) -> float:
        return self.qty - self.filled


@dataclass(frozen=True)
class Fill:
    exec_id: str
    order: Order
    at: datetime
    qty: float
    price: float
    cum: float
    avg: float
    commission: float


@dataclass
class Ledger:
    """``clock`` gives aware times; ``commission`` USD a share with a minimum of 1 USD an order."""

    clock: Callable[[], datetime]
    account: str = "DU1234567"
    cash: float = 100_000.0
    currency: str = "USD"
    listings: dict[str, Listing] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    positions: dict[int, tuple[float, float]] = field(default_factory=dict)
    keeps_untransmitted: bool = False
    unlisted: set[str] = field(default_factory=set)
    """Executions that are left out of the answer with the day's executions."""
    commission_of: Callable[[Order, float, float], float] = lambda order, qty, price: max(1.0, 0.005 * qty)
    """The commission of a fill of so many shares at a price."""
    _perm: Any = field(default_factory=lambda: itertools.count(700_001))
    _exec: Any = field(default_factory=lambda: itertools.count(1))

    def add(self, listing: Listing) -> None:
        self.listings[listing.symbol] = listing

    # -- new orders -------------------------------------------------------

    def place(self, order: Order, fault: Fault | None = None) -> list[Event]:
        """A new order, or a change of one that has the same id."""
        known = self._own(order.client_id, order.order_id)
        if known is not None:
            return self._change(known, order)
        if order.qty != int(order.qty) or order.qty <= 0:
            return [self._error(order, 10243, "Fractional-sized order cannot be placed via API.")]
        parent = self._own(order.client_id, order.parent_id) if order.parent_id else None
        if order.parent_id and parent is None:
            return [self._error(order, 10006, "Missing parent order")]
        if fault is not None:
            return self._refuse(order, fault)
        order.waits = parent is not None and parent.status != "Filled"
        self.orders.append(order)
        if not order.transmit:
            return []
        family = [o for o in (parent, order) if o is not None and not o.perm_id]
        return [event for o in family for event in self._activate(o)]

    def _own(self, client_id: int, order_id: int) -> Order | None:
        mine = [o for o in self.orders if (o.client_id, o.order_id) == (client_id, order_id)]
        return mine[-1] if mine else None

    def _change(self, known: Order, order: Order) -> list[Event]:
        if known.status == "Filled":
            return [self._error(order, 104, "Cannot modify a filled order.")]
        if known.status and not known.live:
            return [self._error(order, 103, "Duplicate order id")]
        known.qty, known.aux, known.ref, known.action = order.qty, order.aux, order.ref, order.action
        known.transmit, known.tif, known.type = order.transmit, order.tif, order.type
        if not known.perm_id:
            return self._activate(known) if order.transmit else []
        return [("open", known), ("status", known)]

    def _activate(self, order: Order) -> list[Event]:
        order.transmit, order.perm_id = True, next(self._perm)
        parent = self._own(order.client_id, order.parent_id) if order.parent_id else None
        order.parent_perm = parent.perm_id if parent else 0
        order.status = "Submitted" if order.tif == "DAY" and not order.waits else "PreSubmitted"
        order.why_held = "child,trigger" if order.waits else "trigger" if order.type == "STP" else ""
        events: list[Event] = [("open", order), ("status", order)]
        if order.tif == "OPG":
            events.append(
                self._error(
                    order,
                    399,
                    "Order Message: Warning: your order will not be placed at the exchange until 09:30:00 US/Eastern",
                )
            )
        return events

    def _refuse(self, order: Order, fault: Fault) -> list[Event]:
        if fault.kind == "vanish":
            return [self._error(order, 201, fault.text)]
        order.perm_id = next(self._perm)
        self.orders.append(order)
        parent = self._own(order.client_id, order.parent_id) if order.parent_id else None
        order.parent_perm = parent.perm_id if parent else 0
        order.status = {"reject": "Cancelled", "reject_inactive": "Inactive", "reject_held": "Inactive"}[fault.kind]
        if fault.kind != "reject_held":
            order.done_at = self.clock()
        return [self._error(order, 201, fault.text), ("open", order), ("status", order)]

    @staticmethod
    def _error(order: Order, code: int, text: str) -> Event:
        return "error", (order.client_id, order.order_id, code, text)

    # -- cancels ----------------------------------------------------------

    def cancel(self, client_id: int, order_id: int, fault: Fault | None = None) -> list[Event]:
        order = self._own(client_id, order_id)
        if order is None:
            return [
                ("error", (client_id, order_id, 10147, f"OrderId {order_id} that needs to be cancelled is not found."))
            ]
        if order.status == "Inactive" and order.done_at is None:
            return self._cancelled(order)
        if not order.live and order.status:
            text = f"OrderId {order_id} that needs to be cancelled cannot be cancelled, state: {order.status}."
            return [self._error(order, 10148, text)]
        if fault is not None and fault.kind == "refuse":
            return [self._error(order, 161, "Cancel attempted when order is not in a cancellable state")]
        if fault is not None and fault.kind == "stall":
            order.status = "PendingCancel"
            return [("status", order)]
        return self._cancelled(order)

    def cancel_all(self) -> list[Event]:
        return [event for o in list(self.orders) if o.live for event in self._cancelled(o)]

    def _cancelled(self, order: Order, code: int = 202, text: str = "Order Canceled - reason:") -> list[Event]:
        if order.status and not order.live and order.status != "Inactive":
            return []
        order.status, order.why_held, order.done_at = "Cancelled", "", self.clock()
        if not order.perm_id:
            self.orders.remove(order)
            return []
        events: list[Event] = [("status", order), self._error(order, code, text)]
        for child in self.orders:
            if child.waits and child.parent_id == order.order_id and child.client_id == order.client_id:
                events += self._cancelled(child)
        return events

    def expire(self, ref: str, text: str = "Order Canceled - reason:") -> list[Event]:
        """IB ends an order by itself: a market-on-open that missed the auction, a GTC on a split."""
        return [event for o in self.orders if o.ref == ref and o.live for event in self._cancelled(o, 202, text)]

    # -- the market -------------------------------------------------------

    def auction(self, symbol: str, price: float, qty: float | None = None) -> list[Event]:
        """The opening auction: market-on-open orders fill, in part if ``qty`` is less."""
        return self._trade(symbol, price, qty, lambda o: o.type == "MKT" and o.tif == "OPG")

    def market(self, symbol: str, price: float, qty: float | None = None) -> list[Event]:
        """A trade in regular hours: day orders fill, stops at or above the price trigger."""
        return self._trade(
            symbol, price, qty, lambda o: (o.type == "MKT" and o.tif == "DAY") or (o.type == "STP" and price <= o.aux)
        )

    def _trade(self, symbol: str, price: float, qty: float | None, wanted: Callable[[Order], bool]) -> list[Event]:
        events: list[Event] = []
        for order in list(self.orders):
            if order.live and order.perm_id and not order.waits and order.listing.symbol == symbol and wanted(order):
                events += self.fill(order, min(order.remaining, qty or order.remaining), price)
        return events

    def fill(self, order: Order, qty: float, price: float) -> list[Event]:
        cum = order.filled + qty
        order.avg = (order.avg * order.filled + price * qty) / cum
        order.filled, order.last = cum, price
        order.status = "Filled" if cum == order.qty else "Submitted"
        if order.status == "Filled":
            order.done_at, order.why_held = self.clock(), ""
        exec_id = f"0000e0d5.{next(self._exec):08x}.01.01"
        made = Fill(exec_id, order, self.clock(), qty, price, cum, order.avg, self.commission_of(order, qty, price))
        self.fills.append(made)
        signed = qty if order.action == "BUY" else -qty
        held, cost = self.positions.get(order.listing.con_id, (0.0, 0.0))
        total = held + signed
        cost = (cost * held + price * qty) / total if signed > 0 and total else cost
        self.positions[order.listing.con_id] = (total, cost)
        self.cash -= signed * price + made.commission
        events: list[Event] = [
            ("exec", made),
            ("open", order),
            ("status", order),
            ("commission", made),
            ("position", order.listing),
        ]
        return [*events, *self._wake(order)]

    def correct(
        self, exec_id: str, price: float | None = None, qty: float | None = None, number: int = 0
    ) -> list[Event]:
        """The exchange corrects an execution: the same id with another number after its last dot. Cash and
        position change with it; ``qty`` 0 cancels it."""
        before = max(
            (f for f in self.fills if f.exec_id.rpartition(".")[0] == exec_id.rpartition(".")[0]),
            key=lambda f: f.exec_id,
        )
        root, _, last = before.exec_id.rpartition(".")
        after = replace(
            before,
            exec_id=f"{root}.{number or int(last) + 1:02d}",
            price=before.price if price is None else price,
            qty=before.qty if qty is None else qty,
            cum=before.cum + (0 if qty is None else qty - before.qty),
        )
        self.fills.append(after)
        signed = 1 if before.order.action == "BUY" else -1
        held, cost = self.positions[before.order.listing.con_id]
        self.positions[before.order.listing.con_id] = (held + signed * (after.qty - before.qty), cost)
        self.cash -= signed * (after.qty * after.price - before.qty * before.price)
        return [("exec", after), ("commission", after), ("position", before.order.listing)]

    def _wake(self, parent: Order) -> list[Event]:
        events: list[Event] = []
        for child in self.orders:
            if child.waits and child.parent_id == parent.order_id and parent.status == "Filled":
                child.waits, child.why_held = False, "trigger"
                events.append(("status", child))
        return events

    # -- answers -----------------------------------------------------------

    def open_orders(self) -> list[Order]:
        shown = [o for o in self.orders if o.listed and o.perm_id]
        return [o for o in shown if o.live or (o.status == "Inactive" and o.done_at is None)]

    def completed(self) -> list[Order]:
        return [o for o in self.orders if o.listed and o.perm_id and o.done_at is not None]

    def todays_fills(self) -> list[Fill]:
        today = self.clock().astimezone(NEW_YORK).date()
        return [f for f in self.fills if f.at.astimezone(NEW_YORK).date() == today and f.exec_id not in self.unlisted]

    def holds(self, symbol: str) -> int:
        return int(self.positions.get(self.listings[symbol].con_id, (0.0, 0.0))[0])

    def on_sale(self, symbol: str) -> int:
        """Shares that live orders could sell at this moment."""
        return int(
            sum(
                o.remaining
                for o in self.orders
                if o.live and o.perm_id and not o.waits and o.action == "SELL" and o.listing.symbol == symbol
            )
        )

    def forget_untransmitted(self) -> None:
        """Orders that were placed but never transmitted end with their connection."""
        if not self.keeps_untransmitted:
            self.orders = [o for o in self.orders if o.perm_id or o.status]

    def roll_back(self) -> int:
        """The ids of finished orders are free again; returns the first, which is the next valid id."""
        for order in self.orders:
            if not order.live:
                order.order_id = -abs(order.perm_id)
        return 1
