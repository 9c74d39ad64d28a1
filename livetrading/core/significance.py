"""How much of a Sharpe ratio may be luck: formulas of one series of returns, and of several tries.

Ratios here are daily unless a name says ``yearly``: mean over deviation (ddof 1) of one return a session. Sources:
D. H. Bailey and M. López de Prado, "The Sharpe Ratio Efficient Frontier" (2012) for the probabilistic ratio and the
minimum track record, and "The Deflated Sharpe Ratio" (2014); D. H. Bailey, J. M. Borwein, M. López de Prado and
Q. J. Zhu, "The Probability of Backtest Overfitting" (2017) for CSCV.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist

import numpy as np

from .errors import BadInput
from .metrics import NO_DEVIATION, SESSIONS_A_YEAR

NORMAL = NormalDist()
EULER = 0.5772156649015329
CSCV_BLOCKS = 16


@dataclass(frozen=True)
class Record:
    """What the formulas need of a series of returns: its daily ratio, skewness, kurtosis (normal: 3) and length."""

    ratio: float
    skew: float
    kurtosis: float
    count: int

    @property
    def error(self) -> float:
        """Standard error of the daily ratio, with the skewness and kurtosis that were seen (2012, eq. 4)."""
        shape = 1.0 - self.skew * self.ratio + (self.kurtosis - 1.0) / 4.0 * self.ratio**2
        return math.sqrt(max(shape, NO_DEVIATION) / (self.count - 1))


def returns_of(equity: Sequence[float] | np.ndarray) -> np.ndarray:
    """``(N - 1,)`` simple returns between N closes; empty where an equity is not positive or not finite."""
    values = np.asarray(equity, dtype=np.float64)
    if len(values) < 2 or not np.isfinite(values).all() or (values[:-1] <= 0.0).any():
        return np.zeros(0)
    return np.asarray(values[1:] / values[:-1] - 1.0)


def record(returns: Sequence[float] | np.ndarray) -> Record | None:
    """The record of ``(T,)`` returns; None where the ratio is undefined: too few, not finite, or without deviation."""
    values = np.asarray(returns, dtype=np.float64)
    if len(values) < 3 or not np.isfinite(values).all():
        return None
    deviation = float(values.std(ddof=1))
    if deviation <= NO_DEVIATION:
        return None
    away = (values - values.mean()) / values.std()
    return Record(float(values.mean()) / deviation, float((away**3).mean()), float((away**4).mean()), len(values))


def ratios(rows: np.ndarray) -> np.ndarray:
    """``(R,)`` daily ratios of ``(R, T)`` returns; 0 where nothing moved."""
    spread = rows.std(axis=1, ddof=1)
    found: np.ndarray = np.divide(rows.mean(axis=1), spread, out=np.zeros(len(rows)), where=spread > NO_DEVIATION)
    return found


def yearly(ratio: float) -> float:
    """A daily ratio as a yearly one."""
    return ratio * math.sqrt(SESSIONS_A_YEAR)


def probabilistic(found: Record | None, benchmark: float = 0.0) -> float | None:
    """The probability that the true daily ratio is above ``benchmark`` (2012, eq. 11); None where undefined."""
    return None if found is None else NORMAL.cdf((found.ratio - benchmark) / found.error)


def expected_maximum(tries: float, deviation: float) -> float:
    """What the best of so many tries without skill shows on average, if their ratios deviate so much (2014, eq. 1)."""
    if tries <= 1.0:
        return 0.0
    first, second = NORMAL.inv_cdf(1.0 - 1.0 / tries), NORMAL.inv_cdf(1.0 - 1.0 / (tries * math.e))
    return deviation * ((1.0 - EULER) * first + EULER * second)


def deflated(found: Record | None, tries: int) -> float | None:
    """The deflated Sharpe ratio: the probability that the true ratio is above what the best of ``tries`` shows by luck.

    The deviation of the tries' ratios is that of a ratio without skill, ``1 / sqrt(T - 1)``, and not the one that
    was observed: tries that are alike, or idle, would lower that, and so the bar.
    """
    return None if found is None else probabilistic(found, luck(found.count, tries))


def luck(count: int, tries: int) -> float:
    """The daily ratio that the best of so many tries without skill shows on average over ``count`` sessions."""
    return expected_maximum(tries, 1.0 / math.sqrt(count - 1))


def minimum_track_record(found: Record | None, benchmark: float = 0.0, confidence: float = 0.95) -> int | None:
    """Sessions after which the ratio, staying as it is, is above ``benchmark`` with so much confidence (2012, eq. 13).

    None where it never will be.
    """
    if found is None or found.ratio <= benchmark:
        return None
    steps = (NORMAL.inv_cdf(confidence) * found.error * math.sqrt(found.count - 1) / (found.ratio - benchmark)) ** 2
    return 1 + math.ceil(steps)


def as_good_by_luck(found: Record | None, tries: int) -> float | None:
    """The share of agents without skill, each tried so often and its best try shown, that look at least this good.

    A ratio without skill is normal around 0 with deviation ``1 / sqrt(T - 1)``; the tries are independent.
    """
    if found is None:
        return None
    below = NORMAL.cdf(found.ratio * math.sqrt(found.count - 1))
    return float(-math.expm1(tries * math.log(max(below, 1e-300))))


def effective_tries(likeness: np.ndarray) -> float:
    """How many independent tries a ``(N, N)`` matrix of correlations amounts to: from 1 (all alike) to N.

    ``(sum of eigenvalues)^2 / sum of their squares``, the participation ratio.
    """
    size = len(likeness)
    return float(size**2 / np.square(likeness).sum()) if size else 0.0


def overfitting(returns: np.ndarray, blocks: int = CSCV_BLOCKS) -> float:
    """The probability of backtest overfitting of ``(T, N)`` returns of N trials, by CSCV (2017, section 3).

    Of all ways to choose half of ``blocks`` parts, the share in which the trial that is best there is below the
    median of the other half. Raises BadInput for fewer than two trials or fewer rows than two a block.
    """
    rows, trials = np.asarray(returns).shape
    if trials < 2 or rows < 2 * blocks or blocks % 2:
        raise BadInput(f"{rows} sessions of {trials} trials cannot be judged in {blocks} blocks: 2 trials are needed.")
    parts = np.array_split(np.asarray(returns, dtype=np.float64), blocks)
    sums = np.array([[part.sum(0), np.square(part).sum(0)] for part in parts])
    sizes = np.array([len(part) for part in parts])
    below = [_rank_of_best(sums, sizes, list(chosen)) <= 0.5 for chosen in combinations(range(blocks), blocks // 2)]
    return sum(below) / len(below)


def _rank_of_best(sums: np.ndarray, sizes: np.ndarray, chosen: list[int]) -> float:
    """The relative rank, from 0 (worst) to 1, that the best of the chosen blocks has in the others."""
    others = [block for block in range(len(sizes)) if block not in chosen]
    best = int(np.argmax(_ratios(sums[chosen].sum(0), int(sizes[chosen].sum()))))
    outside = _ratios(sums[others].sum(0), int(sizes[others].sum()))
    rank = (outside < outside[best]).sum() + ((outside == outside[best]).sum() + 1) / 2.0
    return float(rank / (len(outside) + 1))


def _ratios(sums: np.ndarray, count: int) -> np.ndarray:
    """Daily ratios from sums and sums of squares; 0 where nothing moved."""
    mean = sums[0] / count
    spread = np.sqrt(np.maximum(sums[1] - count * mean**2, 0.0) / (count - 1))
    return np.asarray(np.divide(mean, spread, out=np.zeros_like(mean), where=spread > NO_DEVIATION))
