"""ATR14 on money prices, carried across splits."""

from functools import reduce
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ta.volatility import AverageTrueRange

from livetrading.core.atr import atr14

SAMPLES = Path(__file__).parents[2] / "livetrading" / "samples"


def sample(symbol: str) -> pd.DataFrame:
    frame = pd.read_csv(SAMPLES / f"{symbol}.csv", parse_dates=["date"], index_col="date")
    return frame.astype(np.float64).sort_index()


def oracle(frame: pd.DataFrame) -> list[float]:
    """The definition as a fold over pairs of bars, without an array."""
    bars = list(frame[["high", "low", "close", "split"]].itertuples(index=False))

    def step(done: tuple, pair: tuple) -> tuple:
        (ranges, values), (before, bar) = done, pair
        previous = None if before is None else before.close / bar.split
        span = max([bar.high - bar.low] + ([] if before is None else [abs(x - previous) for x in bar[:2]]))
        ranges = [r / (1.0 if before is None else bar.split) for r in ranges[-13:]] + [span]
        if len(values) < 13:
            return ranges, [*values, float("nan")]
        if len(values) == 13:
            return ranges, [*values, sum(ranges) / 14]
        values.append(13 / 14 * (values[-1] / bar.split) + span / 14)
        return ranges, values

    return reduce(step, zip([None, *bars], bars, strict=False), ([], []))[1]


def with_split(frame: pd.DataFrame, t: int, ratio: float) -> pd.DataFrame:
    after = np.arange(len(frame)) >= t
    columns = {n: frame[n].where(~after, frame[n] / ratio) for n in ("open", "high", "low", "close")}
    return frame.assign(**columns, split=frame["split"].where(np.arange(len(frame)) != t, ratio))


@pytest.mark.parametrize("symbol", ["AAPL", "GOOG", "NVDA"])
def test_it_is_the_definition(symbol: str):
    frame = sample(symbol)
    np.testing.assert_allclose(atr14(frame), oracle(frame), rtol=1e-12)


@pytest.mark.parametrize("symbol", ["AAPL", "GOOG", "NVDA"])
def test_a_prefix_has_the_values_of_the_whole_series_to_the_bit(symbol: str):
    frame = sample(symbol)
    whole = atr14(frame)
    for length in (*range(40), *range(40, len(frame), 61)):
        assert atr14(frame.iloc[:length]).tobytes() == whole[:length].tobytes()


@pytest.mark.parametrize(("symbol", "start", "end"), [("AAPL", 1300, 3500), ("GOOG", 0, 2000), ("NVDA", 0, 2100)])
def test_without_splits_it_is_the_one_of_ta(symbol: str, start: int, end: int):
    frame = sample(symbol).iloc[start:end]
    assert (frame["split"] == 1.0).all()
    witness = AverageTrueRange(frame["high"], frame["low"], frame["close"], window=14).average_true_range()
    np.testing.assert_allclose(atr14(frame)[13:], witness.to_numpy()[13:], rtol=1e-12)


def test_it_begins_with_the_mean_of_the_first_fourteen_ranges():
    frame = sample("NVDA").iloc[:14]
    values = atr14(frame)
    assert np.isnan(values[:13]).all() and values[13] == pytest.approx(oracle(frame)[13], rel=1e-15)
    assert np.isnan(atr14(frame.iloc[:13])).all()


@pytest.mark.parametrize("t", [1, 5, 13, 14, 15, 200])
def test_a_split_divides_it_from_its_session_on_and_changes_nothing_before(t: int):
    frame = sample("NVDA").iloc[:400]
    plain, halved, thirds = atr14(frame), atr14(with_split(frame, t, 2.0)), atr14(with_split(frame, t, 3.0))
    assert halved[:t].tobytes() == thirds[:t].tobytes() == plain[:t].tobytes()
    assert (halved[max(t, 13) :] * 2.0 == plain[max(t, 13) :]).all()
    np.testing.assert_allclose(thirds[max(t, 13) :] * 3.0, plain[max(t, 13) :], rtol=1e-12)


def test_a_real_split_is_no_range_and_a_real_crash_is():
    frame = sample("AAPL")
    values = pd.Series(atr14(frame), index=frame.index)
    day = frame.index.get_loc("2005-02-28")
    assert values.iloc[day] * 2.0 == pytest.approx(values.iloc[day - 1], rel=0.1)
    assert values["2000-09-29"] > 1.4 * values["2000-09-28"]


@settings(max_examples=40, deadline=None)
@given(
    bars=st.lists(
        st.tuples(
            st.floats(1.0, 1e4),
            st.floats(0.0, 0.2),
            st.floats(0.0, 1.0),
            st.sampled_from([1.0, 1.0, 1.0, 0.1, 0.5, 2.0, 7.0]),
        ),
        min_size=14,
        max_size=60,
    )
)
def test_any_series_agrees_with_the_oracle_and_is_never_negative(bars: list[tuple[float, float, float, float]]):
    rows = [(low * (1 + span), low, low * (1 + span * place), r) for low, span, place, r in bars]
    frame = pd.DataFrame(rows, columns=["high", "low", "close", "split"], dtype=np.float64)
    values = atr14(frame)
    np.testing.assert_allclose(values, oracle(frame), rtol=1e-9, atol=1e-12)
    assert (values[13:] >= 0).all()
