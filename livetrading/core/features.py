"""Features of a bar that do not depend on the price level, by the ``ta`` package.

Each feature of row t depends on rows up to t alone, and is the same to the bit
whether computed on the series up to t or on a longer one. So only sequential
operations are allowed here: pandas ``rolling``, ``ewm`` and ``shift``, running
products, and elementwise arithmetic. No whole-column statistic, no logarithm.

Some indicators of ``ta`` 0.11 break that promise. ``VortexIndicator`` fills the
first previous close with the mean of all closes, the future included, and must
not be used. ADX, ATR, Aroon, CCI and MFI loop in Python and are too slow.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from ta.momentum import ROCIndicator, RSIIndicator, StochasticOscillator, TSIIndicator
from ta.trend import MACD, EMAIndicator
from ta.volatility import BollingerBands, DonchianChannel
from ta.volume import ChaikinMoneyFlowIndicator

from .atr import atr14
from .errors import BadBars

FEATURE_SET = "daily-1"
"""Identity of the usual set: another formula, window, neutral value or order is another set."""

PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True)
class Bars:
    """Columns that features are made of: forward-adjusted prices and volume.

    ``moved`` is False as long as the close has never changed, ``atr_ratio`` is
    ATR14 over close, both in money prices (USD a share).
    """

    high: pd.Series
    low: pd.Series
    close: pd.Series
    volume: pd.Series
    moved: pd.Series
    atr_ratio: pd.Series


@dataclass(frozen=True)
class Feature:
    """One column of the feature matrix.

    Where the formula is 0/0 although the last ``window`` bars are finite, the
    value is ``neutral``; any other value that is not finite stays so, and
    ``gate`` refuses it. ``neutral`` is None where 0/0 cannot happen.
    """

    name: str
    meaning: str
    formula: Callable[[Bars], pd.Series]
    window: int
    neutral: float | None = None


def _return(sessions: int) -> Callable[[Bars], pd.Series]:
    return lambda b: ROCIndicator(b.close, window=sessions).roc()


def _rsi(b: Bars) -> pd.Series:
    # ta answers 100 when there were no falls, also when there were no rises.
    return RSIIndicator(b.close, window=14).rsi().where(b.moved)


def _stochastic(b: Bars) -> pd.Series:
    return StochasticOscillator(b.high, b.low, b.close, window=14).stoch()


def _donchian(b: Bars) -> pd.Series:
    return DonchianChannel(b.high, b.low, b.close, window=55).donchian_channel_pband()


def _money_flow(b: Bars) -> pd.Series:
    return ChaikinMoneyFlowIndicator(b.high, b.low, b.close, b.volume, window=20).chaikin_money_flow()


REGISTRY: tuple[Feature, ...] = (
    Feature("return_1", "return over 1 session, percent", _return(1), 2),
    Feature("return_5", "return over 5 sessions, percent", _return(5), 6),
    Feature("return_20", "return over 20 sessions, percent", _return(20), 21),
    Feature("rsi_14", "relative strength, 0..100; 50 while the close never moved", _rsi, 15, 50.0),
    Feature(
        "tsi_25_13",
        "true strength, -100..100; 0 while the close never moved",
        lambda b: TSIIndicator(b.close, window_slow=25, window_fast=13).tsi(),
        38,
        0.0,
    ),
    Feature(
        "macd_12_26_9",
        "MACD less its signal line, percent of the close",
        lambda b: 100.0 * MACD(b.close).macd_diff() / b.close,
        34,
    ),
    Feature(
        "ema_200",
        "close above its 200-session exponential mean, percent",
        lambda b: 100.0 * (b.close / EMAIndicator(b.close, window=200).ema_indicator() - 1.0),
        200,
    ),
    Feature("stoch_14", "close in the 14-session range, 0..100; 50 without a range", _stochastic, 14, 50.0),
    Feature("donchian_55", "close in the 55-session range, 0..1; 0.5 without a range", _donchian, 55, 0.5),
    Feature(
        "bollinger_p_20",
        "close in the Bollinger band of 20 sessions, 2 deviations; 0.5 without a width",
        lambda b: BollingerBands(b.close, window=20, window_dev=2).bollinger_pband(),
        20,
        0.5,
    ),
    Feature(
        "bollinger_w_20",
        "width of that band, percent of its mean",
        lambda b: BollingerBands(b.close, window=20, window_dev=2).bollinger_wband(),
        20,
    ),
    Feature("atr_14", "ATR14 over close, percent", lambda b: 100.0 * b.atr_ratio, 14),
    Feature("cmf_20", "Chaikin money flow of 20 sessions, -1..1; 0 without volume", _money_flow, 20, 0.0),
    Feature(
        "volume_20",
        "volume over its 20-session mean; 1 without volume",
        lambda b: b.volume / b.volume.rolling(20).mean(),
        20,
        1.0,
    ),
)

FEATURES: tuple[str, ...] = tuple(feature.name for feature in REGISTRY)
"""Columns of the whole matrix; a model sees those of its set."""

READS_VOLUME = frozenset({"cmf_20", "volume_20"})
"""Vendors count volume differently: another vendor's bars give other values for these."""

