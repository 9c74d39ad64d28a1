"""Why an account's cash changed: trades of its agents, dividends that were due, and causes from outside.

The cash of an account is, in USD, at any time

    unmanaged + received + traded of every book + unexplained

``unmanaged`` belongs to a person: what was there when the cash was first recorded, and
what the person moved and confirmed since. ``received`` are dividends: a book counts them
on their ex-date, the cash shows them weeks later, and until then they are due. ``traded``
is what fills and fees of a book brought in. What is left is ``unexplained``. While it is
more than ``TOLERANCE``, the estimates that were booked while it arose are suspect, and
their agents buy nothing.

The cash is one number, and causes are distinguished by their time and their amount alone:

- Money may arrive between two records of the cash while a fill is booked by an estimate.
  It can be that estimate's error, even if it equals a dividend that is due. So it is
  unexplained and the estimate is suspect until it is corrected. What is left then is
  compared with the dividends that were due.
- The error of a later estimate may cancel a difference. That explains nothing: both
  estimates stay suspect (``masked``). If a correction opens a difference, the remaining
  estimates are suspect, for one of them may have hidden it.
- Some cases cannot be distinguished: errors of estimates between the same two records
  that cancel each other; an error and a person's transfer between the same two records;
  a transfer that equals a due dividend. So an estimate stays marked as one until the
  broker reports the figure, whether it is suspect or not.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import combinations
from typing import NamedTuple

TOLERANCE = 1.0
"""USD between two records: rounding, cents of estimated fees, some interest."""
WITHHELD = (0.0, 0.1, 0.15, 0.25, 0.3)
"""Fractions of a dividend that are withheld as tax; they depend on the residence."""
CLOSE_TO_DIVIDEND = 0.02
"""How far a payment may differ from the dividend, as a fraction of it; at most ``TOLERANCE``."""
DUE_DAYS, MOST_DUE, TOGETHER = 200, 20, 3
"""Days that a dividend is waited for, how many are waited for, and how many one payment may contain."""


@dataclass(frozen=True)
class BookCash:
    """One agent's money: by fills and fees, credited by dividends and splits, and its open estimates' ids."""

    traded: float = 0.0
    credited: float = 0.0
    estimates: tuple[str, ...] = ()


@dataclass(frozen=True)
class Due:
    """USD that a book has been credited with and the cash has not shown yet."""

    agent_id: str
    session: str
    amount: float


@dataclass(frozen=True)
class Cash:
    """An account's cash as last recorded, and how it is made up. USD."""

    session: str
    cash: float
    unmanaged: float
    received: float = 0.0
    unexplained: float = 0.0
    books: Mapping[str, BookCash] = field(default_factory=dict)
    due: tuple[Due, ...] = ()
    suspects: tuple[str, ...] = ()
    masked: bool = False
    """Whether differences cancelled each other while estimates that may have caused both are open."""

    @property
    def explained(self) -> float:
        return self.cash - self.unexplained

    @property
    def open(self) -> bool:
        """Whether something is unexplained, so that a person has to check it."""
        return self.masked or abs(self.unexplained) > TOLERANCE

    def doubts(self, estimates: Iterable[str]) -> bool:
        """Whether one of an agent's open estimates may have caused the unexplained difference."""
        return self.open and bool(set(self.suspects) & set(estimates))


@dataclass(frozen=True)
class Explanation:
    """The change of cash since the last record, and the record that follows. USD.

    ``traded`` by agent, ``paid`` the dividends that arrived as ``received``; ``ordinary`` is the part
    small enough to need no reason, ``arisen`` the part without a reason.
    """

    change: float
    traded: Mapping[str, float]
    paid: tuple[Due, ...]
    received: float
    ordinary: float
    arisen: float
    after: Cash

    def lines(self) -> dict[str, float]:
        """What made the change, by name."""
        found = {agent_id: amount for agent_id, amount in self.traded.items() if amount}
        others = (("dividends", self.received), ("ordinary", self.ordinary), ("unexplained", self.arisen))
        return found | {name: amount for name, amount in others if amount}


def first(session: str, cash: float, books: Mapping[str, BookCash]) -> Cash:
    """The first record of an account: cash that is not in its agents' books is unmanaged."""
    return Cash(session, cash, cash - sum(book.traded for book in books.values()), books=dict(books))


def confirmed(cash: Cash) -> Cash:
    """A person confirmed the unexplained amount as unmanaged: exactly that amount, and nothing later."""
    return replace(cash, unmanaged=cash.unmanaged + cash.unexplained, unexplained=0.0, suspects=(), masked=False)


