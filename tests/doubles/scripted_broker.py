"""A broker that answers badly: its ledger is always right, its messages are not.

It trades during the day, as a real one does: orders fill at the open, at the
stop, in parts, while a cancel is pending. Its reports may be lost, late, twice,
or out of order; every fault is drawn from one seed. It records what must never
happen: a key in doubt sent a second time, and more shares on sale than held.
"""

import random
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from livetrading.adapters.brokers.base import BrokerOrder, Execution, Ticket
from livetrading.core.errors import Unavailable
from livetrading.core.orders import TERMINAL, OrderState

_S = OrderState
ALL = (
    "lost call",
    "lost answer",
    "rejected",
    "stop refused",
    "partial",
    "slow cancel",
    "lost cancel",
    "crossed",
    "late report",
    "twice",
    "reordered",
    "silence",
    "hand",
)
OFTEN = {
    "slow cancel": 3.0,
    "crossed": 3.0,
    "lost cancel": 2.0,
    "partial": 2.0,
    "hand": 0.5,
    "reordered": 0.5,
    "twice": 0.5,
}
"""Multiples of ``rate`` for faults with few or many opportunities."""


@dataclass
class WorkingOrder:
    """An order in the ledger. ``waits``: the entry that it protects has no fill yet."""

    ticket: Ticket
    broker_id: str
    parent: str | None = None
    state: OrderState = _S.NEW
    filled: int = 0
    reason: str = ""

    @property
    def live(self) -> bool:
        return self.state not in TERMINAL

    @property
    def left(self) -> int:
        return self.ticket.qty - self.filled


