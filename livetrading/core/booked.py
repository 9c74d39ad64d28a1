"""Fills as the book keeps them, with what a later correction needs."""

from dataclasses import dataclass

from .events import Filled
from .frozen import replace
from .types import Leg

IMPOSSIBLE_FEE, NOT_KNOWN = 1e12, -1.0
"""USD."""


@dataclass(frozen=True)
class Booked:
    """A fill as the book holds it now, and what a correction has to know of the time it was booked.

    ``place`` is its number among all fills, from 1; ``trade`` the number of its round trip; ``parts`` the
    ids of the broker's executions that report it. ``marked``, ``peak`` and ``limit_peak`` are the values of
    the book before the fill, for corrections in the journals of an earlier version.
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
    """The fill with its fee marked as an estimate where an earlier version booked a broker's sign for "unknown".

    A number too large for a fee becomes 0. -1 stays -1 USD, because decisions were made on it.
    """
    if not abs(event.fee) <= IMPOSSIBLE_FEE:
        return replace(event, fee=0.0, estimated=True)
    return replace(event, estimated=True) if event.fee == NOT_KNOWN else event


def peak_after(now: float, then: float, amount: float, equity: float) -> float:
    """The peak after a fill is corrected by ``amount`` USD, as an earlier version computed it; USD.

    ``then`` was the peak before the fill. The rule is wrong after a second correction. It is kept because
    decisions in that version's journals were made on it.
    """
    if now == then:
        moved = now  # no new peak since the fill
    elif now < then:
        moved = now + amount  # the peak was reset since the fill
    else:
        moved = max(then, now + amount)
    return max(moved, equity)
