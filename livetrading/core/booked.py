"""A fill in the book, and what its correction has to know of the time when it was booked."""

from dataclasses import dataclass

from .events import Filled
from .frozen import replace
from .types import Leg

IMPOSSIBLE_FEE, NOT_KNOWN = 1e12, -1.0
"""USD."""


@dataclass(frozen=True)
class Booked:
    """A fill as the book holds it now, and what a correction has to know of the time it was booked.

    ``place`` is its number among all fills, from 1, ``trade`` the number of its round trip, ``parts`` the ids of the broker's executions that
    state it, ``marked``, ``peak`` and ``limit_peak`` those of the book before it, for corrections of an
    earlier version's journal.
    """

    fill: Filled
    place: int
    trade: int
    parts: tuple[str, ...]
    marked: str | None
    peak: float
    limit_peak: float

    @property
    def bought(self) -> bool:
        return self.fill.leg == Leg.ENTRY


def known(event: Filled) -> Filled:
    """An earlier version booked a broker's marks for an unknown fee as money. What no fee can be is none;
    -1 stays the money that decisions were made on. Both are estimates until the fee is stated."""
    if not abs(event.fee) <= IMPOSSIBLE_FEE:
        return replace(event, fee=0.0, estimated=True)
    return replace(event, estimated=True) if event.fee == NOT_KNOWN else event


def peak_after(now: float, then: float, amount: float, equity: float) -> float:
    """The highest equity had ``amount`` been there since the fill, of which ``then`` was the peak before it.

    What an earlier version took it to be, wrong after a second correction: kept for its journals, whose
    decisions were made on it.
    """
    if now == then:
        moved = now  # no new high since
    elif now < then:
        moved = now + amount  # counted anew since
    else:
        moved = max(then, now + amount)
    return max(moved, equity)
