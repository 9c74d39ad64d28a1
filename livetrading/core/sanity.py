"""Is a newly fetched bar plausible? Each check returns the reason why not, or None.

A source can serve a bar of the right form with prices that were not traded. Each
check compares the new bar with the bars before it, on their own scale: prices
after the split and dividend on record, ATR14, and the median volume. A bar
that is already in the series is never checked: backtest, replay and live must
see the same bars, and a model has already learned from them.

The bounds were set on 24 years of AAPL and on GOOG, NVDA, INTC, TNA, SPY and IWM,
so that no true day of theirs is refused: AAPL's fall by half of 2000-09-29 (22
times the usual volume) and the flash crash of 2010-05-06 (a wick of 7 ATR) pass.
"""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd

from .atr import atr14
from .bars import COLUMNS, PRICES, check_series
from .errors import BadBars
from .shared import Memory, fingerprint

MEMORY = 20
"""Sessions whose median and ATR define what is usual."""
ANCESTRY = 300
"""Bars from which ATR14 is computed; the influence of its start is gone long before."""

QUIET, LOUD = 0.10, 60.0
"""Volume over the median. Half days go down to 0.16, the highest true day was 22."""
JUMP, JUMP_ATR, JUMP_ALWAYS = 0.15, 4.0, 0.29
"""A move beyond the first two (fraction, ATR), or an overnight gap beyond the third, needs high volume."""
ACTIVE = 2.5
"""Such a move needs this multiple of the usual volume, in shares or USD; true moves had at least 4."""
WICK_QUIET, WICK_QUIET_ATR, WICK, WICK_ATR, BUSY = 0.05, 3.5, 0.10, 8.0, 1.5
"""How far high or low may lie beyond open and close: the first pair below BUSY volume, the second below ACTIVE."""
YIELD = 0.04
"""A dividend above this fraction of the price must show in the open."""
TWICE = 10
"""The same dividend is not paid twice within so many sessions."""
SPLITS = (2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 100.0, 1.5, 1.25, 4 / 3)
SPLIT_MATCH, SMALL_SPLIT_MATCH = 0.10, 0.03
"""How far the first open after a split may lie from the ratio; the latter below 2 for 1."""


_doubted: Memory[str | None] = Memory(32)


class _Day(NamedTuple):
    """A new bar and the bars before it, in shares of the new bar; ``close_before`` is after the
    dividend. ``usual`` is the median volume, ``atr`` the ATR14 of the session before."""

    day: date
    bar: pd.Series
    close_before: float
    atr: float
    usual: float


def malformed(fresh: pd.DataFrame) -> str | None:
    """Whether a source's answer is a canonical frame at all: what cannot be compared is refused."""
    if fresh.empty:
        return "the source holds no bars"
    if list(fresh.columns) != COLUMNS:
        return f"the source's columns are {', '.join(map(str, fresh.columns))} instead of {', '.join(COLUMNS)}"
    index = fresh.index
    if (
        not isinstance(index, pd.DatetimeIndex)
        or index.tz is not None
        or index.hasnans
        or (index != index.normalize()).any()
    ):
        return "the source's dates are not plain days: its time zone is wrong"
    if not index.is_monotonic_increasing or not index.is_unique:
        return "the source's dates are not in order, each once"
    if not all(dtype == np.float64 for dtype in fresh.dtypes):
        return "the source's values are not all numbers"
    split = fresh["split"].to_numpy()
    wrong = ~(np.isfinite(split) & (split > 0))
    if wrong.any():
        row = int(np.argmax(wrong))
        return f"the source's split of {index[row]:%Y-%m-%d} is {split[row]:g}"
    return None


def doubt(ours: pd.DataFrame, fresh: pd.DataFrame, session: date, expected: Sequence[date], symbol: str) -> str | None:
    """Why the bars of ``fresh`` up to ``session`` that ``ours`` does not hold yet are not plausible.

    ``ours`` is the series so far, ``expected`` the exchange's sessions around
    the new bars. None when all is well, and for a session that ``ours`` holds.
    """
    end, last = ours.index[-1], pd.Timestamp(session)
    new = fresh[(fresh.index > end) & (fresh.index <= last)]
    if new.empty:
        return None
    if end not in fresh.index:
        return f"the source does not hold the bar of {symbol} for {end:%Y-%m-%d}, so it is not known whether its bars continue ours"
    days = tuple(s for s in expected if end.date() < s <= session)
    before, after = ours.iloc[-ANCESTRY:], fresh[fresh.index > last].iloc[:1]
    key = (*map(fingerprint, (before, new, after)), days, symbol)
    return _doubted.get(key, lambda: _doubt(before, new, after, days, symbol))


def _doubt(
    before: pd.DataFrame, new: pd.DataFrame, after: pd.DataFrame, days: Sequence[date], symbol: str
) -> str | None:
    """``new`` bars between those ``before`` and the one ``after`` them, if there is one."""
    try:
        check_series(new, days, f"the source's {symbol}")
    except BadBars as error:
        return str(error)
    known = pd.concat([before, new])
    for at in range(len(known) - len(new), len(known)):
        follower = known.iloc[at + 1 : at + 2] if at + 1 < len(known) else after
        reason = _judge(known.iloc[: at + 1], follower)
        if reason:
            return f"the bar of {symbol} for {known.index[at]:%Y-%m-%d} {reason}"
    return None


def _judge(known: pd.DataFrame, follower: pd.DataFrame) -> str | None:
    """The last bar of ``known``; ``follower`` is the bar after it, if there is one already."""
    day = _day(known)
    return (
        _repeated(known)
        or _volume(day, follower)
        or _flat(day)
        or _dividend(known, day)
        or _jump(known, day, follower)
        or _wick(day)
    )


