"""Two series of the same stock, compared bar by bar."""

import numpy as np
import pandas as pd

from livetrading.core.bars import PRICES
from livetrading.core.wording import counted

OVERLAP_BARS = 500
TOLERANCE = 1e-3
"""Relative. Vendors differ by odd lots; up to 0.1 % the bars count as the same."""


def disagreement(ours: pd.DataFrame, theirs: pd.DataFrame, bars: int = OVERLAP_BARS) -> str | None:
    """One clause if the last common bars differ in a price by more than 0.1 %, or are fewer than ``bars``."""
    common = ours.index.intersection(theirs.index)[-bars:]
    if len(common) < bars:
        return f"they share {counted(len(common), 'bar')}, and at least {bars} are needed to compare them"
    for name in PRICES:
        mine, yours = ours.loc[common, name].to_numpy(), theirs.loc[common, name].to_numpy()
        differs = ~(np.abs(mine - yours) <= TOLERANCE * np.abs(mine))
        if differs.any():
            row = int(np.argmax(differs))
            return f"{name} of {common[row]:%Y-%m-%d} is {mine[row]:.10g} here and {yours[row]:.10g} there"
    return None
