"""Daily bars with a known expected next return: what can be learned from them is known, and so is how well.

Each kind plants one effect (``laws``), with parameters drawn for each series: how volatile, how strong, how long.
A fifth of a session's expectation and variance lies overnight, so that most of an effect seen at the close can
still be earned from the next open on. The seeds of tuning (``develop``) and of the reported figures (``report``)
come from different roots; nothing is chosen by the latter.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from livetrading.adapters.calendar import calendar
from livetrading.core.bars import COLUMNS, check_series

from . import laws
from .laws import Law

FIRST = date(2004, 1, 2)
OVERNIGHT = 0.2
"""The share of a session's mean and variance that the open already shows."""
LOWEST = 2.0
"""USD: no series falls below it."""
LENGTHS = (2_800, 3_600, 4_600)
"""Sessions, by the index of a series: what is learned must not hang on one length."""
ROOTS = {"develop": 0x5EED_0001, "report": 0x7E57_0002}
TAIL = 6.0
"""Degrees of freedom of the returns' noise (Student's t), cut at 5 deviations."""
VERSION = 1
"""Changes whenever equal names may give other bars."""


@dataclass(frozen=True)
class Kind:
    """An effect: how its law is drawn, and how the oracle acts on it.

    The oracle buys above ``enter`` and sells below ``leave``, log returns of one session.
    """

    draw: Callable[[np.random.Generator, int], Law]
    linear: bool
    enter: float = 0.0
    leave: float = 0.0
    price: float = 100.0
    """At which the series starts, USD."""

    @property
    def seeds(self) -> int:
        """How many series of it a split holds."""
        return 6 if self.linear else 4


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return float(rng.uniform(low, high))


def _autocorrelation(rng: np.random.Generator, index: int) -> Law:
    """By turns: a day follows the day before, turns against it, or follows the last weeks."""
    sigma, drift = _between(rng, 0.008, 0.015), _between(rng, 0.0, 0.0003)
    strength = _between(rng, 0.34, 0.44)
    slow = laws.Autocorrelation(sigma, drift, keep=_between(rng, 0.80, 0.90), gain=_between(rng, 0.15, 0.20))
    return (
        laws.Autocorrelation(sigma, drift, strength, strength),
        slow,
        laws.Autocorrelation(sigma, drift, -strength, -strength),
    )[index % 3]


def _cycle(rng: np.random.Generator, index: int) -> Law:
    sigma, drift = _between(rng, 0.008, 0.015), _between(rng, 0.0, 0.0003)
    return laws.Cycle(
        sigma,
        drift,
        amplitude=sigma * _between(rng, 0.28, 0.38),
        period=_between(rng, 20.0, 60.0),
        phase=_between(rng, 0.0, 2.0 * math.pi),
    )


def _garch(rng: np.random.Generator, low: float, high: float) -> laws.Garch:
    react = _between(rng, 0.10, 0.13)
    return laws.Garch(_between(rng, low, high), react, 0.97 - react)


def _volatility_regime(rng: np.random.Generator, index: int) -> Law:
    garch = _garch(rng, 0.011, 0.016)
    return laws.VolatilityRegime(garch, drift=0.0, slope=garch.sigma * _between(rng, 0.14, 0.22))


def _threshold(rng: np.random.Generator, index: int) -> Law:
    sigma = _between(rng, 0.008, 0.015)
    return laws.Threshold(
        sigma,
        drift=0.0,
        pull=sigma * _between(rng, 0.60, 0.75),
        beyond=_between(rng, 0.5, 0.7),
        sessions=int(rng.integers(10, 21)),
    )


def _interaction(rng: np.random.Generator, index: int) -> Law:
    return laws.Interaction(_garch(rng, 0.014, 0.019), drift=0.0, strength=_between(rng, 0.45, 0.60))


def _held_through_costs(rng: np.random.Generator, index: int) -> Law:
    """In a share of few dollars, whose commission of half a cent a share is 10 basis points at 5 dollars."""
    sigma = _between(rng, 0.007, 0.008)
    return laws.HeldThroughCosts(
        sigma,
        drift=0.0,
        keep=_between(rng, 0.965, 0.975),
        slow=_between(rng, 0.08, 0.095),
        fast=_between(rng, 0.24, 0.29),
    )


KINDS = {
    "autocorrelation": Kind(_autocorrelation, linear=True, enter=6e-4, leave=-6e-4),
    "cycle": Kind(_cycle, linear=True, enter=6e-4, leave=0.0),
    "volatility": Kind(_volatility_regime, linear=True, enter=6e-4, leave=0.0),
    "threshold": Kind(_threshold, linear=False, enter=6e-4, leave=3e-4),
    "interaction": Kind(_interaction, linear=False, enter=1e-3, leave=-1e-3),
    "costs": Kind(_held_through_costs, linear=False, enter=25e-4, leave=0.0, price=6.0),
}
DRAWS: dict[tuple[str, str, int], int] = {
    ("autocorrelation", "develop", 1): 1,
    ("volatility", "develop", 1): 2,
    ("volatility", "develop", 2): 1,
    ("volatility", "develop", 3): 1,
    ("volatility", "develop", 4): 1,
    ("volatility", "develop", 5): 1,
    ("interaction", "develop", 0): 1,
    ("interaction", "develop", 2): 1,
    ("costs", "develop", 2): 1,
    ("costs", "develop", 3): 2,
    ("autocorrelation", "report", 1): 1,
    ("autocorrelation", "report", 5): 1,
    ("volatility", "report", 0): 1,
    ("volatility", "report", 3): 1,
    ("interaction", "report", 2): 1,
    ("interaction", "report", 3): 2,
    ("costs", "report", 0): 2,
    ("costs", "report", 1): 1,
}
"""Series whose first draws gave an oracle that is too weak or too strong (``bounds``): which draw is taken instead of
the first, 0."""


