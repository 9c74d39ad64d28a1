"""What every broker must offer: one account, as one agent sees it.

A broker that does not know the outcome of a call raises ``Unavailable``: the order
stays PENDING_NEW and is looked up by its key before anything is sent again.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from ...core.errors import Unavailable
from ...core.orders import OrderState

if TYPE_CHECKING:
    from ...core.rules import Quote
    from .account_setup import AccountSetup


@dataclass(frozen=True)
class BrokerWords:
    """Names of a broker and its program, for messages outside its folder.

    ``name`` is the broker's name in ``--mode`` and in the journal, ``title`` and ``short`` are its full and
    its usual name, ``program`` is where the user sees orders, ``programs`` what has to run for it.
    ``bars`` names the bar source that it serves, empty if it serves none; ``setup`` is how its account is
    configured and known as a paper one. Without it every account counts as real money, which a deployment
    confirms with the account's number.
    """

    name: str
    title: str
    short: str
    program: str
    programs: str
    bars: str = ""
    setup: "AccountSetup | None" = None

    @property
    def an_account(self) -> str:
        """``an Interactive Brokers account``."""
        return f"{'an' if self.title[:1].upper() in 'AEIOU' else 'a'} {self.title} account"


class AccountAway(Unavailable):
    """A shared broker account cannot be used now, which concerns all of its agents."""


class NotListed(Unavailable):
    """The broker answers and does not list an order that it was sent. ``reason`` is its error, or that it gave
    none; ``refused`` whether there was an error.

    Neither is a proof: the order is looked up again before it counts as refused or is sent again.
    """

    def __init__(self, sentence: str, reason: str, refused: bool) -> None:
        super().__init__(sentence)
        self.reason, self.refused = reason, refused


@dataclass(frozen=True)
class Ticket:
    """An order as it is sent; ``ref`` is its key, which the broker stores with it.

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
    """The broker's report of an order."""

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
    """False if the broker keeps the order open but does not work it: such a stop protects nothing."""


def can_sell(answer: BrokerOrder, bought: int | None) -> int:
    """Shares that a working sell order can still sell. ``bought``: for the stop of an open entry, the shares
    that the entry has bought so far; the stop sells no more than these."""
    most = answer.qty if bought is None else min(answer.qty, bought)
    return max(most - answer.filled, 0)


@dataclass(frozen=True)
class Execution:
    """One fill as the broker reports it; ``exec_id`` is never used again."""

    exec_id: str
    ref: str
    session: str
    qty: int
    price: float
    fee: float
    final: bool = True
    """False while the broker has not reported the fee, and ``fee`` is an estimate."""
    estimated: bool = False
    """True if the broker reports the fill, but no longer its price."""
    side: str = ""
    """BUY or SELL; empty if the broker does not report it."""
    cum: int = 0
    """Filled shares of its order, including this fill; 0 if the broker does not count them."""


class AwayCause(StrEnum):
    """Why a broker cannot be used, for code that has to distinguish causes."""

    NONE = ""
    CLIENT_ID_TAKEN = "client_id_taken"
    """Another program uses the connection's id. The id of a process that was just killed is free again soon."""
    ENDED = "ended"
    """The connection ended and is restored automatically."""


class HealthState(StrEnum):
    """How a connection stands. The values are stored and shown."""

    STARTING = "starting"
    """No attempt was made yet."""
    CONNECTING = "connecting"
    READY = "ready"
    DEGRADED = "degraded"
    """It can be used, though some questions are unanswered (``Health.missing``)."""
    LINK_LOST = "link lost"
    """The broker's program is connected, but its own link to the broker is lost; it usually comes back."""
    DISCONNECTED = "disconnected"
    FAILED = "failed"
    """An unexpected error ended the connection or the attempt."""
    REFUSED = "refused"
    """A check of the account or a setting forbids the connection: a person is needed."""


BEGINNING = frozenset({HealthState.STARTING, HealthState.CONNECTING})
"""A first or later attempt has no outcome so far."""


@dataclass(frozen=True)
class Health:
    """Whether a broker can be used now; ``detail`` is one sentence with what to do.

    ``missing`` names unanswered questions, ``lacking`` is since when there are any: orders can be cancelled
    and positions closed, but entries wait. ``away``: since when the broker cannot be used, None while it
    can; ``failures`` counts the attempts since then, ``trouble`` is the reason of the last failure.
    ``heard`` is the time of its last message, ``unreadable`` the number of messages that could not be
    read. ``cause`` is the code of ``detail``.
    """

    ready: bool
    state: HealthState
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
    cause: AwayCause = AwayCause.NONE


@dataclass(frozen=True)
class AccountFigures:
    """An account's figures as its broker reports them; ``currency`` is that of ``net_liquidation``.

    A figure that is not reported, or not as a number, is None; ``absent`` has a sentence about it.
    """

    number: str
    net_liquidation: float | None
    currency: str
    cash_usd: float | None
    at: datetime
    absent: tuple[str, ...] = ()


class Broker(Protocol):
    """Takes orders; reports orders and executions."""

    def submit(self, ticket: Ticket, child: Ticket | None, now: datetime) -> BrokerOrder:
        """Send an order, with a protective stop that its fill activates. Returns the broker's report."""

    def cancel(self, ref: str, now: datetime) -> None:
        """Request a cancel; its outcome is in the order's next report."""

    def find(self, ref: str) -> BrokerOrder | None:
        """The report of the order with this key, None if there is none."""

    def executions(self) -> list[Execution]:
        """Fills, as far back as the broker lists them."""

    def reported(self) -> list[Execution]:
        """Every execution that it reports now, including booked ones: a later report of a fill corrects it."""

    def position(self) -> int:
        """Shares that the broker holds for this agent."""

    def unsettled(self) -> tuple[int, int]:
        """By how many shares at most ``position`` may be too small and too large now: other agents of the account
        trade the same stock, and position and fills are reported separately."""

    def traded(self) -> str:
        """The last session that it has traded, for a broker that trades whole sessions from bars; its fills are
        booked together with that session's bar. Empty for other brokers."""

    def advance(self, session: str, opened: datetime, quote: "Quote") -> None:
        """A completed session's bar, for a broker that trades from bars."""

    def unknown(self, keys: Collection[str]) -> list[str]:
        """Keys of this agent's working orders that are not among these."""

    def unanswered(self) -> tuple[str, ...]:
        """Questions about orders that it did not answer the last time; empty if it answered all."""

    def since(self) -> datetime | None:
        """Since when it can be asked without an interruption; None if it always can."""

    def fee(self, exec_id: str) -> float | None:
        """The fee in USD that the broker has reported for an execution, None if it has not."""


class AgentBroker(Broker, Protocol):
    """A broker account that several agents share, as one of them sees it."""

    def health(self) -> Health:
        """Whether it can be used now."""

    def working(self) -> list[BrokerOrder]:
        """Every working order of this agent, identified by the order's key."""
