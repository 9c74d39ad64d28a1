"""The limit that pauses an agent. Bounds on the size of a position are in ``rules.size``."""

import numpy as np

from .rules import Num, drawdown
from .types import Limits


def pauses_entries(equity: Num, peak: Num, limits: Limits) -> Num:
    """Whether the drawdown from ``peak`` forbids entries until a person resumes."""
    return np.asarray(drawdown(equity, peak) >= limits.max_drawdown)[()]
