"""What is known of a shared broker account beside its agents' books, as a fold.

The unmanaged rest is what a person holds by hand: it is recorded when the first
agent trades a contract, and changes by a person's word or a split alone.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from .errors import Damaged


@dataclass(frozen=True)
class RestSet:
    """The shares of a contract that no agent holds are ``shares``, by a person's word."""

    con_id: int
    symbol: str
    shares: int
    by: str
    reason: str


@dataclass(frozen=True)
class RestSplit:
    """A split left ``shares`` of a contract that no agent holds."""

    con_id: int
    session: str
    ratio: float
    shares: int


@dataclass(frozen=True)
class Valued:
    """What the account was worth after a session."""

    session: str
    net_liquidation: float
    currency: str


AccountEvent = RestSet | RestSplit | Valued
KINDS: dict[str, type[Any]] = {cls.__name__: cls for cls in (RestSet, RestSplit, Valued)}


@dataclass(frozen=True)
class AccountBook:
    """``rest`` shares by contract id; ``splits`` the ratios already applied, by (contract id, session)."""

    rest: dict[int, int] = field(default_factory=dict)
    splits: dict[tuple[int, str], float] = field(default_factory=dict)
    valued: Valued | None = None


def apply(book: AccountBook, event: AccountEvent) -> AccountBook:
    """The account after an event."""
    if isinstance(event, Valued):
        return replace(book, valued=event)
    book = replace(book, rest={**book.rest, event.con_id: event.shares})
    if isinstance(event, RestSplit):
        return replace(book, splits={**book.splits, (event.con_id, event.session): event.ratio})
    return book


def fold(events: Iterable[AccountEvent]) -> AccountBook:
    """The account after all of these events."""
    book = AccountBook()
    for event in events:
        book = apply(book, event)
    return book


def encode(event: AccountEvent) -> dict[str, Any]:
    return {"kind": type(event).__name__, **asdict(event)}


def decode(data: dict[str, Any]) -> AccountEvent:
    """The event that ``encode`` wrote; Damaged when it is none."""
    cls = KINDS.get(data.get("kind", ""))
    body = {name: value for name, value in data.items() if name != "kind"}
    if cls is None or body.keys() != {f.name for f in fields(cls)}:
        raise Damaged(f"The account's journal holds an unknown event {data.get('kind')!r}: another version wrote it.")
    event: AccountEvent = cls(**body)
    return event
