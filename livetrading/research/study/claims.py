"""Who works on which trial. Every change of a trial's state is one statement that only one process can win.

WAITING -> RUNNING by whoever claims it, RUNNING -> ended once by whoever is first. A trial whose worker is gone stays
RUNNING and gets another worker; if the first was only slow, both find the same, and one of them ends it.
"""

import json
import os
import platform
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from optuna.storages._rdb import models
from optuna.trial import TrialState
from sqlalchemy import Connection, delete, insert, select, update

from ...adapters import processes
from ...core.errors import LivetradingError
from .catalogue import TRIALS, Study

ATTRIBUTES, BEATS = (model.__table__ for model in (models.TrialUserAttributeModel, models.TrialHeartbeatModel))
WORKER = "worker"


@dataclass(frozen=True)
class Worker:
    """Who works: ``machine`` is empty where two processes cannot know whether they share one. ``token`` tells two of
    the same process apart."""

    machine: str
    pid: int
    born: int | None
    token: str

    @staticmethod
    def this() -> "Worker":
        me = processes.find(os.getpid())
        return Worker(_machine(), os.getpid(), me.born if me else None, secrets.token_hex(4))

    def stored(self) -> str:
        return json.dumps(asdict(self))

    def is_gone(self) -> bool:
        """Whether it ran on this machine and has ended: no beat need be waited for."""
        if not self.machine or self.machine != _machine():
            return False
        return not processes.Identity.stored(self.pid, self.born).runs()


def _machine() -> str:
    """The same for two processes that see the same process numbers."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return f"{platform.node()}/{file.read().strip()}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


@dataclass(frozen=True)
class Row:
    """One trial as the storage has it."""

    number: int
    trial_id: int
    state: TrialState

    @property
    def ended(self) -> bool:
        return bool(self.state.is_finished())


def rows(study: Study) -> list[Row]:
    """All trials, by number."""
    wanted = select(TRIALS.c.number, TRIALS.c.trial_id, TRIALS.c.state).where(TRIALS.c.study_id == study.id)
    with study.storage.answering(), study.storage.engine.connect() as connection:
        return [Row(*row) for row in connection.execute(wanted.order_by(TRIALS.c.number))]


def claim(study: Study, among: Sequence[Row], me: Worker) -> Row | None:
    """The first of these trials that waits, or whose worker is gone; None if there is none now."""
    for row in among:
        if row.state == TrialState.WAITING and _begin(study, row, me):
            return row
    running = [row for row in among if row.state == TrialState.RUNNING]
    with study.storage.answering():
        stale = set(study.storage.rdb._get_stale_trial_ids(study.id)) if running else set()
    for row in running:
        if _take_over(study, row, me, row.trial_id in stale):
            return row
    return None


def _begin(study: Study, row: Row, me: Worker) -> bool:
    begun = {"state": TrialState.RUNNING, "datetime_start": utc()}
    with study.storage.answering(), study.storage.engine.begin() as connection:
        waits = (TRIALS.c.trial_id == row.trial_id) & (TRIALS.c.state == TrialState.WAITING)
        if connection.execute(update(TRIALS).where(waits).values(**begun)).rowcount != 1:
            return False
        connection.execute(insert(ATTRIBUTES).values(trial_id=row.trial_id, key=WORKER, value_json=me.stored()))
        connection.execute(insert(BEATS).values(trial_id=row.trial_id))
    return True


def _take_over(study: Study, row: Row, me: Worker, stale: bool) -> bool:
    mine = (ATTRIBUTES.c.trial_id == row.trial_id) & (ATTRIBUTES.c.key == WORKER)
    with study.storage.answering(), study.storage.engine.connect() as connection:
        held = connection.execute(select(ATTRIBUTES.c.value_json).where(mine)).scalar()
    if held is None or not (stale or Worker(**json.loads(held)).is_gone()):
        return False
    with study.storage.answering(), study.storage.engine.begin() as connection:
        taken = update(ATTRIBUTES).where(mine & (ATTRIBUTES.c.value_json == held)).values(value_json=me.stored())
        if connection.execute(taken).rowcount != 1:
            return False
        connection.execute(delete(BEATS).where(BEATS.c.trial_id == row.trial_id))
        connection.execute(insert(BEATS).values(trial_id=row.trial_id))
    return True


def release(study: Study, row: Row, me: Worker) -> None:
    """Lets another worker have a trial that this one was told to leave."""
    with study.storage.answering(), study.storage.engine.begin() as connection:
        mine = (ATTRIBUTES.c.trial_id == row.trial_id) & (ATTRIBUTES.c.key == WORKER)
        given = connection.execute(delete(ATTRIBUTES).where(mine & (ATTRIBUTES.c.value_json == me.stored())))
        if given.rowcount != 1:
            return
        connection.execute(delete(BEATS).where(BEATS.c.trial_id == row.trial_id))
        runs = (TRIALS.c.trial_id == row.trial_id) & (TRIALS.c.state == TrialState.RUNNING)
        connection.execute(update(TRIALS).where(runs).values(state=TrialState.WAITING))


@contextmanager
def beating(study: Study, row: Row) -> Iterator[None]:
    """Inside, a thread says regularly that the trial's worker lives."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(study.storage.beat_seconds):
            # The next beat may get through; the end of the trial says what is wrong if none does.
            with suppress(LivetradingError), study.storage.answering():
                study.storage.rdb.record_heartbeat(row.trial_id)

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def ended(connection: Connection, row: Row, state: TrialState) -> bool:
    """Ends the trial in the caller's transaction; False if it has ended already, and nothing may be added to it."""
    runs = (TRIALS.c.trial_id == row.trial_id) & (TRIALS.c.state == TrialState.RUNNING)
    done = update(TRIALS).where(runs).values(state=state, datetime_complete=utc())
    return connection.execute(done).rowcount == 1


def utc() -> datetime:
    """As Optuna's tables have it: UTC without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)
