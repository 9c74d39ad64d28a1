"""Which process is it: a pid that is given again is another process."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from livetrading.adapters import processes
from livetrading.adapters.processes import Identity


def started() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-X", "livetrading=job-of-ours", "-c", "input()"], stdin=subprocess.PIPE)


def test_a_process_runs_until_it_has_ended_also_while_nobody_has_collected_it() -> None:
    process = started()
    found = processes.find(process.pid)
    assert found is not None and found.runs()
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not found.runs() and processes.find(process.pid) is None and processes.exists(process.pid)
    process.communicate()
    assert not processes.exists(process.pid)


def test_another_process_under_the_same_pid_is_another_one() -> None:
    me = processes.find(os.getpid())
    assert me is not None and me.born is not None and me.runs()
    assert not replace(me, born=me.born - 1).runs()
    assert Identity(os.getpid(), None).runs()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the version before wrote this on Linux")
def test_what_the_version_before_wrote_names_the_same_process() -> None:
    ticks = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    for mark in (ticks, int(ticks)):
        assert Identity.stored(os.getpid(), mark) == processes.find(os.getpid())
    assert not Identity.stored(os.getpid(), "1").runs() and not Identity.stored(os.getpid(), "x").runs()


@pytest.mark.parametrize("pid", [0, -1, 2**22 + 1, 10**30])
def test_a_number_that_is_no_pid_is_no_process(pid: int) -> None:
    assert processes.find(pid) is None and not processes.carries(pid, "")


def test_a_process_is_known_by_a_mark_on_its_command_line() -> None:
    process = started()
    try:
        while not processes.carries(process.pid, "job-of-ours"):  # there a moment after its pid
            assert process.poll() is None
        assert not processes.carries(process.pid, "another-job")
    finally:
        process.communicate(b"\n")
    assert not processes.carries(process.pid, "job-of-ours")
