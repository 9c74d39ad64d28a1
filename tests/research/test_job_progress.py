"""A job's record tells how a training learns and what its folds found, and never grows without bound."""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livetrading.adapters.home import Home
from livetrading.adapters.store import Store
from livetrading.research import job_progress, jobs
from livetrading.research.progress import Progress

NOW = datetime(2025, 11, 8, 16, 24, 33, tzinfo=UTC)
PATIENCE = 90.0


def points(count: int, members: int = 1) -> list[dict[str, Any]]:
    return [
        {"share": k / max(1, count - 1), "reward": [0.123456789 + k] * members, "sharpe": [1.0 / 3.0] * members}
        for k in range(count)
    ]


@given(parts=st.integers(0, 21), members=st.integers(1, 25), count=st.integers(0, 300))
def test_the_curves_of_a_record_are_bounded_and_keep_their_ends(parts: int, members: int, count: int) -> None:
    found = {f"fold {n + 1}": points(count, members) for n in range(parts)}
    kept = job_progress.curves(found)
    assert list(kept) == list(found)  # a part that has not begun keeps its place, and with it its colour
    assert sum(2 * len(p["reward"]) for part in kept.values() for p in part) <= job_progress.MOST_NUMBERS
    assert all(len(part) <= job_progress.MOST_POINTS for part in kept.values())
    for part in kept.values():
        assert [p["share"] for p in part[:1] + part[-1:]] == [0.0, 1.0 if count > 1 else 0.0][: 2 * min(1, count)]
        assert part == sorted(part, key=lambda point: point["share"])


def test_curves_have_four_digits_and_all_points_while_they_are_few() -> None:
    kept = job_progress.curves({"all": points(26, 5)})
    assert len(kept["all"]) == 26
    assert kept["all"][0] == {"share": 0.0, "reward": [0.1235] * 5, "sharpe": [0.3333] * 5}


def walked() -> dict[str, Any]:
    measures = {
        "sharpe_ratio": 0.9,
        "total_return_pct": 12.0,
        "max_drawdown_pct": 5.0,
        "num_trades": 3,
        "cagr_pct": 1.0,
    }
    fold = {"fold": 0, "start": "2015-01-02", "end": "2016-01-04", **measures, "notes": {}}
    return {
        "agent": {"measures": measures, "folds": [fold], "years": [], "regimes": [], "equity": [["2015-01-02", 1.0]]}
    }


def test_a_record_keeps_the_folds_in_short_and_drops_curves_when_the_next_job_begins(tmp_path) -> None:
    store = Store(Home.resolve(str(tmp_path)))
    job = jobs.start(store, "train", "AAPL", "PPO", 10, now=NOW)
    news = Progress("Folds", 0.5, 5, 10, curves={"fold 1": points(3)}, walk_forward=walked(), folds=(1, 4))
    jobs.update(store, job, news, now=NOW)
    seen = jobs.job(store, job)
    assert seen["message"] == "Folds 1/4" and len(seen["curves"]["fold 1"]) == 3
    assert seen["walk_forward"]["agent"] == {
        "measures": {"sharpe_ratio": 0.9, "total_return_pct": 12.0, "max_drawdown_pct": 5.0, "num_trades": 3},
        "folds": [
            {
                "fold": 0,
                "start": "2015-01-02",
                "end": "2016-01-04",
                "sharpe_ratio": 0.9,
                "total_return_pct": 12.0,
                "num_trades": 3,
            }
        ],
    }
    jobs.finish(store, job, {"model_id": "M"}, now=NOW)
    assert jobs.job(store, job)["curves"]
    jobs.start(store, "train", "AAPL", "PPO", 10, now=NOW)
    assert jobs.job(store, job)["curves"] == {} and jobs.job(store, job)["walk_forward"]


def children(pid: int) -> set[int]:
    """The processes that a process has started and that still live."""
    listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    return {int(child) for child, parent, state in rows if int(parent) == pid and not state.startswith("Z")}


def alive(pids: set[int]) -> set[int]:
    listed = subprocess.run(["ps", "-e", "-o", "pid=,stat="], capture_output=True, text=True, check=True).stdout
    return pids & {int(pid) for pid, state in map(str.split, listed.splitlines()) if not state.startswith("Z")}


@pytest.mark.parametrize(("how", "state"), [("terminate", "cancelled"), ("kill", "failed")])
def test_a_training_that_is_stopped_in_its_folds_leaves_no_model_and_no_process(tmp_path, how: str, state: str) -> None:
    home = Home.resolve(str(tmp_path))
    store = Store(home)
    words = ["train", "NVDA", "--agent", "PPO", "--seeds", "2", "--folds", "2", "--timesteps", "5000000", "--json"]
    line = [sys.executable, "-m", "livetrading", "--home", str(tmp_path), *words]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        wait(lambda: any(map(any, (job.get("curves", {}).values() for job in jobs.jobs(store)))))
        assert jobs.jobs(store)[0]["message"].startswith("Folds 0/2")
        workers = children(process.pid)
        assert workers
        getattr(process, how)()
        out = process.communicate(timeout=PATIENCE)[0]
    finally:
        process.kill()
    wait(lambda: not alive(workers))
    assert jobs.jobs(store)[0]["state"] == state
    assert [path.name for path in home.models.iterdir()] == []
    assert not store.read("openings").get("openings")  # the test was never opened
    assert how == "kill" or "Interrupted" in json.loads(out)["error"]


def wait(ready: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not ready():
        assert time.monotonic() < deadline, "the awaited condition did not come"
        time.sleep(0.05)
