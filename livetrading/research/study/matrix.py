"""The trials' daily returns side by side: what tests of overfitting take (PBO by CSCV)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Returns:
    """``values`` ``(T, N)`` float64: the daily returns of each trial on the sessions that the folds judge, one after the
    other; NaN where a trial was given up before. ``sessions`` ``(T,)`` are the closes at which they were earned, as
    dates in ISO form, ``numbers`` ``(N,)`` the trials."""

    sessions: tuple[str, ...]
    numbers: tuple[int, ...]
    values: np.ndarray

    @property
    def complete(self) -> "Returns":
        """The trials that were judged on every session: ``(T, M)`` without a NaN. A trial that was given up was among
        the worst, so a probability of overfitting among the rest is rather too high than too low."""
        kept = np.isfinite(self.values).all(axis=0)
        numbers = tuple(number for number, whole in zip(self.numbers, kept, strict=True) if whole)
        return Returns(self.sessions, numbers, self.values[:, kept])


def matrix(sessions: Sequence[str], found: Mapping[int, np.ndarray]) -> Returns:
    """Of each trial's returns by its number, ``(T,)`` or less; ``sessions`` has one close more than there are returns."""
    numbers = tuple(sorted(found))
    values = np.full((max(len(sessions) - 1, 0), len(numbers)), np.nan)
    for column, number in enumerate(numbers):
        values[: len(found[number]), column] = found[number]
    return Returns(tuple(sessions[1:]), numbers, values)
