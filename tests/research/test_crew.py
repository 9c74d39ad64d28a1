"""Work in processes: its results in order, its news heard, its errors seen, its end at once."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import current_process
from multiprocessing.context import SpawnProcess

import pytest

from livetrading.adapters import processes
from livetrading.core.errors import BadInput
from livetrading.research.crew import each

LINES = """
import sys, time, os
from livetrading.research.crew import each

def work(item, tell):
    while True:
        tell(os.getpid())
        time.sleep(0.05)

if __name__ == "__main__":
    each(work, [1, 2], 2, lambda pid: print(pid, flush=True))
"""


def squared(item, tell):
    tell((item, os.getpid()))
    return item * item


def refusing(item, tell):
    if item == 3:
        raise BadInput("three is refused: give another number.")
    while True:  # until it is stopped
        tell(item)
        time.sleep(0.01)


def lasting(item, tell):
    number = int(current_process().name.rpartition("-")[2])  # counts the processes that this one's parent started
    while True:
        tell((number, os.getpid()))
        time.sleep(0.01)


def dying(item, tell):
    if item == 1:
        os._exit(9)
    while True:
        tell(item)
        time.sleep(0.01)


@pytest.mark.parametrize("processes", [1, 3])
def test_results_are_in_order_whatever_the_number_of_processes(processes):
    news = []
    assert each(squared, [3, 1, 2], processes, news.append) == [9, 1, 4]
    assert sorted(item for item, _ in news) == [1, 2, 3]
    assert (os.getpid() in {pid for _, pid in news}) == (processes == 1)


def test_an_error_of_one_ends_all():
    with pytest.raises(BadInput, match="three is refused"):
        each(refusing, [1, 3], 2, lambda news: None)


def test_a_process_that_dies_ends_all():
    with pytest.raises(Exception, match="terminated abruptly"):
        each(dying, [1, 2], 2, lambda news: None)


def test_the_death_of_the_worker_that_started_last_is_noticed_too(monkeypatch):
    """After its start nothing wakes the pool by itself: no work ends, and none is handed in."""
    seen, deadline, start = {}, time.monotonic() + 30.0, SpawnProcess.start

    def slowly(process):
        """Long enough for the pool to look at its processes before it knows this one, as on a busy machine."""
        start(process)
        time.sleep(0.2)

    monkeypatch.setattr(SpawnProcess, "start", slowly)

    def kill_the_last(news):
        number, pid = news
        seen[number] = pid
        if len(seen) == 2 and pid == seen[max(seen)]:
            os.kill(pid, signal.SIGKILL)
        assert time.monotonic() < deadline, "its death went unnoticed"

    with pytest.raises(BrokenProcessPool, match="terminated abruptly"):
        each(lasting, [1, 2], 2, kill_the_last)


def test_an_interrupt_of_the_listener_ends_all():
    def interrupt(news):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        each(refusing, [1, 2], 2, interrupt)


def test_no_process_outlives_a_killed_parent(tmp_path):
    script = tmp_path / "lines.py"
    script.write_text(LINES)
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    pids = set()
    for line in parent.stdout:
        pids.add(int(line))
        if len(pids) == 2:
            break
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 30.0
    while left := [pid for pid in pids if alive(pid)]:
        assert time.monotonic() < deadline, f"{left} still run"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    return (found := processes.find(pid)) is not None and found.runs()
