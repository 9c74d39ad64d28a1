"""Why an account's cash changed: what its agents' books say, dividends that were due, and what nobody here did.

The cash of an account is, in USD, at any time

    unmanaged + received + traded of every book + unexplained

``unmanaged`` is a person's: what was there at the first look, and what he moved and
confirmed since. ``received`` are dividends, which a book takes on their ex-date and the
cash shows weeks later: until then they are due. ``traded`` is what fills and fees of a
book brought in. What is left is ``unexplained``; as long as it is more than
``TOLERANCE``, estimates that were booked while it arose are suspect, and their agents
buy nothing.

The cash is one number, and causes are distinguished by their time and their amount alone:

- Money that arrives between two looks in which a fill was booked by an estimate can be
  that estimate's error, also if it equals a dividend that is due: it is unexplained, and
  the estimate suspect, until it is corrected. What is left then is compared with the
  dividends that were due.
- A difference that a later estimate's error makes up for is not explained by that:
  both stay suspect (``masked``). If a correction opens a difference, the estimates that
  are left are suspect, for one of them may have hidden it.
- Not distinguished are errors of estimates of one span that add up to nothing, an error
  and something else that a person did in the same span, and money of his that equals a
  due dividend. So the sums never turn an estimate into a fact: it stays marked until
  the broker states it, whether it is suspect or not.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import combinations

TOLERANCE = 1.0
"""USD a span: rounding, cents of fees that were estimated, some interest."""
WITHHELD = (0.0, 0.1, 0.15, 0.25, 0.3)
"""Parts of a dividend that are withheld as tax, by residence."""
CLOSE_TO_DIVIDEND = 0.02
"""How far a payment may be off what was due, as a part of it; at most ``TOLERANCE``."""
DUE_DAYS, MOST_DUE, TOGETHER = 200, 20, 3
"""So long, and so many, dividends are waited for; so many are looked for in one payment."""


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
    """Whether differences made up for each other while estimates that may be the reason of both are open."""

    @property
    def explained(self) -> float:
        return self.cash - self.unexplained

    @property
    def open(self) -> bool:
        """Whether something is unexplained that a person has to look at."""
        return self.masked or abs(self.unexplained) > TOLERANCE

    def doubts(self, estimates: Iterable[str]) -> bool:
        """Whether one of an agent's open estimates may be why the cash is not what the books say."""
        return self.open and bool(set(self.suspects) & set(estimates))


@dataclass(frozen=True)
class Explanation:
    """The change of cash since the last record, and the record that follows. USD.

    ``traded`` by agent, ``paid`` the dividends that arrived as ``received``; ``ordinary`` is small
    enough to need no reason, ``arisen`` is without one.
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
    """The first look at an account: what its books do not hold is a person's."""
    return Cash(session, cash, cash - sum(book.traded for book in books.values()), books=dict(books))


def confirmed(cash: Cash) -> Cash:
    """A person has said that what is unexplained is his own: exactly that amount, and nothing later."""
    return replace(cash, unmanaged=cash.unmanaged + cash.unexplained, unexplained=0.0, suspects=(), masked=False)


def explain(before: Cash, session: str, cash: float, books: Mapping[str, BookCash]) -> Explanation:
    """What changed the cash since ``before``. ``books`` are those of every agent that ever traded the account."""
    none = BookCash()
    known = {agent_id: before.books.get(agent_id, none) for agent_id in books}
    traded = {agent_id: book.traded - known[agent_id].traded for agent_id, book in books.items()}
    credited = {agent_id: book.credited - known[agent_id].credited for agent_id, book in books.items()}
    new = tuple(Due(agent_id, session, amount) for agent_id, amount in credited.items() if amount > 0.005)
    due = tuple(d for d in (*before.due, *new) if _days(d.session, session) <= DUE_DAYS)[-MOST_DUE:]
    change = cash - before.cash
    rest = change - sum(traded.values())
    fresh = [e for agent_id, book in books.items() for e in book.estimates if e not in known[agent_id].estimates]
    left = [e for book in books.values() for e in book.estimates]
    corrected = any(e not in left for book in known.values() for e in book.estimates)
    suspects = tuple(e for e in before.suspects if e in left)
    cleared = bool(before.suspects) and not suspects
    paid, received = _received(
        before, due, rest, cleared=cleared, doubtful=bool(fresh), unmanaged_doubtful=corrected and bool(left)
    )
    arisen = rest - received
    total = before.unexplained + arisen
    masked, ordinary = False, 0.0
    if abs(arisen) > TOLERANCE:
        more = tuple(dict.fromkeys((*suspects, *(left if corrected else fresh))))
    else:  # a fresh estimate may have made up for a correction
        more = tuple(dict.fromkeys((*suspects, *fresh))) if suspects != before.suspects else suspects
    if abs(total) <= TOLERANCE:
        masked = bool(suspects) and (before.masked or (before.open and bool(fresh)))
        suspects, ordinary, arisen, unexplained = more if masked else (), total, arisen - total, 0.0
    elif abs(arisen) <= TOLERANCE:
        suspects, ordinary, arisen, unexplained = more, arisen, 0.0, before.unexplained
    else:
        unexplained, suspects = total, more
    after = Cash(
        session,
        cash,
        before.unmanaged + ordinary,
        before.received + received,
        unexplained,
        dict(books),
        _without(due, paid),
        suspects,
        masked,
    )
    return Explanation(change, traded, paid, received, ordinary, arisen, after)


def _received(
    before: Cash, due: tuple[Due, ...], rest: float, *, cleared: bool, doubtful: bool, unmanaged_doubtful: bool
) -> tuple[tuple[Due, ...], float]:
    """The dividends that have arrived, and the USD of them.

    None while the money is ``doubtful``: an estimate of this span can be the reason. When the last suspect was
    ``cleared``, what is left of its difference can be dividends that arrived with it. ``rest_doubtful``: an estimate
    was corrected, and another one's error may have hidden that until now.
    """
    total = before.unexplained + rest
    if doubtful or (before.open and abs(total) <= TOLERANCE):
        return (), 0.0
    if cleared and (paid := _paid(tuple(d for d in due if d in before.due), total)):
        return paid, total
    if not unmanaged_doubtful and (paid := _paid(due, rest)):
        return paid, rest
    return (), 0.0


def _without(due: tuple[Due, ...], paid: tuple[Due, ...]) -> tuple[Due, ...]:
    """What is still due: of two that are alike, one payment takes one."""
    left = list(due)
    for d in paid:
        left.remove(d)
    return tuple(left)


def _paid(due: tuple[Due, ...], amount: float) -> tuple[Due, ...]:
    """The dividends that a payment of ``amount`` is, in whole or after tax; the closest, none if it is none."""
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
