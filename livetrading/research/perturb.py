"""Changed bars: histories that differ from the real one after a session, or inside one.

Every function takes a canonical frame and returns another valid one. A value that
depends only on the past is the same in both, up to the session.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from ..core.bars import PRICES

Change = Callable[[pd.DataFrame, int], pd.DataFrame]


def _from(frame: pd.DataFrame, t: int) -> tuple[pd.DataFrame, slice]:
    return frame.copy(), slice(t + 1, None)


def other_prices(frame: pd.DataFrame, t: int) -> pd.DataFrame:
    """After t other prices and volumes, by a random walk; level and range differ too."""
    changed, later = _from(frame, t)
    rng = np.random.default_rng(t)
    steps = rng.normal(0.01, 0.05, len(frame) - t - 1)
    factor = 1.3 * np.exp(np.cumsum(steps))[:, None]
    changed.loc[changed.index[later], PRICES] = frame[PRICES].to_numpy()[later] * factor
    changed.loc[changed.index[later], "volume"] = frame["volume"].to_numpy()[later] * rng.uniform(0.2, 5.0, len(steps))
    return changed


def only_tomorrow(frame: pd.DataFrame, t: int) -> pd.DataFrame:
    """Only the next bar differs: prices a tenth higher, three times the volume."""
    changed = frame.copy()
    changed.iloc[t + 1, : len(PRICES)] = frame[PRICES].iloc[t + 1].to_numpy() * 1.1
    changed.iloc[t + 1, changed.columns.get_loc("volume")] *= 3.0
    return changed


def later_split(frame: pd.DataFrame, t: int) -> pd.DataFrame:
    """The next session splits three for one, and everything after it is quoted in new shares."""
    changed, later = _from(frame, t)
    changed.loc[changed.index[later], PRICES] = frame[PRICES].to_numpy()[later] / 3.0
    changed.loc[changed.index[later], "volume"] = frame["volume"].to_numpy()[later] * 3.0
    changed.loc[changed.index[later], "dividend"] = frame["dividend"].to_numpy()[later] / 3.0
    changed.iloc[t + 1, changed.columns.get_loc("split")] *= 3.0
    return changed


def later_dividend(frame: pd.DataFrame, t: int) -> pd.DataFrame:
    """The next session pays a twentieth of the price."""
    changed = frame.copy()
    price = frame["close"].iloc[t] / frame["split"].iloc[t + 1]
    changed.iloc[t + 1, changed.columns.get_loc("dividend")] += 0.05 * price
    return changed


def gone(frame: pd.DataFrame, t: int) -> pd.DataFrame:
    """The series ends at t, as in live trading."""
    return frame.iloc[: t + 1]


LATER: dict[str, Change] = {
    "the series ends there": gone,
    "every later price and volume changes": other_prices,
    "the next bar alone changes": only_tomorrow,
    "a later split": later_split,
    "a later dividend": later_dividend,
}
"""Changes after t: nothing up to t may change."""


def rest_of_the_bar(frame: pd.DataFrame, t: int) -> pd.DataFrame:
    """High, close and volume of t differ; its open and low do not."""
    changed = frame.copy()
    for name, factor in (("high", 1.07), ("close", 1.03), ("volume", 1.9)):
        changed.iloc[t, changed.columns.get_loc(name)] *= factor
    return changed


def deeper_low(frame: pd.DataFrame, t: int) -> pd.DataFrame:
    """Only the low of t differs."""
    changed = frame.copy()
    changed.iloc[t, changed.columns.get_loc("low")] *= 0.93
    return changed


def in_other_units(frame: pd.DataFrame, price: float, volume: float) -> pd.DataFrame:
    """The same history with prices and volume in other units."""
    changed = frame.copy()
    for name in (*PRICES, "dividend"):
        changed[name] *= price
    changed["volume"] *= volume
    return changed
