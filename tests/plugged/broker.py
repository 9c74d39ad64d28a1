"""The test broker's adapter: a connection, an agent's account, and the description that registers it."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from livetrading.adapters.brokers.base import (
    AccountFigures,
    BrokerOrder,
    BrokerWords,
    Execution,
    Health,
    HealthState,
    Ticket,
)
from livetrading.adapters.brokers.connection import BrokerDescription, Place, Seat
from livetrading.adapters.home import Home
from livetrading.adapters.store import Store
from livetrading.core import account as accounts
from livetrading.core.errors import BadInput, Refused
from livetrading.core.orders import TERMINAL
from livetrading.core.rules import Quote

from .exchange import ACCOUNT, Exchange, Trade

NAME = "shelf"
WORDS = BrokerWords(NAME, "Shelf Securities", "Shelf", "Shelf's screen", "Shelf's screen")


def exchange_of(home: Home) -> Path:
    return home.root / "shelf.json"


@dataclass(frozen=True)
class Stock:
    symbol: str
    primary: str = ""

    @property
    def id(self) -> str:
        return f"shelf/{self.symbol}"


class ShelfConnection:
    """Always connected, because the exchange is a file."""

    def __init__(self, path: Path, confirmed: str, clock: Callable[[], datetime]) -> None:
        self._path, self._confirmed, self.now = path, confirmed, clock
        self._since = clock()
        self.pulse: Callable[[], object] = lambda: None

    @property
    def exchange(self) -> Exchange:
        return Exchange(self._path)

    def start(self) -> None: ...

    def close(self) -> None: ...

    def health(self) -> Health:
        return Health(True, HealthState.READY, "", self._since, ACCOUNT)

    def confirmed(self) -> str:
        return self._confirmed

    def place(self) -> Place:
        return {"mode": "paper", "host": "", "port": 0}

    def expects_absence(self, now: datetime) -> bool:
        return False

    def check_agent(self, account: str, confirmed: str) -> None:
        if account != ACCOUNT:
            raise Refused(f"The agent was deployed to account {account}, and this is {ACCOUNT}.")

    def positions_version(self) -> tuple[object, ...]:
        return tuple(sorted(self.exchange.shares.items()))

    def reports_version(self) -> tuple[object, ...]:
        known = self.exchange
        return len(known.trades), tuple((o.broker_id, o.state) for o in known.orders)

    def reports(self) -> Sequence[Trade]:
        return self.exchange.trades

    def await_ready(self, seconds: float) -> Health:
        return self.health()

    def account(self) -> AccountFigures:
        cash = self.exchange.cash
        return AccountFigures(ACCOUNT, cash, "USD", cash, self.now())

    def instrument(self, symbol: str, known: str, primary: str, /) -> Stock:
        return Stock(symbol)

    def position(self, instrument: str, /) -> int:
        return self.exchange.shares.get(instrument.rpartition("/")[2], 0)

    def open_orders(self) -> list[BrokerOrder]:
        return [o.report() for o in self.exchange.orders if o.live]

    def cancel(self, refs: Sequence[str], /) -> list[str]:
        for ref in refs:
            self.exchange.cancel(ref)
        return []

    def cancel_everything(self) -> None:
        self.cancel([o.ref for o in self.open_orders()])

    def learn(self, store: Store, now: datetime) -> None: ...


@dataclass
class ShelfBroker:
    """The account as one agent trades it."""

    connection: ShelfConnection
    seat: Seat

    def submit(self, ticket: Ticket, child: Ticket | None, now: datetime) -> BrokerOrder:
        if ticket.qty != int(ticket.qty) or ticket.qty < 1:
            raise BadInput(f"{ticket.qty} shares cannot be ordered; whole shares from 1 can.")
        known = self.connection.exchange
        taken = known.take(ticket)
        if child is not None:
            known.take(child, ticket.ref)
        return taken.report()

    def cancel(self, ref: str, now: datetime) -> None:
        self.connection.exchange.cancel(ref)

    def find(self, ref: str) -> BrokerOrder | None:
        found = [o for o in self.connection.exchange.orders if o.ticket.ref == ref]
        return found[-1].report() if found else None

    def executions(self) -> list[Execution]:
        return [t.execution() for t in accounts.of_agent(self.seat.agent_id, self.connection.reports())]

    def reported(self) -> list[Execution]:
        return self.executions()

    def position(self) -> int:
        return self.connection.position(self.seat.instrument.id) - self.seat.others()

    def unsettled(self) -> tuple[int, int]:
        return self.seat.in_doubt()

    def traded(self) -> str:
        return ""

    def advance(self, session: str, opened: datetime, quote: Quote) -> None: ...

    def unknown(self, keys: Collection[str]) -> list[str]:
        return sorted({o.ref for o in self.working() if o.state not in TERMINAL} - set(keys))

    def unanswered(self) -> tuple[str, ...]:
        return ()

    def since(self) -> datetime | None:
        return self.connection.health().since

    def fee(self, exec_id: str) -> float | None:
        return None

    def health(self) -> Health:
        return self.connection.health()

    def working(self) -> list[BrokerOrder]:
        return accounts.of_agent(self.seat.agent_id, self.connection.open_orders())


def described(clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> BrokerDescription:
    """The broker on a test's clock."""
    return BrokerDescription(
        WORDS, lambda home, confirmed: ShelfConnection(exchange_of(home), confirmed, clock), ShelfBroker
    )


DESCRIPTION = described()
