"""Do the prices of a file fit the splits of its symbol? A file is taken as traded; many are adjusted.

Two signs. A price as traded falls at a split, an adjusted one does not. And since the change to decimals in 2001
US shares from one dollar trade in whole cents; divided by a later split, most prices are not whole cents.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from .known_splits import KNOWN

DECIMALS = pd.Timestamp("2001-04-09")
"""From this session on all US exchanges quote in cents (SEC order 34-42914)."""
LEAST = np.log(1.4)
"""A smaller split moves the price no more than a wild day does."""
TAIL, HEAD, SHARE = 20, 250, 0.3
"""So many whole cents at the end, and such a share of others in so many sessions before, look like an adjustment."""
TRADED = "The file is taken as traded, so numbers of shares, commissions and ticks come out at prices that nobody paid:"
CURE = "give prices as traded, with a column split"

Split = tuple[pd.Timestamp, float]


def question(symbol: str, frame: pd.DataFrame) -> str:
    """A sentence or two for the user if the prices of a canonical frame and the splits disagree; else empty.

    A file that is too short to be trained on is not asked about.
    """
    if len(frame) < HEAD:
        return ""
    booked = [(day, float(ratio)) for day, ratio in frame["split"][frame["split"] != 1.0].items()]
    named = {day for day, _ in booked}
    known = [(pd.Timestamp(day), ratio) for day, ratio in KNOWN.get(symbol, ())]
    missing = [(day, ratio) for day, ratio in known if day not in named and day in frame.index[1:]]
    flat = [split for split in missing if not _falls(frame, split)]
    if flat:
        return f"Are its prices adjusted? {symbol} split on {_listed(flat)}, and they do not show it. {TRADED} {CURE}."
    if missing:
        return (
            f"{symbol} split on {_listed(missing)}, and its prices show it, but the file names no such split: it counts as"
            " a gain or a loss. Add a column split."
        )
    still = [split for split in booked if not _falls(frame, split)]
    if still:
        return f"Are its prices adjusted? Its column split names {_listed(still)}, and they do not show it. {TRADED} {CURE}."
    return "" if booked else _by_cents(frame["close"])


def _falls(frame: pd.DataFrame, split: Split) -> bool:
    """Whether the open of a split's session lies nearer to the split than to the close before. A small split does."""
    day, ratio = split
    at = frame.index.get_loc(day)
    if at == 0 or abs(np.log(ratio)) < LEAST:
        return True
    moved = float(np.log(frame["open"].iloc[at] / frame["close"].iloc[at - 1]))
    return abs(moved + np.log(ratio)) < abs(moved)


def _listed(splits: Iterable[Split]) -> str:
    return " and ".join(f"{day:%Y-%m-%d} ({ratio:g} for 1)" for day, ratio in splits)


def _by_cents(close: pd.Series) -> str:
    """A series that was adjusted ends in whole cents, from its last split on, and has few of them before."""
    close = close[(close.index >= DECIMALS) & (close >= 1.0)]
    cents = 100.0 * close.to_numpy()
    other = np.abs(cents - np.round(cents)) > 0.05 + 1e-6 * cents  # vendors store float32
    last = int(np.flatnonzero(other)[-1]) + 1 if other.any() else 0
    if last < HEAD or len(close) - last < TAIL or other[last - HEAD : last].mean() < SHARE:
        return ""
    return (
        f"Are its prices adjusted? From {close.index[last]:%Y-%m-%d} on its closes are whole cents, before that many are"
        f" not, as after a split. {TRADED} {CURE}."
    )
