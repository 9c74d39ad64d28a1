"""Features look at the past alone, and at nothing that a scale could change."""

import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ta.trend import VortexIndicator

from livetrading.core.errors import BadBars
from livetrading.core.features import (
    FEATURE_SET,
    FEATURES,
    PRICE_SET,
    READS_VOLUME,
    REGISTRY,
    SETS,
    adjusted,
    compute,
    select,
)
from livetrading.core.types import WARMUP_BARS

SAMPLES = Path(__file__).parents[2] / "livetrading" / "samples"
SYMBOLS = ("AAPL", "GOOG", "NVDA")
PRICES = ["open", "high", "low", "close"]
GOLDEN = [
    -1.3263429711647683,  # return_1
    -0.899838893473227,  # return_5
    6.265537437323543,  # return_20
    60.225569829882936,  # rsi_14
    40.923141992789716,  # tsi_25_13
    -0.0049426977308167945,  # macd_12_26_9
    15.504133908320505,  # ema_200
    46.47696476964761,  # stoch_14
    0.8055693827680558,  # donchian_55
    0.6354836401076805,  # bollinger_p_20
    8.68181606001827,  # bollinger_w_20
    1.6390938764090524,  # atr_14
    0.32580858401235024,  # cmf_20
    0.7578038935871345,  # volume_20
]
"""The last bundled bar of AAPL, 2024-12-30, in the set "daily-1"."""


def sample(symbol: str) -> pd.DataFrame:
    frame = pd.read_csv(SAMPLES / f"{symbol}.csv", parse_dates=["date"], index_col="date")
    return frame.astype(np.float64).sort_index()


@pytest.fixture(scope="module", params=SYMBOLS)
def real(request: pytest.FixtureRequest) -> pd.DataFrame:
    return sample(request.param)


@pytest.fixture(scope="module")
def aapl() -> pd.DataFrame:
    return sample("AAPL")


def flat(length: int = 700, price: float = 10.0, volume: float = 0.0) -> pd.DataFrame:
    index = pd.bdate_range("2020-01-01", periods=length, name="date")
    columns = dict.fromkeys(PRICES, price) | {"volume": volume, "dividend": 0.0, "split": 1.0}
    return pd.DataFrame(columns, index=index, dtype=np.float64)


def scaled(frame: pd.DataFrame, price: float, volume: float) -> pd.DataFrame:
    return frame.assign(
        **{name: frame[name] * price for name in [*PRICES, "dividend"]}, volume=frame["volume"] * volume
    )


def with_split(frame: pd.DataFrame, t: int, ratio: float) -> pd.DataFrame:
    """The same company, its shares divided by ``ratio`` from row t on."""
    after = np.arange(len(frame)) >= t
    columns = {name: frame[name].where(~after, frame[name] / ratio) for name in [*PRICES, "dividend"]}
    split = frame["split"].where(np.arange(len(frame)) != t, frame["split"] * ratio)
    return frame.assign(**columns, volume=frame["volume"].where(~after, frame["volume"] * ratio), split=split)


def interesting(frame: pd.DataFrame, step: int) -> list[int]:
    """Prefix lengths: a grid, the start, and around each dividend and split."""
    events = np.flatnonzero((frame["dividend"] != 0) | (frame["split"] != 1))[::5]
    near = [int(t) + k for t in events for k in (0, 1, 2)]
    return sorted({*range(1, 60, 7), *range(60, len(frame), step), *near, len(frame) - 1} - {0})


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and a.tobytes() == b.tobytes()


def test_every_feature_of_a_prefix_equals_that_of_the_whole_series_to_the_bit(real: pd.DataFrame):
    whole = compute(real)
    for length in interesting(real, 173):
        assert same(compute(real.iloc[:length]), whole[:length]), f"prefix of {length} bars"


def test_changing_every_later_bar_changes_no_feature_up_to_today(aapl: pd.DataFrame):
    whole, rng = compute(aapl), np.random.default_rng(7)
    for t in range(0, len(aapl) - 1, 331):
        later = aapl.copy()
        noise = rng.uniform(0.2, 5.0, size=(len(aapl) - t - 1, 1))
        later.iloc[t + 1 :, :5] = aapl.iloc[t + 1 :, :5].to_numpy() * noise
        later.iloc[t + 1 :, 5] = rng.uniform(0.0, 0.01, len(aapl) - t - 1)
        later.iloc[t + 1 :, 6] = rng.choice([0.5, 1.0, 2.0], len(aapl) - t - 1)
        assert same(compute(later)[: t + 1], whole[: t + 1]), f"row {t} saw the future"


def test_every_feature_answers_to_its_own_bar(aapl: pd.DataFrame):
    """The counter-proof: the perturbation that the future does not see, the present does."""
    t, frame = 3000, aapl.iloc[:3001].copy()
    low, high = frame["low"].iloc[t], frame["high"].iloc[t]
    frame.iloc[t, :5] = [low, high * 1.05, low * 0.9, high * 1.04, frame["volume"].iloc[t] * 3]
    changed = compute(frame)[t] != compute(aapl)[t]
    assert dict(zip(FEATURES, changed.tolist(), strict=True)) == dict.fromkeys(FEATURES, True)


