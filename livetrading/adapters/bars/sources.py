"""Opens a source by its name. Each is imported only when needed: yfinance and a broker's library load slowly."""

from datetime import datetime
from pathlib import Path

from ...core.errors import BadInput
from ..brokers import registry
from ..brokers.connection import AccountLink
from .base import BarSet, BarSource


def choices() -> str:
    """The possible names of a source, for people."""
    brokers = [bars for bars in (registry.words_of(name).bars for name in registry.names()) if bars]
    return f"{', '.join(['sample', 'yahoo', *brokers])} or csv:PATH"


def open_source(spec: str, cache_dir: Path, link: AccountLink | None = None) -> BarSource:
    """The source that `spec` names: sample, yahoo, csv:PATH or a broker that has bars.

    `cache_dir` is the home's. A broker is asked through `link`, the connection
    that trades its account; without one, through a connection of the process's
    own, which is made by the home's settings at the first question and can only
    read bars.
    """
    kind, _, path = spec.partition(":")
    if spec == "sample":
        from .sample import SampleSource

        return SampleSource()
    if spec == "yahoo":
        from .yahoo import YahooSource

        return YahooSource(cache_dir)
    if kind == "csv" and path.strip():
        from .csv_file import CsvSource

        return CsvSource(Path(path.strip()))
    broker = registry.with_bars(spec)
    if broker is not None and broker.bars is not None:
        return broker.bars(cache_dir, link, open_source("yahoo", cache_dir))
    raise BadInput(f"There is no bar source {spec!r}; choose {choices()}.")


def ask_once(spec: str, cache_dir: Path, symbol: str, *, now: datetime, recent: bool = False) -> BarSet:
    """All bars that a source has; the connection is closed afterwards. With ``recent``, as many as a daily
    pass asks for are enough. Raises as ``daily`` does."""
    broker = registry.with_bars(spec)
    if broker is None or broker.bars_once is None:
        return open_source(spec, cache_dir).daily(symbol, now=now)
    with broker.bars_once(cache_dir, open_source("yahoo", cache_dir), recent) as source:
        return source.daily(symbol, now=now)
