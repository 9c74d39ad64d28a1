"""True days pass the gate of fresh bars, spoiled ones do not; what the series holds is never judged."""

import pandas as pd
import pytest

from livetrading.core import sanity
from tests.doubles.series import generated, sample


def doubt(frame: pd.DataFrame, ours: int, session: int) -> str | None:
    """The frame's rows up to ``session``, of which the series holds the first ``ours``."""
    days = list(frame.index.date)
    return sanity.doubt(frame.iloc[:ours], frame, days[session], days[max(0, ours - 1) : session + 1], "TEST")


def around(symbol: str, day: str, before: int = 60, after: int = 0) -> pd.DataFrame:
    frame = sample(symbol)
    row = frame.index.get_loc(pd.Timestamp(day))
    return frame.iloc[max(0, row - before) : row + 1 + after].copy()


def judged(frame: pd.DataFrame) -> str | None:
    return doubt(frame, len(frame) - 1, len(frame) - 1)


@pytest.mark.parametrize(
    ("symbol", "day"),
    [
        ("AAPL", "2000-09-29"),
        ("AAPL", "2000-06-21"),
        ("AAPL", "2005-02-28"),
        ("AAPL", "2014-06-09"),
        ("AAPL", "2020-08-31"),
        ("AAPL", "2008-09-29"),
        ("AAPL", "2010-05-06"),
        ("AAPL", "2001-07-18"),
        ("AAPL", "2002-12-24"),
        ("AAPL", "2012-08-09"),
        ("NVDA", "2016-11-11"),
        ("NVDA", "2018-11-16"),
        ("NVDA", "2020-03-16"),
        ("NVDA", "2021-07-20"),
        ("NVDA", "2023-05-25"),
        ("GOOG", "2022-07-18"),
        ("GOOG", "2020-12-24"),
    ],
)
def test_crashes_rallies_splits_dividends_and_half_days_of_the_samples_pass(symbol: str, day: str) -> None:
    assert judged(around(symbol, day)) is None


@pytest.mark.parametrize(
    ("symbol", "day"),
    [
        ("AAPL", "2000-06-21"),
        ("AAPL", "2005-02-28"),
        ("AAPL", "2014-06-09"),
        ("AAPL", "2020-08-31"),
        ("NVDA", "2021-07-20"),
        ("GOOG", "2022-07-18"),
    ],
)
def test_each_true_split_is_noticed_when_it_is_not_on_record(symbol: str, day: str) -> None:
    """Also when later sessions go on at the new level: a split does not become true by waiting."""
    for after in (0, 3):
        frame = around(symbol, day, after=after)
        ratio = frame.loc[day, "split"]
        frame.loc[day, "split"] = 1.0
        why = doubt(frame, 60, 60)
        assert why and f"as after a split of {ratio:g} for 1 that is not on record" in why


def test_a_level_that_the_next_session_goes_on_from_was_real() -> None:
    frame = generated(3, 80)
    frame.iloc[70:, :4] *= 0.83
    assert "without the volume" in (doubt(frame.iloc[:71], 70, 70) or "")
    assert doubt(frame, 70, 70) is None


def test_a_level_that_the_next_session_leaves_again_stays_in_doubt() -> None:
    frame = generated(3, 80)
    frame.iloc[70, :4] *= 0.83
    assert "without the volume" in (doubt(frame, 70, 70) or "")


def test_a_bar_that_the_series_holds_is_never_judged() -> None:
    frame = generated(3, 80)
    frame.iloc[70, frame.columns.get_loc("low")] *= 0.1
    assert "wrong tick" in (doubt(frame, 70, 70) or "")
    assert doubt(frame, 71, 70) is None
    assert doubt(frame, 80, 70) is None


def test_each_new_bar_of_a_catch_up_is_judged_and_the_first_bad_one_named() -> None:
    frame = generated(3, 80)
    assert doubt(frame, 60, 75) is None
    frame.iloc[[66, 70], frame.columns.get_loc("low")] *= 0.1
    assert f"{frame.index[66]:%Y-%m-%d} has a low" in (doubt(frame, 60, 75) or "")
    assert doubt(frame, 60, 65) is None


def test_a_new_bar_on_a_closed_day_and_a_missing_session_are_named() -> None:
    frame = generated(3, 80)
    days = list(frame.index.date)
    closed = [d for d in days[70:75] if d != days[72]]
    why = sanity.doubt(frame.iloc[:70], frame, days[74], closed, "TEST")
    assert why and f"{days[72]}" in why and "closed that day" in why
    why = sanity.doubt(frame.iloc[:70], frame.drop(frame.index[72]), days[74], days[70:75], "TEST")
    assert why and f"no bar for the session {days[72]}" in why


@pytest.mark.parametrize(
    ("ratio", "words"),
    [(2.0, "2 for 1"), (1.5, "3 for 2"), (4 / 3, "4 for 3"), (1.25, "5 for 4"), (100.0, "100 for 1")],
)
def test_ratios_are_said_as_people_say_them(ratio: float, words: str) -> None:
    assert sanity.split_like(1 / ratio - 1) == words
    there, back = words.split(" for ")
    assert sanity.split_like(ratio - 1) == f"{back} for {there}"


def test_ordinary_gaps_are_no_splits() -> None:
    assert all(not sanity.split_like(gap / 100) for gap in range(-9, 12))


def test_a_believable_series_with_splits_and_dividends_passes() -> None:
    frame = generated(5, 400, splits={120: 2.0, 200: 0.5, 300: 3.0}, dividends={150: 0.3, 213: 0.3})
    assert doubt(frame, 60, 399) is None
