"""Bars from Interactive Brokers, with Yahoo's table of splits and dividends.

IB's TRADES bars are adjusted for splits, and IB has no table of splits; dividends
from the difference of TRADES and ADJUSTED_LAST would have rounding noise. So prices
and volume come from IB, events from Yahoo, and the prices are converted back to as
traded with that table. If IB gives no bars (no permission, no subscription, no answer)
Yahoo's are used and the bar set says so; ``agreement`` decides whether an agent may
decide on them.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

import numpy as np
import pandas as pd

from livetrading.core.bars import COLUMNS, check_series
from livetrading.core.errors import BadBars, BadInput, LivetradingError, Unavailable

from ...bars.base import BarSet, BarSource, Splits, check_symbol, sessions_of
from ...bars.comparison import disagreement
from ...calendar import calendar
from .history import SILENT, UNREADABLE, NoBars, RawBar
from .orders import Instrument

FALLBACK_CODES = frozenset({SILENT, UNREADABLE, 162, 354, 366, 10089, 10090, 10187})
"""No permission, no subscription, no such query, no answer or an unreadable one: the
fallback may be used."""

SIZES = {"1 hour": timedelta(hours=1), "15 mins": timedelta(minutes=15), "5 mins": timedelta(minutes=5)}
PRICE_DECIMALS = 4
YEARS, ALL_YEARS = 3, 20
"""For a daily check (enough for 500 bars of overlap), and for training and backtests. It is an assumption
that TWS sends 20 years of daily bars, or all that exist, in one answer."""


class Feed(Protocol):
    """The part of a connection to TWS that is used here."""

    def instrument(self, symbol: str, con_id: int = 0, primary: str = "") -> Instrument: ...

    def bars(self, instrument: Instrument, size: str, duration: str, what: str = "TRADES") -> list[RawBar]: ...


class IbkrSource:
    """Daily bars as traded. ``events`` is the source of splits and dividends, and the fallback."""

    name = "ibkr"

    def __init__(
        self,
        feed: Feed,
        events: BarSource,
        *,
        years: int = YEARS,
        con_id: int = 0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._feed, self._events, self._years, self._con_id, self._clock = feed, events, years, con_id, clock

    def daily(self, symbol: str, *, now: datetime) -> BarSet:
        """See ``BarSource``. Unavailable also when IB has the prices, but no source has the events."""
        ticker = check_symbol(symbol)
        at = min(now, self._clock())
        try:
            raw = self._feed.bars(self._feed.instrument(ticker, self._con_id), "1 day", f"{self._years} Y")
        except NoBars as error:
            if error.code not in FALLBACK_CODES:
                raise
            return self._fallback(ticker, now, error)
        known = self._known(ticker, now)
        frame = self._complete(ticker, raw, known, at)
        check_series(frame, sessions_of(frame, f"IB's {ticker}"), f"IB's {ticker}")
        problem = disagreement(frame, known.frame)
        word = f"; differs from {known.source}: {problem}" if problem else ""
        note = f"prices and volume from Interactive Brokers, splits and dividends from {known.source}{word}"
        return BarSet(ticker, frame, self.name, note, known.ahead)

    def _known(self, ticker: str, now: datetime) -> BarSet:
        try:
            return self._events.daily(ticker, now=now)
        except LivetradingError as error:
            raise Unavailable(
                f"Interactive Brokers gives the prices of {ticker} but no table of splits and"
                f" dividends, and {self._events.name} does not either now: {error}"
            ) from error

    def _fallback(self, ticker: str, now: datetime, why: NoBars) -> BarSet:
        bars = self._events.daily(ticker, now=now)
        return replace(bars, note=f"{bars.note}; used because {str(why).rstrip('.')}")

    def _complete(self, ticker: str, raw: list[RawBar], known: BarSet, at: datetime) -> pd.DataFrame:
        """Canonical rows of sessions closed by ``at``: today's bar is unfinished until its session has closed."""
        adjusted = _frame(raw)
        last = calendar().last_complete(at, timedelta(0))
        adjusted = adjusted[adjusted.index <= pd.Timestamp(last)]
        if adjusted.empty:
            raise BadBars(f"Interactive Brokers has no complete bar of {ticker}; choose a later time.")
        if adjusted.index[0] < known.frame.index[0]:
            # No source has the events before.
            adjusted = adjusted[adjusted.index >= known.frame.index[0]]
        missing = adjusted.index.difference(known.frame.index)
        if len(missing) and missing[0] < known.frame.index[-1]:
            raise BadBars(
                f"Interactive Brokers has a bar of {ticker} for {missing[0]:%Y-%m-%d} and {known.source} none;"
                f" use another source."
            )
        if len(missing):
            raise Unavailable(
                f"{known.source} has no list of splits and dividends of {ticker} for"
                f" {missing[0]:%Y-%m-%d} yet, and"
                f" Interactive Brokers never sends one; try again later."
            )
        return _as_traded(ticker, adjusted, known)


