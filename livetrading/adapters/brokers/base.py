"""What every broker must be able to do. One account, seen by one agent.

A broker that cannot say what became of a call raises ``Unavailable``: the order
stays PENDING_NEW and is looked up by its key before anything is sent again.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from ...core.errors import Unavailable
from ...core.orders import OrderState
from ...core.rules import Quote
from .account_setup import AccountSetup


@dataclass(frozen=True)
class BrokerWords:
    """What people call a broker and its program, for messages outside its folder.

    ``name`` is the broker's name in ``--mode`` and in the journal, ``title`` and ``short`` are its full and
    its usual name, ``program`` is where a person looks at orders, ``programs`` what has to run for it.
    ``bars`` names the bar source that it serves, empty if it serves none; ``setup`` is how an account of it
    is configured, None if there is nothing to configure.
    """

    name: str
    title: str
    short: str
    program: str
    programs: str
    bars: str = ""
    setup: AccountSetup | None = None

    @property
    def an_account(self) -> str:
        """``an Interactive Brokers account``."""
        return f"{'an' if self.title[:1].upper() in 'AEIOU' else 'a'} {self.title} account"


class AccountAway(Unavailable):
    """A shared broker account cannot be used now: one cause for all of its agents."""


class NotListed(Unavailable):
    """The broker was sent an order, answers, and lists it nowhere. ``reason`` is its error, or that it said nothing;
    ``refused`` whether there was an error.

    Neither proves anything: the order is looked up once more before it counts as refused, or is sent again.
    """

    def __init__(self, sentence: str, reason: str, refused: bool) -> None:
        super().__init__(sentence)
        self.reason, self.refused = reason, refused


@dataclass(frozen=True)
class Ticket:
    """An order as it leaves us; ``ref`` is its key, which the broker carries.

    ``side`` BUY or SELL, ``qty`` whole shares, ``type`` MKT or STP, ``tif`` OPG,
    DAY or GTC, ``stop_price`` USD for STP.
    """

    ref: str
    side: str
    qty: int
    type: str
    tif: str
    stop_price: float = 0.0


@dataclass(frozen=True)
class BrokerOrder:
    """The broker's own statement about an order."""

    ref: str
    broker_id: str
    state: OrderState
    side: str
    qty: int
    filled: int
    type: str
    stop_price: float
    reason: str = ""
    working: bool = True
    """False if the broker keeps it open but does not work it: such a stop protects nothing."""


def can_sell(answer: BrokerOrder, bought: int | None) -> int:
    """Shares that a working sale can still sell. ``bought`` is what its entry has bought so far, if
    it is the stop of one that still fills: such a stop grows with it."""
    most = answer.qty if bought is None else min(answer.qty, bought)
    return max(most - answer.filled, 0)


@dataclass(frozen=True)
class Execution:
    """One fill as the broker reports it; ``exec_id`` is unique for ever."""

    exec_id: str
    ref: str
    session: str
    qty: int
    price: float
    fee: float
    final: bool = True
    """False while the fee is an estimate that the broker has not stated yet."""
    estimated: bool = False
    """True if the broker tells that it filled but no longer at which price."""
    side: str = ""
    """BUY or SELL where the broker tells it."""
    cum: int = 0
    """Shares of its order that had filled with it, 0 where the broker does not count them."""


class Cause(StrEnum):
    """Why a broker cannot be used, where something depends on it."""

    NONE = ""
    CLIENT_ID_TAKEN = "client_id_taken"
    """Another program has the connection's id; that of a process which was just killed is free again soon."""
    ENDED = "ended"
    """The connection ended and is made again by itself."""


@dataclass(frozen=True)
class Health:
    """Whether a broker can be used now; ``detail`` is one sentence with the cure.

    ``missing`` names questions that it has not answered, ``lacking`` says since when some are: orders
    can be cancelled and positions closed, but entries wait. ``away``: since when it could not be used,
    however often it was tried, None while it can; ``failures`` counts those tries, and
    ``trouble`` is what the last one ended with. ``unreadable`` messages were lost so far. ``cause`` is the code of ``detail``.
    """

    ready: bool
    state: str
    detail: str
    since: datetime
    account: str = ""
    heard: datetime | None = None
    missing: tuple[str, ...] = ()
    lacking: datetime | None = None
    away: datetime | None = None
    failures: int = 0
    trouble: str = ""
    unreadable: int = 0
    cause: Cause = Cause.NONE


@dataclass(frozen=True)
class AccountFigures:
    """An account as its broker values it; ``currency`` is that of ``net_liquidation``.

    A figure that the broker has not told, or not as a number, is None; ``absent`` says so in words.
    """

    number: str
    net_liquidation: float | None
    currency: str
    cash_usd: float | None
    at: datetime
    absent: tuple[str, ...] = ()


class Broker(Protocol):
    """Orders in, statements and executions out."""

    def submit(self, ticket: Ticket, child: Ticket | None, now: datetime) -> BrokerOrder:
        """Accept an order, with a protective stop that its fill activates."""

    def cancel(self, ref: str, now: datetime) -> None:
        """Ask for a cancel; what became of it is in the next statement."""

    def find(self, ref: str) -> BrokerOrder | None:
        """The statement about the order that carries this key, None if there is none."""

    def executions(self) -> list[Execution]:
        """Fills that are not older than the broker's own memory."""

    def reported(self) -> list[Execution]:
        """Every execution that it tells now, also what is booked: a later report of a fill corrects it."""

    def position(self) -> int:
        """Shares that the broker says are held for this agent."""

    def unsettled(self) -> tuple[int, int]:
        """By how many shares at most ``position`` may be too small and too large just now: other agents of the
        account trade the same shares, and position and fill are told apart."""

    def traded(self) -> str:
        """The session up to which its statements reach, for a broker that trades whole
        sessions from their bars; what a session did is booked with that session's bar."""

    def advance(self, session: str, opened: datetime, quote: Quote) -> None:
        """A completed session's bar, for a broker that trades from bars."""

    def unknown(self, keys: Collection[str]) -> list[str]:
        """Keys of this agent's orders that work and are none of these."""

    def unanswered(self) -> tuple[str, ...]:
        """Questions about orders that it did not answer when it was asked last; empty if it answers them all."""

    def since(self) -> datetime | None:
        """From when on it could be asked without a break; None if it always can."""

    def fee(self, exec_id: str) -> float | None:
        """The fee in USD that the broker itself has stated since, None if it has not."""


class AgentBroker(Broker, Protocol):
    """A broker that trades an account which several agents share, as one of them sees it."""

    def health(self) -> Health:
        """Whether it can be used now."""

    def working(self) -> list[BrokerOrder]:
        """Every order that it works for this agent, by the key that the order carries."""
