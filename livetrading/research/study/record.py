"""How trials ended, written once and read back exactly."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from optuna.storages._rdb import models
from optuna.trial import TrialState
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from . import content
from .catalogue import TRIALS, Study
from .claims import ATTRIBUTES, Row, ended
from .proposals import Ended
from .space import Params
from .tables import RETURNS
from .trial import Outcome

VALUES, STEPS, PARAMS = (
    model.__table__ for model in (models.TrialValueModel, models.TrialIntermediateValueModel, models.TrialParamModel)
)
WHY = "why"
"""Attribute of a failed trial: the error in one line."""


def end(
    study: Study, row: Row, params: Params, space: Mapping[str, BaseDistribution], outcome: Outcome, why: str = ""
) -> bool:
    """Ends the trial with all that it found in one step; False if another worker has ended it before, with the same."""
    try:
        with study.storage.answering(), study.storage.engine.begin() as connection:
            if not ended(connection, row, TrialState[outcome.state]):
                return False
            for table, rows in _rows(row.trial_id, params, space, outcome, why):
                if rows:
                    connection.execute(insert(table), rows)
    except IntegrityError:
        return False
    return True


def _rows(
    trial_id: int, params: Params, space: Mapping[str, BaseDistribution], outcome: Outcome, why: str
) -> list[tuple[Any, list[dict[str, Any]]]]:
    """What is added, by table."""
    value = {"objective": 0, "value": outcome.value, "value_type": models.TrialValueModel.TrialValueType.FINITE}
    kind = models.TrialIntermediateValueModel.TrialIntermediateValueType.FINITE
    steps = [
        {"step": step, "intermediate_value": score, "intermediate_value_type": kind}
        for step, score in outcome.steps.items()
    ]
    given = [
        {
            "param_name": name,
            "param_value": kept.to_internal_repr(params[name]),
            "distribution_json": distribution_to_json(kept),
        }
        for name, kept in space.items()
    ]
    found: list[tuple[Any, list[dict[str, Any]]]] = [
        (VALUES, [] if outcome.value is None else [value]),
        (STEPS, steps),
        (PARAMS, given),
        (ATTRIBUTES, [{"key": WHY, "value_json": json.dumps(why)}] if why else []),
        (RETURNS, [{"content": content.packed(outcome.returns)}] if len(outcome.returns) else []),
    ]
    return [(table, [{"trial_id": trial_id, **row} for row in rows]) for table, rows in found]


def history(study: Study, below: int | None = None) -> list[Ended]:
    """The trials that have ended, by number; ``below``: those with smaller numbers alone."""
    mine = TRIALS.c.study_id == study.id
    if below is not None:
        mine &= TRIALS.c.number < below

    def of(*columns: Any) -> Any:
        return select(TRIALS.c.number, *columns).join(
            columns[0].table, columns[0].table.c.trial_id == TRIALS.c.trial_id
        )

    with study.storage.answering(), study.storage.engine.connect() as connection:
        states = connection.execute(select(TRIALS.c.number, TRIALS.c.state).where(mine)).all()
        values = dict(map(tuple, connection.execute(of(VALUES.c.value).where(mine))))
        steps = connection.execute(of(STEPS.c.step, STEPS.c.intermediate_value).where(mine)).all()
        params = connection.execute(
            of(PARAMS.c.param_name, PARAMS.c.param_value, PARAMS.c.distribution_json).where(mine)
        ).all()
    scores: dict[int, dict[int, float]] = {}
    for number, step, score in steps:
        scores.setdefault(number, {})[step] = score
    given: dict[int, Params] = {}
    for number, name, value, distribution in params:
        given.setdefault(number, {})[name] = json_to_distribution(distribution).to_external_repr(value)
    return [
        Ended(
            number, state.name, values.get(number), given.get(number, {}), dict(sorted(scores.get(number, {}).items()))
        )
        for number, state in sorted(states, key=lambda row: row[0])
        if state.is_finished()
    ]


def returns(study: Study) -> dict[int, np.ndarray]:
    """The daily returns of each trial that has any, by number; see ``trial.Outcome``."""
    wanted = (
        select(TRIALS.c.number, RETURNS.c.content)
        .join(RETURNS, RETURNS.c.trial_id == TRIALS.c.trial_id)
        .where(TRIALS.c.study_id == study.id)
    )
    with study.storage.answering(), study.storage.engine.connect() as connection:
        return {number: content.unpacked(packed) for number, packed in connection.execute(wanted)}


def reasons(study: Study) -> dict[int, str]:
    """Why trials failed, by number."""
    wanted = (
        select(TRIALS.c.number, ATTRIBUTES.c.value_json)
        .join(ATTRIBUTES, ATTRIBUTES.c.trial_id == TRIALS.c.trial_id)
        .where((TRIALS.c.study_id == study.id) & (ATTRIBUTES.c.key == WHY))
    )
    with study.storage.answering(), study.storage.engine.connect() as connection:
        return {number: json.loads(why) for number, why in connection.execute(wanted)}
