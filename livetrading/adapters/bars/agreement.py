"""Do two sources tell the same prices? Asked before one stands in for the other."""

import numpy as np
import pandas as pd

from livetrading.core.bars import PRICES

OVERLAP_BARS = 500
TOLERANCE = 1e-3
"""Vendors differ in odd lots and rounding; 0.1 % is what a decision may rest on."""

VOLUME_FEATURES = frozenset({"cmf_20", "volume_20"})
"""Features that read the volume, which vendors count differently."""


def disagreement(ours: pd.DataFrame, theirs: pd.DataFrame, bars: int = OVERLAP_BARS) -> str | None:
    """One clause if the last common bars differ in a price by more than 0.1 %, or are fewer than ``bars``."""
    common = ours.index.intersection(theirs.index)[-bars:]
    if len(common) < bars:
        return f"they share {len(common)} bars and {bars} are needed"
    for name in PRICES:
        mine, yours = ours.loc[common, name].to_numpy(), theirs.loc[common, name].to_numpy()
        differs = ~(np.abs(mine - yours) <= TOLERANCE * np.abs(mine))
        if differs.any():
            row = int(np.argmax(differs))
            return f"{name} of {common[row]:%Y-%m-%d} is {mine[row]:.10g} here and {yours[row]:.10g} there"
    return None


def may_stand_in(model: pd.DataFrame, other: pd.DataFrame, features: tuple[str, ...]) -> str | None:
    """Why bars of another vendor than the model's cannot decide for it, or None."""
    by_volume = sorted(VOLUME_FEATURES.intersection(features))
    if by_volume:
        return f"the model reads the volume ({', '.join(by_volume)}), which vendors count differently"
    problem = disagreement(model, other)
    return f"the sources disagree: {problem}" if problem else None
