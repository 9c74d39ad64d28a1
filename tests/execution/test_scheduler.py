"""The trading process, as a real process: one a home, alive to see, prompt to answer, hard to kill."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock
import pytest

from livetrading.adapters.halt import HaltLatch
from livetrading.adapters.home import CHECKOUT, Home
from livetrading.adapters.journal import read_lines
from livetrading.adapters.locks import SchedulerLock
from livetrading.adapters.store import Store
from livetrading.core.errors import Unavailable
from livetrading.execution import scheduler
from livetrading.execution.orders.order_plans import planned_entry
from livetrading.execution.scheduler import Scheduler
from livetrading.execution.state import alarms, queries, requests
from tests.doubles.lives import AGENT, FIRST, Cycler, Known, at, deployed, real_model
from tests.doubles.processes import PATIENCE, awaited
from tests.doubles.series import generated


class Process:
    """``python -m livetrading scheduler`` over a home."""

    def __init__(self, home: Home) -> None:
        self.home, self.store = home, Store(home)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "livetrading", "--home", str(home.root), "scheduler"],
            cwd=CHECKOUT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ready(self) -> "Process":
        awaited(lambda: self.system()["alive"] and self.system()["doing"] == "", "the scheduler")
        return self

    def system(self) -> dict[str, Any]:
        return queries.system(self.store, datetime.now(UTC))["scheduler"]

    def ask(self, kind: str, **args: Any) -> dict[str, Any]:
        agent_id = AGENT if kind in requests.OF_AN_AGENT else None
        made = requests.submit(self.store, kind, agent_id=agent_id, args=args, by="test", now=datetime.now(UTC))
        return requests.wait(self.store, made, PATIENCE)

    def end(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.communicate(timeout=PATIENCE)
        return self.process.returncode


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, str]:
    return real_model(tmp_path_factory.mktemp("model"), generated(1, FIRST + 400))


@pytest.fixture
def run(model: tuple[Home, str]) -> Iterator[Callable[[], Process]]:
    started: list[Process] = []

    def start() -> Process:
        started.append(Process(model[0]))
        return started[-1]

    yield start
    for process in started:
        process.end(signal.SIGKILL)


def test_one_life_of_the_process(run: Callable[[], Process], model: tuple[Home, str]) -> None:
    home, model_id = model
    left = home.root / ".state.json.999999.0.tmp"
    left.write_text("of a process that was killed")
    first = run().ready()
    assert not left.exists(), "what killed processes left is swept away"

    # A second scheduler names the first and stops.
    second = subprocess.run(
        [sys.executable, "-m", "livetrading", "--home", str(home.root), "scheduler"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
    )
    assert second.returncode == 1 and f"pid {first.process.pid}" in second.stderr

    # A request that no form sends is refused, and the process goes on.
    assert first.ask("create", model_id=model_id, mode="replay", job_id=["odd"], pace={})["status"] == "refused"
    made = first.ask("create", model_id=model_id, mode="replay", job_id="tested", pace=0.02)
    assert (made["status"], made["result"]) == ("done", {"agent_id": AGENT})

    # It trades; killed without warning it goes on where it was.
    journal = home.agent(AGENT) / "journal.jsonl"
    awaited(lambda: queries.agent(first.store, AGENT)["settled"], "a decision")
    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    assert SchedulerLock(home).holder() is None
    lived = queries.agent(first.store, AGENT)["seq"]
    again = run().ready()
    awaited(lambda: queries.agent(again.store, AGENT)["seq"] > lived, "further sessions")
    decided = [e["session"] for line in read_lines(journal) for e in line.events if e["kind"] == "Decided"]
    assert len(decided) == len(set(decided)) and decided == sorted(decided)

    # A latch alone, without a request, stops and flattens.
    HaltLatch(home).set("a test", "test", datetime.now(UTC))
    awaited(lambda: queries.agent(again.store, AGENT)["status"] == "stopped", "the stop")
    awaited(lambda: queries.agent(again.store, AGENT)["current_position"] == 0, "the sale")

    # Shared files that are spoilt while it runs are set aside, and it says so.
    (home.root / "requests.json").write_text("{")
    awaited(
        lambda: any("set aside" in a["text"] for a in queries.system(again.store, datetime.now(UTC))["alarms"]),
        "an alarm",
    )
    assert again.ask("rearm")["status"] == "done"

    # SIGTERM ends it in order.
    assert again.end() == 0 and SchedulerLock(home).holder() is None
    assert again.store.read("system")["scheduler"]["1"]["doing"] == "stopped"


# -- the same object in this process, where time and disk can be bent -------


@pytest.fixture
def inside(tmp_path: Path) -> Scheduler:
    """A scheduler on the evening of the agent's first session, not yet running."""
    life = deployed(tmp_path, generated(1, FIRST + 20), Cycler())
    scheduler = Scheduler(life.home, clock=lambda: at(life.sessions[FIRST], "16:40"))
    scheduler.node.registry = Known(life.home, life.policy)
    scheduler.node.open()
    return scheduler


def test_an_evening_pass_decides_and_is_then_content(inside: Scheduler) -> None:
    awaited(lambda: (inside.attempt(inside.trade), inside.node.repository(AGENT).state.settled)[1], "the decision")
    lines = inside.node.repository(AGENT).seq
    inside.next_pass = 0.0
    inside.trade()
    assert inside.node.repository(AGENT).seq == lines


