"""The bundled daily bars: history with its provenance, not a quote."""

import tomllib
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, lru_cache
from pathlib import Path

import pandas as pd

from livetrading.core.errors import NotFound

from .base import BarSet, as_of, check_symbol
from .csv_file import read_bars

FOLDER = Path(__file__).resolve().parents[2] / "samples"


@dataclass(frozen=True)
class Provenance:
    """Where a sample comes from: to be shown wherever it is used."""

    symbol: str
    source: str
    licence: str
    start: date
    end: date


class SampleSource:
    name = "sample"

    def daily(self, symbol: str, *, now: datetime) -> BarSet:
        ticker = check_symbol(symbol)
        origin = provenance(ticker)
        note = f"Bundled sample from {origin.source}, ends {origin.end}: history, not a quote"
        return as_of(ticker, _frame(ticker), self.name, note, now)


def symbols() -> tuple[str, ...]:
    """The symbols that are bundled, sorted."""
    return tuple(sorted(_table()))


def provenance(symbol: str) -> Provenance:
    """NotFound, with the list of what is there, for a symbol that is not bundled."""
    if symbol not in _table():
        raise NotFound(
            f"There is no bundled sample of {symbol!r}; the samples are"
            f" {', '.join(symbols())}, others come from yahoo or csv:PATH."
        )
    return Provenance(symbol, **_table()[symbol])


@lru_cache(maxsize=1)
def _table() -> dict[str, dict]:
    return tomllib.loads((FOLDER / "provenance.toml").read_text("utf-8"))


@cache
def _frame(symbol: str) -> pd.DataFrame:
    return read_bars(FOLDER / f"{symbol}.csv")[0]
