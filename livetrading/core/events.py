"""What can happen to an agent. The journal holds these and nothing else.

Each event is a frozen dataclass of JSON values; ``encode`` and ``decode`` are
exact inverses. Sessions are ISO dates, times ISO UTC, money USD.
"""

from dataclasses import dataclass, fields
from typing import Any

from .errors import Damaged

DISPUTED_BARS = "disputed-bars"
"""The cause of a held session that an accepted correction of bars ends."""


@dataclass(frozen=True)
class Event:
    """Root of all events."""


@dataclass(frozen=True)
class Created(Event):
    """An agent with its terms; ``config`` is AgentConfig's dictionary."""

    config: dict[str, Any]


@dataclass(frozen=True)
class Deployed(Event):
    """Sessions after ``at`` are decided; the first is ``first_session``."""

    at: str
    first_session: str


@dataclass(frozen=True)
class StatusChanged(Event):
    status: str
    reason: str
    by: str


@dataclass(frozen=True)
class Deposited(Event):
    amount: float


@dataclass(frozen=True)
class BarsAppended(Event):
    """Bars new to the agent's series: rows of [session, open, …, split]."""

    rows: list[list[Any]]
    source: str


@dataclass(frozen=True)
class BarsCorrected(Event):
    """Bars of the agent's series as ``source`` states them now, in place of those with the same sessions: whole
    rows of [session, open, …, split]. They hold for all later decisions; decisions and money made stay as they were.
    ``frees``: the present session was held for want of this correction, and is not any longer."""

    rows: list[list[Any]]
    source: str
    frees: bool = False


@dataclass(frozen=True)
class SplitApplied(Event):
    session: str
    ratio: float
    previous_close: float


@dataclass(frozen=True)
class DividendPaid(Event):
    """``amount`` USD a share on ``shares`` held overnight."""

    session: str
    amount: float
    shares: int


@dataclass(frozen=True)
class Filled(Event):
    """One execution. ``stop`` is the protective stop that an entry brings; ``estimated``:
    the broker had not reported its fee, or no longer reports its price."""

    exec_id: str
    key: str
    leg: str
    session: str
    qty: int
    price: float
    fee: float
    stop: float
    estimated: bool = False


@dataclass(frozen=True)
class FeeAdjusted(Event):
    """The broker reports a fee that is ``amount`` USD more than was booked. ``peaks``: equity and peaks of
    the closes since then change with it; False where an earlier version wrote the event, because its
    decisions were made without that change."""

    exec_id: str
    session: str
    amount: float
    peaks: bool = False


@dataclass(frozen=True)
class FillCorrected(Event):
    """The price (USD a share) and fee (USD) of the execution that was booked as ``exec_id``, as its
    broker reports them now. ``parts`` are the broker's ids that report it, in place of the one that was
    booked; ``estimated``: the fee is still an estimate; ``source``: where the figures come from, in words;
    ``peaks``: equity and peaks become what the right figures would have made them; False where an
    earlier version wrote the event, because its decisions were made on peaks that it guessed."""

    exec_id: str
    price: float
    fee: float
    parts: list[str]
    source: str = "the broker"
    estimated: bool = False
    peaks: bool = False


@dataclass(frozen=True)
class FillDisputed(Event):
    """A report changed the execution that was booked as ``exec_id`` in a way that the book cannot
    follow (its quantity, its side, or all of it): a person has to compare. ``by`` is the report's id
    with its content, so that each report is shown once."""

    exec_id: str
    by: str
    text: str


@dataclass(frozen=True)
class Marked(Event):
    session: str
    close: float


@dataclass(frozen=True)
class Decided(Event):
    """A session's decision: final, once. ``raw`` is the policy's own output."""

    session: str
    obs: str
    raw: float
    action: int
    qty: int
    reason: str


@dataclass(frozen=True)
class Held(Event):
    """The decision has to wait, and why; it is tried again until the deadline. ``cause`` is DISPUTED_BARS where the
    source disagrees with known bars, and empty for every other reason, also in journals of earlier versions."""

    session: str
    reason: str
    cause: str = ""


@dataclass(frozen=True)
class Missed(Event):
    """The deadline passed without a decision, and why."""

    session: str
    reason: str


@dataclass(frozen=True)
class EntriesPaused(Event):
    session: str
    reason: str


@dataclass(frozen=True)
class EntriesResumed(Event):
    """The pause has lasted its sessions: at this close the drawdown limit begins to count anew."""

    session: str
    reason: str


@dataclass(frozen=True)
class OrderPlanned(Event):
    order: dict[str, Any]


@dataclass(frozen=True)
class OrderMoved(Event):
    """An order's next state; fields that are None stay as they were. ``cause`` is the code of ``reason``."""

    key: str
    state: str
    reason: str = ""
    broker_id: str | None = None
    filled: int | None = None
    qty: int | None = None
    stop_price: float | None = None
    tif: str | None = None
    complaint: str | None = None
    cause: str = ""


@dataclass(frozen=True)
class Noted(Event):
    """A line for the agent's own log that changes nothing. ``told``: it becomes an alarm at once;
    ``request``: the id of the request whose work begins here."""

    text: str
    told: bool = False
    request: str = ""


KINDS: dict[str, type[Event]] = {
    cls.__name__: cls
    for cls in (
        Created,
        Deployed,
        StatusChanged,
        Deposited,
        BarsAppended,
        BarsCorrected,
        SplitApplied,
        DividendPaid,
        Filled,
        FeeAdjusted,
        FillCorrected,
        FillDisputed,
        Marked,
        Decided,
        Held,
        Missed,
        EntriesPaused,
        EntriesResumed,
        OrderPlanned,
        OrderMoved,
        Noted,
    )
}


def encode(event: Event) -> dict[str, Any]:
    """JSON-ready, with its ``kind``; fields at their default are left out."""
    data = {f.name: getattr(event, f.name) for f in fields(event) if getattr(event, f.name) != f.default}
    return {"kind": type(event).__name__, **data}


def decode(data: dict[str, Any]) -> Event:
    """The event that ``encode`` wrote; Damaged when it is none."""
    body = dict(data)
    cls = KINDS.get(body.pop("kind", ""))
    if cls is None:
        raise Damaged(f"The journal holds an unknown event {data.get('kind')!r}: it was written by another version.")
    try:
        return cls(**body)
    except TypeError as error:
        raise Damaged(f"The journal's {data['kind']} event has other fields than expected: {error}.") from error
