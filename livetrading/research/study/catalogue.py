"""The studies of a storage: begun once under a name, found again by it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.storages._rdb import models
from optuna.study import StudyDirection
from optuna.trial import TrialState
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from ...adapters.bars.base import BarSet
from ...core.errors import BadInput, Conflict, NotFound
from . import content, versions
from .definition import NAME, Definition
from .storage import Storage

KEY, PACKAGES = "livetrading", "livetrading_packages"
"""Of the study's user attributes: its definition, and the versions that it began with."""
STUDIES, ATTRIBUTES, TRIALS = (
    model.__table__ for model in (models.StudyModel, models.StudyUserAttributeModel, models.TrialModel)
)


@dataclass(frozen=True)
class Study:
    """A study of a storage. ``packages``: the versions that it began with."""

    storage: Storage
    id: int
    name: str
    definition: Definition
    packages: dict[str, str]

    def series(self) -> list[BarSet]:
        """Its bars, then those of the other symbols that it learns from, each checked by its SHA-256."""
        wanted = [self.definition.bars, *self.definition.also]
        return [BarSet(s.symbol, content.bars(self.storage, s.sha256), s.source, s.note) for s in wanted]


def checked_name(name: str) -> str:
    """The name itself, or BadInput: it becomes part of a path."""
    if not NAME.fullmatch(name):
        raise BadInput(f"{name!r} cannot name a study; use up to 80 letters, digits, '.', '-' and '_'.")
    return name


def begin(storage: Storage, name: str, definition: Definition, series: Sequence[BarSet]) -> Study:
    """The study of that name: begun with all its trials waiting, or found as it was left.

    Conflict if the name belongs to another one, Refused if it began with other versions.
    """
    checked_name(name)
    with storage.answering():
        study_id = _id_of(storage, name)
        if study_id is None:
            study_id = _made(storage, name)
        if _attributes(storage, study_id).get(KEY) is None:
            _fill(storage, study_id, definition, series)
    study = find(storage, name)
    if wrong := study.definition.differences(definition):
        raise Conflict(
            f"The study {name} in {storage.shown} is another one: {'; '.join(wrong)}. Give another name with --study, or "
            "the same settings."
        )
    versions.check(study.packages, name)
    return study


def find(storage: Storage, name: str) -> Study:
    """NotFound if there is none of that name, Conflict if it is none of ours."""
    with storage.answering():
        study_id = _id_of(storage, checked_name(name))
        attributes = {} if study_id is None else _attributes(storage, study_id)
    if study_id is None:
        raise NotFound(
            f"There is no study {name} in {storage.shown}: begin it with `train … --trials N --study {name}`."
        )
    if KEY not in attributes:
        raise Conflict(
            f"The study {name} in {storage.shown} is not one of livetrading's: give another name with --study."
        )
    definition = Definition.from_dict(attributes[KEY])
    return Study(storage, study_id, name, definition, attributes.get(PACKAGES, {}))


def open_names(storage: Storage) -> list[str]:
    """Studies with trials that have not ended, the oldest first. Those of other programs are left out."""
    unended = TRIALS.c.state.in_((TrialState.WAITING, TrialState.RUNNING))
    wanted = (
        select(STUDIES.c.study_name)
        .join(ATTRIBUTES, ATTRIBUTES.c.study_id == STUDIES.c.study_id)
        .where(ATTRIBUTES.c.key == KEY)
        .where(select(TRIALS.c.trial_id).where(TRIALS.c.study_id == STUDIES.c.study_id).where(unended).exists())
        .order_by(STUDIES.c.study_id)
    )
    with storage.answering(), storage.engine.connect() as connection:
        return list(connection.execute(wanted).scalars())


def is_empty(storage: Storage) -> bool:
    """Whether there is no study of ours at all."""
    with storage.answering(), storage.engine.connect() as connection:
        found = connection.execute(select(func.count()).select_from(ATTRIBUTES).where(ATTRIBUTES.c.key == KEY))
        return not found.scalar()


def _id_of(storage: Storage, name: str) -> int | None:
    try:
        return storage.rdb.get_study_id_from_name(name)
    except KeyError:
        return None


def _made(storage: Storage, name: str) -> int:
    try:
        return storage.rdb.create_new_study([StudyDirection.MAXIMIZE], name)
    except optuna.exceptions.DuplicatedStudyError:  # by another process just now
        return storage.rdb.get_study_id_from_name(name)


def _attributes(storage: Storage, study_id: int) -> dict[str, Any]:
    return storage.rdb.get_study_user_attrs(study_id)


def _fill(storage: Storage, study_id: int, definition: Definition, series: Sequence[BarSet]) -> None:
    """All of a new study in one transaction; nothing if another process was first.

    A study that trials were added to without a definition is another program's: it stays as it is.
    """
    values = {KEY: definition.to_dict(), PACKAGES: versions.ours()}
    attributes = [{"study_id": study_id, "key": k, "value_json": json.dumps(v)} for k, v in values.items()]
    waiting = [
        {"study_id": study_id, "number": number, "state": TrialState.WAITING} for number in range(definition.trials)
    ]
    try:
        with storage.engine.begin() as connection:
            if connection.execute(select(TRIALS.c.trial_id).where(TRIALS.c.study_id == study_id)).first():
                return
            connection.execute(insert(ATTRIBUTES), attributes)
            content.add_bars(connection, [barset.frame for barset in series])
            connection.execute(insert(TRIALS), waiting)
    except IntegrityError:
        # Another process has begun it meanwhile, or has stored the same bars for another study just now.
        if KEY not in _attributes(storage, study_id):
            _fill(storage, study_id, definition, series)
