"""Bars of many lives at once, in markets of which it is known what there is to be earned.

``noise``: returns without memory, a martingale with or without a yearly drift. ``signal``: the same without drift,
but the bars say what the next return is expected to be, so strongly as is asked for. ``resampled``: real bars by the
stationary bootstrap (Politis and Romano 1994). Every array is ``(n, T)`` float64, one row a life.
"""

import math
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np
import pandas as pd

from livetrading.adapters.calendar import calendar
from livetrading.core.bars import COLUMNS
from livetrading.core.features import adjusted
from livetrading.core.metrics import SESSIONS_A_YEAR
from tests.doubles.series import sample

from ..planted import OVERNIGHT, TAIL

FIRST, LAST = date(2000, 1, 3), date(2025, 12, 31)
SYMBOLS = ("AAPL", "GOOG", "NVDA")
PRICE, LOWEST = 100.0, 2.0
"""USD: where the test part begins, and what no price falls below."""
KEEP, KEEP_VOLUME = 0.85, 0.7
"""Of the planted expectation, what is left of it after a session; and of an unusual volume."""
LOUD = 0.5
"""Deviation of the log of the volume that is planted with."""
BLOCK = 20
"""Sessions, the mean length of a block of real bars."""
PIECES = 24
"""Into so many pieces a real history is cut; of a life, half of them feed its training part and half its test."""


@dataclass(frozen=True, eq=False)
class Bars:
    """Prices in USD, whole cents; volume in shares."""

    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray

    def frame(self, life: int) -> pd.DataFrame:
        """The canonical bars of one life, on real sessions from 2000 on."""
        columns = [part[life] for part in (self.open, self.high, self.low, self.close, self.volume)]
        count = len(columns[0])
        rows = np.column_stack([*columns, np.zeros(count), np.ones(count)])
        days = sessions(count)
        index = pd.DatetimeIndex(pd.to_datetime(list(days))).as_unit("ns").rename("date")
        return pd.DataFrame(rows, columns=COLUMNS, index=index, dtype=np.float64)


def sessions(count: int) -> tuple[date, ...]:
    """The first so many sessions of the exchange from 2000 on."""
    known = _known()
    return known[:count] if count <= len(known) else (*known, *_after(known[-1], count - len(known)))


@lru_cache
def _known() -> tuple[date, ...]:
    return tuple(calendar().sessions(FIRST, LAST))


def _after(last: date, count: int) -> list[date]:
    """Weekdays after the calendar's end, for series longer than it."""
    return [day.date() for day in pd.bdate_range(last, periods=count + 1)[1:]]


def noise(rng: np.random.Generator, n: int, count: int, test: int, drift: float = 0.0) -> Bars:
    """Returns whose expectation is ``drift`` a year (0.08: 8 %) whatever came before; ``test`` sessions are tested."""
    sigma = rng.uniform(0.008, 0.016, (n, 1))
    mean = np.broadcast_to(drift / SESSIONS_A_YEAR - sigma**2 / 2.0, (n, count))
    shocks = _shocks(rng, n, count)
    return _drawn(rng, np.array(mean), sigma, shocks, test, _volume(rng, shocks))


def signal(rng: np.random.Generator, n: int, count: int, test: int, gain: float, kind: str = "volume") -> Bars:
    """No drift, but an expected return in deviations: ``gain`` times how unusual the volume was (``volume``), or
    ``gain`` times all surprises before, each 0.85 of itself a session later (``momentum``). Whoever follows momentum has
    returns that are like those of the days before, and a Sharpe ratio that is less certain for it."""
    sigma, shocks = np.full((n, 1), 0.011), _shocks(rng, n, count)
    busy = _remembered(rng.normal(size=(n, count)) * math.sqrt(1.0 - KEEP_VOLUME**2), KEEP_VOLUME)
    if kind == "volume":
        ahead, spread, volume = gain * busy, gain**2, np.round(2_000_000.0 * np.exp(LOUD * busy))
    else:
        ahead = gain * _remembered(shocks, KEEP)
        spread, volume = gain**2 / (1.0 - KEEP**2), _volume(rng, shocks)
    mean = np.concatenate([np.zeros((n, 1)), sigma * ahead[:, :-1]], axis=1)
    # Without drift: the deviation of the expectation is a part of the return's.
    return _drawn(rng, mean - sigma**2 * (1.0 + spread) / 2.0, sigma, shocks, test, volume)


def _remembered(news: np.ndarray, keep: float) -> np.ndarray:
    """Each value is ``keep`` of the one before and its own news."""
    found, now = np.empty(news.shape), np.zeros(len(news))
    for t in range(news.shape[1]):
        now = keep * now + news[:, t]
        found[:, t] = now
    return found


