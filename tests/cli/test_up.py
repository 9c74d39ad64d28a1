"""``up`` as a real process: a child that dies or hangs comes back, and a person is told."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from livetrading.adapters.home import CHECKOUT, Home
from livetrading.adapters.locks import SchedulerLock
from livetrading.adapters.store import Store
from livetrading.cli import up
from livetrading.core.liveness import RESTART_SECONDS
from livetrading.execution.state import queries
from tests.doubles.processes import PATIENCE, awaited, free_port


class Up:
    """The command over a home, and what is shown of it."""

    def __init__(self, home: Home) -> None:
        self.home, self.port = home, free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "livetrading", "--home", str(home.root), "up", "--port", str(self.port)],
            cwd=CHECKOUT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said = ""

    def shown(self) -> dict[str, Any]:
        return queries.system(Store(self.home), datetime.now(UTC))

    def scheduler(self) -> int:
        return int(
            awaited(lambda: self.shown()["scheduler"]["alive"] and self.shown()["scheduler"]["pid"], "the scheduler")
        )

    def alarm(self, about: str) -> str:
        return str(awaited(lambda: [a["text"] for a in self.shown()["alarms"] if about in a["text"]], "an alarm")[-1])

    def child(self, word: str) -> int | None:
        """The process of ``up`` that has this word on its command line."""
        for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            with suppress(OSError):
                if word in Path(f"/proc/{pid}/cmdline").read_text().split("\0"):
                    return int(pid)
        return None

    def dashboard(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_stcore/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@contextmanager
def running(home: Home) -> Iterator[Up]:
    made = Up(home)
    try:
        yield made
        assert made.process.poll() is None
    finally:
        made.process.terminate()
        made.said = made.process.communicate(timeout=PATIENCE)[1]
    assert made.process.returncode == 0
    assert SchedulerLock(home).holder() is None, "it took its children with it"


def test_a_scheduler_that_was_killed_comes_back_and_the_dashboard_says_so(tmp_path: Path) -> None:
    with running(Home.resolve(str(tmp_path))) as up_:
        first = up_.scheduler()
        os.kill(first, signal.SIGKILL)
        assert up_.alarm("scheduler") == "The scheduler ended by signal 9; it starts again in 2 s."
        awaited(lambda: up_.shown()["scheduler"]["pid"] not in (None, first), "its return")
        up_.scheduler()
        over = up_.alarm("works again")
        assert over.startswith("The scheduler ended by signal 9; it works again since 2") and over.endswith(
            " New York."
        )
        assert [a["text"] for a in up_.shown()["alarms"]] == [over], "nothing stays in the present tense"
    assert "The scheduler ended by signal 9" in up_.said


def test_a_scheduler_and_a_dashboard_that_hang_are_started_again_within_45_seconds(tmp_path: Path) -> None:
    with running(Home.resolve(str(tmp_path))) as up_:
        first = up_.scheduler()
        awaited(up_.dashboard, "the dashboard")
        page = up_.child("streamlit")
        time.sleep(2 * up.ASK_EVERY)  # until ``up`` has heard of both
        assert page is not None
        for pid in (first, page):
            os.kill(pid, signal.SIGSTOP)
        stopped = time.monotonic()
        awaited(lambda: up_.shown()["scheduler"]["liveness"] == "late", "late")
        awaited(lambda: up_.shown()["scheduler"]["liveness"] == "hung", "hung")
        again: dict[str, float] = {}

        def returned() -> bool:
            for word, before in (("scheduler", first), ("streamlit", page)):
                if word not in again and up_.child(word) not in (None, before):
                    again[word] = time.monotonic() - stopped
            return len(again) == 2

        awaited(returned, "their return")
        assert max(again.values()) <= RESTART_SECONDS, again
        up_.scheduler()
        awaited(up_.dashboard, "the dashboard's return")
        assert "The scheduler hung (its heartbeat stood still for 30 s) and was ended by signal 9" in up_.alarm(
            "scheduler hung"
        )
        assert "signal 9" in up_.alarm("dashboard hung")


@pytest.fixture
def clock(monkeypatch: Any) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(up.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def sleeper() -> Iterator[up.Child]:
    """A real process that never beats by itself, on a clock that the test sets."""
    said: list[str] = []
    child = up.Child("thing", ["sleep", "600"], dict(os.environ), notify=said.append)
    child.said = said  # type: ignore[attr-defined]
    yield child
    if child.process is not None:
        child.process.kill()
        child.process.wait()


def lived(child: up.Child, clock: list[float], seconds: float) -> bool:
    """So much time passes, a fifth of a second at a time; whether the same process still runs after it."""
    before = child.process
    for _ in range(round(5 * seconds)):
        clock[0] += 0.2
        child.keep()
    if child.hung and child.process is not None:
        child.process.wait(PATIENCE)
    return child.process is before and before is not None and before.poll() is None


def test_a_process_that_hangs_in_its_start_is_started_again_and_has_longer_then(
    clock: list[float], sleeper: up.Child
) -> None:
    sleeper.heart = lambda pid: None
    sleeper.keep()
    assert lived(sleeper, clock, 39.0)
    assert not lived(sleeper, clock, 2.0)
    sleeper.keep()
    assert "did not come up within 40 s" in sleeper.said[-1]  # type: ignore[attr-defined]
    clock[0] = sleeper.due
    sleeper.keep()
    assert lived(sleeper, clock, 79.0), "a slow machine is not killed again and again"
    assert not lived(sleeper, clock, 2.0)


def test_a_clock_that_jumps_ends_nobody(clock: list[float], sleeper: up.Child) -> None:
    """After a sleep of the whole machine nobody has had the chance to beat."""
    sleeper.heart = lambda pid: "the same"
    sleeper.keep()
    for _ in range(20):
        clock[0] += 3600.0
        sleeper.keep()
    assert not sleeper.hung and lived(sleeper, clock, 5.0)
    assert not lived(sleeper, clock, 10.0), "one that stands still while it is watched hangs"


def test_a_child_that_dies_again_and_again_ends_all_its_alarms_when_it_works(
    clock: list[float], sleeper: up.Child
) -> None:
    over: list[tuple[object, str, str]] = []
    sleeper.recovered = lambda *told: over.append(told)
    beats: list[int | None] = [None]
    sleeper.heart = lambda pid: beats[0]
    for _ in range(2):
        clock[0] = max(clock[0], sleeper.due)
        sleeper.keep()
        assert sleeper.process is not None and over == []
        sleeper.process.kill()
        sleeper.process.wait()
        sleeper.keep()
    clock[0] = sleeper.due
    sleeper.keep()
    beats[0] = 1
    sleeper.keep()
    sleeper.keep()
    assert [known for _, _, known in over] == sleeper.said  # type: ignore[attr-defined]
    assert len(over) == 2 and all("it works again since" in text and "it starts" not in text for _, text, _ in over)


def test_one_that_beats_again_in_time_is_left_alone(clock: list[float], sleeper: up.Child) -> None:
    beats = [0]
    sleeper.heart = lambda pid: beats[0]
    sleeper.keep()
    for _ in range(4):
        assert lived(sleeper, clock, 29.0)
        beats[0] += 1


def test_a_scheduler_that_waits_for_a_command_to_end_is_not_taken_for_one_that_hangs(tmp_path: Path) -> None:
    home = Home.resolve(str(tmp_path))
    with SchedulerLock(home).acquire("command"):
        first = up.beat_of(home, 1)
        assert first is not None and up.beat_of(home, 1) != first
        assert up.other_scheduler(home) is None, "a command is no scheduler: one is started, and waits"


def test_the_pauses_of_a_child_that_keeps_dying_grow_to_a_minute(monkeypatch: Any) -> None:
    clock, said = [0.0], []
    monkeypatch.setattr(up.time, "monotonic", lambda: clock[0])
    child = up.Child("thing", ["true"], {}, notify=said.append)

    class Dead:
        returncode = 1

        def poll(self) -> int:
            return 1

    pauses = []
    for _ in range(8):
        child.process, child.started = Dead(), clock[0]  # type: ignore[assignment]
        child.elsewhere = lambda: True
        child.keep()
        pauses.append(child.pause)
        clock[0] = child.due
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60] and len(said) == child.restarts == 8
