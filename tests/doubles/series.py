"""Series of bars for tests: the bundled samples, and generated ones with splits and dividends."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from livetrading.adapters.calendar import calendar
from livetrading.core.bars import COLUMNS, canonical, check_series
from livetrading.core.features import FEATURE_SET, SETS, compute, select

SAMPLES = Path(__file__).parents[2] / "livetrading" / "samples"


@lru_cache
def sample(symbol: str) -> pd.DataFrame:
    """The bundled bars of a symbol. Shared: copy before changing."""
    return canonical(pd.read_csv(SAMPLES / f"{symbol}.csv"), symbol)


@lru_cache
def sessions(count: int, start: date = date(2010, 1, 4)) -> tuple[date, ...]:
    """The first ``count`` sessions of the exchange from ``start`` on."""
    return tuple(calendar().sessions(start, date(start.year + count // 250 + 1, 12, 31))[:count])


def generated(
    seed: int,
    count: int = 700,
    *,
    price: float = 60.0,
    daily: float = 0.02,
    splits: Mapping[int, float] | None = None,
    dividends: Mapping[int, float] | None = None,
) -> pd.DataFrame:
    """A random walk on real sessions from 2010 on, as traded, in whole cents.

    ``splits`` and ``dividends`` are by row; a split moves the quoted price, a
    dividend does not (its fall is small against the noise).
    """
    return walk(seed, sessions(count), price=price, daily=daily, splits=splits, dividends=dividends)


def walk(
    seed: int,
    days: Sequence[date],
    *,
    price: float = 60.0,
    daily: float = 0.02,
    splits: Mapping[int, float] | None = None,
    dividends: Mapping[int, float] | None = None,
) -> pd.DataFrame:
    """As ``generated``, on these sessions."""
    splits, dividends = splits or {}, dividends or {}
    rng = np.random.default_rng(seed)
    rows, last, shares = [], price, 1.0
    for t in range(len(days)):
        last /= splits.get(t, 1.0)
        shares *= splits.get(t, 1.0)  # keeps the volume in new shares plausible
        gap, body, up, down = rng.normal(0.0, daily / 2), rng.normal(0.0003, daily), *rng.exponential(daily / 2, 2)
        opened = max(round(last * (1.0 + gap), 2), 1.0)
        closed = max(round(opened * (1.0 + body), 2), 1.0)
        high = round(max(opened, closed) * (1.0 + up), 2)
        low = max(round(min(opened, closed) * (1.0 - down), 2), 0.5)
        volume = float(round(int(rng.integers(1_000_000, 5_000_000)) * shares))
        rows.append([opened, high, low, closed, volume, dividends.get(t, 0.0), splits.get(t, 1.0)])
        last = closed
    index = pd.DatetimeIndex(pd.to_datetime(list(days))).as_unit("ns").rename("date")
    frame = pd.DataFrame(rows, columns=COLUMNS, index=index, dtype=np.float64)
    check_series(frame, days, f"generated {seed}")
    return frame


def eventful(seed: int, count: int = 800) -> pd.DataFrame:
    """Splits both ways and dividends, also on the same and on neighbouring sessions, after row 500."""
    rng = np.random.default_rng(seed)
    free = [int(t) for t in rng.choice(np.arange(505, count - 5), 24, replace=False)]
    ratios = (2.0, 3.0, 1.5, 0.5, 1.0 / 3.0, 0.1, 7.0, 1.1)
    splits = dict(zip(free[:8], ratios, strict=True))
    dividends = {t: round(float(rng.uniform(0.05, 0.6)), 4) for t in (*free[8:], free[0], free[1] + 1)}
    return generated(seed, count, splits=splits, dividends=dividends)


def usual_features(frame: pd.DataFrame) -> np.ndarray:
    """(T, features of the usual set): what a scaler of a usual model is fitted on."""
    return select(compute(frame), SETS[FEATURE_SET])
