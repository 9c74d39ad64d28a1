"""Wilder's average true range on money prices."""

import numpy as np
import pandas as pd

PERIOD = 14


def atr14(frame: pd.DataFrame) -> np.ndarray:
    """ATR14 of as-traded bars: ``(T,)`` float64, USD a share; NaN before index 13.

    With r the session's split ratio and C' = previous close / r: TR = max(H - L,
    |H - C'|, |L - C'|), the first TR is H - L, the seed the mean of the first 14
    TR, then (13 * ATR / r + TR) / 14 (J. W. Wilder, New Concepts in Technical
    Trading Systems, 1978, carried across splits). True ranges before a split
    inside the seed are divided by its ratio as well, so that the seed too is in
    the money of its own session. Row t depends on rows up to t alone and is the
    same to the bit for every longer series.
    """
    split = frame["split"].to_numpy(np.float64).tolist()
    ranges = _true_range(frame).tolist()
    values = [np.nan] * len(ranges)
    total = 0.0
    # A plain loop over floats: the recursion needs each r, and its order of
    # additions is fixed, which a vectorised sum does not promise.
    for t in range(min(PERIOD, len(ranges))):
        total = (total / split[t] if t else 0.0) + ranges[t]
    if len(ranges) < PERIOD:
        return np.array(values, dtype=np.float64)
    atr = values[PERIOD - 1] = total / PERIOD
    for t in range(PERIOD, len(ranges)):
        atr = (13.0 * atr / split[t] + ranges[t]) / 14.0
        values[t] = atr
    return np.array(values, dtype=np.float64)


def _true_range(frame: pd.DataFrame) -> np.ndarray:
    high, low, close, split = (frame[name].to_numpy(np.float64) for name in ("high", "low", "close", "split"))
    span: np.ndarray = high - low
    if len(span) == 0:
        return span
    previous = close[:-1] / split[1:]
    gap = np.maximum(np.abs(high[1:] - previous), np.abs(low[1:] - previous))
    return np.concatenate([span[:1], np.maximum(span[1:], gap)])