def _frame(raw: list[RawBar]) -> pd.DataFrame:
    index = pd.DatetimeIndex([pd.Timestamp(_day(bar.at)) for bar in raw], name="date").as_unit("ns")
    columns = ("open", "high", "low", "close", "volume")
    return pd.DataFrame([bar[1:] for bar in raw], columns=list(columns), index=index, dtype=np.float64)


def _day(at: date | datetime) -> date:
    return at.date() if isinstance(at, datetime) else at


def _as_traded(ticker: str, adjusted: pd.DataFrame, known: BarSet) -> pd.DataFrame:
    """Prices times the later splits. The prices themselves show whether IB has applied a split of today already."""
    events = known.frame.loc[adjusted.index, ["dividend", "split"]]
    split = events["split"].to_numpy()
    later = split[::-1].cumprod()[::-1] / split
    for factor in _factors(known.ahead):
        frame = _unadjusted(adjusted, events, later * factor)
        off = _off_scale(frame, known.frame)
        if not len(off):
            return frame
    raise BadBars(
        f"IB's close of {ticker} on {off[-1]:%Y-%m-%d} is {adjusted['close'].loc[off[-1]]:.10g} split-adjusted"
        f" and {known.source}'s {known.frame['close'].loc[off[-1]]:.10g} as traded, which its splits do not"
        f" explain: a split is missing in one of them; compare with the exchange's notice."
    )


def _factors(ahead: Splits) -> list[float]:
    ratio = float(np.prod([r for _, r in ahead])) if ahead else 1.0
    return [1.0] if ratio == 1.0 else [1.0, ratio]


def _unadjusted(adjusted: pd.DataFrame, events: pd.DataFrame, later: np.ndarray) -> pd.DataFrame:
    prices = {c: np.round(adjusted[c].to_numpy() * later, PRICE_DECIMALS) for c in ("open", "high", "low", "close")}
    volume = np.round(adjusted["volume"].to_numpy() / later)
    return pd.DataFrame({**prices, "volume": volume, **events}, index=adjusted.index)[list(COLUMNS)]


def _off_scale(frame: pd.DataFrame, known: pd.DataFrame) -> pd.DatetimeIndex:
    """Days on which the closes differ by 2 % or more: a split that only one side has is a step in their ratio."""
    ratio = frame["close"].to_numpy() / known.loc[frame.index, "close"].to_numpy()
    return frame.index[~(np.abs(ratio - 1.0) < 0.02)]


def intraday(feed: Feed, symbol: str, size: str, *, days: int, now: datetime, con_id: int = 0) -> pd.DataFrame:
    """Regular-hours bars of 5 or 15 minutes or an hour: index their start in UTC, columns
    open, high, low, close, volume, split-adjusted as IB sends them; the unfinished one is left out.
    """
    if size not in SIZES:
        raise BadInput(f"There are no bars of {size!r}; choose {', '.join(SIZES)}.")
    raw = feed.bars(feed.instrument(check_symbol(symbol), con_id), size, f"{days} D")
    index = pd.DatetimeIndex([pd.Timestamp(bar.at) for bar in raw], name="start").as_unit("ns")
    frame = pd.DataFrame(
        [bar[1:] for bar in raw], columns=["open", "high", "low", "close", "volume"], index=index, dtype=np.float64
    )
    ended = [
        min(start + SIZES[size], calendar().close_at(start.astimezone("America/New_York").date())) <= now
        for start in index
    ]
    return frame[np.array(ended, dtype=bool)] if len(frame) else frame
