"""Ways to spoil a series of bars. Each takes a clean frame that ends with the bar to be decided."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from livetrading.core.bars import COLUMNS, PRICES
from tests.doubles.series import sample

Spoil = Callable[[pd.DataFrame], pd.DataFrame]
ORDINARY, SPLIT_DAY, AFTER_SPLIT, EX_DATE, AFTER_EX, MONDAY = (
    "2019-06-05",
    "2020-08-31",
    "2020-09-01",
    "2019-05-10",
    "2019-05-13",
    "2019-06-03",
)


class Case(NamedTuple):
    """A change of the bars of AAPL, a part of the reason that must follow, and the session."""

    name: str
    spoil: Spoil
    reason: str
    day: str = ORDINARY


def last(**values: float) -> Spoil:
    """The decision bar with other values."""
    return lambda frame: _set(frame, -1, values)


def times(factor: float, *columns: str, volume: float = 1.0) -> Spoil:
    """The decision bar with columns (all prices, if none is named) and volume multiplied."""

    def spoil(frame: pd.DataFrame) -> pd.DataFrame:
        changed = {name: frame[name].iloc[-1] * factor for name in columns or PRICES}
        changed["volume"] = round(frame["volume"].iloc[-1] * volume)
        return _set(frame, -1, changed)

    return spoil


def history(change: Spoil) -> Spoil:
    """Everything before the decision bar changed."""
    return lambda frame: pd.concat([change(frame.iloc[:-1].copy()), frame.iloc[-1:]])


def row(at: int, **values: float) -> Spoil:
    return lambda frame: _set(frame, at, values)


def _set(frame: pd.DataFrame, at: int, values: dict[str, float]) -> pd.DataFrame:
    changed = frame.copy()
    for name, value in values.items():
        changed.iloc[at, changed.columns.get_loc(name)] = value
    return changed


def _again(back: int, *, volume: bool = True) -> Spoil:
    names = COLUMNS[:5] if volume else PRICES
    return lambda frame: _set(frame, -1, {n: frame[n].iloc[-1 - back] for n in names})


def _index(change: Callable[[pd.DatetimeIndex], pd.DatetimeIndex]) -> Spoil:
    def spoil(frame: pd.DataFrame) -> pd.DataFrame:
        changed = frame.copy()
        changed.index = change(changed.index)
        return changed

    return spoil


def _scaled(frame: pd.DataFrame, factor: float) -> pd.DataFrame:
    frame[PRICES] *= factor
    return frame


def _other(symbol: str, rows: slice) -> Spoil:
    def spoil(frame: pd.DataFrame) -> pd.DataFrame:
        changed, theirs = frame.copy(), sample(symbol).reindex(frame.index)
        changed.iloc[rows] = theirs.iloc[rows]
        return changed

    return spoil


def _raised(column: str, factor: float) -> Spoil:
    """A wrong open or close, with high and low around it, so that the form of the bar is right."""

    def spoil(frame: pd.DataFrame) -> pd.DataFrame:
        price = frame[column].iloc[-1] * factor
        end = "high" if factor > 1 else "low"
        return _set(frame, -1, {column: price, end: price})

    return spoil


def _unfinished(frame: pd.DataFrame) -> pd.DataFrame:
    """Twenty minutes into the session."""
    bar = frame.iloc[-1]
    high, low = bar.open * 1.002, bar.open * 0.998
    return _set(frame, -1, {"high": high, "low": low, "close": low, "volume": round(bar.volume * 0.06)})


def _sunday(frame: pd.DataFrame) -> pd.DataFrame:
    extra = frame.iloc[[-2]].set_axis(frame.index[[-1]] - pd.Timedelta(days=1))
    return pd.concat([frame.iloc[:-1], extra, frame.iloc[-1:]])


def _twice_adjusted(frame: pd.DataFrame) -> pd.DataFrame:
    factor = (1 - 0.77 / 200) ** np.arange(len(frame) // 63, -1, -1).repeat(63)[-len(frame) :]
    frame[PRICES] = frame[PRICES].mul(factor, axis=0)
    return frame


def _swapped(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(open=frame["close"], close=frame["open"])


NAN, INF = float("nan"), float("inf")

CASES = [
    # -- nothing, old, or with holes
    Case("no bars", lambda f: f.iloc[:0], "holds no bars"),
    Case("stale by a session", lambda f: f.iloc[:-1], "end at 2019-06-04, 2019-06-05 is expected"),
    Case("stale by a month", lambda f: f.iloc[:-21], "out of date"),
    Case("the bar before is missing", lambda f: f.drop(f.index[-2]), "does not hold the bar of TEST for 2019-06-04"),
    Case("only the new bar", lambda f: f.iloc[-1:], "not known whether its bars continue ours"),
    # -- an old bar under a new date
    Case("yesterday's bar twice", _again(1), "the bar of 2019-06-04 served again"),
    Case("yesterday's prices with a new volume", _again(1, volume=False), "the bar of 2019-06-04 served again"),
    Case("last week's bar", _again(5), "served again"),
    # -- no numbers
    Case("NaN close", last(close=NAN), "close nan is not a finite number"),
    Case("NaN prices with a good volume", last(open=NAN, high=NAN, low=NAN, close=NAN), "open nan is not"),
    Case("NaN open", last(open=NAN), "open nan"),
    Case("NaN volume", last(volume=NAN), "volume nan"),
    Case("NaN dividend", last(dividend=NAN), "dividend nan"),
    Case("NaN split", last(split=NAN), "split of 2019-06-05 is nan"),
    Case("infinite high", last(high=INF), "high inf"),
    Case("infinite volume", last(volume=INF), "volume inf"),
    Case("NaN in the history", history(row(-30, close=NAN)), "disagrees with the bars"),
    # -- no prices
    Case("negative close", last(low=-5.0, close=-5.0), "is not above 0"),
    Case("zero open", last(open=0.0, low=0.0), "is not above 0"),
    Case("zero prices", times(0.0), "is not above 0"),
    Case("negative volume", last(volume=-1.0), "volume -1 is below 0"),
    Case("negative dividend", last(dividend=-0.5), "is below 0"),
    Case("split of nothing", last(split=0.0), "split of 2019-06-05 is 0"),
    Case(
        "high and low exchanged",
        lambda f: f.assign(
            high=f["high"].where(f.index < f.index[-1], f["low"]), low=f["low"].where(f.index < f.index[-1], f["high"])
        ),
        "is above",
    ),
    Case("close above the high", times(1.02, "close"), "is above"),
    Case("open below the low", times(0.97, "open"), "is above"),
    # -- volume
    Case("zero volume", last(volume=0.0), "has no volume"),
    Case("unfinished", _unfinished, "it is not finished"),
    Case("volume in lots", times(1.0, volume=0.01), "it is not finished"),
    Case("volume times a hundred", times(1.0, volume=100.0), "another unit"),
    Case("volume in dollars", times(1.0, volume=180.0), "another unit"),
    Case("one price", lambda f: _set(f, -1, dict.fromkeys(PRICES, float(f["close"].iloc[-1]))), "the single price"),
    # -- another unit, currency or share
    Case("prices in cents", times(100.0), "opens"),
    Case("prices in hundreds", times(0.01), "opens"),
    Case("a digit too many", times(10.0), "opens"),
    Case("prices in yen", times(108.0), "lies|opens"),
    Case("prices in pounds", times(0.78), "opens|lies"),
    Case("another share's bar", _other("NVDA", slice(-1, None)), "lies|opens"),
    Case("an expensive share's bar", _other("GOOG", slice(-1, None)), "it is not finished"),
    Case("another share altogether", _other("NVDA", slice(0, None)), "disagrees with the bars"),
    Case("another share since last week", _other("NVDA", slice(-5, None)), "disagrees with the bars"),
    # -- wrong ticks
    Case("a spike up", times(1.5, "high"), "wrong tick"),
    Case("a small spike up", times(1.12, "high"), "wrong tick"),
    Case("a spike down", times(0.5, "low"), "wrong tick"),
    Case("a small spike down", times(0.88, "low"), "wrong tick"),
    Case("a low of a cent", last(low=0.01), "wrong tick"),
    Case("a wrong close up", _raised("close", 1.3), "without the volume"),
    Case("a wrong close down", _raised("close", 0.7), "without the volume"),
    Case("a wrong open up", _raised("open", 1.45), "lies|opens"),
    Case("a wrong open down", _raised("open", 0.55), "lies|opens"),
    # -- splits
    Case("a split not on record", last(split=1.0), "split of 4 for 1 that is not on record", SPLIT_DAY),
    Case("a split not in the prices", times(4.0), "its open of 510.32 does not show", SPLIT_DAY),
    Case("half of a split", last(split=2.0), "opens -50 %|split of 2 for 1", SPLIT_DAY),
    Case("a split the wrong way round", last(split=0.25), "split of", SPLIT_DAY),
    Case("the split of yesterday again", last(split=4.0), "split of 4 for 1 on record", AFTER_SPLIT),
    Case("a split that never was", last(split=2.0), "split of 2 for 1 on record"),
    Case("an old split taken from the record", history(row(-1, split=1.0)), "disagrees with the bars", AFTER_SPLIT),
    Case("history adjusted for the split", history(lambda f: _scaled(f, 0.25)), "disagrees with the bars", SPLIT_DAY),
    Case("two for one, unadjusted", times(0.5, volume=2.0), "split of 2 for 1"),
    Case("three for two, unadjusted", times(1 / 1.5, volume=1.5), "split of 3 for 2"),
    Case("ten for one, unadjusted", times(0.1, volume=10.0), "split of 10 for 1"),
    Case("twenty for one, unadjusted", times(0.05, volume=20.0), "split of 20 for 1"),
    Case("one for ten, unadjusted", times(10.0, volume=0.11), "split of 1 for 10"),
    # -- dividends and adjustment
    Case("a dividend in cents", last(dividend=77.0), "does not show", EX_DATE),
    Case("a dividend that never was", last(dividend=15.0), "does not show"),
    Case("a dividend above the price", last(dividend=500.0), "does not show"),
    Case("the dividend of yesterday again", last(dividend=0.77), "was paid within", AFTER_EX),
    Case("an old dividend changed", history(row(-1, dividend=0.07)), "disagrees with the bars", AFTER_EX),
    Case("prices adjusted for dividends", history(_twice_adjusted), "disagrees with the bars"),
    Case("adjustment changed since the last fetch", history(lambda f: _scaled(f, 0.9985)), "disagrees with the bars"),
    Case("one old close changed", history(row(-40, close=190.0, high=999.0, low=1.0)), "disagrees with the bars"),
    Case("open and close exchanged", _swapped, "disagrees with the bars"),
    # -- dates and form
    Case("dates in New York time", _index(lambda i: i.tz_localize("America/New_York")), "time zone is wrong"),
    Case("dates at four in the morning", _index(lambda i: i + pd.Timedelta(hours=4)), "time zone is wrong"),
    Case("dates a day late", _index(lambda i: i + pd.Timedelta(days=1)), "disagrees with the bars"),
    Case(
        "dates a session early",
        _index(lambda i: i[:-1].insert(0, i[0] - pd.Timedelta(days=3))),
        "disagrees|out of date",
    ),
    Case("a bar of a Sunday", _sunday, "the exchange was closed", MONDAY),
    Case("a date twice", lambda f: pd.concat([f, f.iloc[-1:]]), "in order, each once"),
    Case("newest first", lambda f: f.iloc[::-1], "in order, each once"),
    Case("a column missing", lambda f: f.drop(columns="volume"), "columns are"),
    Case("columns in another order", lambda f: f[[*COLUMNS[::-1]]], "columns are"),
    Case("numbers as text", lambda f: f.astype({"close": str}), "not all numbers"),
    Case("single precision", lambda f: f.astype(np.float32), "not all numbers"),
]

HARMLESS = [
    Case(
        "today's bar behind the one to decide",
        lambda f: pd.concat([f, (f.iloc[-1:] * 0.5).set_axis(f.index[-1:] + pd.Timedelta(days=1))]),
        "",
    ),
    Case("an old volume revised", history(row(-30, volume=1.0)), ""),
    Case("a short history", lambda f: f.iloc[-15:], ""),
    Case("prices with a vendor's noise", history(lambda f: _scaled(f, 1.0 + 1e-7)), ""),
]
