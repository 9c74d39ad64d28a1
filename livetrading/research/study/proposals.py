"""What a trial tries and whether it goes on: pure functions of the trials that ended in generations before it.

A generation is a fixed number of trials. None of them knows of another, so it does not matter which worker ends first:
one process and many find the same. Proposals are those of Optuna's tree-structured Parzen estimator (J. Bergstra et
al., "Algorithms for Hyper-Parameter Optimization", 2011) in a study in memory; a trial is given up by the Wilcoxon
signed-rank test of its scores against the best trial's, fold by fold and seed by seed (F. Wilcoxon, 1945).
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import Trial, TrialState, create_trial

from .space import Params

STARTUP = 8
"""Trials that are drawn at random before the estimator proposes any."""
SURE = 0.05
"""A trial is given up if its scores would be that far below the best trial's by chance with this probability."""

optuna.logging.set_verbosity(optuna.logging.WARNING)
COMPLETE, PRUNED, FAILED = "COMPLETE", "PRUNED", "FAIL"
"""How a trial ended, by Optuna's names."""


@dataclass(frozen=True)
class Ended:
    """A trial that has ended: its ``value`` (COMPLETE alone), its score by step, see ``trial.step``."""

    number: int
    state: str
    value: float | None
    params: Params
    steps: Mapping[int, float] = field(default_factory=dict)


def generation_of(number: int, size: int) -> int:
    """Counted from 0."""
    return number // size


def proposed(
    number: int,
    seed: int,
    space: Mapping[str, BaseDistribution],
    history: Sequence[Ended],
    usual: Params,
    least_steps: int,
) -> Trial:
    """Trial ``number``, to be reported to and asked whether it should be pruned; its ``params`` are the proposal.

    ``history`` are the trials of earlier generations in whatever order. Nothing is pruned before ``least_steps`` scores.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        pruner = optuna.pruners.WilcoxonPruner(p_threshold=SURE, n_startup_steps=least_steps)
    drawn = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    sampler = optuna.samplers.TPESampler(n_startup_trials=STARTUP, seed=drawn)
    study = in_memory(space, history, sampler, pruner)
    if number == 0:
        study.enqueue_trial(usual)
    return study.ask(dict(space))


def in_memory(
    space: Mapping[str, BaseDistribution],
    history: Sequence[Ended],
    sampler: optuna.samplers.BaseSampler | None = None,
    pruner: optuna.pruners.BasePruner | None = None,
) -> optuna.Study:
    """An Optuna study of the trials that ended with scores, in order of their numbers."""
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
    for ended in sorted(history, key=lambda ended: ended.number):
        if ended.state in (COMPLETE, PRUNED):
            study.add_trial(_frozen(ended, space))
    return study


def _frozen(ended: Ended, space: Mapping[str, BaseDistribution]) -> Any:
    return create_trial(
        state=TrialState[ended.state],
        value=ended.value if ended.state == COMPLETE else None,
        params={name: ended.params[name] for name in space},
        distributions=dict(space),
        intermediate_values={step: ended.steps[step] for step in sorted(ended.steps)},
    )


def best(ended: Sequence[Ended]) -> Ended | None:
    """The complete trial with the largest value, of equals the first; None if there is none."""
    complete = [trial for trial in ended if trial.state == COMPLETE and trial.value is not None]
    return max(complete, key=lambda trial: (trial.value, -trial.number), default=None)
