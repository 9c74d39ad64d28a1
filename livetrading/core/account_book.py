"""What is known of a shared broker account beside its agents' books, as a fold.

Unmanaged shares are those that a person holds by hand. They are recorded when the first
agent trades a contract; only a person's request or a split changes them. The cash is
recorded once a session, with the reasons of its change.
"""

from collections.abc import Iterable
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from typing import Any

from .cash import BookCash, Cash, Due, Explanation, confirmed
from .errors import Damaged
from .types import InstrumentId, instrument_id, stored_id


@dataclass(frozen=True)
class RestSet:
    """The shares of a contract that no agent holds are ``shares``: a person said so."""

    con_id: InstrumentId
    symbol: str
    shares: int
    by: str
    reason: str


@dataclass(frozen=True)
class RestSplit:
    """A split left ``shares`` of a contract that no agent holds."""

    con_id: InstrumentId
    session: str
    ratio: float
    shares: int


@dataclass(frozen=True)
class Valued:
    """What the account was worth after a session."""

    session: str
    net_liquidation: float
    currency: str


@dataclass(frozen=True)
class CashSeen:
    """The account's cash after a session, how it is made up and why it changed. USD.

    ``books``: by agent, what it traded, what it was credited with, and its open estimates;
    ``due``: dividends that have not arrived, as [agent, session, amount]; ``lines``: the change by name; ``masked`` as
    in Cash, False where an earlier version wrote it.
    """

    session: str
    cash: float
    unmanaged: float
    received: float
    unexplained: float
    books: dict[str, list[Any]]
    due: list[list[Any]]
    suspects: list[str]
    lines: dict[str, float]
    masked: bool = False


@dataclass(frozen=True)
class CashConfirmed:
    """A person says that the unexplained ``amount`` is not of the agents: it is unmanaged from now on."""

    amount: float
    by: str
    request_id: str


AccountEvent = RestSet | RestSplit | Valued | CashSeen | CashConfirmed
KINDS: dict[str, type[Any]] = {cls.__name__: cls for cls in (RestSet, RestSplit, Valued, CashSeen, CashConfirmed)}


@dataclass(frozen=True)
class AccountBook:
    """``unmanaged`` shares by instrument id; ``splits`` the ratios already applied, by (instrument id, session).
    ``cash`` is None until it is first recorded; ``confirmed`` is the last request by which a person confirmed it."""

    unmanaged: dict[InstrumentId, int] = field(default_factory=dict)
    splits: dict[tuple[InstrumentId, str], float] = field(default_factory=dict)
    valued: Valued | None = None
    cash: Cash | None = None
    lines: dict[str, float] = field(default_factory=dict)
    confirmed: str = ""


def apply(book: AccountBook, event: AccountEvent) -> AccountBook:
    """The account after an event."""
    if isinstance(event, Valued):
        return replace(book, valued=event)
    if isinstance(event, CashSeen):
        return replace(book, cash=_cash(event), lines=event.lines)
    if isinstance(event, CashConfirmed):
        return replace(book, cash=confirmed(book.cash) if book.cash else None, confirmed=event.request_id)
    book = replace(book, unmanaged={**book.unmanaged, event.con_id: event.shares})
    if isinstance(event, RestSplit):
        return replace(book, splits={**book.splits, (event.con_id, event.session): event.ratio})
    return book


def cash_record(cash: Cash, found: Explanation | None = None) -> CashSeen:
    """The event that records the cash; ``found`` are the reasons of its change."""
    books = {a: [book.traded, book.credited, list(book.estimates)] for a, book in cash.books.items()}
    due = [[d.agent_id, d.session, d.amount] for d in cash.due]
    return CashSeen(
        cash.session,
        cash.cash,
        cash.unmanaged,
        cash.received,
        cash.unexplained,
        books,
        due,
        list(cash.suspects),
        found.lines() if found else {},
        cash.masked,
    )


def _cash(event: CashSeen) -> Cash:
    books = {a: BookCash(traded, credited, tuple(ids)) for a, (traded, credited, ids) in event.books.items()}
    return Cash(
        event.session,
        event.cash,
        event.unmanaged,
        event.received,
        event.unexplained,
        books,
        tuple(Due(*due) for due in event.due),
        tuple(event.suspects),
        event.masked,
    )


def fold(events: Iterable[AccountEvent]) -> AccountBook:
    """The account after all of these events."""
    book = AccountBook()
    for event in events:
        book = apply(book, event)
    return book


def encode(event: AccountEvent) -> dict[str, Any]:
    data = {"kind": type(event).__name__, **asdict(event)}
    return {**data, "con_id": stored_id(data["con_id"])} if "con_id" in data else data


def decode(data: dict[str, Any]) -> AccountEvent:
    """The event that ``encode`` wrote; Damaged when it is none."""
    cls = KINDS.get(data.get("kind", ""))
    body = {name: value for name, value in data.items() if name != "kind"}
    known = fields(cls) if cls is not None else ()
    if cls is None or not {f.name for f in known if f.default is MISSING} <= body.keys() <= {f.name for f in known}:
        raise Damaged(f"The account's journal holds an unknown event {data.get('kind')!r}: another version wrote it.")
    if "con_id" in body:
        body["con_id"] = instrument_id(body["con_id"])
    event: AccountEvent = cls(**body)
    return event
