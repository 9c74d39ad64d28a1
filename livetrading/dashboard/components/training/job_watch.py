"""The progress of a training, as its own process writes it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import streamlit as st

from livetrading.core.errors import NotFound
from livetrading.dashboard import commands, markup, reading
from livetrading.dashboard.format import count, day_and_time, duration, markdown, moment
from livetrading.research import jobs as job_records

from ..shell import refresh
from ..shell.guard import shown
from . import job_view

Doc = dict[str, Any]
WATCHED = "watched_job"
EVERY, IDLE_EVERY = 1, 3
"""Seconds between two looks at the job, and between two looks for one."""
RECENT = timedelta(hours=1)


def watch(job_id: str, what: str) -> None:
    """Show this job until the next one is started."""
    st.session_state[WATCHED] = {"id": job_id, "what": what, "seen_running": True}


def what(record: Doc) -> str:
    """``PPO on AAPL``"""
    return f"{record['agent_type']} on {record['symbol']}"


def busy() -> bool:
    """Whether the training that is shown, or will be, still runs."""
    watched = st.session_state.get(WATCHED)
    if watched is not None and _ended_record(watched) is None:
        return True
    return _running_elsewhere() is not None


def render(on_done: Callable[[str], None]) -> None:
    """``on_done`` is given the model of a training that ended while it was watched."""
    with st.container(border=True):
        watched = st.session_state.get(WATCHED) or _running_elsewhere()
        if watched is None:
            refresh.every(IDLE_EVERY, _idle)
            return
        finished = _ended_record(watched)
        if finished is not None and (other := _running_elsewhere()) is not None:
            watched, finished = other, None
        if finished is None:
            refresh.every(EVERY, _running, watched)
        else:
            _ended(watched, finished, on_done)
            refresh.every(IDLE_EVERY, _next)


def _running_elsewhere() -> Doc | None:
    """A training that another page or the command line started."""
    running = [job for job in reading.jobs("train") if job["state"] == job_records.RUNNING]
    if not running:
        return None
    watch(running[0]["id"], what(running[0]))
    return st.session_state[WATCHED]


def _ended_record(watched: Doc) -> Doc | None:
    """The job's record once it has ended, else None."""
    record = _record(watched["id"])
    if record is not None:
        return None if record["state"] == job_records.RUNNING else record
    command = commands.Command(reading.home(), watched["id"])
    if command.running():
        return None
    # It ended before it wrote a record; only its output is left.
    answer = command.wait(0)
    return {
        "state": job_records.FAILED,
        "message": answer.error or "The training ended without a result.",
        "result": answer.values,
    }


def _record(job_id: str) -> Doc | None:
    try:
        return job_records.job(reading.store(), job_id)
    except NotFound:
        return None


@shown
def _next() -> None:
    """Under the result of one: looks now and then whether another page or the command line has started the next."""
    if _running_elsewhere() is not None:
        st.rerun()


@shown
def _idle() -> None:
    """Looks now and then whether another page or the command line has started one."""
    if _running_elsewhere() is not None:
        st.rerun()
    recent = _recent()
    if recent is None:
        st.html(markup.empty("No training is running."))
        return
    st.markdown(f"**{what(recent)}, ended {day_and_time(recent['updated'])}**")
    _outcome(recent)


def _recent() -> Doc | None:
    """The newest training if it has ended lately: a page that was closed meanwhile shows its result."""
    ended = [job for job in reading.jobs("train") if job["state"] == job_records.DONE]
    since = reading.now() - RECENT
    return ended[0] if ended and moment(ended[0]["updated"]) > since else None


@shown
def _running(watched: Doc) -> None:
    if _ended_record(watched) is not None:
        st.rerun()
    record = _record(watched["id"])
    st.markdown(f"**Training {watched['what']}**")
    if record is None:
        st.progress(0.0, "Starting …")
        return
    st.progress(min(1.0, record["share"]), f"{record['message'].capitalize()} · {100 * record['share']:.0f}%")
    st.html(
        markup.facts(
            [
                markup.Fact("Steps", f"{count(record['steps'])} / {count(record['total_steps'])}"),
                markup.Fact("Speed", f"{count(record['steps_per_s'])} steps/s"),
                markup.Fact("Time left", duration(record["seconds_left"])),
            ]
        )
    )
    _cancel(watched, record)
    job_view.folds(record.get("walk_forward"), record["agent_type"])
    job_view.curves(record.get("curves") or {})


def _cancel(watched: Doc, record: Doc) -> None:
    """A second interrupt would end the process before it has recorded the first, so one click is all there is."""
    if not commands.is_ours(record["pid"], watched["id"]):
        st.caption("It was started on a command line: Ctrl-C there cancels it.")
        return
    asked = watched.get("cancelled", False)
    if st.button("Cancelling …" if asked else "Cancel training", key="train_cancel", disabled=asked) and not asked:
        commands.interrupt(record["pid"], watched["id"])
        watched["cancelled"] = True
        st.session_state["notice"] = "The training will stop in a moment; no model is kept."


def _ended(watched: Doc, record: Doc, on_done: Callable[[str], None]) -> None:
    st.markdown(f"**Training {watched['what']}**")
    _outcome(record)
    job_view.curves(record.get("curves") or {})
    model_id = (record.get("result") or {}).get("model_id")
    if watched.pop("seen_running", False) and model_id:
        on_done(model_id)


def _outcome(record: Doc) -> None:
    """How it ended: the result, or why there is none; then its folds if they were judged."""
    state, result = record["state"], record.get("result") or {}
    if state == job_records.DONE:
        st.success(f"Done: {result['model_id']}." if "model_id" in result else "Done.")
        job_view.result(result)
    elif state == job_records.CANCELLED:
        st.info("Cancelled. No model was kept.")
    else:
        st.error(markdown(record["message"]))
    job_view.folds(record.get("walk_forward"), record.get("agent_type", ""))
