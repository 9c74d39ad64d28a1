"""What a study has learned about its settings: how the best value rose, and which parameters mattered."""

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution

from .proposals import COMPLETE, Ended, in_memory

LEAST = 4
"""Complete trials below which nothing is said about parameters."""


def objective_history(ended: Sequence[Ended]) -> list[dict[str, Any]]:
    """One point a trial, by number, JSON-ready: ``number``, ``state``, ``value`` (None if it was given up) and
    ``best``, the largest value so far."""
    found, best = [], None
    for trial in sorted(ended, key=lambda trial: trial.number):
        if trial.state == COMPLETE and trial.value is not None:
            best = trial.value if best is None else max(best, trial.value)
        found.append({"number": trial.number, "state": trial.state, "value": trial.value, "best": best})
    return found


def importance(ended: Sequence[Ended], space: Mapping[str, BaseDistribution]) -> dict[str, float]:
    """Each parameter's share of the differences between complete trials, largest first, 1 in all; empty below LEAST.

    Optuna's PED-ANOVA (S. Watanabe et al., "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary
    Subspaces", 2023): what the good trials share. Of few trials it is a hint and no more.
    """
    complete = [trial for trial in ended if trial.state == COMPLETE]
    free = {name: kept for name, kept in space.items() if not kept.single()}
    if len(complete) < LEAST:
        return {}
    found = optuna.importance.get_param_importances(in_memory(space, complete), params=list(free))
    shares = {name: float(share) for name, share in found.items()}
    return dict(sorted(shares.items(), key=lambda pair: (-pair[1], pair[0])))