@dataclass
class ScriptedBroker:
    """One agent's account. ``rate`` is the probability of each of ``faults`` at each opportunity."""

    chance: random.Random
    rate: float = 0.15
    faults: tuple[str, ...] = ALL
    orders: list[WorkingOrder] = field(default_factory=list)
    done: list[Execution] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    by_hand: int = 0
    silent: int = 0
    session: str = ""
    trading: bool = False
    price: float = 0.0
    struck: dict[str, int] = field(default_factory=dict)
    wrongs: list[str] = field(default_factory=list)
    doubt: dict[str, int] = field(default_factory=dict)
    """Keys whose last send has no answer, with the lookups answered "unknown" since."""
    answered: set[str] = field(default_factory=set)

    # -- the protocol -----------------------------------------------------

    def submit(self, ticket: Ticket, child: Ticket | None, now: datetime) -> BrokerOrder:
        self._judge_send(ticket.ref)
        self.doubt[ticket.ref] = 0
        self._speak()
        if self._strikes("lost call"):
            raise Unavailable("the order did not arrive")
        order = self._accept(ticket, None)
        if self._strikes("rejected"):
            order.state, order.reason = _S.REJECTED, "refused by the script"
        elif child is not None and not self._strikes("stop refused"):
            self._accept(child, ticket.ref)
        self._never_short(f"{ticket.ref} was sent")
        if self.on_sale(set()) > max(self.position(), 0) and ticket.side == "SELL":
            self.wrongs.append(f"{ticket.ref} was sent for more than the account holds")
        if self._strikes("lost answer"):
            raise Unavailable("the answer did not arrive")
        del self.doubt[ticket.ref]
        self.answered.add(ticket.ref)
        return self._report(order)

    def cancel(self, ref: str, now: datetime) -> None:
        self._speak()
        if self._strikes("lost cancel"):
            raise Unavailable("the cancel did not arrive")
        for order in [o for o in self.orders if o.ticket.ref == ref and o.live]:
            if self.trading and self._active(order) and self._strikes("crossed"):
                self._fill(order, self.chance.randint(1, self._active(order)))
            if order.live and self._strikes("slow cancel"):
                order.state = _S.PENDING_CANCEL
            elif order.live:
                self._end(order, _S.CANCELED, "cancelled on request")

    def find(self, ref: str) -> BrokerOrder | None:
        self._speak()
        found = [o for o in self.orders if o.ticket.ref == ref]
        if not found:
            self.doubt[ref] = self.doubt.get(ref, 0) + 1
            return None
        self.doubt.pop(ref, None)
        self.answered.add(ref)
        return self._report(found[-1])

    def executions(self) -> list[Execution]:
        self._speak()
        reported = [e for e in self.done if e.exec_id not in self.hidden]
        if reported and self._strikes("twice"):
            reported += self.chance.sample(reported, self.chance.randint(1, len(reported)))
        if len(reported) > 1 and self._strikes("reordered"):
            self.chance.shuffle(reported)
        return reported

    def reported(self) -> list[Execution]:
        return []

    def position(self) -> int:
        if self.silent:
            raise Unavailable("the broker is silent")
        return self.own + self.by_hand

    def traded(self) -> str:
        return ""

    def unsettled(self) -> tuple[int, int]:
        return 0, 0

    def unknown(self, keys: Any) -> list[str]:
        """Trades by hand do not carry our keys."""
        return []

    def unanswered(self) -> tuple[str, ...]:
        return ()

    def since(self) -> None:
        """It is always connected."""

    def advance(self, session: str, opened: datetime, quote: Any) -> None:
        """Nothing to do: it does not trade by bars."""

    # -- the market -------------------------------------------------------

    @property
    def own(self) -> int:
        """Shares that this agent's orders have bought, whether reported or not."""
        side = {o.ticket.ref: 1 if o.ticket.side == "BUY" else -1 for o in self.orders}
        return sum(side[e.ref] * e.qty for e in self.done)

    def open(self, session: str, price: float) -> None:
        self.session, self.price, self.trading = session, price, True
        self.trade(price)

    def trade(self, price: float) -> None:
        """The market trades at ``price``: stops trigger, what is marketable fills, a cancel may come first."""
        self.price = price
        for order in list(self.orders):
            if order.state == _S.PENDING_CANCEL and not self._strikes("crossed"):
                self._end(order, _S.CANCELED, "cancelled on request")
            active = self._active(order)
            if not active or (order.ticket.type == "STP" and price > order.ticket.stop_price):
                continue
            part = active > 1 and self._strikes("partial")
            self._fill(order, self.chance.randint(1, active - 1) if part else active)

    def close(self, price: float) -> None:
        """Day orders end, and a slow cancel is answered."""
        self.trade(price)
        self.trading = False
        for order in self.orders:
            if order.live and (order.state == _S.PENDING_CANCEL or order.ticket.tif != "GTC"):
                cancelled = order.state == _S.PENDING_CANCEL
                self._end(order, _S.CANCELED if cancelled else _S.EXPIRED, "the day is over")

    def tick(self) -> None:
        """Time passes: silence ends, late reports arrive, a person may trade."""
        self.silent = max(self.silent - 1, 0)
        self.hidden = [e for e in self.hidden if self.chance.random() < 0.5]
        if not self.trading:
            for order in [o for o in self.orders if o.state == _S.PENDING_CANCEL]:
                if self.chance.random() < 0.2:
                    self._end(order, _S.CANCELED, "cancelled on request")
        if self.chance.random() < 0.3 and self._strikes("silence"):
            self.silent = self.chance.randint(1, 4)
        if self.trading and self.chance.random() < 0.1 and self._strikes("hand"):
            self.by_hand += self.chance.choice([-30, -7, -1, 1, 12])

    def on_sale(self, besides: set[str]) -> int:
        """Shares that working sales can sell, without the orders ``besides``."""
        return sum(self._active(o) for o in self.orders if o.ticket.side == "SELL" and o.ticket.ref not in besides)

    def calm(self) -> None:
        """From now on it answers without faults."""
        self.faults, self.hidden, self.silent = (), [], 0

    # -- inside -----------------------------------------------------------

    def _strikes(self, fault: str) -> bool:
        if fault not in self.faults or self.chance.random() >= self.rate * OFTEN.get(fault, 1.0):
            return False
        self.struck[fault] = self.struck.get(fault, 0) + 1
        return True

    def _speak(self) -> None:
        if self.silent:
            raise Unavailable("the broker is silent")

    def _judge_send(self, ref: str) -> None:
        if ref in self.answered or any(o.ticket.ref == ref for o in self.orders):
            self.wrongs.append(f"{ref} was sent again though the broker has it")
        elif self.doubt.get(ref, 2) < 2:
            self.wrongs.append(f"{ref} was sent again while the first was unknown")

    def _accept(self, ticket: Ticket, parent: str | None) -> WorkingOrder:
        order = WorkingOrder(ticket, f"S{len(self.orders) + 1}", parent)
        self.orders.append(order)
        return order

    def _active(self, order: WorkingOrder) -> int:
        """Shares that it can fill now; a stop covers only what its entry has bought."""
        if not order.live:
            return 0
        parent = next((o for o in self.orders if o.ticket.ref == order.parent), None)
        return order.left if parent is None else max(min(order.ticket.qty, parent.filled) - order.filled, 0)

    def _fill(self, order: WorkingOrder, qty: int) -> None:
        exec_id = f"{order.broker_id}.{order.filled}"
        fee = round(max(1.0, 0.005 * qty), 2)
        self.done.append(Execution(exec_id, order.ticket.ref, self.session, qty, self.price, fee))
        order.filled += qty
        partly = order.state if order.state == _S.PENDING_CANCEL else _S.PARTIALLY_FILLED
        order.state = partly if order.left else _S.FILLED
        if self._strikes("late report"):
            self.hidden.append(exec_id)
        self._never_short(f"{order.ticket.ref} filled")

    def _end(self, order: WorkingOrder, state: OrderState, reason: str) -> None:
        """The stop of a part-filled entry keeps the size of the filled part."""
        order.state, order.reason = state, reason
        for child in [o for o in self.orders if o.parent == order.ticket.ref and o.live]:
            child.ticket = replace(child.ticket, qty=max(order.filled, child.filled))
            if not child.left:
                child.state, child.reason = _S.CANCELED, "its entry did not fill"

    def _never_short(self, when: str) -> None:
        if self.on_sale(set()) > self.own:
            self.wrongs.append(f"{self.on_sale(set())} on sale and {self.own} held when {when}")

    def _report(self, order: WorkingOrder) -> BrokerOrder:
        t = order.ticket
        return BrokerOrder(
            t.ref, order.broker_id, order.state, t.side, t.qty, order.filled, t.type, t.stop_price, order.reason
        )
