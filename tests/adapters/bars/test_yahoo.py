"""The real yfinance against Yahoo's chart endpoint on a loopback socket."""

import os
import re
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from livetrading.adapters.bars import open_source
from livetrading.adapters.bars.sample import SampleSource
from livetrading.adapters.bars.yahoo import YahooSource
from livetrading.core.bars import bars_sha256, overlap_problem
from livetrading.core.errors import BadBars, BadInput, NotFound, Unavailable
from tests.doubles.yahoo import YahooDouble, yahoo_at

LATER = datetime(2024, 12, 31, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def apple() -> pd.DataFrame:
    """As traded, 2014 to 2020: a 7:1 and a 4:1 split and their dividends."""
    return SampleSource().daily("AAPL", now=LATER).frame.loc["2014-01-02":"2020-12-31"]


@pytest.fixture
def yahoo():
    double = YahooDouble()
    with yahoo_at(double.url):
        yield double
    double.close()


@pytest.fixture
def source(tmp_path) -> YahooSource:
    return open_source("yahoo", tmp_path)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def one_sentence(error: pytest.ExceptionInfo) -> str:
    text = str(error.value)
    assert "\n" not in text and text.endswith(".") and ";" in text, text
    return text


def test_split_adjusted_prices_come_back_as_traded_with_their_dividends(yahoo, source, apple):
    yahoo.serve("AAPL", apple)
    bars = source.daily("aapl", now=LATER.replace(year=2021, month=1, day=2))
    assert (bars.symbol, bars.source) == ("AAPL", "yahoo")
    assert bars.frame.index.equals(apple.index)
    assert overlap_problem(apple, bars.frame) is None
    np.testing.assert_allclose(bars.frame[["open", "close"]], apple[["open", "close"]], atol=1e-4, rtol=0)
    np.testing.assert_array_equal(bars.frame[["volume", "split"]], apple[["volume", "split"]])
    assert bars.frame.loc["2014-05-08", "dividend"] == pytest.approx(3.29, abs=1e-4)
    assert bars.frame.loc["2014-06-09", "split"] == 7
    assert bars.sha256 == bars_sha256(bars.frame)


def test_reverse_split_turns_prices_down_and_volume_up(yahoo, source, apple):
    merged = apple.loc["2019-01-02":"2019-03-29"].copy()
    merged.loc["2019-02-01":, ["open", "high", "low", "close"]] *= 10
    merged.loc["2019-02-01", "split"] = 0.1
    yahoo.serve("AAPL", merged)
    bars = source.daily("AAPL", now=at("2019-03-30T00:00:00Z"))
    assert overlap_problem(merged, bars.frame) is None
    np.testing.assert_allclose(bars.frame["volume"], merged["volume"], atol=10)


def test_bar_of_the_running_session_is_left_out(yahoo, source, apple):
    yahoo.serve("AAPL", apple.loc[:"2020-10-01"])
    bars = source.daily("AAPL", now=at("2020-10-01T19:59:59Z"))
    assert bars.frame.index[-1] == pd.Timestamp("2020-09-30")
    bars = source.daily("AAPL", now=at("2020-10-01T20:00:00Z"))
    assert bars.frame.index[-1] == pd.Timestamp("2020-10-01")


def test_bar_is_unfinished_by_the_clock_whatever_time_is_asked_for(yahoo, tmp_path, apple):
    yahoo.serve("AAPL", apple.loc[:"2020-10-01"])
    source = YahooSource(tmp_path, clock=lambda: at("2020-10-01T18:00:00Z"))
    bars = source.daily("AAPL", now=at("2020-10-05T21:00:00Z"))
    assert bars.frame.index[-1] == pd.Timestamp("2020-09-30")


def test_bar_fetched_right_after_the_close_is_not_kept(yahoo, source, apple):
    early = apple.loc[:"2020-10-01"].copy()
    early.iloc[-1, early.columns.get_loc("close")] -= 0.5
    yahoo.serve("AAPL", early)
    source.daily("AAPL", now=at("2020-10-01T20:05:00Z"))
    yahoo.serve("AAPL", apple.loc[:"2020-10-01"])
    bars = source.daily("AAPL", now=at("2020-10-01T20:30:00Z"))
    assert bars.frame["close"].iloc[-1] == pytest.approx(apple.loc["2020-10-01", "close"], abs=1e-4)


def test_second_call_of_an_evening_asks_nobody(yahoo, source, apple, tmp_path):
    yahoo.serve("AAPL", apple.loc[:"2020-10-01"])
    first = source.daily("AAPL", now=at("2020-10-01T20:30:00Z"))
    again = open_source("yahoo", tmp_path).daily("AAPL", now=at("2020-10-02T03:00:00Z"))
    earlier = source.daily("AAPL", now=at("2020-09-15T21:00:00Z"))
    assert yahoo.charts == ["AAPL"]
    assert again.sha256 == first.sha256 and again.note == first.note
    assert earlier.frame.index[-1] == pd.Timestamp("2020-09-15")


def test_new_session_is_appended_and_a_new_split_changes_no_earlier_bar(yahoo, source, apple):
    yahoo.serve("AAPL", apple.loc[:"2020-08-28"])
    before = source.daily("AAPL", now=at("2020-08-28T21:00:00Z")).frame
    yahoo.serve("AAPL", apple.loc[:"2020-09-04"])
    after = source.daily("AAPL", now=at("2020-09-04T21:00:00Z")).frame
    assert after.iloc[: len(before)].equals(before)
    assert after.index[-1] == pd.Timestamp("2020-09-04") and after.loc["2020-08-31", "split"] == 4


def test_split_of_today_is_looked_for_in_the_morning_and_announced(yahoo, source, apple):
    held = apple.loc[:"2020-08-28"]
    yahoo.serve("AAPL", held)
    before = source.daily("AAPL", now=at("2020-08-28T21:00:00Z"))
    yahoo.serve("AAPL", held, events={"2020-08-31": (0.0, 4.0)})
    assert source.daily("AAPL", now=at("2020-08-31T07:59:00Z")).ahead == ()
    for now in ("2020-08-31T08:00:00Z", "2020-08-31T12:59:00Z"):
        bars = source.daily("AAPL", now=at(now))
        assert bars.ahead == ((date(2020, 8, 31), 4.0),)
        assert bars.sha256 == before.sha256
    assert len(yahoo.charts) == 2


def test_split_that_yahoo_tells_late_is_found_by_the_second_look(yahoo, source, apple):
    held = apple.loc[:"2020-08-28"]
    yahoo.serve("AAPL", held)
    assert source.daily("AAPL", now=at("2020-08-31T08:00:00Z")).ahead == ()
    yahoo.serve("AAPL", held, events={"2020-08-31": (0.0, 4.0)})
    assert source.daily("AAPL", now=at("2020-08-31T12:59:59Z")).ahead == ()
    assert source.daily("AAPL", now=at("2020-08-31T13:00:00Z")).ahead == ((date(2020, 8, 31), 4.0),)
    assert source.daily("AAPL", now=at("2020-08-31T13:20:00Z")).ahead == ((date(2020, 8, 31), 4.0),)
    assert len(yahoo.charts) == 2


def test_revision_overnight_is_taken_with_a_word_and_only_once(yahoo, source, apple):
    yahoo.serve("AAPL", apple.loc[:"2020-09-30"])
    evening = source.daily("AAPL", now=at("2020-09-30T21:00:00Z"))
    revised = apple.loc[:"2020-09-30"].copy()
    revised.loc["2020-09-30", "close"] += 0.25
    yahoo.serve("AAPL", revised)
    morning = source.daily("AAPL", now=at("2020-10-01T09:00:00Z"))
    assert "revised" not in evening.note
    assert re.search(r"Yahoo revised its last bar: close of 2020-09-30 is [\d.]+ here and [\d.]+ there", morning.note)
    assert morning.frame["close"].iloc[-1] == pytest.approx(evening.frame["close"].iloc[-1] + 0.25, abs=1e-3)
    assert morning.frame.iloc[:-1].equals(evening.frame.iloc[:-1])
    yahoo.serve("AAPL", apple.loc[:"2020-10-01"])
    with pytest.raises(BadBars, match="bars have changed: they contradict.*close of 2020-09-30"):
        source.daily("AAPL", now=at("2020-10-01T21:00:00Z"))


def test_time_without_a_zone_is_bad_input(yahoo, source):
    with pytest.raises(BadInput, match="has no zone"):
        source.daily("AAPL", now=datetime(2020, 10, 1))


def test_contradiction_of_an_earlier_answer_is_reported_and_changes_nothing(yahoo, source, apple, tmp_path):
    yahoo.serve("AAPL", apple.loc[:"2020-09-30"])
    source.daily("AAPL", now=at("2020-09-30T21:00:00Z"))
    kept = (tmp_path / "yahoo" / "AAPL.json").read_bytes()
    changed = apple.loc[:"2020-10-01"].copy()
    changed.loc["2020-03-02", ["close", "high"]] += 3
    yahoo.serve("AAPL", changed)
    with pytest.raises(BadBars) as error:
        source.daily("AAPL", now=at("2020-10-01T21:00:00Z"))
    assert re.search(r"high of 2020-03-02 is [\d.]+ here and [\d.]+ there.*AAPL\.json", one_sentence(error))
    assert (tmp_path / "yahoo" / "AAPL.json").read_bytes() == kept


def test_null_row_is_named_by_its_date(yahoo, source, apple):
    holed = apple.loc[:"2020-10-01"].copy()
    holed.loc["2020-09-30", ["open", "high", "low", "close", "volume"]] = np.nan
    yahoo.serve("AAPL", holed)
    with pytest.raises(BadBars, match=r"Yahoo's AAPL, row \d+ \(2020-09-30\): open nan"):
        source.daily("AAPL", now=at("2020-10-01T21:00:00Z"))


def test_missing_session_is_named(yahoo, source, apple):
    yahoo.serve("AAPL", apple.drop(pd.Timestamp("2020-09-30")))
    with pytest.raises(BadBars, match="no bar for the session 2020-09-30 after row"):
        source.daily("AAPL", now=LATER)


def test_unknown_symbol_is_not_found(yahoo, source):
    with pytest.raises(NotFound) as error:
        source.daily("NOSUCH", now=LATER)
    assert "NOSUCH" in one_sentence(error) and "delisted" in str(error.value)


def test_answer_for_another_symbol_or_currency_is_refused(yahoo, source, apple):
    yahoo.serve("AAPL", apple, name="APC.F", currency="EUR", zone="Europe/Berlin")
    with pytest.raises(BadBars) as error:
        source.daily("AAPL", now=LATER)
    assert "APC.F in EUR, Europe/Berlin, instead of AAPL in USD" in one_sentence(error)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, "<html>boom</html>"),
        (429, "Too Many Requests"),
        (503, "Will be right back"),
        (200, "<html>consent</html>"),
        (200, '{"chart": {"result": [{"meta": {}}], "error": null}}'),
        (200, "[]"),
        (200, '{"finance": {"error": {"code": "Unauthorized"}}}'),
        (422, '{"chart": {"result": null, "error": {"code": "x", "description": "Try later"}}}'),
    ],
)
def test_useless_answer_is_unavailable_and_the_next_try_is_a_new_one(yahoo, source, apple, status, body):
    yahoo.answer("AAPL", status, body)
    with pytest.raises(Unavailable) as error:
        source.daily("AAPL", now=LATER)
    assert "AAPL" in one_sentence(error)
    yahoo.serve("AAPL", apple)
    assert len(source.daily("AAPL", now=at("2021-01-02T00:00:00Z")).frame) == len(apple)


