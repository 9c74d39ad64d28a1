"""One trial: its settings on every fold with every seed, until it ends or is given up."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core import metrics
from ...core.types import Terms
from .. import backtest
from ..crew import Tell
from ..deep import Deep, ensemble
from ..fitting import member_seeds
from ..folds import Fold
from ..scaled import scaled_by
from ..training import Prepared
from ..walk_forward import chained, fold_seeds
from .proposals import COMPLETE, PRUNED
from .space import Choice


@dataclass(frozen=True, eq=False)
class Outcome:
    """How a trial ended. ``steps``: the Sharpe ratio of each fold and seed. ``value``: the median over the seeds of the
    Sharpe ratio of all folds as one history, None if it was given up. ``returns`` ``(T,)`` float64: the daily returns
    of the seed that is the (lower) median, of the folds that were judged."""

    state: str
    value: float | None
    steps: Mapping[int, float]
    returns: np.ndarray


GoesOn = Callable[[int, float], bool]
"""Takes a step and its score; False if the trial is to be given up."""


def step(fold: int, seed: int, seeds: int) -> int:
    """The number of a score among a trial's: fold after fold, in each seed after seed."""
    return fold * seeds + seed


def judge(ready: Prepared, choice: Choice, goes_on: GoesOn, tell: Tell) -> Outcome:
    """Fits and judges the settings on the folds of ``ready``, the shortest first; ``ready.request`` says how many
    seeds and steps. The seeds are the same for every trial, so that scores can be compared pair by pair."""
    count, seeds = ready.request.seeds, fold_seeds(ready.request.seed, ready.folds)
    steps: dict[int, float] = {}
    equities: list[list[list[float]]] = [[] for _ in range(count)]
    for fold in ready.folds:
        found = _fold(ready, choice, fold, seeds[fold.number], tell)
        going = True
        for seed, equity in enumerate(found):
            equities[seed].append(equity)
            at = step(fold.number, seed, count)
            steps[at] = sharpe(equity)
            going = goes_on(at, steps[at])
        tell(("fold", fold.number))
        if not going and fold is not ready.folds[-1]:
            return Outcome(PRUNED, None, steps, _median(equities)[1])
    value, returns = _median(equities)
    return Outcome(COMPLETE, value, steps, returns)


def _fold(ready: Prepared, choice: Choice, fold: Fold, seed: int, tell: Tell) -> list[list[float]]:
    """The equity of each seed over the sessions that the fold judges, by the rules of every test."""
    request, terms = ready.request, Terms()
    market, _ = scaled_by(ready.raw, fold.fit)
    others = tuple(other.market for other in ready.also)
    deep = Deep(choice.agent_type, request.timesteps, request.seeds, others, choice.hyper)

    def watch(taught: Any) -> None:
        tell(("taught", fold.number))

    models = deep.models(market, fold.fit, terms, member_seeds(seed, request.seeds), watch)
    found = []
    for member in ensemble(choice.agent_type, models).members:
        found.append(backtest.run(market, fold.validation, choice.agent_type, member.raw, terms).equity)
        tell(("judged", fold.number))
    return found


def sharpe(equity: list[float]) -> float:
    """Of a year; 0 where it is undefined, as of cash."""
    found = metrics.measure(equity, [], [False] * len(equity))["sharpe_ratio"]
    return 0.0 if found is None else float(found)


def _median(equities: list[list[list[float]]]) -> tuple[float, np.ndarray]:
    """The median over the seeds of their Sharpe ratios, and the returns of the seed that is the lower median."""
    whole = [np.array(chained(folds, Terms().capital)) for folds in equities]
    ratios = [sharpe(equity.tolist()) for equity in whole]
    middle = whole[ratios.index(statistics.median_low(ratios))]
    return statistics.median(ratios), middle[1:] / middle[:-1] - 1.0
