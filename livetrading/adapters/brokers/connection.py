"""What a broker's folder offers besides its orders: a connection to one account, and a description of itself.

There is one connection for all agents of an account. It is made when it is first wanted, never
waits unless it says so, and mends itself; ``Health`` says whether it can be used.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

from ...core.types import Costs
from ..home import Home
from ..store import Store
from .base import AccountFigures, AgentBroker, BrokerOrder, BrokerWords, Health

if TYPE_CHECKING:
    from ..bars.base import BarSource


class Place(TypedDict):
    """Where an account is: ``mode`` is paper or live."""

    mode: str
    host: str
    port: int


class Instrument(Protocol):
    """What is traded. ``id`` is a text that the adapter understands and that lasts: agents keep it in
    their journal. ``primary`` is the listing exchange, empty where the broker needs none."""

    @property
    def symbol(self) -> str: ...

    @property
    def id(self) -> str: ...

    @property
    def primary(self) -> str: ...


class Report(Protocol):
    """One execution that the broker has reported: it covers (cum - qty, cum] of its order's quantity.

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

    ``account`` is the number that it was deployed to, ``confirmed`` the one that was typed for real money.
    ``booked`` gives the shares of an order's key that the agent's book holds as fills, ``others`` the shares
    of the instrument that are not this agent's, ``in_doubt`` what ``Broker.unsettled`` answers.
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
    """One account of a broker, for all its agents. What needs an answer raises Unavailable without one.

    An account's number has at most 32 letters and digits.
    """

    pulse: Callable[[], object]
    """Called by whoever waits for an answer, while it waits."""

    def start(self) -> None:
        """Begin to connect; returns at once."""

    def close(self) -> None:
        """Disconnect; orders at the broker stay as they are. Never raises."""

    # -- known without asking: these never wait ----------------------------

    def health(self) -> Health:
        """Whether the account can be used now. The state is ``refused`` where only a person can change that,
        ``starting`` and ``connecting`` before the first outcome."""

    def now(self) -> datetime:
        """The connection's own clock, aware."""

    def confirmed(self) -> str:
        """The account number that was typed for real money, empty if none was."""

    def place(self) -> Place:
        """Where the account is, for pages."""

    def expects_absence(self, now: datetime) -> bool:
        """Whether it is normal now that the broker is away, such as at its daily restart."""

    def check_agent(self, account: str, confirmed: str) -> None:
        """Refused with the cure unless an agent that was deployed to ``account`` may trade it here and now."""

    def positions_version(self) -> tuple[object, ...]:
        """Changes with each connection that is made and each position that is reported."""

    def reports_version(self) -> tuple[object, ...]:
        """Changes with each report of an order, an execution or a fee."""

    def reports(self) -> Sequence[Report]:
        """Every execution that the broker has reported to this process, as last corrected."""

    # -- asked of the broker -------------------------------------------------

    def await_ready(self, seconds: float) -> Health:
        """The health once ready, once refused, or once so many seconds are over."""

    def account(self) -> AccountFigures:
        """What the account is worth, as last reported; a figure that is missing is named in ``absent``."""

    def instrument(self, symbol: str, known: str, primary: str, /) -> Instrument:
        """The stock of a symbol. NotFound if there is none, Refused if ``known`` is another one by now."""

    def position(self, instrument: str, /) -> int:
        """Shares of the whole account, from an answer and never from a silence."""

    def open_orders(self) -> list[BrokerOrder]:
        """Every working order of the account, ours or not."""

    def cancel(self, refs: Sequence[str], /) -> list[str]:
        """Ask for the cancel of many orders at once; the keys that are not confirmed as ended."""

    def cancel_everything(self) -> None:
        """Cancel every order of the account, also what is not ours: on a person's explicit word alone."""

    def learn(self, store: Store, now: datetime) -> None:
        """Record what ordinary work proves of what is assumed of the broker; nothing where nothing is."""


class AccountLink(Protocol):
    """The one connection of a process, for a bar source that asks through it."""

    def ready(self) -> Connection:
        """The connection. Unavailable while it cannot be used."""

    def instrument(self, symbol: str, known: str = "", primary: str = "", /) -> Instrument:
        """The instrument of a symbol, asked for once a connection."""


@dataclass(frozen=True)
class BrokerDescription:
    """A broker that agents can be deployed on: all that the rest of the program knows of it.

    ``open`` makes a connection by the settings of a home, without starting it: it reads and checks what
    it needs there (BadInput names a wrong setting). The second argument is the account number that a
    person typed for real money. ``seat`` is the account as one agent trades it; ``auction``: whether orders
    for the open may go into the opening auction. Nothing is imported before it is wanted. How the broker is
    set up, and which accounts are paper accounts, is ``words.setup``.

    ``bars`` opens its bar source, None if it has none: from the home's folder of bars, the connection to ask
    through (None: one of the source's own, that only reads) and a source that knows splits and dividends.
    ``bars_once`` opens one for a single question, all years or those that an evening needs, and closes it.
    """

    words: BrokerWords
    open: Callable[[Home, str], Connection]
    seat: Callable[[Any, Seat], AgentBroker]
    auction: Callable[[Home], bool] = lambda home: True
    bars: "Callable[[Path, AccountLink | None, BarSource], BarSource] | None" = None
    bars_once: "Callable[[Path, BarSource, bool], AbstractContextManager[BarSource]] | None" = None
