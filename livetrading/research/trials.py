"""Several tries side by side: whether choosing the best of them was overfitting, and whether any beats always-long.

Nothing is fitted again: the returns that each try showed are enough.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import significance
from ..core.metrics import NO_DEVIATION
from ..core.significance import CSCV_BLOCKS
from . import skill

Doc = dict[str, Any]
Series = tuple[str, Sequence[str], np.ndarray]
"""A try's name, its sessions, and of each the return of the equity: ``(N,)``."""
COVER = 0.9
"""A try belongs beside a test if it has so large a share of its sessions."""
RESAMPLES = 1_999
SAME = 1e-12


@dataclass(frozen=True, eq=False)
class Trials:
    """``values`` ``(T, N)``: the returns of N tries in the same T sessions."""

    names: tuple[str, ...]
    sessions: tuple[str, ...]
    values: np.ndarray


def aligned(series: Sequence[Series], sessions: Sequence[str]) -> Trials:
    """The tries that cover nearly all of ``sessions``, in those that all of them have.

    Tries with equal returns are one: the same model, run again.
    """
    wanted = set(sessions)
    near = [one for one in series if len(wanted & set(one[1])) >= COVER * len(sessions)]
    common = wanted.intersection(*(set(one[1]) for one in near))
    shown = tuple(session for session in sessions if session in common)
    names, columns = list[str](), list[np.ndarray]()
    for name, days, returns in near:
        known = dict(zip(days, returns, strict=True))
        column = np.array([known[session] for session in shown])
        if np.isfinite(column).all() and not any(np.abs(column - other).max(initial=0.0) <= SAME for other in columns):
            names.append(name)
            columns.append(column)
    values = np.column_stack(columns) if columns else np.zeros((len(shown), 0))
    return Trials(tuple(names), shown, values)


def judged(trials: Trials, beside: Sequence[Sequence[Any]]) -> Doc | None:
    """Probability of overfitting and p-value of superior ability; ``beside`` is always-long's equity ``[[session, USD],
    …]``. None for fewer than two tries, or too few sessions for the blocks."""
    count = trials.values.shape[1]
    if count < 2 or len(trials.sessions) < 2 * CSCV_BLOCKS:
        return None
    pbo = significance.overfitting(trials.values)
    ability = superior(trials, beside)
    return {
        "count": count,
        "names": list(trials.names),
        "sessions": len(trials.sessions),
        "start": trials.sessions[0],
        "end": trials.sessions[-1],
        "sharpe_ratios": [_yearly(column) for column in trials.values.T],
        "overfitting": pbo,
        "superior_p_value": ability,
        "words": _words(count, pbo, ability),
    }


def superior(trials: Trials, beside: Sequence[Sequence[Any]]) -> float | None:
    """The consistent p-value of P. R. Hansen, "A Test for Superior Predictive Ability" (2005): how likely the best mean
    return above always-long's is, if in truth no try has a higher one.

    Stationary bootstrap, studentized. None where always-long's returns are not known in all sessions, or where no try
    differs from it.
    """
    from arch.bootstrap import SPA

    long = significance.returns_of([value for _, value in beside])
    known = dict(zip([session for session, _ in beside][1:], long, strict=len(long) > 0))
    if len(long) == 0 or not all(session in known for session in trials.sessions):
        return None
    benchmark = np.array([known[session] for session in trials.sessions])
    moved = (trials.values - benchmark[:, None]).std(axis=0) > NO_DEVIATION
    if not moved.any():
        return None
    tries = trials.values[:, moved]
    block = max(skill.block_length(column - benchmark) for column in tries.T)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        made = SPA(-benchmark, -tries, block_size=block, reps=RESAMPLES, seed=skill.SEED)
        made.compute()
    found = float(made.pvalues["consistent"])
    return found if math.isfinite(found) else None


def _yearly(returns: np.ndarray) -> float | None:
    found = significance.record(returns)
    return None if found is None else significance.yearly(found.ratio)


def _words(count: int, pbo: float, ability: float | None) -> str:
    text = (
        f"In {round(100 * pbo)} of 100 ways to halve these sessions, the best of the {count} tries in one half is below"
        " the median of them in the other; from 50 on, choosing the best is chance."
    )
    if ability is None:
        return text
    return (
        f"{text} If none of them had a higher mean return than always-long, the best would look at least so good in"
        f" {round(100 * ability)} of 100 histories."
    )
