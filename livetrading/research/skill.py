"""Resampling tests of a run's daily returns, by the stationary bootstrap (Politis and Romano 1994) of ``arch``.

Blocks keep what follows one another together; their mean length is chosen from the returns (Politis and White 2004,
corrected by Patton, Politis and White 2009). The generator's seed is fixed: equal returns give equal results.
"""

import warnings
from collections.abc import Iterator
from itertools import islice

import numpy as np

from ..core.metrics import NO_DEVIATION, SESSIONS_A_YEAR
from ..core.significance import ratios, record

RESAMPLES, FIRST_RESAMPLES, MOST_RESAMPLES = 9_999, 999, 99_999
A_TRY = 200
"""Resamples a try: a p-value of 0.05 divided by the tries must be measurable."""
HOPELESS = 0.2
"""A p-value above it needs no finer resampling."""
SEED = 20_140_731
AT_ONCE = 1_000
"""Rows in memory."""


def sharpe_interval(
    returns: np.ndarray, confidence: float = 0.95, resamples: int = 1_999
) -> tuple[float, float] | None:
    """The yearly Sharpe ratio's interval, by percentiles of the resampled ratios; None where it is undefined."""
    if record(returns) is None:
        return None
    rows = _drawn(len(returns), block_length(returns), resamples)
    drawn = np.concatenate([ratios(returns[some]) for some in rows]) * SESSIONS_A_YEAR**0.5
    low, high = np.quantile(drawn, [(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0])
    return float(low), float(high)


def p_value(returns: np.ndarray, others: np.ndarray, tries: int = 1) -> float | None:
    """How likely a Sharpe ratio so much above that of ``others`` is, if in truth it is not above it; for one try.

    Both ``(T,)`` and paired: a session of one is resampled with the same session of the other. One-sided; the
    resampled difference is centred at the one that was found. None where either ratio is undefined, but for ``others``
    that never move, whose ratio is taken as 0. ``tries`` makes the resampling fine enough for their correction.
    """
    if record(returns) is None or len(returns) != len(others):
        return None
    difference = _difference(returns[None], others[None])[0]
    if not np.isfinite(difference):
        return None
    wanted = min(max(RESAMPLES, A_TRY * tries), MOST_RESAMPLES)
    block = block_length(returns - others)
    for count in (FIRST_RESAMPLES, wanted):
        drawn = _drawn(len(returns), block, count)
        beyond = sum(int((_difference(returns[rows], others[rows]) - difference >= difference).sum()) for rows in drawn)
        found = (1 + beyond) / (count + 1)
        if found > HOPELESS:
            break
    return found


def _difference(mine: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    return np.asarray(ratios(mine) - ratios(theirs))


def block_length(returns: np.ndarray) -> int:
    """The mean length of a block in sessions, at least 1 and at most a tenth of all."""
    from arch.bootstrap import optimal_block_length

    if returns.std() <= NO_DEVIATION:
        return 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a nearly constant series divides 0 by 0
        found = float(optimal_block_length(returns)["stationary"].iloc[0])
    return int(np.clip(round(found) if np.isfinite(found) else 1, 1, max(1, len(returns) // 10)))


def _drawn(length: int, block: int, count: int) -> Iterator[np.ndarray]:
    """``count`` resampled rows of session indexes, some ``(R, length)`` at a time."""
    from arch.bootstrap import StationaryBootstrap

    made = StationaryBootstrap(block, np.arange(length), seed=np.random.default_rng(SEED))
    rows = (data[0][0] for data in made.bootstrap(count))
    while chunk := list(islice(rows, AT_ONCE)):
        yield np.array(chunk)
