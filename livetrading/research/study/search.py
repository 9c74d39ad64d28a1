"""A study from its beginning to the model that it chose: trials, one choice, one training with one test."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ...adapters.bars.base import BarSet
from ...adapters.home import Home
from ...adapters.registry import Registry
from ...adapters.stamps import stamp
from ...adapters.store import Store
from ...core.errors import BadInput, Conflict, Damaged, NotFound, Unavailable
from ..crew import Tell, each
from ..progress import Listener, Progress
from ..training import Prepared, TrainRequest, prepare, train
from . import catalogue, claims, files, insight, record
from .catalogue import Study
from .definition import Definition
from .matrix import Returns, matrix
from .progress import STUDY_SHARE, StudyProgress
from .proposals import COMPLETE, FAILED, PRUNED, Ended, best
from .space import FEATURES, choice, distributions
from .storage import Storage
from .worker import Bench, request, work

RESTARTS = 3
"""So often the processes of a study are started again after one of them was killed."""


def check(definition: Definition, series: Sequence[BarSet]) -> Prepared:
    """All that can be refused of a study's bars and folds, before it is begun. Raises BadInput or BadBars."""
    ready = [prepare(request(definition, FEATURES[name]), series[0], series[1:]) for name in definition.features]
    return ready[0]


@dataclass(frozen=True)
class _Task:
    """As it goes to a process; ``url`` may hold a password and is never shown."""

    url: str
    name: str
    beat_seconds: int


def _work(task: _Task, tell: Tell) -> None:
    storage = Storage(task.url, task.beat_seconds)
    try:
        work(Bench(catalogue.find(storage, task.name)), tell)
    finally:
        storage.close()


def run(study: Study, tell: Tell, processes: int | None = None) -> None:
    """All trials of the study to their end, by processes of this machine and whoever else works on it.

    ``tell`` is given ``worker.News`` in this process. Unavailable if processes are killed again and again.
    """
    storage = study.storage
    task = _Task(storage.url.render_as_string(hide_password=False), study.name, storage.beat_seconds)
    most = min(processes or os.cpu_count() or 1, study.definition.generation, study.definition.trials)
    for _ in range(RESTARTS):
        if all(row.ended for row in claims.rows(study)):
            return
        try:
            each(_work, [task] * most, most, tell)
        except BrokenProcessPool:
            continue
    if not all(row.ended for row in claims.rows(study)):
        raise Unavailable(
            f"Processes of the study {study.name} were killed {RESTARTS} times, perhaps for want of memory: what has "
            "ended is kept; start the same command again."
        )


def chosen(study: Study) -> Ended:
    """The best trial of a study that has ended. Conflict if it has not, or if no trial has a value."""
    if not all(row.ended for row in claims.rows(study)):
        raise Conflict(f"Trials of the study {study.name} have not ended: start its command again.")
    found = best(record.history(study))
    if found is None:
        why = next(iter(record.reasons(study).values()), "no reason is known")
        raise Conflict(
            f"No trial of the study {study.name} ended with a value ({why}): begin another with other settings."
        )
    return found


def final_request(definition: Definition, trial: Ended, members: int) -> TrainRequest:
    """The training of what was chosen: an ensemble of so many ``members``."""
    settings = choice(trial.params)
    wanted = request(definition, settings.feature_set)
    return replace(wanted, agent_type=settings.agent_type, seeds=members, hyper=settings.hyper)


def returns_of(study: Study) -> Returns:
    """The matrix of all trials' returns; see ``matrix``."""
    barset, *others = study.series()
    ready = prepare(request(study.definition, FEATURES[study.definition.features[0]]), barset, others)
    sessions = [ready.raw.sessions[t].isoformat() for fold in ready.folds for t in fold.validation]
    return matrix(sessions, record.returns(study))


def summary(study: Study, now: datetime, result: dict[str, Any] | None = None) -> dict[str, Any]:
    """JSON-ready: what pages and ``--json`` show of a study. ``storage`` is without a password."""
    wanted, ended = study.definition, record.history(study)
    found = best(ended)
    states = [trial.state for trial in ended]
    return {
        "name": study.name,
        "storage": study.storage.shown,
        "symbol": wanted.symbol,
        "agent": wanted.agent,
        "trials": wanted.trials,
        "ended": len(ended),
        "complete": states.count(COMPLETE),
        "pruned": states.count(PRUNED),
        "failed": states.count(FAILED),
        "best": None if found is None else {"number": found.number, "value": found.value, "params": found.params},
        "history": insight.objective_history(ended),
        "importance": insight.importance(ended, distributions(wanted.agents, wanted.features)),
        "definition": wanted.to_dict(),
        "result": result,
        "updated": stamp(now),
    }


@dataclass(frozen=True)
class Place:
    """Where a search leaves what it finds. ``clock`` gives aware times."""

    home: Home
    store: Store
    clock: Callable[[], datetime]

    @property
    def registry(self) -> Registry:
        return Registry(self.home)


def search(
    place: Place, study: Study, members: int, progress: Listener, processes: int | None = None
) -> dict[str, Any]:
    """Runs the trials that have not ended, then trains and tests what they chose, once.

    Returns the summary, whose ``result`` is that of the training. A search that was done before in this home, and whose
    model is still there, gives the same again and opens nothing.
    """
    if (known := _done_before(place, study, members)) is not None:
        return known

    def keep() -> None:
        files.write_summary(place.home, study.name, summary(study, place.clock()))

    keep()
    shown = StudyProgress(study, progress, keep)
    run(study, shown.news, processes)
    trial = chosen(study)
    files.write_returns(place.home, study.name, returns_of(study))
    barset, *others = study.series()

    def last(step: Progress) -> None:
        progress(replace(step, share=STUDY_SHARE + (1.0 - STUDY_SHARE) * step.share))

    done = train(
        final_request(study.definition, trial, members),
        barset,
        registry=place.registry,
        store=place.store,
        clock=place.clock,
        progress=last,
        also=others,
        processes=processes,
        tries=study.definition.trials,
    )
    found = summary(study, place.clock(), {**done.to_dict(), "seeds": members})
    files.write_summary(place.home, study.name, found)
    return found


def _done_before(place: Place, study: Study, members: int) -> dict[str, Any] | None:
    """The summary of this very search, if it has a result with that many members and the model is still there."""
    try:
        found = files.summary(place.home, study.name)
        result = found.get("result") or {}
        if result.get("seeds") != members:
            return None
        place.registry.card(result["model_id"])
        before = Definition.from_dict(found["definition"])
    except (NotFound, Damaged, BadInput, KeyError):
        return None
    return found if not before.differences(study.definition) else None