@dataclass(frozen=True)
class Name:
    """One series: its kind, its split and its number there."""

    kind: str
    split: str
    index: int

    def __str__(self) -> str:
        return f"{self.kind}-{self.split}-{self.index}"


@dataclass(frozen=True, eq=False)
class Planted:
    """Canonical bars, and what was to be known of them: float64 ``(T,)``, at the close of t about t + 1.

    ``expected`` is the mean of the log return to the next close, ``ahead`` the part of it on which the oracle acts.
    """

    name: Name
    frame: pd.DataFrame
    expected: np.ndarray
    ahead: np.ndarray


def names(split: str, kinds: tuple[str, ...] = tuple(KINDS)) -> list[Name]:
    """All series of a split, ``develop`` or ``report``."""
    return [Name(kind, split, index) for kind in kinds for index in range(KINDS[kind].seeds)]


def planted(name: Name, length: int | None = None) -> Planted:
    """The series of that name; ``length`` sessions of it instead of all (or more)."""
    return drawn(name, DRAWS.get((name.kind, name.split, name.index), 0), length)


def drawn(name: Name, draw: int, length: int | None = None) -> Planted:
    """As ``planted``, with the draw given."""
    where = (list(KINDS).index(name.kind), name.index, draw)
    parameters, noise = np.random.SeedSequence(ROOTS[name.split], spawn_key=where).spawn(2)
    law = KINDS[name.kind].draw(np.random.default_rng(parameters), name.index)
    count = length or LENGTHS[name.index % len(LENGTHS)]
    rows, expected, ahead = _bars(law, KINDS[name.kind].price, np.random.default_rng(noise), count)
    days = tuple(calendar().sessions(FIRST, date(FIRST.year + count // 250 + 1, 12, 31))[:count])
    index = pd.DatetimeIndex(pd.to_datetime(list(days))).as_unit("ns").rename("date")
    frame = pd.DataFrame(rows, columns=COLUMNS, index=index, dtype=np.float64)
    check_series(frame, days, str(name))
    return Planted(name, frame, np.array(expected), np.array(ahead))


def _bars(
    law: Law, close: float, rng: np.random.Generator, count: int
) -> tuple[list[list[float]], list[float], list[float]]:
    """Rows of ``COLUMNS``, and the expectations at each close. One session draws a fixed number of random values."""
    scale = math.sqrt((TAIL - 2.0) / TAIL)
    rows: list[list[float]] = []
    expected, ahead, loud = [], [], 0.0
    coming = law.after(0.0)
    for _ in range(count):
        shock = max(-5.0, min(5.0, float(rng.standard_t(TAIL)) * scale))
        night, up, down, busy = float(rng.normal()), float(rng.random()), float(rng.random()), float(rng.normal())
        opened, spread = _open_and_spread(close, coming, shock, night)
        row = _prices(close, coming, shock, opened, spread, up, down)
        loud = 0.8 * loud + 0.15 * busy + 0.1 * abs(shock)
        rows.append([*row, float(round(2_000_000 * math.exp(loud))), 0.0, 1.0])
        coming = law.after(math.log(row[3] / close))
        close = row[3]
        expected.append(coming.mean)
        ahead.append(coming.ahead)
    return rows, expected, ahead


def _open_and_spread(close: float, coming: laws.Next, shock: float, night: float) -> tuple[float, float]:
    """The open in whole cents, and the deviation of the path within the session.

    Given the whole session's shock, what the night brings is normal around its share of it.
    """
    part = OVERNIGHT * shock + math.sqrt(OVERNIGHT * (1.0 - OVERNIGHT)) * night
    opened = round(close * math.exp(OVERNIGHT * coming.mean + coming.deviation * part), 2)
    return max(opened, LOWEST), coming.deviation * math.sqrt(1.0 - OVERNIGHT)


def _prices(
    close: float, coming: laws.Next, shock: float, opened: float, spread: float, up: float, down: float
) -> tuple[float, float, float, float]:
    """Open, high, low and close of a session in whole cents; the extremes are those of a Brownian bridge."""
    closed = max(round(close * math.exp(coming.mean + coming.deviation * shock), 2), LOWEST)
    move = math.log(closed / opened)
    above = 0.5 * (move + math.sqrt(move * move - 2.0 * spread * spread * math.log(1.0 - up)))
    below = 0.5 * (move - math.sqrt(move * move - 2.0 * spread * spread * math.log(1.0 - down)))
    low = min(round(opened * math.exp(below), 2), opened, closed)
    # A day of a single price would be taken for one that has not ended.
    high = max(round(opened * math.exp(above), 2), opened, closed, round(low + 0.01, 2))
    return opened, high, low, closed
