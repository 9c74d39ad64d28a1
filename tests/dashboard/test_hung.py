"""A scheduler that is late, hangs or is dead, as the pages tell it: each with its own cure, and never a stack trace."""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from livetrading.adapters.halt import HaltLatch
from livetrading.adapters.home import CHECKOUT, Home
from livetrading.adapters.locks import SchedulerLock
from livetrading.adapters.store import Store
from livetrading.core.errors import Conflict, Unavailable
from livetrading.dashboard import control
from livetrading.execution.state import heartbeat, queries, stop_record
from tests.browser import browser, refreshed
from tests.doubles.processes import awaited

from .conftest import AGENT, copy_of, serving
from .test_pages import Open, labels, open_page, text_of

__all__ = ["open_page"]
HOLD = """
import sys, time
from livetrading.adapters.home import Home
from livetrading.adapters.locks import SchedulerLock
SchedulerLock(Home(__import__("pathlib").Path(sys.argv[1]))).acquire("scheduler")
time.sleep(600)
"""
Hold = Callable[[Path, float], subprocess.Popen[bytes]]


@pytest.fixture
def hold() -> Iterator[Hold]:
    """A process that holds the lock of a home and does nothing; its last beat is so old."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(root: Path, still: float) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", HOLD, str(root)], cwd=CHECKOUT)
        started.append(process)
        lock = SchedulerLock(Home(root))
        awaited(lambda: (lock.heartbeat() or (0,))[0] == process.pid, "the holder")
        lock.path.write_text(f"{process.pid} {time.monotonic() - still:.3f}")
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("still", "pill"),
    [
        # A slow machine needs seconds to draw the page; from 15 on the scheduler is late.
        (5.0, r"Scheduler alive · heartbeat ([5-9]|1[0-4]) s ago"),
        (16.0, "Scheduler late"),
        (40.0, "Scheduler hung"),
    ],
)
def test_alive_late_and_hung_are_told_apart(
    open_page: Open, tmp_path: Path, hold: Hold, still: float, pill: str
) -> None:
    holder = hold(tmp_path, still)
    at = open_page(tmp_path)
    assert re.search(pill, text_of(at)) and "Start scheduler" not in labels(at)
    errors = " ".join(str(error.value) for error in at.error)
    assert ("hangs" in errors and f"end process {holder.pid}" in errors) is (still > 30)


def test_a_scheduler_that_hangs_is_not_called_running(tmp_path: Path, hold: Hold) -> None:
    holder = hold(tmp_path, 40.0)
    home = Home.resolve(str(tmp_path))
    with pytest.raises(Conflict, match=f"process {holder.pid}"):
        control.start_scheduler(home)
    with pytest.raises(Unavailable, match="hangs"):
        control.request(home, "pause", "PPO_TEST_001", "test", "a-request")
    assert Store(home).read("requests") == {}, "nothing is queued that nobody answers"


def test_a_wall_clock_that_is_set_makes_nobody_look_hung(tmp_path: Path, hold: Hold) -> None:
    hold(tmp_path, 5.0)
    for year in (1999, 2099):
        shown = queries.system(Store(Home(tmp_path)), datetime(year, 1, 1, tzinfo=UTC))["scheduler"]
        assert (shown["liveness"], shown["alive"]) == ("alive", True) and shown["age_seconds"] < 15


def test_a_machine_that_just_woke_up_is_watched_before_anybody_is_killed(tmp_path: Path, hold: Hold) -> None:
    holder = hold(tmp_path, 3600.0)
    lock = SchedulerLock(Home(tmp_path))

    def beats() -> None:
        lock.path.write_text(f"{holder.pid} {time.monotonic():.3f}")

    timer = threading.Timer(0.5, beats)
    timer.start()
    assert heartbeat.hangs(Home(tmp_path)) is None
    timer.join()


def test_a_command_under_the_lock_is_no_scheduler(open_page: Open, tmp_path: Path) -> None:
    with SchedulerLock(Home.resolve(str(tmp_path))).acquire("command"):
        at = open_page(tmp_path)
        assert "Scheduler not running" in text_of(at) and "Start scheduler" in labels(at)
        assert any("A command (process" in str(c.value) for c in at.caption)


def test_a_stop_that_waits_is_shown_as_waiting_with_what_it_has_done(open_page: Open, tmp_path: Path) -> None:
    home = Home.resolve(str(tmp_path))
    halt = HaltLatch(home).set("smoke", "command line", datetime.now(UTC))
    record = stop_record.StopRecord(Store(home), halt, datetime.now(UTC))
    item = {
        "agent_id": "PPO_AAPL_001",
        "symbol": "AAPL",
        "shares": 1200,
        "orders": 1,
        "sold": 1000,
        "price": 98.765,
        "cancelled": [{"key": "k", "leg": "stop", "qty": 1200}],
        "pnl": -1234.5,
        "exit": "working",
        "status": "waiting for the broker",
        "flat": False,
        "error": "TWS did not answer.",
    }
    record.end("waiting", [item], "waits", 1)
    said = text_of(open_page(tmp_path))
    for words in (
        "Waiting for Interactive Brokers",
        "continues it",
        "stop 1,200",
        "$98.77",
        "−$1,234.50",
        "1,000",
        "TWS did not answer.",
    ):
        assert words in said, words
    assert "did not finish" not in said
    record.end("done", [{**item, "flat": True, "status": "flat", "error": ""}], "done", 2)
    assert "Waiting for" not in text_of(open_page(tmp_path)), "what is done is told to who asked for it"


@pytest.mark.browser
def test_no_act_runs_into_a_stack_trace_and_the_stop_takes_over_from_a_scheduler_that_hangs(
    traded: Path, tmp_path: Path, hold: Hold
) -> None:
    root = copy_of(traded, tmp_path / "home")
    holder = hold(root, 60.0)
    with serving(root) as server, browser(tmp_path / "profile") as (page, traffic):
        page.goto(server.url)
        page.get_by_text("Scheduler hung").wait_for()
        page.get_by_text(f"end process {holder.pid}").first.wait_for()
        for button, act in (("Pause", "Pause agent"), ("Close Position", "Close position")):
            page.get_by_role("button", name=button, exact=True).click()
            dialog = page.get_by_role("dialog")
            dialog.get_by_role("button", name=act, exact=True).click()
            dialog.get_by_text("hangs: it has had no heartbeat").wait_for()
            page.keyboard.press("Escape")
            dialog.wait_for(state="hidden")
        assert holder.poll() is None
        page.get_by_role("button", name="EMERGENCY STOP").click()
        page.get_by_label("Type STOP to confirm").fill("STOP")
        page.keyboard.press("Enter")
        page.get_by_text("Emergency stop done").wait_for()
        assert holder.wait(10) == -9
        page.get_by_role("button", name="Start", exact=True).click()
        page.get_by_text("No scheduler is running").first.wait_for()
        refreshed(page, traffic, 1)
        assert page.get_by_test_id("stException").count() == 0
        (agent,) = queries.agents(Store(Home(root)))
        assert (agent["agent_id"], agent["current_position"]) == (AGENT, 0)