def test_a_later_dividend_changes_no_earlier_value(real: pd.DataFrame):
    prices, whole = adjusted(real), compute(real)
    for t in range(700, len(real), 600):
        paying = real.copy()
        paying.iloc[t, paying.columns.get_loc("dividend")] += 0.02 * real["close"].iloc[t - 1]
        assert same(adjusted(paying).to_numpy()[:t], prices.to_numpy()[:t])
        assert same(compute(paying)[:t], whole[:t])


def test_a_later_split_changes_no_earlier_value_and_no_later_feature(real: pd.DataFrame):
    whole = compute(real)
    for t in range(600, len(real), 900):
        halved, thirds = compute(with_split(real, t, 2.0)), compute(with_split(real, t, 3.0))
        assert same(thirds[:t], whole[:t])
        assert same(halved, whole), "a split by a power of two is exact"
        np.testing.assert_allclose(thirds[199:], whole[199:], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("price", "volume"), [(2.0, 1.0), (0.25, 8.0), (1024.0, 0.5)])
def test_powers_of_two_of_price_and_volume_change_no_bit(real: pd.DataFrame, price: float, volume: float):
    assert same(compute(scaled(real, price, volume)), compute(real))


@pytest.mark.parametrize(("price", "volume"), [(3.7, 1.0), (1.0, 3.7), (0.0113, 71.3)])
def test_features_are_scale_free(real: pd.DataFrame, price: float, volume: float):
    np.testing.assert_allclose(compute(scaled(real, price, volume))[199:], compute(real)[199:], rtol=1e-9, atol=1e-9)


def test_everything_is_finite_after_the_warm_up(real: pd.DataFrame):
    matrix = compute(real)
    assert matrix.shape == (len(real), len(FEATURES)) and matrix.dtype == np.float64
    assert np.isfinite(matrix[199:]).all() and WARMUP_BARS > 199
    assert np.isnan(matrix[:13]).any(axis=1).all()


def test_names_are_different_and_each_feature_says_what_it_means():
    assert len(set(FEATURES)) == len(FEATURES) == len(REGISTRY)
    assert all(feature.meaning and feature.window <= WARMUP_BARS for feature in REGISTRY)


def test_a_price_that_never_moves_gives_the_neutral_values_and_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        matrix = compute(flat())
    neutral = {feature.name: 0.0 if feature.neutral is None else feature.neutral for feature in REGISTRY}
    expected = np.array([neutral[name] for name in FEATURES])
    np.testing.assert_allclose(matrix[199:], np.tile(expected, (len(matrix) - 199, 1)), atol=1e-12)


def test_sessions_without_volume_or_range_are_neutral_amid_real_ones(aapl: pd.DataFrame):
    frame = aapl.iloc[:900].copy()
    frame.iloc[600:700, :4] = frame["close"].iloc[599]
    frame.iloc[600:700, 4] = 0.0
    row = dict(zip(FEATURES, compute(frame)[699].tolist(), strict=True))
    assert (row["stoch_14"], row["donchian_55"], row["bollinger_p_20"]) == (50.0, 0.5, 0.5)
    assert (row["cmf_20"], row["volume_20"]) == (0.0, 1.0)
    assert np.isfinite(compute(frame)[199:]).all()


@pytest.mark.parametrize("column", ["open", "high", "low", "close", "volume"])
def test_a_bar_that_is_not_finite_is_no_row_to_decide_on(aapl: pd.DataFrame, column: str):
    frame = aapl.iloc[:700].copy()
    frame.iloc[600, frame.columns.get_loc(column)] = np.nan
    assert np.isnan(compute(frame)[600]).all()
    assert same(compute(frame)[:600], compute(aapl)[:600])


@pytest.mark.parametrize("length", [0, 1, 2, 13, 14])
def test_a_short_series_has_rows_and_no_values(aapl: pd.DataFrame, length: int):
    matrix = compute(aapl.iloc[:length])
    assert matrix.shape == (length, len(FEATURES)) and not np.isfinite(matrix).all(axis=1).any()


def test_adjustment_is_the_definition_in_exact_arithmetic(aapl: pd.DataFrame):
    frame, factor, shares = aapl, Fraction(1), Fraction(1)
    prices = adjusted(frame)
    bars = list(frame[["close", "volume", "dividend", "split"]].itertuples(index=False))
    for t, bar in enumerate(bars):
        ratio = Fraction(bar.split)
        if t:
            shares *= ratio
            factor *= ratio / (1 - Fraction(bar.dividend) * ratio / Fraction(bars[t - 1].close))
            factor = factor.limit_denominator(10**40)
        assert prices["close"].iloc[t] == pytest.approx(float(Fraction(bar.close) * factor), rel=1e-12)
        assert prices["volume"].iloc[t] == pytest.approx(float(Fraction(bar.volume) / shares), rel=1e-12)


