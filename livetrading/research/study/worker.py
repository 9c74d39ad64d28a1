"""A worker: takes trials of a study, one after the other, until all have ended.

Any number of them, on any machines, may work on one study; what they find does not depend on how many there are.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from ...core.errors import LivetradingError, in_a_line
from ...core.types import AgentType
from ..crew import Tell
from ..training import Prepared, TrainRequest, prepare
from . import claims, record, versions
from .catalogue import Study
from .claims import Row, Worker
from .definition import Definition
from .proposals import FAILED, Ended, generation_of, proposed
from .space import FEATURES, Choice, choice, distributions, usual
from .trial import Outcome, judge

LOOK_SECONDS = 0.5
FOLDS_BEFORE_PRUNING = 2


@dataclass(frozen=True)
class News:
    """What a worker tells: trial ``number`` and what of it, None while it waits for others."""

    number: int | None
    what: tuple[str, Any]


class Bench:
    """What a process needs for the trials of one study: its bars, prepared once for each feature set."""

    def __init__(self, study: Study) -> None:
        """Refused if the study began with other versions, Damaged if its bars are others."""
        versions.check(study.packages, study.name)
        self.study, self.definition = study, study.definition
        self.space = distributions(self.definition.agents, self.definition.features)
        self._series = study.series()
        self.prepared = cache(self._prepared)

    def _prepared(self, feature_set: str) -> Prepared:
        return prepare(request(self.definition, feature_set), self._series[0], self._series[1:])

    def run(self, row: Row, history: list[Ended], tell: Tell) -> bool:
        """One trial to its end; False if another worker has ended it meanwhile."""
        wanted, named = self.definition, FEATURES
        trial = proposed(
            row.number,
            wanted.seed,
            self.space,
            history,
            usual(wanted.agents, wanted.features),
            FOLDS_BEFORE_PRUNING * wanted.trial_seeds,
        )

        def goes_on(step: int, score: float) -> bool:
            trial.report(score, step)
            return not trial.should_prune()

        try:
            settings: Choice = choice(trial.params)
            outcome, why = judge(self.prepared(named[trial.params["features"]]), settings, goes_on, tell), ""
        except (ArithmeticError, ValueError, LivetradingError) as error:
            # Settings that cannot be fitted are a result; whatever tries them again finds the same.
            outcome, why = Outcome(FAILED, None, {}, np.empty(0)), in_a_line(error)
        return record.end(self.study, row, trial.params, self.space, outcome, why)


def request(definition: Definition, feature_set: str) -> TrainRequest:
    """What ``prepare`` needs for the trials with these features."""
    wanted = definition
    return TrainRequest(
        wanted.symbol,
        AgentType(wanted.agents[0]),
        wanted.timesteps,
        wanted.seed,
        wanted.start,
        wanted.end,
        feature_set,
        wanted.trial_seeds,
        wanted.folds,
    )


def turn(bench: Bench, me: Worker, tell: Tell) -> bool | None:
    """One trial, if there is one to take: True. False: others work on what has to end first. None: all have ended."""
    study, size = bench.study, bench.definition.generation
    rows = claims.rows(study)
    left = [row for row in rows if not row.ended]
    if not left:
        return None
    present = generation_of(left[0].number, size)
    row = claims.claim(study, [row for row in left if generation_of(row.number, size) == present], me)
    if row is None:
        return False
    history = record.history(study, below=present * size)

    def told(what: Any) -> None:
        tell(News(row.number, what))

    try:
        with claims.beating(study, row):
            told(("begun", None))
            bench.run(row, history, told)
    except KeyboardInterrupt:
        with suppress(LivetradingError):  # without it the trial is free when its beats stop
            claims.release(study, row, me)
        raise
    told(("ended", None))
    return True


def work(bench: Bench, tell: Tell, sleep: Callable[[float], None] = time.sleep) -> None:
    """Until all trials of the study have ended."""
    me = Worker.this()
    while (found := turn(bench, me, tell)) is not None:
        if not found:
            tell(News(None, ("waits", None)))
            sleep(LOOK_SECONDS)
