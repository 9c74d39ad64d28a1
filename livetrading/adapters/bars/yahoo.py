"""Daily bars from Yahoo through yfinance, turned back to as traded, and kept.

Yahoo serves prices, volume and dividends adjusted for all later splits. They
are turned back with its own split table; dividends come from its dividend
table and never from the difference of two price columns.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from livetrading.core.bars import PRICES, check_series, overlap_problem
from livetrading.core.errors import BadBars

from ..calendar import BAR_FINAL_AFTER, calendar
from .base import (
    NEW_YORK,
    SPLIT_CHECKS,
    BarSet,
    Splits,
    as_of,
    check_symbol,
    last_split_check,
    sessions_of,
    split_pairs,
    splits_ahead,
)
from .cache import BarCache, Stored
from .yahoo_client import Answer, fetch

PRICE_DECIMALS = 4
"""Yahoo's values are single precision with six decimals; times the later
splits that leaves noise such as 38.0000012. US prices have at most 4."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class YahooSource:
    """`clock` bounds `now`: today's unfinished bar is left out even if a later
    time is asked for."""

    name = "yahoo"

    def __init__(self, cache_dir: Path, clock: Callable[[], datetime] = _utc_now) -> None:
        self._cache = BarCache(cache_dir / "yahoo")
        self._foreign = cache_dir / "yfinance"
        self._clock = clock

    def daily(self, symbol: str, *, now: datetime) -> BarSet:
        """See ``BarSource``. BadBars also when Yahoo's answer contradicts its
        earlier bars, because a model may have been trained on those."""
        ticker = check_symbol(symbol)
        calendar().last_complete(now)  # refuses a time without zone or of an unknown year
        at = min(now, self._clock())
        needed = calendar().last_complete(at, timedelta(0))
        stored = self._cache.load(ticker)
        if stored is None or not _current(stored, needed, at):
            stored = self._refresh(ticker, stored, at)
        bars = as_of(ticker, stored.frame, self.name, stored.note, at)
        last = bars.frame.index[-1].date()
        ahead = splits_ahead([pair for pair in stored.ahead if pair[0] > last], at)
        return replace(bars, ahead=bars.ahead or ahead)

    def _refresh(self, symbol: str, stored: Stored | None, at: datetime) -> Stored:
        answer = fetch(symbol, self._foreign, calendar().first)
        where = f"Yahoo's {symbol}"
        bars, ahead = _complete(as_traded(answer), at)
        if bars.empty:
            raise BadBars(f"{where} has no complete bar yet; choose a later time.")
        check_series(bars, sessions_of(bars, where), where)
        note = _note(answer)
        if stored is not None:
            bars, word = self._append(symbol, stored, bars)
            check_series(bars, sessions_of(bars, where), where)
            note += word
        final = bars.index <= pd.Timestamp(calendar().last_complete(at, BAR_FINAL_AFTER))
        if final.any():
            self._cache.save(symbol, Stored(bars[final], at, note, ahead))
        return Stored(bars, at, note, ahead)

    def _append(self, symbol: str, stored: Stored, fresh: pd.DataFrame) -> tuple[pd.DataFrame, str]:
        """The stored bars and the new ones, with a note if the last stored bar was revised."""
        firm = _firm(stored)
        problem = overlap_problem(firm, fresh)
        if problem:
            raise BadBars(
                f"Yahoo's bars have changed: they contradict its own {symbol} of"
                f" {stored.fetched_at:%Y-%m-%dT%H:%M:%SZ}: {problem}; compare with another"
                f" source, and remove {self._cache.path(symbol)} to accept the new bars."
            )
        revised = overlap_problem(stored.frame.iloc[len(firm) :], fresh)
        new = fresh if firm.empty else fresh[fresh.index > firm.index[-1]]
        return pd.concat([firm, new]), f"; Yahoo revised its last bar: {revised}" if revised else ""


def _firm(stored: Stored) -> pd.DataFrame:
    """The stored bars, without the last one if it was fetched on its own evening:
    Yahoo may still correct it overnight, and it is fetched again in the morning."""
    last = stored.frame.index[-1].date()
    morning = datetime.combine(calendar().next_session(last), SPLIT_CHECKS[0], NEW_YORK)
    return stored.frame if stored.fetched_at >= morning else stored.frame.iloc[:-1]


def _current(stored: Stored, needed: date, at: datetime) -> bool:
    """True if Yahoo has nothing new: the last complete session is stored, and
    the bars were fetched after the last of today's split checks."""
    if stored.frame.index[-1].date() < needed:
        return False
    checked = last_split_check(at)
    return checked is None or stored.fetched_at >= checked


def as_traded(answer: Answer) -> pd.DataFrame:
    """Canonical columns of Yahoo's rows: prices and dividends times the product
    of the later splits, volume divided by it, rounding noise removed."""
    frame = answer.frame
    split = frame["split"].to_numpy()
    later = split[::-1].cumprod()[::-1] / split
    columns = {name: np.round(frame[name].to_numpy() * later, PRICE_DECIMALS) for name in PRICES}
    columns["volume"] = np.round(frame["volume"].to_numpy() / later)
    dividend = frame["dividend"].to_numpy()
    columns["dividend"] = np.where(later == 1, dividend, np.round(dividend * later, PRICE_DECIMALS))
    return pd.DataFrame(columns | {"split": split}, index=frame.index)


def _complete(frame: pd.DataFrame, at: datetime) -> tuple[pd.DataFrame, Splits]:
    """Rows of sessions closed by `at`, and the splits that the others announce."""
    last = pd.Timestamp(calendar().last_complete(at, timedelta(0)))
    return frame[frame.index <= last], splits_ahead(split_pairs(frame[frame.index > last]), at)


def _note(answer: Answer) -> str:
    note = "Yahoo through yfinance, converted to prices as traded with its split table"
    gains = answer.capital_gains
    return note + (f"; {gains} capital gains distributions are not counted" if gains else "")
