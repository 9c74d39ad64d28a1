from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livetrading.core.bars import (
    COLUMNS,
    Rows,
    bars_sha256,
    canonical,
    check_series,
    from_rows,
    joined,
    overlap_problem,
    to_rows,
)
from livetrading.core.errors import BadBars
from tests.doubles.series import generated

PRICE = st.floats(1e-4, 1e6)
AMOUNT = st.floats(0, 1e12)


@st.composite
def series(draw) -> pd.DataFrame:
    """A canonical frame of sound bars on consecutive days."""
    first = draw(st.dates(date(1990, 1, 1), date(2028, 1, 1)))
    bars = draw(st.lists(st.tuples(PRICE, PRICE, PRICE, PRICE, AMOUNT), min_size=1, max_size=12))
    rows = []
    for day, (*four, volume) in enumerate(bars):
        low, one, two, high = sorted(four)
        opened, close = draw(st.permutations([one, two]))
        split = draw(st.sampled_from([1.0, 1.0, 2.0, 0.1, 1.5]))
        rows.append([str(first + timedelta(day)), opened, high, low, close, volume, 0.0, split])
    return from_rows(rows)


def days(frame: pd.DataFrame) -> list[date]:
    return list(frame.index.date)


def five() -> pd.DataFrame:
    rows = [[f"2024-06-0{day}", 10.0, 12.0, 9.0, 11.0, 1000.0, 0.0, 1.0] for day in range(3, 8)]
    return from_rows(rows)


@settings(deadline=None, max_examples=40)
@given(series())
def test_rows_and_back_is_the_same_frame_to_the_bit(frame):
    again = from_rows(to_rows(frame))
    pd.testing.assert_frame_equal(again, frame, check_exact=True)
    assert bars_sha256(again) == bars_sha256(frame)


@settings(deadline=None, max_examples=40)
@given(series())
def test_sound_bars_pass_the_gate_and_agree_with_themselves(frame):
    check_series(frame, days(frame), "bars")
    assert overlap_problem(frame, frame) is None


@settings(deadline=None, max_examples=40)
@given(series(), st.data())
def test_fingerprint_changes_with_any_value_and_with_nothing_else(frame, data):
    row = data.draw(st.integers(0, len(frame) - 1))
    name = data.draw(st.sampled_from(COLUMNS))
    other = frame.copy()
    other.iloc[row, COLUMNS.index(name)] += max(1.0, abs(other.iloc[row][name]) * 1e-9)
    assert bars_sha256(other) != bars_sha256(frame)
    for unit in ("s", "ms", "us"):
        moved = frame.set_axis(frame.index.as_unit(unit))
        assert bars_sha256(moved[COLUMNS[::-1]]) == bars_sha256(frame)


def test_fingerprint_is_pinned_and_minus_zero_is_zero():
    frame = from_rows([["2024-06-03", 10.0, 12.0, 9.0, 11.0, 0.0, 0.0, 1.0]])
    negative = frame.assign(volume=-0.0, dividend=-0.0)
    assert (
        bars_sha256(frame)
        == bars_sha256(negative)
        == ("f85ddb5770ab3b9ae2c2189a6a044e5a855690d02b9512577b5724fa9efdbf44")
    )


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "America/New_York"])
def test_canonical_has_one_shape_whatever_pandas_gave(unit, zone):
    given_frame = five().reset_index()
    given_frame["date"] = (given_frame["date"] + pd.Timedelta(hours=9)).dt.as_unit(unit).dt.tz_localize(zone)
    given_frame = given_frame.astype({"volume": int, "close": str})[["date", *COLUMNS[::-1]]]
    pd.testing.assert_frame_equal(canonical(given_frame, "x"), five(), check_exact=True)
    pd.testing.assert_frame_equal(canonical(given_frame.set_index("date"), "x"), five(), check_exact=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.drop(columns=["low", "split"]), "x has no column low, split; add it"),
        (lambda f: f.reset_index(drop=True), "x has no dates; add a column named date"),
        (lambda f: f.set_axis(["2024-06-03", "soon", "", "", ""]), "x, row 2: 'soon' is not a date"),
        (lambda f: f.set_axis(["2024-06-03", "0001-01-01", "", "", ""]), "x, row 2: '0001-01-01' is not"),
        (
            lambda f: f.assign(close=["1", "2", "3", "4,5", "5"]),
            r"x, row 4 \(2024-06-06\): close is '4,5', not a number",
        ),
    ],
)
def test_what_is_no_frame_of_bars_is_named(change, words):
    with pytest.raises(BadBars, match=words):
        canonical(change(five()), "x")


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("open", np.nan, "open nan is not a finite number"),
        ("volume", np.inf, "volume inf is not a finite number"),
        ("low", 0.0, "low 0 is not above 0"),
        ("split", 0.0, "split 0 is not above 0"),
        ("volume", -1.0, "volume -1 is below 0"),
        ("dividend", -0.5, "dividend -0.5 is below 0"),
        ("low", 10.5, "low 10.5 is above open 10"),
        ("high", 8.0, "low 9 is above high 8"),
        ("high", 10.5, "close 11 is above high 10.5"),
        ("dividend", 11.0, "dividend 11 is not below the price of the day before"),
    ],
)
def test_unsound_value_is_named_with_row_date_and_cure(column, value, words):
    frame = five()
    frame.loc["2024-06-05", column] = value
    with pytest.raises(BadBars) as error:
        check_series(frame, days(frame), "x.csv", lines=[2, 3, 5, 6, 7])
    assert str(error.value) == f"x.csv, line 5 (2024-06-05): {words}; correct it or use another source."
    with pytest.raises(BadBars, match=r"x.csv, row 3 \(2024-06-05\): "):
        check_series(frame, days(frame), "x.csv")


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ([0, 1, 1, 2, 3, 4], r"row 3 \(2024-06-04\): the date is there twice"),
        ([0, 2, 1, 3, 4], r"row 3 \(2024-06-04\): the date follows 2024-06-05"),
        ([], "holds no bars"),
    ],
)
def test_dates_are_sorted_and_unique_or_the_row_is_named(order, words):
    with pytest.raises(BadBars, match=words):
        check_series(five().iloc[order], days(five()), "x")


