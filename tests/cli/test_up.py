"""``up`` as a real process: a child that dies comes back, and a person is told."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from livetrading.adapters.home import CHECKOUT, Home
from livetrading.adapters.locks import SchedulerLock
from livetrading.adapters.store import Store
from livetrading.cli import up
from livetrading.execution import views
from tests.doubles.processes import PATIENCE, awaited, free_port


def test_a_scheduler_that_was_killed_comes_back_and_the_dashboard_says_so(tmp_path: Path) -> None:
    home, port = Home.resolve(str(tmp_path)), free_port()
    parent = subprocess.Popen(
        [sys.executable, "-m", "livetrading", "--home", str(home.root), "up", "--port", str(port)],
        cwd=CHECKOUT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )

    def shown() -> dict[str, Any]:
        return views.system(Store(home), datetime.now(UTC))

    try:
        first = awaited(lambda: shown()["scheduler"]["alive"] and shown()["scheduler"]["pid"], "the scheduler")
        os.kill(first, signal.SIGKILL)
        alarm = awaited(lambda: shown()["alarms"], "an alarm")[-1]
        assert alarm["text"] == "The scheduler ended by signal 9; it starts again in 2 s."
        second = awaited(lambda: shown()["scheduler"]["alive"] and shown()["scheduler"]["pid"], "its return")
        assert second not in (None, first) and parent.poll() is None
    finally:
        parent.terminate()
        said = parent.communicate(timeout=PATIENCE)[1]
    assert parent.returncode == 0 and "The scheduler ended by signal 9" in said
    assert SchedulerLock(home).holder() is None, "it took its children with it"


def test_the_pauses_of_a_child_that_keeps_dying_grow_to_a_minute(monkeypatch: Any) -> None:
    clock, said = [0.0], []
    monkeypatch.setattr(up.time, "monotonic", lambda: clock[0])
    child = up.Child("thing", ["true"], {}, told=said.append)

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
