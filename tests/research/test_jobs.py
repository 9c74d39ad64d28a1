"""Jobs are seen as they are by every process, also when theirs has died."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest

from livetrading.adapters.home import Home
from livetrading.adapters.store import Store
from livetrading.core.errors import BadInput, NotFound
from livetrading.research import jobs
from livetrading.research.progress import Progress, TerminalProgress, duration, line

NOW = datetime(2025, 11, 8, 16, 24, 33, tzinfo=UTC)
HALF = Progress("Training", 0.5, 500, 1000, 250.0, 2.0)


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(Home.resolve(str(tmp_path)))


def begin(store: Store, minute: int = 0, **kwargs) -> str:
    return jobs.start(store, "train", "AAPL", "PPO", 1000, now=NOW + timedelta(minutes=minute), **kwargs)


def test_a_job_shows_its_progress_and_its_result(store):
    job_id = begin(store)
    jobs.update(store, job_id, HALF, now=NOW)
    seen = jobs.job(store, job_id)
    assert (seen["state"], seen["share"], seen["steps"], seen["total_steps"]) == ("running", 0.5, 500, 1000)
    assert (seen["steps_per_s"], seen["seconds_left"], seen["message"]) == (250.0, 2.0, "Training")
    assert (seen["kind"], seen["symbol"], seen["agent_type"], seen["pid"]) == ("train", "AAPL", "PPO", os.getpid())
    jobs.finish(store, job_id, {"model_id": "M"}, now=NOW + timedelta(seconds=9))
    seen = jobs.job(store, job_id)
    assert (seen["state"], seen["share"], seen["result"]) == ("done", 1.0, {"model_id": "M"})
    assert seen["updated"] == "2025-11-08T16:24:42Z"


@pytest.mark.parametrize(
    "settle",
    [
        lambda store, job_id: jobs.finish(store, job_id, {}, now=NOW),
        lambda store, job_id: jobs.fail(store, job_id, "why", now=NOW),
        lambda store, job_id: jobs.cancel(store, job_id, now=NOW),
    ],
)
def test_a_settled_job_never_changes(store, settle):
    job_id = begin(store)
    settle(store, job_id)
    before = jobs.job(store, job_id)
    jobs.update(store, job_id, HALF, now=NOW)
    jobs.finish(store, job_id, {"model_id": "M"}, now=NOW)
    jobs.fail(store, job_id, "later", now=NOW)
    assert jobs.job(store, job_id) == before


def test_a_job_whose_process_died_has_failed(store, tmp_path):
    code = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path\n"
        "from livetrading.adapters.home import Home; from livetrading.adapters.store import Store\n"
        "from livetrading.research import jobs\n"
        "store = Store(Home(Path(sys.argv[1])))\n"
        "print(jobs.start(store, 'train', 'AAPL', 'PPO', 9, now=datetime.now(UTC)), flush=True)\n"
        "sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    job_id = process.stdout.readline().strip()
    assert jobs.job(store, job_id)["state"] == "running"
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and a zombie yet
    seen = jobs.job(store, job_id)
    assert seen["state"] == "failed"
    assert str(process.pid) in seen["message"]
    process.communicate()
    assert jobs.job(store, job_id)["state"] == "failed"


def test_a_process_that_inherited_the_pid_is_not_mistaken_for_the_job(store):
    job_id = begin(store)
    with store.transaction("jobs") as db:
        db.table("jobs").update({"pid_mark": "1"})
    assert jobs.job(store, job_id)["state"] == "failed"


def test_the_newest_hundred_are_kept_and_no_running_one_is_lost(store):
    first = begin(store)
    for minute in range(1, 105):
        jobs.finish(store, begin(store, minute), {}, now=NOW)
    newest = begin(store, 200)
    ids = [record["id"] for record in jobs.jobs(store)]
    assert len(ids) == jobs.KEPT
    assert ids[0] == newest
    assert ids[-1] == first


def test_an_unknown_job_is_not_found(store):
    assert jobs.jobs(store) == []
    with pytest.raises(NotFound, match="no job nonsense"):
        jobs.job(store, "nonsense")


def test_a_job_takes_the_id_that_a_page_has_made(store):
    assert begin(store, job_id="abc") == "abc"
    assert jobs.job(store, "abc")["state"] == "running"


def test_progress_is_written_at_most_every_half_second(store):
    ticks = iter([0.0, 0.1, 0.49, 0.5, 0.6])
    job_id = begin(store)
    reporter = jobs.Reporter(store, job_id, clock=lambda: NOW, timer=lambda: next(ticks))
    seen = []
    for steps in (1, 2, 3, 4, 5):
        reporter(Progress("Training", steps / 10, steps, 10))
        seen.append(jobs.job(store, job_id)["steps"])
    assert seen == [1, 1, 1, 4, 4]


def test_a_new_stage_is_written_at_once(store):
    job_id = begin(store)
    reporter = jobs.Reporter(store, job_id, clock=lambda: NOW, timer=lambda: 0.0)
    reporter(HALF)
    reporter(Progress("Testing", 0.95, 1000, 1000))
    assert jobs.job(store, job_id)["message"] == "Testing"


def test_ctrl_c_cancels_an_error_fails_and_both_go_on(store):
    for error, state, message in (
        (KeyboardInterrupt(), "cancelled", "cancelled"),
        (BadInput("too short: widen it."), "failed", "too short: widen it."),
        (
            ZeroDivisionError("x"),
            "failed",
            "An error of the program in the job train AAPL: ZeroDivisionError: x; the log holds its traceback.",
        ),
    ):
        with pytest.raises(type(error)), jobs.running(store, "train", "AAPL", "PPO", 9) as job:
            raise error
        seen = jobs.job(store, job.job_id)
        assert (seen["state"], seen["message"]) == (state, message)


def test_a_record_that_somebody_wrote_by_hand_hides_no_job(store):
    sound = jobs.start(store, "train", "AAPL", "PPO", 9, now=NOW)
    for odd in ({"id": "x"}, {"started": "yesterday"}, {"started": jobs.stamp(NOW), "state": "running"}):
        with store.transaction("jobs") as db:
            db.table("jobs").insert(odd)
    assert [job["id"] for job in jobs.jobs(store)] == [sound]
    assert jobs.start(store, "train", "AAPL", "PPO", 9, now=NOW)


def test_a_body_that_finishes_is_done(store):
    with jobs.running(store, "train", "AAPL", "PPO", 9, clock=lambda: NOW) as job:
        job(HALF)
        job.finish({"model_id": "M"})
    assert jobs.job(store, job.job_id)["result"] == {"model_id": "M"}


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_the_job_also_where_it_was_ignored(store, signum):
    before = signal.signal(signum, signal.SIG_IGN)
    try:
        with pytest.raises(KeyboardInterrupt), jobs.running(store, "train", "AAPL", "PPO", 9) as job:
            os.kill(os.getpid(), signum)
            threading.Event().wait(60)
        assert jobs.job(store, job.job_id)["state"] == "cancelled"
        assert signal.getsignal(signum) == signal.SIG_IGN
    finally:
        signal.signal(signum, before)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_that_a_library_swallowed_cancels_the_job_at_its_next_progress(store, signum):
    with pytest.raises(KeyboardInterrupt), jobs.running(store, "train", "AAPL", "PPO", 1000) as job:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signum)
        job(HALF)
        raise AssertionError("the work went on")
    assert jobs.job(store, job.job_id)["state"] == "cancelled"


def test_jobs_are_read_without_torch():
    code = (
        "import sys; import livetrading.research.jobs\n"
        "assert not {'torch', 'stable_baselines3', 'gymnasium', 'pandas'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_one_line_that_overwrites_itself():
    out = Terminal()
    ticks = iter([0.0, 0.1, 1.0])
    show = TerminalProgress(out, clock=lambda: next(ticks))
    show(Progress("Training", 0.25, 12_500, 50_000, 3_100.0, 12.2))
    show(HALF)
    show(Progress("Training", 0.5, 500, 1000))
    show.close()
    drawn = out.getvalue()
    assert drawn.count("\n") == 1 and drawn.endswith("\n")
    frames = drawn.strip("\n").split("\r")[1:]
    assert frames[0] == "Training [######                  ]  25%  12,500/50,000 steps  3,100 steps/s  12 s left"
    assert len(frames) == 2
    assert len(frames[1]) == len(frames[0])  # covers what stood there


def test_a_log_file_gets_a_line_now_and_then_and_at_each_stage():
    out = io.StringIO()
    ticks = iter([0.0, 1.0, 4.9, 5.0, 5.1])
    show = TerminalProgress(out, clock=lambda: next(ticks))
    for stage in ("Training", "Training", "Training", "Training", "Testing"):
        show(Progress(stage, 0.5, 1, 2))
    show.close()
    assert [text[:8].strip() for text in out.getvalue().splitlines()] == ["Training", "Training", "Testing"]
    assert "\r" not in out.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"), [(-3, "0 s"), (12.4, "12 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (7810, "2 h 10 min")]
)
def test_durations_are_short_and_readable(seconds, text):
    assert duration(seconds) == text


def test_an_unknown_rate_is_left_out():
    assert line(Progress("Testing", 0.95, 10, 10)).endswith("10/10 steps")


def test_a_damaged_list_of_jobs_is_set_aside_and_the_job_that_runs_is_in_the_new_one(store, caplog):
    settled, job_id = begin(store), begin(store, 1)
    jobs.finish(store, settled, {}, now=NOW)
    store.path("jobs").write_text("garbage")
    jobs.update(store, job_id, HALF, now=NOW)
    assert [(job["id"], job["state"], job["share"]) for job in jobs.jobs(store)] == [(job_id, "running", 0.5)]
    (aside,) = [p for p in store.home.root.glob("jobs.json.damaged-*") if p.suffix != ".lock"]
    assert aside.read_text() == "garbage" and aside.name in caplog.text
    store.path("jobs").unlink()
    jobs.finish(store, job_id, {"model_id": "M"}, now=NOW)
    assert jobs.job(store, job_id)["result"] == {"model_id": "M"}
    jobs.fail(store, job_id, "later", now=NOW)
    assert jobs.job(store, job_id)["state"] == "done"


def test_a_damaged_list_of_jobs_keeps_none_from_being_begun(store):
    store.path("jobs").write_text("[]")
    assert [job["id"] for job in (begin(store) and jobs.jobs(store))] == [jobs.jobs(store)[0]["id"]]