def _day(known: pd.DataFrame) -> _Day:
    bar, before = known.iloc[-1], known.iloc[:-1]
    recent = known.iloc[-MEMORY - 1 :]
    # Volumes of earlier sessions in today's shares.
    later = recent["split"].to_numpy()[::-1].cumprod()[::-1]
    usual = float(np.median(recent["volume"].to_numpy()[:-1] * later[1:]))
    atr = float(atr14(before)[-1]) / bar.split
    ex = float(before["close"].iloc[-1]) / bar.split - bar.dividend
    return _Day(known.index[-1].date(), bar, ex, atr, usual)


def _repeated(known: pd.DataFrame) -> str | None:
    values = known[COLUMNS[:5]].to_numpy()[-MEMORY - 1 :]
    same = (values[:-1] == values[-1]).all(axis=1)
    same[-1] = (values[-2, :4] == values[-1, :4]).all()  # yesterday's prices, whatever the volume
    if not same.any():
        return None
    row = int(np.argmax(same)) - len(values)
    return f"is the bar of {known.index[row]:%Y-%m-%d} served again"


def _volume(day: _Day, follower: pd.DataFrame) -> str | None:
    volume = day.bar.volume
    if volume == 0:
        return "has no volume: nothing was traded, or the source has not finished it"
    if volume < QUIET * day.usual and not (len(follower) and _goes_on(day.bar, follower.iloc[0], day.atr)):
        return f"has a volume of {volume:.0f}, the median is {day.usual:.0f}: it is not finished"
    if volume > LOUD * day.usual:
        return f"has a volume of {volume:.0f}, the median is {day.usual:.0f}: it is counted in another unit"
    return None


def _flat(day: _Day) -> str | None:
    if day.bar.high == day.bar.low:
        return f"has the single price {day.bar.high:g} all day: it does not cover a whole session"
    return None


def _dividend(known: pd.DataFrame, day: _Day) -> str | None:
    paid, bar = day.bar.dividend, day.bar
    if paid == 0:
        return None
    earlier = known["dividend"].to_numpy()[-TWICE - 1 : -1]
    if (earlier == paid).any():
        return f"carries the dividend {paid:g} that was paid within {TWICE} sessions before"
    whole = day.close_before + paid
    if paid > YIELD * whole and bar.open > whole - paid / 2:
        return f"carries a dividend of {paid:g}, {100 * paid / whole:.0f} % of the price, that the open of {bar.open:g} does not show"
    return None


def _jump(known: pd.DataFrame, day: _Day, follower: pd.DataFrame) -> str | None:
    """A price level that trading does not explain: an unrecorded split, another stock, another unit, a wrong tick."""
    bar, before = day.bar, day.close_before
    gap, move = bar.open / before - 1, bar.close / before - 1
    far = max((bar.open, bar.close), key=lambda price: abs(np.log(price / before)))
    # By the ratio, so that a rise and the fall that undoes it have the same size.
    size = np.exp(abs(np.log(far / before))) - 1
    wide = size > JUMP and abs(far - before) > JUMP_ATR * day.atr
    if not wide and abs(np.log(bar.open / before)) < -np.log(1 - JUMP_ALWAYS):
        return None
    if min(bar.volume, bar.volume * bar.close / before) >= ACTIVE * day.usual:
        return None
    raw = bar.open / float(known["close"].iloc[-2])
    if bar.split != 1.0 and abs(np.log(raw)) < abs(np.log(bar.open / before)):
        return f"has a split of {bar.split:g} for 1 on record that its open of {bar.open:g} does not show"
    ratio = split_like(gap)
    if ratio:
        return f"opens {100 * gap:+.0f} %, as after a split of {ratio} that is not on record"
    if not follower.empty and _goes_on(bar, follower.iloc[0], day.atr):
        return None
    worst = move if far == bar.close else gap
    return f"lies {100 * worst:+.0f} % from the close before, without the volume of such a move"


def split_like(gap: float) -> str:
    """The ratio in words if an overnight change is one; empty if not."""
    size = abs(np.log(1 + gap))
    ratio = min(SPLITS, key=lambda r: abs(np.log(r) - size))
    if abs(np.log(ratio) - size) > (SPLIT_MATCH if ratio >= 2 else SMALL_SPLIT_MATCH):
        return ""
    return _ratio(ratio, back=gap > 0)


def _ratio(ratio: float, back: bool) -> str:
    under = next(n for n in (1, 2, 3, 4) if abs(ratio * n - round(ratio * n)) < 1e-9)
    new, old = round(ratio * under), under
    return f"{old} for {new}" if back else f"{new} for {old}"


def _goes_on(bar: pd.Series, after: pd.Series, atr: float) -> bool:
    """Whether the next session opened near this close: then the price level was real."""
    closed = bar.close / after.split - after.dividend
    reach = max(bar.high - bar.low, atr) / after.split
    return bool(abs(after.open - closed) <= reach)


def _wick(day: _Day) -> str | None:
    bar = day.bar
    body = bar[PRICES[:1] + PRICES[3:]]
    up, down = bar.high - body.max(), body.min() - bar.low
    for name, length, price in (("high", up, bar.high), ("low", down, bar.low)):
        part, atrs = length / bar.close, length / day.atr if day.atr > 0 else np.inf
        quiet = bar.volume < BUSY * day.usual and part > WICK_QUIET and atrs > WICK_QUIET_ATR
        if quiet or (bar.volume < ACTIVE * day.usual and part > WICK and atrs > WICK_ATR):
            return f"has a {name} of {price:g}, {100 * part:.0f} % beyond its open and close: a wrong tick"
    return None