def _shocks(rng: np.random.Generator, n: int, count: int) -> np.ndarray:
    return np.clip(rng.standard_t(TAIL, (n, count)) * math.sqrt((TAIL - 2.0) / TAIL), -5.0, 5.0)


def _drawn(
    rng: np.random.Generator, mean: np.ndarray, sigma: np.ndarray, shocks: np.ndarray, test: int, volume: np.ndarray
) -> Bars:
    """Bars of log returns ``mean + sigma * shocks``; a fifth of each lies overnight, the extremes are a bridge's."""
    night = OVERNIGHT * shocks + math.sqrt(OVERNIGHT * (1.0 - OVERNIGHT)) * rng.normal(size=shocks.shape)
    closed = mean + sigma * shocks
    opened = OVERNIGHT * mean + sigma * night
    move, spread = closed - opened, 2.0 * sigma**2 * (1.0 - OVERNIGHT)
    up, down = (np.log1p(-rng.random(shocks.shape)) for _ in range(2))
    above = opened + 0.5 * (move + np.sqrt(move**2 - spread * up))
    below = opened + 0.5 * (move - np.sqrt(move**2 - spread * down))
    return _priced(opened, above, below, closed, volume, test)


def _volume(rng: np.random.Generator, shocks: np.ndarray) -> np.ndarray:
    """In shares; busier after great moves."""
    return np.round(2_000_000.0 * np.exp(_remembered(0.15 * rng.normal(size=shocks.shape) + 0.1 * np.abs(shocks), 0.8)))


def _priced(
    opened: np.ndarray, above: np.ndarray, below: np.ndarray, closed: np.ndarray, volume: np.ndarray, test: int
) -> Bars:
    """From logs over the close before to prices in cents; a price level of 100 USD where the test begins."""
    path = np.cumsum(closed, axis=1)
    path = path - path[:, -test, None]
    before = np.concatenate([path[:, :1] - closed[:, :1], path[:, :-1]], axis=1)
    close, open_, high, low = (
        np.maximum(np.round(PRICE * np.exp(logs), 2), LOWEST)
        for logs in (path, before + opened, before + above, before + below)
    )
    low = np.minimum(low, np.minimum(open_, close))
    # A day of a single price would be taken for one that has not ended.
    high = np.maximum(np.maximum(high, np.maximum(open_, close)), np.round(low + 0.01, 2))
    return Bars(open_, high, low, close, volume)


def resampled(rng: np.random.Generator, n: int, count: int, test: int, shared: bool = False) -> Bars:
    """Blocks of the bundled symbols, a symbol a life by turns, splits and dividends taken out.

    Training and test draw from different pieces of the history: what a policy has learned of one must not be seen
    again in the other. With ``shared`` they draw from all of it.
    """
    lives = [_resampled(rng, SYMBOLS[life % len(SYMBOLS)], count, test, shared) for life in range(n)]
    return _priced(*(np.stack(part) for part in zip(*lives, strict=True)), test)


def _resampled(rng: np.random.Generator, symbol: str, count: int, test: int, shared: bool) -> list[np.ndarray]:
    source = _relative(symbol)
    pieces = rng.permutation(PIECES)
    halves = (pieces, pieces) if shared else (pieces[: PIECES // 2], pieces[PIECES // 2 :])
    rows = [_blocks(rng, half, length, len(source)) for half, length in zip(halves, (count - test, test), strict=True)]
    return list(source[np.concatenate(rows)].T)


def _blocks(rng: np.random.Generator, pieces: np.ndarray, count: int, length: int) -> np.ndarray:
    """``(count,)`` indexes: blocks of geometric length that do not cross the end of a piece."""
    edges = np.linspace(0, length, PIECES + 1).astype(int)
    found: list[np.ndarray] = []
    have = 0
    while have < count:
        piece = int(rng.choice(pieces))
        start = int(rng.integers(edges[piece], edges[piece + 1]))
        block = np.arange(start, min(start + int(rng.geometric(1.0 / BLOCK)), edges[piece + 1]))
        found.append(block)
        have += len(block)
    return np.concatenate(found)[:count]


def _relative(symbol: str) -> np.ndarray:
    """``(T, 5)``: logs of open, high, low and close over the close before, and volume on a scale of 2 million."""
    table = adjusted(sample(symbol))
    before = table["close"].shift(1)
    logs = [np.log(table[name] / before) for name in ("open", "high", "low", "close")]
    volume = (2_000_000.0 * table["volume"] / table["volume"].rolling(250, min_periods=1).mean()).round()
    return np.column_stack([*logs, volume])[1:]
