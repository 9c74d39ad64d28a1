"""Jobs that take long, as records that every process can read: ``jobs.json``.

The process that does the work writes the record; if that process died, readers
see a failed job. No slow imports here, because the dashboard reads jobs.
"""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Any

from tinydb import TinyDB, where

from ..adapters import logs, request_ids
from ..adapters.processes import Identity, find
from ..adapters.stamps import parse_stamp, stamp
from ..adapters.store import Store
from ..core.errors import BadInput, Damaged, NotFound
from . import job_progress
from .progress import Progress

log = logging.getLogger(__name__)
KEPT = 100
UPDATE_SECONDS = 0.5
INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
RUNNING, DONE, FAILED, CANCELLED = "running", "done", "failed", "cancelled"
_mine: dict[str, dict[str, Any]] = {}
"""The first records of this process's jobs. They are added again if the file had to start empty."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def start(
    store: Store, kind: str, symbol: str, agent_type: str, total_steps: int, *, now: datetime, job_id: str | None = None
) -> str:
    """Records a job that this process does, and removes all but the newest 100."""
    job_id = job_id or request_ids.new()
    record = {
        "id": job_id,
        "kind": kind,
        "symbol": symbol,
        "agent_type": str(agent_type),
        "state": RUNNING,
        "share": 0.0,
        "steps": 0,
        "total_steps": total_steps,
        "steps_per_s": 0.0,
        "seconds_left": None,
        "message": "starting",
        "pid": os.getpid(),
        "pid_mark": _mark(os.getpid()),
        "started": stamp(now),
        "updated": stamp(now),
        "result": {},
        "curves": {},
        "walk_forward": None,
    }
    _mine[job_id] = record
    with _records(store, now) as db:
        table = db.table("jobs")
        table.upsert(record, where("id") == job_id)
        ended = [d.doc_id for d in _newest_first(table.all()) if d["state"] != RUNNING or not _alive(d)]
        table.remove(doc_ids=ended[max(0, KEPT - (len(table) - len(ended))) :])
        # Curves are large, and nobody looks at those of an earlier job any more.
        table.update({"curves": {}}, (where("state") != RUNNING) & where("curves").exists())
    return job_id


def update(store: Store, job_id: str, progress: Progress, *, now: datetime) -> None:
    """Records how far a running job is."""
    _change(
        store,
        job_id,
        now,
        message=progress.named,
        share=round(progress.share, 4),
        steps=progress.steps,
        total_steps=progress.total_steps,
        steps_per_s=round(progress.steps_per_s, 1),
        seconds_left=_rounded(progress.seconds_left),
        **job_progress.kept(progress),
    )


def finish(store: Store, job_id: str, result: dict[str, Any], *, now: datetime) -> None:
    """Done: ``result`` is JSON-ready."""
    _change(store, job_id, now, state=DONE, share=1.0, seconds_left=0, message="done", result=result)


def fail(store: Store, job_id: str, message: str, *, now: datetime) -> None:
    """Failed: ``message`` is the one sentence that the user sees."""
    _change(store, job_id, now, state=FAILED, seconds_left=None, message=message)


def cancel(store: Store, job_id: str, *, now: datetime) -> None:
    """Cancelled by a person."""
    _change(store, job_id, now, state=CANCELLED, seconds_left=None, message="cancelled")


def jobs(store: Store) -> list[dict[str, Any]]:
    """All jobs, newest first; a running one whose process is gone has failed."""
    return [_as_seen(record) for record in _newest_first(store.read("jobs").get("jobs", {}).values())]


def job(store: Store, job_id: str) -> dict[str, Any]:
    """One job as ``jobs`` shows it, or NotFound."""
    for record in jobs(store):
        if record["id"] == job_id:
            return record
    raise NotFound(f"There is no job {job_id}: it is older than the newest {KEPT}, or never started.")


class Reporter:
    """Writes a job's progress to the store, at most every half second."""

    def __init__(
        self,
        store: Store,
        job_id: str,
        *,
        clock: Callable[[], datetime] = utc_now,
        timer: Callable[[], float] = time.monotonic,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store, self.job_id, self._clock, self._timer = store, job_id, clock, timer
        self._interrupted = interrupted
        self._last: tuple[str, float] | None = None

    def __call__(self, progress: Progress) -> None:
        """Note the progress. KeyboardInterrupt if a person's interrupt has had no effect so far."""
        if self._interrupted():
            raise KeyboardInterrupt
        tick = self._timer()
        if self._last and self._last[0] == progress.stage and tick - self._last[1] < UPDATE_SECONDS:
            return
        self._last = (progress.stage, tick)
        update(self._store, self.job_id, progress, now=self._clock())

    def finish(self, result: dict[str, Any]) -> None:
        """Done, with a JSON-ready result."""
        finish(self._store, self.job_id, result, now=self._clock())


@contextmanager
def running(
    store: Store,
    kind: str,
    symbol: str,
    agent_type: str,
    total_steps: int,
    *,
    job_id: str | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> Iterator[Reporter]:
    """Runs the body of a ``with`` as a job of this process, in its main thread.

    Give progress to the Reporter that it yields, and call its ``finish``. Ctrl-C and
    SIGTERM cancel the job, an error fails it; the exception is raised further.
    """
    job_id = start(store, kind, symbol, agent_type, total_steps, now=clock(), job_id=job_id)
    try:
        with _interruptible() as interrupted:
            yield Reporter(store, job_id, clock=clock, interrupted=interrupted)
    except KeyboardInterrupt:
        cancel(store, job_id, now=clock())
        raise
    except Exception as error:
        fail(store, job_id, str(logs.caught(log, f"the job {kind} {symbol}", error)), now=clock())
        raise
    finally:
        # Changes nothing if the job has ended. If it has not, there was no result.
        fail(store, job_id, "it ended without a result: see the log", now=clock())


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Inside, SIGTERM and SIGINT raise KeyboardInterrupt. Yields a function: whether one has come.

    SIGINT must be set too: a shell starts background processes with SIGINT ignored, and
    children inherit that. An exception raised in a finalizer or in a callback of a C library
    is lost, so the Reporter checks again.
    """
    came: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        came.append(number)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in INTERRUPTS}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _change(store: Store, job_id: str, now: datetime, **values: Any) -> None:
    with _records(store, now) as db:
        table, still_running = db.table("jobs"), (where("id") == job_id) & (where("state") == RUNNING)
        if job_id in _mine and not table.contains(where("id") == job_id):
            table.insert(_mine[job_id])
        table.update({**values, "updated": stamp(now)}, still_running)
    if values.get("state", RUNNING) != RUNNING:
        _mine.pop(job_id, None)


@contextmanager
def _records(store: Store, now: datetime) -> Iterator[TinyDB]:
    """The file in a transaction. A damaged file is set aside first: a job does not wait for the scheduler to do it."""
    try:
        store.read("jobs")
    except Damaged as error:
        aside = store.repair("jobs", now)
        if aside is not None:
            log.warning(
                "%s It was set aside as %s; the list of jobs starts empty, and running jobs add themselves again.",
                error,
                aside.name,
            )
    with store.transaction("jobs") as db:
        yield db


def _newest_first(records: Any) -> list[Any]:
    """Records of another form, written by hand or by another version, are left out."""
    return sorted(filter(_known, records), key=lambda record: parse_stamp(record["started"]), reverse=True)


def _known(record: Any) -> bool:
    try:
        parse_stamp(record["started"])
    except (BadInput, KeyError):
        return False
    return record.keys() >= {"id", "kind", "state", "pid", "pid_mark", "message", "result"}


def _as_seen(record: dict[str, Any]) -> dict[str, Any]:
    if record["state"] != RUNNING or _alive(record):
        return dict(record)
    message = f"the process {record['pid']} that did it has ended without a result; start it again"
    return {**record, "state": FAILED, "seconds_left": None, "message": message}


def _alive(record: dict[str, Any]) -> bool:
    return Identity.stored(record["pid"], record["pid_mark"]).runs()


def _mark(pid: int) -> str:
    """The start of a process, as records store it; empty if it is not known."""
    found = find(pid)
    return "" if found is None or found.born is None else str(found.born)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
