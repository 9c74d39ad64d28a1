"""A CSV file whose prices and splits disagree makes a question, in the note and in the training's warnings."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from livetrading.adapters.bars import adjusted, open_source
from livetrading.adapters.bars.known_splits import KNOWN
from livetrading.adapters.bars.sample import SampleSource, symbols
from livetrading.core.bars import PRICES

LATE = datetime(2026, 11, 20, 21, 40, tzinfo=UTC)


def sample(symbol: str) -> pd.DataFrame:
    return SampleSource().daily(symbol, now=LATE).frame


def divided(frame: pd.DataFrame) -> pd.DataFrame:
    """As a vendor adjusts prices for splits, in float32."""
    later = frame["split"].to_numpy()[::-1].cumprod()[::-1] / frame["split"].to_numpy()
    changed = frame.copy()
    changed[list(PRICES)] = (frame[list(PRICES)].to_numpy() / later[:, None]).astype(np.float32).astype(float).round(6)
    return changed.assign(split=1.0)


def read(tmp_path: Path, symbol: str, frame: pd.DataFrame, columns: tuple[str, ...] = ()) -> str:
    """The question that a file of these bars makes; it is in the note, too."""
    path = tmp_path / "bars.csv"
    frame[[*PRICES, "volume", *columns]].to_csv(path, index_label="date")
    bars = open_source(f"csv:{path}", tmp_path).daily(symbol, now=LATE)
    assert bars.question in bars.note
    return bars.question


@pytest.mark.parametrize("symbol", symbols())
def test_the_calendar_knows_the_splits_of_the_bundled_bars(symbol: str) -> None:
    splits = sample(symbol)["split"]
    assert dict(KNOWN[symbol]).items() >= {day.date(): ratio for day, ratio in splits[splits != 1].items()}.items()


@pytest.mark.parametrize("symbol", symbols())
def test_bars_as_traded_with_their_splits_make_no_question(tmp_path: Path, symbol: str) -> None:
    assert read(tmp_path, symbol, sample(symbol), ("dividend", "split")) == ""


@pytest.mark.parametrize(("symbol", "day"), [("AAPL", "2020-08-31 (4 for 1)"), ("NVDA", "2021-07-20 (4 for 1)")])
def test_adjusted_prices_of_a_known_symbol_are_asked_about(tmp_path: Path, symbol: str, day: str) -> None:
    asked = read(tmp_path, symbol, divided(sample(symbol)))
    assert asked.startswith("Are its prices adjusted?") and day in asked and "taken as traded" in asked
    assert read(tmp_path, symbol, divided(sample(symbol)), ("split",)) == asked


def test_prices_as_traded_whose_split_is_not_on_record_are_asked_about(tmp_path: Path) -> None:
    asked = read(tmp_path, "NVDA", sample("NVDA"))
    assert "NVDA split on 2021-07-20 (4 for 1)" in asked and "Add a column split" in asked


def test_adjusted_prices_with_a_column_of_splits_are_asked_about(tmp_path: Path) -> None:
    frame = divided(sample("NVDA")).assign(split=sample("NVDA")["split"])
    assert "Its column split names 2021-07-20 (4 for 1)" in read(tmp_path, "XYZ", frame, ("split",))


def test_adjusted_prices_of_a_symbol_that_no_calendar_knows_show_by_their_cents(tmp_path: Path) -> None:
    asked = read(tmp_path, "XYZ", divided(sample("NVDA")))
    assert "From 2021-07-20 on its closes are whole cents" in asked
    assert read(tmp_path, "XYZ", sample("NVDA").loc["2021-07-20":]) == ""


def test_prices_that_no_market_made_make_no_question() -> None:
    """Simulated prices are never whole cents; nor is a short file asked about."""
    frame = sample("NVDA").assign(split=1.0)
    close = frame["close"].to_numpy() * np.exp(np.random.default_rng(0).normal(0.0, 1e-3, len(frame)))
    assert adjusted.question("XYZ", frame.assign(close=close)) == ""
    assert adjusted.question("XYZ", frame.iloc[:5]) == ""
    assert adjusted.question("XYZ", frame.iloc[:0]) == ""
