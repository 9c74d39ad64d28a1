"""The only file that calls yfinance: its answer becomes a frame, its failures become our errors."""

import logging
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd

from livetrading.core.errors import BadBars, NotFound, Unavailable

from .. import private
from ..files import make_directory

TIMEOUT = 20
"""Seconds for the answer, which is large."""

ZONE = "America/New_York"
_COLUMNS = {
    "Open": "open",
    "High": "high",
    "Low": "low",
    "Close": "close",
    "Volume": "volume",
    "Dividends": "dividend",
    "Stock Splits": "split",
}
_NO_SUCH = re.compile(r"no data|not found|delisted|doesn't exist", re.IGNORECASE)
_UNREADABLE = (ValueError, KeyError, IndexError, TypeError, AttributeError)
_one_at_a_time = threading.Lock()  # yfinance keeps its settings and session for the whole process


@dataclass(frozen=True, eq=False)
class Answer:
    """Yahoo's rows, split-adjusted, index tz-naive dates; split 1 where there is none.

    Rows that carry only an event have NaN prices.
    """

    frame: pd.DataFrame
    capital_gains: int


def fetch(symbol: str, folder: Path, start: date) -> Answer:
    """All daily rows from `start` on. NotFound, Unavailable, or BadBars if the
    answer is about something else than `symbol` in USD in New York."""
    with _one_at_a_time, _strict(folder) as yfinance:
        from peewee import PeeweeException  # yfinance stores its cookies with peewee

        try:
            ticker = yfinance.Ticker(symbol)
            # Saves a request. If it failed, yfinance would cache the failure and repeat it
            # as long as this process runs.
            ticker._tz = ZONE
            frame = ticker.history(
                start=start.isoformat(), interval="1d", auto_adjust=False, actions=True, keepna=True, timeout=TIMEOUT
            )
            _check_identity(symbol, ticker.get_history_metadata())
            return _answer(symbol, frame)
        except yfinance.exceptions.YFPricesMissingError as error:
            raise _missing(symbol, error.yahoo_reason) from error
        except (OSError, PeeweeException, yfinance.exceptions.YFException) as error:
            raise _unavailable(symbol, error) from error
        except _UNREADABLE as error:  # raised inside yfinance, for JSON that is not a chart
            raise Unavailable(
                f"Yahoo's answer for {symbol} cannot be read"
                f" ({type(error).__name__}: {error}); try again later or use"
                f" csv:PATH."
            ) from error


@contextmanager
def _strict(folder: Path) -> Iterator[ModuleType]:
    """yfinance, with its files in `folder`, raising instead of logging."""
    import yfinance  # 0.5 s, and only this source needs it
    import yfinance.exceptions

    logging.getLogger("yfinance").setLevel(logging.CRITICAL)  # failures are raised as errors
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="yfinance")  # yfinance turns them on
    make_directory(folder)
    yfinance.set_tz_cache_location(str(folder))
    hidden = yfinance.config.debug.hide_exceptions
    yfinance.config.debug.hide_exceptions = False
    try:
        yield yfinance
    finally:
        yfinance.config.debug.hide_exceptions = hidden
        private.close_below(folder)


def _check_identity(symbol: str, meta: dict) -> None:
    found = (meta["symbol"].upper(), meta["currency"], meta["exchangeTimezoneName"])
    if found != (symbol, "USD", ZONE):
        raise BadBars(
            f"Yahoo answered for {found[0]} in {found[1]}, {found[2]}, instead of {symbol}"
            f" in USD, {ZONE}; check the symbol or use csv:PATH."
        )


def _answer(symbol: str, frame: pd.DataFrame) -> Answer:
    if frame.empty:
        raise NotFound(f"Yahoo has no daily bars of {symbol}; check the symbol or use csv:PATH.")
    bars = frame[list(_COLUMNS)].rename(columns=_COLUMNS).astype(np.float64)
    bars["split"] = bars["split"].replace(0.0, 1.0)
    bars.index = frame.index.tz_localize(None).normalize().as_unit("ns").rename("date")
    gains = frame.get("Capital Gains", pd.Series(dtype=float))
    return Answer(bars, int((gains > 0).sum()))


def _missing(symbol: str, reason: str | None) -> NotFound | Unavailable:
    if reason and _NO_SUCH.search(reason):
        return NotFound(
            f"Yahoo does not know the symbol {symbol} ({reason.rstrip('.')}); check the symbol or use csv:PATH."
        )
    return Unavailable(
        f"Yahoo sends no bars of {symbol} now ({(reason or 'no reason').rstrip('.')}); try again later or use csv:PATH."
    )


def _unavailable(symbol: str, error: Exception) -> Unavailable:
    why = " ".join(str(error).split(" See https://")[0].split()).rstrip(".")  # curl adds a manual
    return Unavailable(f"Yahoo does not answer for {symbol} ({why}); try again later or use csv:PATH.")
