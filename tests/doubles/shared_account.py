"""One account at a broker: positions by symbol, orders of several agents, trades by hand.

``View`` is the account as one agent's broker. The account reports all of its executions
to every agent, some twice and in any order; the product has to find each agent's own.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import floor

from livetrading.adapters.brokers.base import BrokerOrder, Execution, Ticket
from livetrading.core import account
from livetrading.core.orders import TERMINAL, OrderState


@dataclass
class SharedAccount:
    """Positions and orders; it does not know agents."""

    chance: random.Random
    positions: dict[str, int] = field(default_factory=dict)
    orders: dict[str, BrokerOrder] = field(default_factory=dict)
    symbols: dict[str, str] = field(default_factory=dict)
    done: list[Execution] = field(default_factory=list)

    def accept(self, symbol: str, ticket: Ticket) -> BrokerOrder:
        order = BrokerOrder(
            ticket.ref,
            f"A{len(self.orders)}",
            OrderState.NEW,
            ticket.side,
            ticket.qty,
            0,
            ticket.type,
            ticket.stop_price,
        )
        self.orders[ticket.ref], self.symbols[ticket.ref] = order, symbol
        return order

    def cancel(self, ref: str) -> None:
        order = self.orders[ref]
        if order.state not in TERMINAL:
            self.orders[ref] = replace(order, state=OrderState.CANCELED)

    def live(self, symbol: str) -> list[str]:
        return [r for r, o in self.orders.items() if self.symbols[r] == symbol and o.state not in TERMINAL]

    def fill(self, ref: str, qty: int, session: str, price: float, fee: float) -> int:
        """Execute a part of an order; returns the signed shares."""
        order = self.orders[ref]
        filled = order.filled + qty
        state = OrderState.FILLED if filled == order.qty else OrderState.PARTIALLY_FILLED
        self.orders[ref] = replace(order, filled=filled, state=state)
        return self._book(ref, self.symbols[ref], qty if order.side == "BUY" else -qty, session, price, fee)

    def by_hand(self, symbol: str, signed: int, session: str, price: float, ref: str = "") -> int:
        """A trade of a person, or of another program under its own key."""
        return self._book(ref, symbol, signed, session, price, 1.0)

    def split(self, symbol: str, ratio: float) -> None:
        """Rounded once for the account; open quantities become new shares."""
        self.positions[symbol] = floor(self.positions.get(symbol, 0) * ratio + 1e-9)
        for ref in self.live(symbol):
            order = self.orders[ref]
            left = floor((order.qty - order.filled) * ratio + 1e-9)
            self.orders[ref] = replace(order, qty=order.filled + left, stop_price=order.stop_price / ratio)
            if not left:
                self.cancel(ref)

    def reported(self) -> list[Execution]:
        found = self.done[-60:]
        found += self.chance.sample(found, len(found) // 4)
        self.chance.shuffle(found)
        return found

    def _book(self, ref: str, symbol: str, signed: int, session: str, price: float, fee: float) -> int:
        self.positions[symbol] = self.positions.get(symbol, 0) + signed
        self.done.append(Execution(f"E{len(self.done)}", ref, session, abs(signed), price, fee))
        return signed


@dataclass
class View:
    """The account as one agent's broker; ``holdings`` and ``unmanaged`` are of its symbol."""

    shared: SharedAccount
    agent_id: str
    symbol: str
    holdings: Callable[[], dict[str, int]]
    unmanaged: Callable[[], int]

    def submit(self, ticket: Ticket, child: Ticket | None, now: datetime) -> BrokerOrder:
        return self.shared.accept(self.symbol, ticket)

    def cancel(self, ref: str, now: datetime) -> None:
        self.shared.cancel(ref)

    def find(self, ref: str) -> BrokerOrder | None:
        return self.shared.orders.get(ref)

    def executions(self) -> list[Execution]:
        return account.of_agent(self.agent_id, self.shared.reported())

    def reported(self) -> list[Execution]:
        return []

    def position(self) -> int:
        position = self.shared.positions.get(self.symbol, 0)
        return account.position_of(self.agent_id, position, self.holdings(), self.unmanaged())

    def traded(self) -> str:
        return ""
