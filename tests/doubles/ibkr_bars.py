"""A series as Interactive Brokers sends it, and a second source that knows its splits and dividends."""

from datetime import date, datetime

import numpy as np
import pandas as pd

from livetrading.adapters.bars.base import BarSet, as_of
from livetrading.adapters.calendar import calendar
from livetrading.core.errors import Unavailable

LAST = date(2024, 6, 3)


def as_traded(bars: int = 520, split_at: int | None = 300, dividend_at: int | None = 400) -> pd.DataFrame:
    """A series that ends on LAST with a 4:1 split and a dividend, as traded."""
    sessions = calendar().sessions(date(2021, 1, 4), LAST)[-bars:]
    rng = np.random.default_rng(7)
    close = np.round(100 * np.cumprod(1 + rng.normal(0, 0.01, bars)), 2)
    split = np.ones(bars)
    if split_at is not None:
        split[split_at] = 4.0
        close[split_at:] = np.round(close[split_at:] / 4, 2)
    dividend = np.zeros(bars)
    if dividend_at is not None:
        dividend[dividend_at] = 0.25
    frame = pd.DataFrame(
        {
            "open": close,
            "high": close + 0.5,
            "low": close - 0.5,
            "close": close,
            "volume": np.full(bars, 4_000_000.0),
            "dividend": dividend,
            "split": split,
        },
        index=pd.DatetimeIndex(sessions, name="date").as_unit("ns"),
    )
    return frame


def ibs(frame: pd.DataFrame, ahead: float = 1.0) -> list[tuple]:
    """The same series as IB's TRADES bars: adjusted for later splits."""
    split = frame["split"].to_numpy()
    later = split[::-1].cumprod()[::-1] / split * ahead
    return [
        (
            f"{day:%Y%m%d}",
            row.open / f,
            row.high / f,
            row.low / f,
            row.close / f,
            int(row.volume * f),
            row.close / f,
            10,
        )
        for day, row, f in zip(frame.index, frame.itertuples(), later, strict=True)
    ]


class Events:
    """Another source, which knows splits and dividends; it may be down."""

    name = "yahoo"

    def __init__(self, frame: pd.DataFrame, ahead=()) -> None:
        self.frame, self.ahead, self.down = frame, ahead, False

    def daily(self, symbol: str, *, now: datetime) -> BarSet:
        if self.down:
            raise Unavailable("Yahoo does not answer; try again later.")
        bars = as_of(symbol, self.frame, self.name, "Yahoo", now)
        return BarSet(bars.symbol, bars.frame, bars.source, bars.note, self.ahead)