def test_requests_are_answered_between_two_agents_of_a_pass(inside: Scheduler) -> None:
    made = requests.submit(inside.node.store, "pause", agent_id=AGENT, by="test", now=inside.clock())
    assert inside.between_agents() is True
    assert (requests.outcome(inside.node.store, made) or {})["status"] == "done"
    inside.stopping = True
    assert inside.between_agents() is False, "a signal ends a long pass"


def test_a_full_disk_ends_a_turn_and_not_the_process(inside: Scheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    from livetrading.adapters import store

    def full(path: Path, *_: object, **__: object) -> None:
        raise Unavailable(f"{path} cannot be written: the disk is full; free some space and try again.")

    with monkeypatch.context() as patch:
        patch.setattr(store, "atomic_write", full)
        for work in (inside.beat, inside.answer_requests, inside.trade, inside.step_replays, inside.watch_files):
            inside.attempt(work)
    inside.attempt(inside.show, "")
    assert queries.system(inside.node.store, inside.clock())["scheduler"]["heartbeat"]


def test_an_alarm_is_shown_once_and_not_at_every_pass(inside: Scheduler) -> None:
    for _ in range(5):
        inside.alarm(AGENT, "the same")
        inside.alarm("", "another")
    shown = queries.system(inside.node.store, inside.clock())["alarms"]
    assert [a["text"] for a in shown] == ["the same", "another"]


def test_sessions_that_were_slept_through_are_one_alarm_with_their_range(tmp_path: Path) -> None:
    life = deployed(tmp_path, generated(1, FIRST + 60), Cycler())
    scheduler = Scheduler(life.home, clock=lambda: at(life.sessions[FIRST + 50], "16:40"))
    scheduler.node.registry = Known(life.home, life.policy)
    scheduler.node.open()

    def caught_up() -> bool:
        scheduler.next_pass = 0.0
        scheduler.trade()
        return bool(scheduler.node.repository(AGENT).state.settled == life.sessions[FIRST + 50].isoformat())

    awaited(caught_up, "the last session")
    (alarm,) = [a["text"] for a in queries.system(life.store, scheduler.clock())["alarms"] if "MISSED" in a["text"]]
    first, last = life.sessions[FIRST].isoformat(), life.sessions[FIRST + 49].isoformat()
    assert alarm.startswith(f"50 sessions from {first} to {last} MISSED: nothing decided it"), alarm


def test_one_missed_session_is_told_by_its_day_and_each_agent_has_its_own() -> None:
    missed = [
        {"agent_id": "A", "session": "2024-06-03", "reason": "no bar"},
        {"agent_id": "B", "session": "2024-06-03", "reason": "x"},
        {"agent_id": "B", "session": "2024-06-04", "reason": "y"},
    ]
    assert alarms.of_missed(missed) == [
        ("A", "2024-06-03 MISSED: no bar"),
        ("B", "2 sessions from 2024-06-03 to 2024-06-04 MISSED: at first x; at last y"),
    ]


def test_replays_without_pause_share_the_time(tmp_path: Path) -> None:
    life = deployed(tmp_path, generated(1, FIRST + 60), Cycler(), mode="replay", model_rows=FIRST + 60)
    life.create(at(life.sessions[FIRST - 1], "20:00"), request_id="second")
    scheduler = Scheduler(life.home)
    scheduler.node.registry = Known(life.home, life.policy)
    scheduler.node.open()
    for _ in range(4):
        scheduler.step_replays()
    lived = [len(list(read_lines(life.home.agent(a) / "journal.jsonl"))) for a in (AGENT, "PPO_TEST_002")]
    assert min(lived) > 1, "no agent waits for another's end"


def test_a_stop_cut_short_by_a_crash_is_completed(inside: Scheduler) -> None:
    from livetrading.core.events import StatusChanged

    inside.node.latch.set("a test", "test", inside.clock())
    repository = inside.node.repository(AGENT)
    orders = planned_entry(inside.node.repository(AGENT).state, "2012-01-25", 5, 1.0, inside.clock())
    repository.commit([*orders, StatusChanged("stopped", "emergency stop", "test")], inside.clock())
    inside.answer_requests()
    assert repository.state.orders == ()


@pytest.fixture
def beats(inside: Scheduler, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When it beat."""
    found: list[float] = []
    monkeypatch.setattr(inside.lock, "beat", lambda: found.append(time.monotonic()))
    return found


def test_the_loop_beats_while_a_library_loads(
    inside: Scheduler, beats: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "load_torch", lambda: time.sleep(2.5))
    inside.warm_up()
    assert len(beats) >= 2


def test_the_loop_beats_while_another_process_holds_a_file(inside: Scheduler, beats: list[float]) -> None:
    inside.node.store.lock_timeout = 2.5
    with filelock.FileLock(f"{inside.node.store.path('requests')}.lock"), pytest.raises(Unavailable):
        requests.submit(inside.node.store, "rearm", by="test", now=inside.clock())
    assert len(beats) >= 2


def test_only_the_loop_beats_and_no_thread_beside_it(inside: Scheduler, beats: list[float]) -> None:
    """A thread that fetches lives on when the loop hangs."""
    inside.last_beat = 0.0  # long ago
    other = threading.Thread(target=inside.node.pulse)
    other.start()
    other.join()
    assert beats == []
    inside.node.pulse()
    assert len(beats) == 1


def test_time_is_told_by_the_heartbeat(inside: Scheduler) -> None:
    inside.show("thinking")
    shown = queries.system(inside.node.store, inside.clock())["scheduler"]
    assert shown["doing"] == "thinking" and shown["age_seconds"] == 0.0
    assert shown["alive"] is False, "a heartbeat without the lock is no scheduler"
    assert os.getpid() == inside.node.store.read("system")["scheduler"]["1"]["pid"]
