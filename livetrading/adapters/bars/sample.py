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
HINDSIGHT = (
    "The bundled symbols were chosen with hindsight: they are companies that grew, so a profit on them"
    " says less than one on a symbol that was chosen before."
)


@dataclass(frozen=True)
class Provenance:
    """Where a sample comes from, and what is known to be wrong in it: to be shown wherever it is used."""

    symbol: str
    source: str
    licence: str
    start: date
    end: date
    errors: str = ""

    @property
    def note(self) -> str:
        known = f" {self.errors}" if self.errors else ""
        return f"Bundled sample from {self.source}, ends {self.end}: history, not a quote.{known} {HINDSIGHT}"


class SampleSource:
    name = "sample"

    def daily(self, symbol: str, *, now: datetime) -> BarSet:
        ticker = check_symbol(symbol)
        note = provenance(ticker).note  # raises for a symbol that is not bundled
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


def remark(source: str, symbol: str, stored: str) -> str:
    """The note of bars as it is shown: ``stored``, and what is known of a bundled sample that it does not say yet.

    Models of an earlier version stored less of it.
    """
    if source != SampleSource.name or symbol not in symbols():
        return stored
    lacks = [text for text in (_table()[symbol].get("errors", ""), HINDSIGHT) if text not in stored]
    return " ".join([f"{stored.rstrip('. ')}." if lacks else stored, *lacks])


@lru_cache(maxsize=1)
def _table() -> dict[str, dict]:
    return tomllib.loads((FOLDER / "provenance.toml").read_text("utf-8"))


@cache
def _frame(symbol: str) -> pd.DataFrame:
    return read_bars(FOLDER / f"{symbol}.csv")[0]
