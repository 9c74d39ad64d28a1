"""The other side of the test broker: one account in one JSON file, which stays when a process ends."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from livetrading.adapters.brokers.base import BrokerOrder, Execution, Ticket
from livetrading.adapters.stamps import parse_stamp, stamp
from livetrading.core.orders import TERMINAL, OrderState
from livetrading.core.windows import NEW_YORK

ACCOUNT = "SIM1"
FEE = 1.0


@dataclass(frozen=True)
class Trade:
    """One execution, by the protocol ``Report``."""

    exec_id: str
    ref: str
    side: str
    qty: int
    cum: int
    price: float
    at: datetime

    def execution(self) -> Execution:
        day = self.at.astimezone(NEW_YORK).date().isoformat()
        return Execution(self.exec_id, self.ref, day, self.qty, self.price, FEE, side=self.side, cum=self.cum)


@dataclass(frozen=True)
class WorkingOrder:
    """An accepted order. It ``waits`` for the fill of the order ``parent``."""

    ticket: Ticket
    broker_id: str
    parent: str = ""
    waits: bool = False
    state: OrderState = OrderState.NEW
    filled: int = 0
    reason: str = ""

    @property
    def live(self) -> bool:
        return self.state not in TERMINAL

    def report(self) -> BrokerOrder:
        t = self.ticket
        return BrokerOrder(
            t.ref, self.broker_id, self.state, t.side, t.qty, self.filled, t.type, t.stop_price, self.reason
        )


class Exchange:
    """Orders, trades and shares by symbol, read anew and written with each change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.orders: list[WorkingOrder] = []
        self.trades: list[Trade] = []
        self.shares: dict[str, int] = {}
        self.cash = 100_000.0
        if path.exists():
            self._read(json.loads(path.read_text()))

    def take(self, ticket: Ticket, parent: str = "") -> WorkingOrder:
        order = WorkingOrder(ticket, f"S{len(self.orders) + 1}", parent, bool(parent))
        self.orders.append(order)
        self._write()
        return order

    def cancel(self, ref: str) -> None:
        """Cancels at once, together with the stop that waits for this order."""
        self._each(
            lambda o: o.live and (o.ticket.ref == ref or (o.waits and o.parent == ref)),
            lambda o: replace(o, state=OrderState.CANCELED, reason="cancelled on request"),
        )

    def opens(self, symbol: str, price: float, at: datetime) -> None:
        """Every market order fills at this price."""
        for order in [o for o in self.orders if o.live and o.ticket.type == "MKT"]:
            self._fill(symbol, order, price, at)

    def falls(self, symbol: str, low: float, at: datetime) -> None:
        """Every stop that this low reaches fills at its price."""
        for order in [o for o in self.orders if o.live and not o.waits and o.ticket.type == "STP"]:
            if low <= order.ticket.stop_price:
                self._fill(symbol, order, order.ticket.stop_price, at)

    def by_hand(self, symbol: str, shares: int, price: float = 0.0) -> None:
        """The user trades in the same account, or transfers shares at no price."""
        self.cash -= shares * price
        self.shares[symbol] = self.shares.get(symbol, 0) + shares
        self._write()

    def _fill(self, symbol: str, order: WorkingOrder, price: float, at: datetime) -> None:
        t = order.ticket
        self.trades.append(Trade(f"X{len(self.trades) + 1}", t.ref, t.side, t.qty, t.qty, price, at))
        signed = t.qty if t.side == "BUY" else -t.qty
        self.shares[symbol] = self.shares.get(symbol, 0) + signed
        self.cash -= signed * price + FEE
        self._each(lambda o: o is order, lambda o: replace(o, state=OrderState.FILLED, filled=t.qty))
        self._each(lambda o: o.parent == t.ref, lambda o: replace(o, waits=False))

    def _each(self, wanted: Any, change: Any) -> None:
        self.orders = [change(o) if wanted(o) else o for o in self.orders]
        self._write()

    def _write(self) -> None:
        trades = [{**vars(t), "at": stamp(t.at)} for t in self.trades]
        self._path.write_text(
            json.dumps(
                {
                    "orders": [{**asdict(o), "state": str(o.state)} for o in self.orders],
                    "trades": trades,
                    "shares": self.shares,
                    "cash": self.cash,
                }
            )
        )

    def _read(self, doc: dict[str, Any]) -> None:
        self.orders = [
            WorkingOrder(**{**o, "ticket": Ticket(**o["ticket"]), "state": OrderState(o["state"])})
            for o in doc["orders"]
        ]
        self.trades = [Trade(**{**t, "at": parse_stamp(t["at"])}) for t in doc["trades"]]
        self.shares, self.cash = doc["shares"], doc["cash"]