@pytest.mark.parametrize(
    ("kept", "words"),
    [
        ([0, 1, 3, 4], r"no bar for the session 2024-06-05 after row 2 \(2024-06-04\); add"),
        ([0, 4], r"no bar for the session 2024-06-04 and 2 more after row 1"),
        ([1, 2, 3, 4], r"no bar for the session 2024-06-03; add"),
    ],
)
def test_missing_session_is_named_with_its_neighbour(kept, words):
    with pytest.raises(BadBars, match=words):
        check_series(five().iloc[kept], days(five()), "x")


def test_bar_on_a_closed_day_is_named():
    with pytest.raises(BadBars, match=r"row 3 \(2024-06-05\): the exchange was closed that day"):
        check_series(five(), [day for day in days(five()) if day.day != 5], "x")


@pytest.mark.parametrize("column", ["open", "high", "low", "close", "dividend", "split"])
def test_overlap_that_differs_names_date_column_and_both_values(column):
    theirs = five()
    theirs.loc["2024-06-05", column] += 0.0021
    problem = overlap_problem(five(), theirs.iloc[1:])
    ours = five().loc["2024-06-05", column]
    assert problem == f"{column} of 2024-06-05 is {ours:.10g} here and {ours + 0.0021:.10g} there"


def test_overlap_forgives_rounding_volume_and_what_is_not_shared():
    theirs = five().iloc[2:].assign(volume=5.0)
    theirs[["open", "high", "low", "close"]] *= 1.00009
    theirs["dividend"] += 0.00009
    assert overlap_problem(five().iloc[:4], theirs) is None
    assert overlap_problem(five().iloc[:2], theirs) is None


def test_overlap_with_a_value_missing_is_a_problem():
    theirs = five()
    theirs.loc["2024-06-05", "close"] = np.nan
    assert overlap_problem(five(), theirs) == "close of 2024-06-05 is 11 here and nan there"


def test_early_cheap_prices_survive_the_vendors_six_decimals_after_splits():
    ours, theirs = five(), five()
    for frame in (ours, theirs):
        frame.loc["2024-06-06", "split"] = 4000.0
    theirs.loc["2024-06-04", "close"] += 0.004
    assert overlap_problem(ours, theirs) is None


def test_kept_rows_are_the_rows_and_their_frame_to_the_bit() -> None:
    frame = generated(4, 90, splits={40: 2.0}, dividends={30: 0.2})
    kept = Rows()
    for row in to_rows(frame):
        kept.extend([row])
    assert list(kept) == to_rows(frame) and len(kept) == 90
    for after in (0, 50, 89):
        pd.testing.assert_frame_equal(kept.frame(frame.index[after]), frame.iloc[after + 1 :], check_freq=False)


def test_a_row_of_another_form_is_not_kept() -> None:
    with pytest.raises(BadBars, match="Rows of bars need"):
        Rows().extend([["2024-06-03", 1.0]])


def test_joined_frames_are_the_whole_to_the_bit() -> None:
    frame = generated(4, 90, splits={40: 2.0})
    pd.testing.assert_frame_equal(joined(frame.iloc[:60], frame.iloc[60:]), frame, check_freq=False)


def test_one_cent_in_one_old_bar_is_found_though_all_else_is_the_same() -> None:
    frame = generated(4, 90)
    theirs = frame.copy()
    theirs.iloc[3, 0] += 0.01
    assert overlap_problem(frame.iloc[:60], frame) is None
    assert "open of " in (overlap_problem(frame.iloc[:60], theirs, 1e-6) or "")
