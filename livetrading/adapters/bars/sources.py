"""Which source a word names. Each is imported when it is wanted: yfinance and ib_async are slow."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import BadInput
from .base import BarSet, BarSource

if TYPE_CHECKING:
    from ..brokers.ibkr.bars import Feed

CHOICES = "sample, yahoo, ibkr or csv:PATH"


def open_source(spec: str, cache_dir: Path, feed: "Feed | None" = None) -> BarSource:
    """The source that `spec` names: sample, yahoo, ibkr or csv:PATH.

    `cache_dir` is the home's. ibkr asks `feed`, a connection to TWS; without
    one, a connection of the process's own that is made by the home's settings
    at the first question and can read bars alone.
    """
    kind, _, path = spec.partition(":")
    if spec == "sample":
        from .sample import SampleSource
        return SampleSource()
    if spec == "yahoo":
        from .yahoo import YahooSource
        return YahooSource(cache_dir)
    if spec == "ibkr":
        from ..brokers.ibkr.bars import IbkrSource
        from ..brokers.ibkr.bar_line import shared_line
        return IbkrSource(feed or shared_line(cache_dir), open_source("yahoo", cache_dir))
    if kind == "csv" and path.strip():
        from .csv_file import CsvSource
        return CsvSource(Path(path.strip()))
    raise BadInput(f"There is no bar source {spec!r}; choose {CHOICES}.")


def ask_once(spec: str, cache_dir: Path, symbol: str, *, now: datetime, recent: bool = False) -> BarSet:
    """All the history that a source has, and no connection left behind; ``recent``: as much of it as an
    evening's pass asks for will do. Raises as ``daily`` does."""
    if spec != "ibkr":
        return open_source(spec, cache_dir).daily(symbol, now=now)
    from ..brokers.ibkr.bars import ALL_YEARS, YEARS, IbkrSource
    from ..brokers.ibkr.bar_line import line_of
    with line_of(cache_dir) as line:
        return IbkrSource(line, open_source("yahoo", cache_dir), years=YEARS if recent else ALL_YEARS).daily(symbol, now=now)