def test_a_split_is_no_crash_and_a_crash_no_split(aapl: pd.DataFrame):
    day = adjusted(aapl)["close"].pct_change()
    assert aapl["close"].pct_change()["2005-02-28"] < -0.4 and abs(day["2005-02-28"]) < 0.05
    assert day["2000-09-29"] == pytest.approx(-0.52, abs=0.01)


def test_a_dividend_not_below_the_close_before_it_is_refused_by_its_date(aapl: pd.DataFrame):
    frame = aapl.iloc[:20].copy()
    frame.iloc[10, frame.columns.get_loc("dividend")] = frame["close"].iloc[9]
    with pytest.raises(BadBars, match=f"{frame.index[10]:%Y-%m-%d}.*correct it"):
        adjusted(frame)


def test_features_are_what_they_say(real: pd.DataFrame):
    """Plain recomputation from the adjusted bars, one row at a time."""
    bars, matrix = adjusted(real), pd.DataFrame(compute(real), columns=FEATURES, index=real.index)
    close, ema = bars["close"].to_numpy(), bars["close"].ewm(span=200, adjust=False).mean().to_numpy()
    for t in range(500, len(real), 379):
        row, window = matrix.iloc[t], bars.iloc[: t + 1]
        last20, last14, last55 = window.iloc[-20:], window.iloc[-14:], window.iloc[-55:]
        mean, width = last20["close"].mean(), last20["close"].std(ddof=0)
        flow = (2 * last20["close"] - last20["low"] - last20["high"]) / (last20["high"] - last20["low"])
        expected = {
            "return_1": 100 * (close[t] / close[t - 1] - 1),
            "return_5": 100 * (close[t] / close[t - 5] - 1),
            "return_20": 100 * (close[t] / close[t - 20] - 1),
            "ema_200": 100 * (close[t] / ema[t] - 1),
            "stoch_14": 100 * (close[t] - last14["low"].min()) / (last14["high"].max() - last14["low"].min()),
            "donchian_55": (close[t] - last55["low"].min()) / (last55["high"].max() - last55["low"].min()),
            "bollinger_p_20": (close[t] - mean + 2 * width) / (4 * width),
            "bollinger_w_20": 400 * width / mean,
            "cmf_20": (flow * last20["volume"]).sum() / last20["volume"].sum(),
            "volume_20": last20["volume"].iloc[-1] / last20["volume"].mean(),
        }
        for name, value in expected.items():
            assert row[name] == pytest.approx(value, rel=1e-7, abs=1e-7), f"{name} on {row.name:%Y-%m-%d}"


def test_another_formula_needs_another_name_of_the_set(aapl: pd.DataFrame):
    assert FEATURE_SET == "daily-1", "give GOLDEN the values of the new set"
    np.testing.assert_allclose(compute(aapl)[-1], GOLDEN, rtol=1e-9)


def test_the_vortex_of_ta_would_look_ahead(aapl: pd.DataFrame):
    """Why it is not among the features: its first row holds the mean of the future."""
    whole = VortexIndicator(aapl["high"], aapl["low"], aapl["close"]).vortex_indicator_pos()
    cut = aapl.iloc[:100]
    prefix = VortexIndicator(cut["high"], cut["low"], cut["close"]).vortex_indicator_pos()
    assert prefix.iloc[13] != whole.iloc[13]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(1, 399), rate=st.sampled_from([0.0, 0.02, 0.3]))
def test_any_series_keeps_its_earlier_rows(seed: int, cut: int, rate: float):
    rng = np.random.default_rng(seed)
    frame = flat(400)
    close = 20.0 * np.cumprod(1.0 + rng.normal(0.0, 0.03, 400))
    for name, factor in zip(PRICES, (1.0, 1.01, 0.98, 1.0), strict=True):
        frame[name] = np.round(close * factor, 2)
    frame["volume"] = rng.integers(0, 4, 400) * 1e5
    frame["dividend"] = np.where(rng.random(400) < rate, 0.1, 0.0)
    frame["split"] = np.where(rng.random(400) < rate, rng.choice([0.1, 0.5, 2.0, 3.0]), 1.0)
    try:
        whole = compute(frame)
    except BadBars:  # a run of reverse splits can leave a dividend above the price
        return
    assert same(compute(frame.iloc[:cut]), whole[:cut])


def test_the_price_set_is_the_whole_set_without_what_reads_the_volume(real):
    names = SETS[PRICE_SET]
    assert set(SETS["daily-1"]) - set(names) == READS_VOLUME
    matrix = compute(real)
    chosen = select(matrix, names)
    for column, name in enumerate(names):
        assert np.array_equal(chosen[:, column], matrix[:, FEATURES.index(name)], equal_nan=True)
    assert select(matrix, FEATURES) is matrix