PRICE_SET = "daily-1-price"
_PRICE = (
    "return_1",
    "return_5",
    "return_20",
    "rsi_14",
    "tsi_25_13",
    "macd_12_26_9",
    "ema_200",
    "stoch_14",
    "donchian_55",
    "bollinger_p_20",
    "bollinger_w_20",
    "atr_14",
)
SETS: dict[str, tuple[str, ...]] = {"daily-1": (*_PRICE, "cmf_20", "volume_20"), PRICE_SET: _PRICE}
"""The columns that a model may be trained on, by the name that its card carries. A set is never changed: a new
feature joins a new set, and models of the existing sets stay valid."""


def select(matrix: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """The columns ``names`` of a whole feature matrix, in that order."""
    return matrix if tuple(names) == FEATURES else matrix[:, [FEATURES.index(name) for name in names]]


def adjusted(frame: pd.DataFrame) -> pd.DataFrame:
    """Open, high, low, close and volume, adjusted forwards from the first bar.

    F_0 = 1, F_t = F_(t-1) * r_t / (1 - D_t * r_t / C_(t-1)); price * F, volume
    over the product of r. Events on or before the first bar are
    ignored, and a later dividend or split never changes an earlier row. Raises
    BadBars where a dividend is not below the close before it.
    """
    close = frame["close"].to_numpy(np.float64)
    split = frame["split"].to_numpy(np.float64)[1:]
    paid = frame["dividend"].to_numpy(np.float64)[1:] * split / close[:-1]
    if (paid >= 1.0).any():
        t = int(np.argmax(paid >= 1.0)) + 1
        raise BadBars(
            f"The dividend {frame['dividend'].iloc[t]} of {frame.index[t]:%Y-%m-%d} is not below the "
            f"previous close {close[t - 1]}: correct it in the source of the bars."
        )
    price_factor = _running(split / (1.0 - paid), len(close))
    columns = {name: frame[name].to_numpy(np.float64) * price_factor for name in PRICES}
    volume = frame["volume"].to_numpy(np.float64) / _running(split, len(close))
    return pd.DataFrame({**columns, "volume": volume}, index=frame.index)


def _running(ratios: np.ndarray, length: int) -> np.ndarray:
    """(length,): 1, then the running product, which numpy takes in order."""
    return np.multiply.accumulate(np.concatenate([np.ones(1), ratios])[:length])


def compute(frame: pd.DataFrame) -> np.ndarray:
    """The feature matrix of a canonical frame: ``(T, len(FEATURES))`` float64.

    Row t depends on rows up to t alone. On clean bars everything is finite from
    index 500 (and from 199 on, when the longest window is full). A row whose own
    bar has a value that is not finite is NaN throughout.
    """
    bars, age = _bars(frame)
    matrix = np.empty((len(frame), len(REGISTRY)), dtype=np.float64)
    for column, feature in enumerate(REGISTRY):
        values = feature.formula(bars).to_numpy(np.float64)
        if feature.neutral is not None:
            undefined = np.isnan(values) & (age >= feature.window)
            values = np.where(undefined, feature.neutral, values)
        matrix[:, column] = values
    matrix[age == 0] = np.nan
    return matrix


def _bars(frame: pd.DataFrame) -> tuple[Bars, np.ndarray]:
    """The columns, and for each row how many bars up to it are finite in a row."""
    table = adjusted(frame).reset_index(drop=True)
    close = table["close"].to_numpy()
    finite = np.isfinite(table.to_numpy()).all(axis=1)
    row = np.arange(len(table))
    age = row - np.maximum.accumulate(np.where(finite, -1, row)) if len(row) else row
    moved = np.logical_or.accumulate(close != close[:1])
    atr_ratio = atr14(frame) / frame["close"].to_numpy(np.float64)
    bars = Bars(
        high=table["high"],
        low=table["low"],
        close=table["close"],
        volume=table["volume"],
        moved=pd.Series(moved),
        atr_ratio=pd.Series(atr_ratio),
    )
    return bars, age
