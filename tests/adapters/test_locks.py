import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from livetrading.adapters.home import Home
from livetrading.adapters.locks import Holder, SchedulerLock
from livetrading.core.errors import Conflict, Unavailable
from tests.doubles.processes import FORK, in_child, kill, start

NOW = datetime(2024, 6, 3, 20, 40, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def hold(home: Home, ready: Event, done: Event) -> None:
    with SchedulerLock(home).acquire(now=NOW):
        ready.set()
        done.wait(60)


def test_nobody_holds_a_new_homes_lock(home: Home) -> None:
    assert SchedulerLock(home).holder() is None


def test_a_second_scheduler_names_the_firsts_pid_and_stops(home: Home) -> None:
    ready, done = FORK.Event(), FORK.Event()
    first = start(hold, home, ready, done)
    assert ready.wait(30)
    assert SchedulerLock(home).holder() == Holder(first.pid, NOW, "scheduler")
    with pytest.raises(Conflict, match=f"scheduler runs already with pid {first.pid} since 2024-06-03T20:40:00Z"):
        SchedulerLock(home).acquire()
    done.set()
    first.join(30)
    assert SchedulerLock(home).holder() is None
    with SchedulerLock(home).acquire("command"):
        pass


def test_a_killed_holder_frees_the_lock_although_its_pid_file_stays(home: Home) -> None:
    ready = FORK.Event()
    first = start(hold, home, ready, FORK.Event())
    assert ready.wait(30)
    kill(first)
    lock = SchedulerLock(home)
    assert lock.pid_path.exists()
    assert lock.holder() is None
    with lock.acquire("command", NOW):
        assert lock.holder() == Holder(os.getpid(), NOW, "command")


def test_a_stale_pid_file_never_names_the_wrong_process(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livetrading.adapters.locks._ANNOUNCE_SECONDS", 0.02)
    ready, done = FORK.Event(), FORK.Event()
    first = start(hold, home, ready, done)
    assert ready.wait(30)
    lock = SchedulerLock(home)
    fields = json.loads(lock.pid_path.read_text())
    reused = [{**fields, "pid": os.getpid()}] if Path("/proc/self/stat").exists() else []
    for stale in (*reused, {**fields, "pid": 2**22 + 1}, {**fields, "pid": 0}, {**fields, "pid": 10**30}, []):
        lock.pid_path.write_text(json.dumps(stale))
        assert lock.holder() == Holder(None, None, "unknown")
        with pytest.raises(Conflict, match="another process holds"):
            lock.acquire()
    done.set()
    first.join(30)


def test_a_forked_child_neither_holds_the_lock_nor_keeps_it_alive(home: Home) -> None:
    ready, go_on, ended = FORK.Event(), FORK.Event(), FORK.Event()

    def child(lock: SchedulerLock) -> None:
        assert not lock.held
        lock.release()  # nothing to give back
        ready.set()
        go_on.wait(60)
        ended.set()

    parent = os.fork()
    if parent == 0:
        lock = SchedulerLock(home).acquire()
        if os.fork() == 0:
            child(lock)
            os._exit(0)
        ready.wait(30)
        os._exit(0)  # as a crash: no release, and the child lives on
    assert ready.wait(30)
    os.waitpid(parent, 0)
    with SchedulerLock(home).acquire():
        assert not ended.is_set()
        go_on.set()
        assert ended.wait(30)


def test_a_started_program_does_not_keep_the_lock_alive(home: Home) -> None:
    lock = SchedulerLock(home).acquire()
    program = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
    try:
        lock.release()
        assert lock.holder() is None
    finally:
        program.communicate(b"\n")


def test_a_release_by_the_child_leaves_the_parents_lock(home: Home) -> None:
    with SchedulerLock(home).acquire("command") as lock:
        assert in_child(lambda: (lock.held, lock.release())) == (False, None)
        with pytest.raises(Conflict, match="holds the scheduler's lock already"):
            lock.acquire()
        assert in_child(lambda: SchedulerLock(home).holder()) == lock.holder()
        assert lock.holder() is not None


def test_asking_who_holds_it_never_refuses_an_acquisition(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livetrading.adapters.locks._ANNOUNCE_SECONDS", 30.0)  # a busy machine may stop a reader midway

    def ask_for_ever() -> None:
        while True:
            SchedulerLock(home).holder()

    readers = [start(ask_for_ever) for _ in range(2)]
    try:
        for _ in range(50):
            with SchedulerLock(home).acquire():
                pass
    finally:
        for reader in readers:
            kill(reader)


def test_of_many_at_once_exactly_one_holds_it(home: Home) -> None:
    inside = FORK.Value("i", 0)
    worst = FORK.Value("i", 0)

    def work() -> None:
        wins = 0
        while wins < 15:
            try:
                with SchedulerLock(home).acquire():
                    with inside.get_lock():
                        inside.value += 1
                        worst.value = max(worst.value, inside.value)
                    wins += 1
                    with inside.get_lock():
                        inside.value -= 1
            except Conflict:
                pass

    processes = [start(work) for _ in range(4)]
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert worst.value == 1


def test_a_lock_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match=r"scheduler\.lock"):
        SchedulerLock(Home(tmp_path / "file")).acquire()
