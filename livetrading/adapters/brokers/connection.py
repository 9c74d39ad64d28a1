"""What a broker's folder offers besides ``Broker``: a connection to one account, and its description.

There is one connection for all agents of an account. It is made when it is first needed and
restores itself. Its methods do not wait unless they say so; ``Health`` shows whether it can be used.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

from ...core.types import Costs
from ..home import Home
from .base import AccountFigures, AgentBroker, BrokerOrder, BrokerWords, Health

if TYPE_CHECKING:
    from ..bars.base import BarSource
    from ..store import Store


class Place(TypedDict):
    """Where an account is: ``mode`` is paper or live."""

    mode: str
    host: str
    port: int


class Instrument(Protocol):
    """What is traded. ``id`` is a text that the adapter understands and that never changes, because agents keep
    it in their journal. ``primary`` is the listing exchange, empty if the broker needs none."""

    @property
    def symbol(self) -> str: ...

    @property
    def id(self) -> str: ...

    @property
    def primary(self) -> str: ...


class Report(Protocol):
    """One reported execution: it covers (cum - qty, cum] of its order's quantity.

    ``ref`` is the order's key, ``side`` BUY or SELL, ``at`` when it traded.
    """

    @property
    def ref(self) -> str: ...

    @property
    def side(self) -> str: ...

    @property
    def qty(self) -> int: ...

    @property
    def cum(self) -> int: ...

    @property
    def at(self) -> datetime: ...


@dataclass(frozen=True)
class Seat:
    """What a broker needs to know of one agent.

    ``account`` is the number that it was deployed to, ``confirmed`` the one that the user typed for real money.
    ``booked`` gives the shares that the agent has booked for an order's key, ``others`` the shares of the
    instrument that are not this agent's, ``in_doubt`` the answer of ``Broker.unsettled``.
    """

    agent_id: str
    account: str
    confirmed: str
    instrument: Any
    costs: Costs
    booked: Callable[[str], int]
    others: Callable[[], int]
    in_doubt: Callable[[], tuple[int, int]]


class Connection(Protocol):
    """One account of a broker, for all its agents. Methods that need an answer raise Unavailable without one.

    An account's number has at most 32 letters and digits.
    """

    pulse: Callable[[], object]
    """A heartbeat, called while a caller waits for an answer."""

    def start(self) -> None:
        """Begin to connect; returns at once."""

    def close(self) -> None:
        """Disconnect; orders at the broker stay as they are. Never raises."""

    # -- known without asking: these never wait ----------------------------

    def health(self) -> Health:
        """Whether the account can be used now. The state is ``refused`` if only a person can change that,
        ``starting`` and ``connecting`` until the first attempt has an outcome."""

    def now(self) -> datetime:
        """The time of the connection's own clock, with a time zone."""

    def confirmed(self) -> str:
        """The account number that the user typed for real money; empty if none."""

    def place(self) -> Place:
        """Where the account is, for pages."""

    def expects_absence(self, now: datetime) -> bool:
        """Whether an absence of the broker is normal now, such as at its daily restart."""

    def check_agent(self, account: str, confirmed: str) -> None:
        """Raise Refused, with what to do, unless an agent deployed to ``account`` may trade it now."""

    def positions_version(self) -> tuple[object, ...]:
        """A value that changes with each new connection and each reported position."""

    def reports_version(self) -> tuple[object, ...]:
        """A value that changes with each report of an order, an execution or a fee."""

    def reports(self) -> Sequence[Report]:
        """Every execution that the broker has reported to this process, as last corrected."""

    # -- asked of the broker -------------------------------------------------

    def await_ready(self, seconds: float) -> Health:
        """Wait until ready, until refused, or for so many seconds. Returns the health then."""

    def account(self) -> AccountFigures:
        """The account's figures as last reported; missing ones are named in ``absent``."""

    def instrument(self, symbol: str, known: str, primary: str, /) -> Instrument:
        """The stock of a symbol. NotFound if there is none, Refused if its id is no longer ``known``."""

    def position(self, instrument: str, /) -> int:
        """Shares of the whole account. Raises Unavailable if the broker has not answered."""

    def open_orders(self) -> list[BrokerOrder]:
        """Every working order of the account, ours or not."""

    def cancel(self, refs: Sequence[str], /) -> list[str]:
        """Request the cancel of several orders at once. Returns the keys that are not confirmed as ended."""

    def cancel_everything(self) -> None:
        """Cancel every order of the account, including those that are not ours. Only if the user asked for it."""

    def learn(self, store: "Store", now: datetime) -> None:
        """Record which assumptions about the broker its messages have confirmed; may do nothing."""


class AccountLink(Protocol):
    """The connection of a process, for a bar source that uses it."""

    def ready(self) -> Connection:
        """The connection. Unavailable while it cannot be used."""

    def instrument(self, symbol: str, known: str = "", primary: str = "", /) -> Instrument:
        """The instrument of a symbol, asked for once per connection."""


@dataclass(frozen=True)
class BrokerDescription:
    """A broker that agents can be deployed on: everything that the rest of the program knows about it.

    ``open`` makes a connection from the settings of a home, without starting it; it checks the settings
    (BadInput names a wrong one). Its second argument is the account number that the user typed for real
    money. ``seat`` returns the account as one agent trades it; ``auction``: whether market-on-open orders
    may be used. Heavy modules are imported only when they are needed. ``words.setup`` describes how the
    broker is configured, and which accounts are paper accounts.

    ``bars`` opens its bar source, None if it has none. Arguments: the home's folder of bars, the connection
    to use (None: the source makes its own, read-only one), and a source of splits and dividends.
    ``bars_once`` opens one for a single question (True: only the years that a daily check needs) and closes it.
    """

    words: BrokerWords
    open: Callable[[Home, str], Connection]
    seat: Callable[[Any, Seat], AgentBroker]
    auction: Callable[[Home], bool] = lambda home: True
    bars: "Callable[[Path, AccountLink | None, BarSource], BarSource] | None" = None
    bars_once: "Callable[[Path, BarSource, bool], AbstractContextManager[BarSource]] | None" = None
