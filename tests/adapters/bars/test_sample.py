from datetime import UTC, datetime

import pandas as pd
import pytest

from livetrading.adapters.bars import BarSet, open_source
from livetrading.adapters.bars.sample import FOLDER, HINDSIGHT, SampleSource, provenance, remark, symbols
from livetrading.core.bars import COLUMNS, PRICES
from livetrading.core.errors import BadBars, BadInput, NotFound

LATE = datetime(2026, 11, 20, 21, 40, tzinfo=UTC)


@pytest.mark.parametrize("symbol", symbols())
def test_every_sample_passes_the_gate_and_says_where_it_comes_from_and_ends(symbol):
    bars = SampleSource().daily(symbol, now=LATE)
    origin = provenance(symbol)
    assert list(bars.frame.columns) == COLUMNS and bars.frame.index.dtype == "datetime64[ns]"
    assert (bars.frame.index[0].date(), bars.frame.index[-1].date()) == (origin.start, origin.end)
    assert origin.source in bars.note and str(origin.end) in bars.note and "not a quote" in bars.note
    told = (FOLDER / "PROVENANCE.md").read_text("utf-8")
    row = next(line for line in told.splitlines() if line.startswith(f"| {symbol}.csv"))
    assert f"{origin.start}, {origin.end} | {len(bars.frame)} |" in row
    for day in bars.frame.index[bars.frame["split"] != 1]:
        assert f"{day:%Y-%m-%d}" in row


@pytest.mark.parametrize("symbol", symbols())
def test_bars_that_repeat_the_one_before_are_named_wherever_the_sample_is_used(symbol):
    bars = SampleSource().daily(symbol, now=LATE)
    prices = bars.frame[list(PRICES)]
    repeated = [f"{day:%Y-%m-%d}" for day in prices.index[(prices == prices.shift()).all(axis=1)]]
    told = (FOLDER / "PROVENANCE.md").read_text("utf-8")
    assert repeated == (["2003-01-29"] if symbol == "AAPL" else [])
    assert all(day in bars.note and day in told for day in repeated)


@pytest.mark.parametrize("symbol", symbols())
def test_every_sample_says_that_its_symbol_was_chosen_with_hindsight(symbol):
    assert HINDSIGHT in SampleSource().daily(symbol, now=LATE).note
    assert "chosen with hindsight" in (FOLDER / "PROVENANCE.md").read_text("utf-8")


def test_a_note_that_was_stored_before_is_shown_with_what_it_lacks():
    old = "Bundled sample from a package, ends 2024-12-30: history, not a quote"
    shown = remark("sample", "AAPL", old)
    assert shown.startswith(f"{old}. ") and "2003-01-29" in shown and shown.endswith(HINDSIGHT)
    assert remark("yahoo", "AAPL", "Yahoo") == "Yahoo"
    assert remark("sample", "AAPL", shown) == shown
    assert remark("sample", "TSLA", "gone") == "gone"


def test_samples_are_the_files_in_the_folder():
    assert symbols() == tuple(sorted(path.stem for path in FOLDER.glob("*.csv"))) == ("AAPL", "GOOG", "NVDA")


def test_a_split_is_a_split_and_a_crash_is_a_crash():
    frame = SampleSource().daily("AAPL", now=LATE).frame
    change = frame["close"] / frame["close"].shift() - 1
    assert change["2005-02-28"] < -0.48 and frame.loc["2005-02-28", "split"] == 2
    assert change["2000-09-29"] < -0.48 and frame.loc["2000-09-29", "split"] == 1


def test_no_bar_is_shown_that_was_not_complete_then():
    for now, last in (("2024-06-03T19:59:59Z", "2024-05-31"), ("2024-06-03T20:00:00Z", "2024-06-03")):
        bars = SampleSource().daily("aapl", now=datetime.fromisoformat(now))
        assert bars.frame.index[-1] == pd.Timestamp(last)


def test_unknown_symbol_lists_what_is_there():
    with pytest.raises(NotFound, match="no bundled sample of 'TSLA'; the samples are AAPL, GOOG, NVDA"):
        SampleSource().daily("TSLA", now=LATE)


def test_what_is_no_symbol_is_bad_input():
    with pytest.raises(BadInput, match="not a ticker symbol; use one such as AAPL"):
        SampleSource().daily("../AAPL", now=LATE)


def test_time_before_the_series_is_refused():
    with pytest.raises(BadBars, match="they start on 2013-01-02; choose a later time"):
        SampleSource().daily("NVDA", now=datetime(2012, 1, 3, tzinfo=UTC))


def test_source_is_found_by_its_name_and_unknown_ones_list_the_choices(tmp_path):
    bars = open_source("sample", tmp_path).daily("NVDA", now=LATE)
    assert isinstance(bars, BarSet) and bars.source == "sample"
    assert open_source("yahoo", tmp_path).name == "yahoo"
    for spec in ("", "Sample", "csv", "csv:", "csv: ", "http://x", "sample:AAPL"):
        with pytest.raises(BadInput, match="choose sample, yahoo, ibkr or csv:PATH"):
            open_source(spec, tmp_path)