def explain(before: Cash, session: str, cash: float, books: Mapping[str, BookCash]) -> Explanation:
    """What changed the cash since ``before``. ``books``: of every agent that ever traded the account."""
    none = BookCash()
    known = {agent_id: before.books.get(agent_id, none) for agent_id in books}
    traded = {agent_id: book.traded - known[agent_id].traded for agent_id, book in books.items()}
    credited = {agent_id: book.credited - known[agent_id].credited for agent_id, book in books.items()}
    new = tuple(Due(agent_id, session, amount) for agent_id, amount in credited.items() if amount > 0.005)
    due = tuple(d for d in (*before.due, *new) if _days(d.session, session) <= DUE_DAYS)[-MOST_DUE:]
    change = cash - before.cash
    untraded = change - sum(traded.values())
    fresh = [e for agent_id, book in books.items() for e in book.estimates if e not in known[agent_id].estimates]
    left = [e for book in books.values() for e in book.estimates]
    corrected = any(e not in left for book in known.values() for e in book.estimates)
    suspects = tuple(e for e in before.suspects if e in left)
    cleared = bool(before.suspects) and not suspects
    paid, received = _received(
        before, due, untraded, cleared=cleared, doubtful=bool(fresh), hidden=corrected and bool(left)
    )
    arisen = untraded - received
    found = _judged(before, arisen, suspects, fresh, left if corrected else fresh)
    after = Cash(
        session,
        cash,
        before.unmanaged + found.ordinary,
        before.received + received,
        found.unexplained,
        dict(books),
        _without(due, paid),
        found.suspects,
        found.masked,
    )
    return Explanation(change, traded, paid, received, found.ordinary, found.arisen, after)


class _Judged(NamedTuple):
    """How the part of a change without a known cause is recorded; fields as in Explanation and Cash."""

    ordinary: float
    arisen: float
    unexplained: float
    suspects: tuple[str, ...]
    masked: bool = False


def _judged(
    before: Cash, arisen: float, suspects: tuple[str, ...], fresh: Sequence[str], causes: Sequence[str]
) -> _Judged:
    """``suspects`` of before that are still estimates, ``fresh`` estimates since, ``causes`` of a large ``arisen``."""
    total = before.unexplained + arisen
    if abs(arisen) > TOLERANCE:
        more = tuple(dict.fromkeys((*suspects, *causes)))
    else:  # the error of a fresh estimate may have cancelled a correction
        more = tuple(dict.fromkeys((*suspects, *fresh))) if suspects != before.suspects else suspects
    if abs(total) <= TOLERANCE:
        masked = bool(suspects) and (before.masked or (before.open and bool(fresh)))
        return _Judged(total, arisen - total, 0.0, more if masked else (), masked)
    if abs(arisen) <= TOLERANCE:
        return _Judged(arisen, 0.0, before.unexplained, more)
    return _Judged(0.0, arisen, total, more)


def _received(
    before: Cash, due: tuple[Due, ...], untraded: float, *, cleared: bool, doubtful: bool, hidden: bool
) -> tuple[tuple[Due, ...], float]:
    """The dividends that have arrived, and their sum in USD; ``untraded`` is the change of cash without trades.

    Empty while the money is ``doubtful``: a new estimate can be the cause. When the last suspect was ``cleared``,
    what is left of its difference can be dividends that arrived with it. ``hidden``: an estimate was corrected, and
    the error of another estimate may have hidden its error until now.
    """
    total = before.unexplained + untraded
    if doubtful or (before.open and abs(total) <= TOLERANCE):
        return (), 0.0
    if cleared and (paid := _paid(tuple(d for d in due if d in before.due), total)):
        return paid, total
    if not hidden and (paid := _paid(due, untraded)):
        return paid, untraded
    return (), 0.0


def _without(due: tuple[Due, ...], paid: tuple[Due, ...]) -> tuple[Due, ...]:
    """What is still due. Of two equal dividends one payment removes one."""
    left = list(due)
    for d in paid:
        left.remove(d)
    return tuple(left)


def _paid(due: tuple[Due, ...], amount: float) -> tuple[Due, ...]:
    """The due dividends that a payment of ``amount`` fits best, in full or after tax; empty if it fits none."""
    best: tuple[float, tuple[Due, ...]] | None = None
    if amount < 0.01:
        return ()
    for count in range(1, min(len(due), TOGETHER) + 1):
        for some in combinations(due, count):
            gross = sum(d.amount for d in some)
            for part in WITHHELD:
                off = abs(amount - gross * (1.0 - part))
                if off <= min(TOLERANCE, CLOSE_TO_DIVIDEND * gross) and (best is None or off < best[0] - 1e-9):
                    best = off, some
    return best[1] if best else ()


def _days(earlier: str, later: str) -> int:
    return (date.fromisoformat(later) - date.fromisoformat(earlier)).days