def test_nobody_listening_is_unavailable_in_one_sentence(yahoo, source):
    yahoo.close()
    with pytest.raises(Unavailable) as error:
        source.daily("AAPL", now=LATER)
    assert "does not answer" in one_sentence(error) and "libcurl" not in str(error.value)


def test_nothing_reaches_standard_output_and_files_stay_in_the_cache(yahoo, source, apple, tmp_path, capfd):
    yahoo.serve("AAPL", apple)
    source.daily("AAPL", now=LATER.replace(year=2021, month=1, day=2))
    for broken in ("NOSUCH", "FAIL"):
        yahoo.answer("FAIL", 500, "boom")
        with pytest.raises((NotFound, Unavailable)):
            source.daily(broken, now=LATER)
    assert capfd.readouterr() == ("", "")
    assert {path.name for path in tmp_path.iterdir()} <= {"yahoo", "yfinance"}
    assert [path.name for path in (tmp_path / "yahoo").iterdir()] == ["AAPL.json"]


@pytest.mark.parametrize("symbol", ["", "../x", "US0378331005", "A B", "A/B"])
def test_what_is_no_ticker_asks_nobody(yahoo, source, symbol):
    with pytest.raises(BadInput):
        source.daily(symbol, now=LATER)
    assert yahoo.charts == []


def test_what_yahoo_and_its_library_leave_on_disk_is_their_owners_alone(yahoo, tmp_path, apple):
    before = os.umask(0o022)
    try:
        yahoo.serve("AAPL", apple)
        open_source("yahoo", tmp_path / "cache").daily("AAPL", now=LATER.replace(year=2021, month=1, day=2))
    finally:
        os.umask(before)
    left = list((tmp_path / "cache").rglob("*"))
    assert {path.name for path in left} >= {"yahoo", "AAPL.json", "yfinance"}
    assert [f"{path.stat().st_mode:o} {path}" for path in left if path.stat().st_mode & 0o077] == []
