"""Small studies: a few seconds, on the bundled bars."""

import os
import signal
import subprocess
import sys
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from livetrading.adapters.bars import BarSet
from livetrading.adapters.home import CHECKOUT
from livetrading.research.study.catalogue import Study
from livetrading.research.study.claims import ATTRIBUTES, Row
from livetrading.research.study.definition import Definition, Series
from livetrading.research.study.proposals import COMPLETE
from livetrading.research.study.trial import Outcome
from tests.doubles.series import sample

NOW = datetime(2025, 11, 8, 16, 24, 33, tzinfo=UTC)
END = date(2018, 1, 31)
STEPS = 500
SMALL = ("--timesteps", str(STEPS), "--end", str(END), "--folds", "2", "--trial-seeds", "2", "--seeds", "2")


@cache
def barset(symbol: str = "NVDA") -> BarSet:
    return BarSet(symbol, sample(symbol), "sample", "bundled")


def definition(**changes: Any) -> Definition:
    """Of four trials of a generation of two, unless changed."""
    given: dict[str, Any] = {
        "symbol": "NVDA",
        "agents": ("PPO",),
        "features": ("all", "price"),
        "bars": Series.of(barset()),
        "trials": 4,
        "generation": 2,
        "trial_seeds": 2,
        "folds": 2,
        "timesteps": STEPS,
        "end": END,
    }
    return Definition(**{**given, **changes})


def outcome(value: float) -> Outcome:
    """Of a trial that nobody ran."""
    import numpy as np

    return Outcome(COMPLETE, value, {0: value, 1: value - 0.5}, np.array([0.01, -value / 100]))


def command(home: Path, *words: str) -> "subprocess.Popen[str]":
    """``python -m livetrading`` as a process of its own, one thread."""
    line = [sys.executable, "-m", "livetrading", "--home", str(home), *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(line, cwd=CHECKOUT, env=environment, **pipes)


def kill(process: "subprocess.Popen[str]") -> None:
    """At once, as a power cut would."""
    process.send_signal(signal.SIGKILL)
    process.wait(30)


def working(study: Study, rows: list[Row]) -> dict[int, int]:
    """Numbers of the trials that run, by the pid of who works on each."""
    import json

    from sqlalchemy import select

    found = {}
    with study.storage.engine.connect() as connection:
        for row in rows:
            if row.state.name == "RUNNING":
                mine = (ATTRIBUTES.c.trial_id == row.trial_id) & (ATTRIBUTES.c.key == "worker")
                held = connection.execute(select(ATTRIBUTES.c.value_json).where(mine)).scalar()
                found[json.loads(held)["pid"]] = row.number
    return found
