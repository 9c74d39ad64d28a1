"""The highest equity at a close, kept so that the later correction of a fill can still change it.

A correction changes the equity of every close since its fill, and of no close before.
So the closes are grouped by how many fills were booked by then, and the highest equity
of each group is kept: once since the beginning, once since a person last resumed
entries. USD.
"""

import math
from typing import NamedTuple


class High(NamedTuple):
    """The highest equity of the closes at which ``fills`` fills were booked; ``limit`` is minus infinity
    where all of those closes were before the last resumption of entries."""

    fills: int
    peak: float
    limit: float


Highs = tuple[High, ...]
"""By the number of fills, rising."""


def deposited(highs: Highs, amount: float) -> Highs:
    """A deposit raises every height; the first one is the first height."""
    if not highs:
        return (High(0, amount, amount),)
    return tuple(High(h.fills, h.peak + amount, h.limit + amount) for h in highs)


def marked(highs: Highs, fills: int, equity: float) -> Highs:
    """A close at which so many fills were booked."""
    if not highs or highs[-1].fills != fills:
        return (*highs, High(fills, equity, equity))
    last = highs[-1]
    return (*highs[:-1], High(fills, max(last.peak, equity), max(last.limit, equity)))


def merged(highs: Highs, oldest: int) -> Highs:
    """With the heights of closes before fill number ``oldest`` merged into one, for no correction changes them."""
    past = [h for h in highs if h.fills < oldest]
    if len(past) < 2:
        return highs
    return (High(past[-1].fills, max(h.peak for h in past), max(h.limit for h in past)), *highs[len(past) :])


def resumed(highs: Highs, equity: float) -> Highs:
    """The drawdown limit is measured from the last close on."""
    if not highs:
        return highs
    return (*(h._replace(limit=-math.inf) for h in highs[:-1]), highs[-1]._replace(limit=equity))


def corrected(highs: Highs, place: int, amount: float) -> Highs:
    """The fill that was booked as number ``place`` (from 1) brought in ``amount`` USD more."""
    return tuple(High(h.fills, h.peak + amount, h.limit + amount) if h.fills >= place else h for h in highs)


def highest(highs: Highs) -> tuple[float, float]:
    """The peak, and the peak since entries were last resumed."""
    return max(h.peak for h in highs), max(h.limit for h in highs)
