"""Emergency stops with real processes: a scheduler that is idle, busy, hangs or is dead, and the command line,
which may be killed itself. Their clocks are shifted to the time of the trial."""

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from livetrading.adapters.home import CHECKOUT
from livetrading.adapters.stamps import parse_stamp
from livetrading.execution.node import agent_ids
from livetrading.execution.state import queries
from tests.doubles.lives import Life
from tests.doubles.processes import awaited
from tests.faults.emergency_checks import account, after_stop, aftermath, bought, one_stop
from tests.faults.emergency_states import Template, reopened, template

KINDS = ("alive", "dead", "hung", "command killed midway", "busy", "both killed midway", "double click")
STATES = (
    "entry planned",
    "entry at the broker",
    "position with its stop",
    "exit planned",
    "exit at the broker",
    "close in session",
)
AGENTS_OF_A_PASS = 100
PATIENCE = 60.0
OLDER = (20.0, 40.0)
"""Age in seconds of a hanging scheduler's heartbeat: soon counted as hung, or already."""


@dataclass
class Stage:
    """One home, its processes, and how far their clock is ahead of this one's."""

    life: Life
    offset: timedelta
    scheduler: subprocess.Popen[bytes] | None = None

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def start(self, *words: str, **pipes: Any) -> subprocess.Popen[bytes]:
        seconds = str(self.offset.total_seconds())
        return subprocess.Popen([sys.executable, "-m", "tests.faults.shifted", seconds, *words], cwd=CHECKOUT, **pipes)

    def start_scheduler(self) -> None:
        self.scheduler = self.start("scheduler", str(self.life.home.root), stderr=subprocess.DEVNULL)
        awaited(lambda: queries.system(self.life.store, self.now)["scheduler"]["alive"], "the scheduler")

    def hang(self, since: float) -> None:
        """The scheduler hangs, and has done so for ``since`` seconds."""
        assert self.scheduler is not None
        path = self.life.home.root / "scheduler.lock"
        awaited(lambda: len(path.read_text().split()) == 2, "its first beat")
        self.scheduler.send_signal(signal.SIGSTOP)
        pid, at = path.read_text().split()
        path.write_text(f"{pid} {float(at) - since:.3f}")

    def stop(self, request_id: str) -> subprocess.Popen[bytes]:
        words = (
            "emergency-stop",
            "--home",
            str(self.life.home.root),
            "--json",
            "--reason",
            "a trial",
            "--request-id",
            request_id,
        )
        return self.start(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def latch_after(self, started: float) -> float:
        awaited((self.life.home.root / "halt.json").exists, "the latch")
        return time.monotonic() - started

    def end(self) -> None:
        if self.scheduler is not None and self.scheduler.poll() is None:
            self.scheduler.kill()  # also one that hangs
            self.scheduler.wait()


def run(count: int, root: Path, tally: Any) -> None:
    """``count`` trials; their results are added to ``tally``."""
    templates: dict[str, Template] = {}
    for number in range(count):
        rng = random.Random(number)
        kind = KINDS[number % len(KINDS)]
        busy = kind == "busy"
        name = rng.choice(("entry planned", "exit planned")) if busy else STATES[number // len(KINDS) % len(STATES)]
        key = f"{name}, busy" if busy else name
        if key not in templates:
            templates[key] = template(root / key.replace(" ", "-"), name, AGENTS_OF_A_PASS if busy else 1)
        _trial(f"process {number}, {name}, {kind}", kind, templates[key], root / "work", rng, tally)


def _trial(title: str, kind: str, chosen: Template, work: Path, rng: random.Random, tally: Any) -> None:
    from tests.faults.emergency_trials import in_session, moment

    now = moment(chosen.since, rng, busy=kind == "busy")
    stage = Stage(chosen.copy(work), now - datetime.now(UTC))
    tally.seen[kind] += 1
    tally.seen["in market hours" if in_session(now) else "out of market hours"] += 1
    try:
        wrong, allowed = _stopped(stage, kind, rng, tally)
        ended = stage.now
    finally:
        stage.end()
    life = reopened(chosen.life, work)
    if kind != "busy":  # a hundred agents would take too long
        wrong += aftermath(life, ended, allowed, tally.seen)
    tally.wrong += [f"{title}: {text}" for text in wrong]
    shutil.rmtree(work)


def _stopped(stage: Stage, kind: str, rng: random.Random, tally: Any) -> tuple[list[str], set[str]]:
    """The stop itself; returns what was wrong, and the purchases before the latch."""
    _prepare(stage, kind, rng)
    started = time.monotonic()
    command = stage.stop("click")
    other = stage.stop("click") if kind == "double click" else None
    tally.latch.append(stage.latch_after(started))
    latched = stage.now
    if "killed" in kind:
        time.sleep(rng.uniform(0.0, 1.5))  # a moment at random, not a condition
        command.send_signal(signal.SIGKILL)
        command.communicate()
        if kind.startswith("both") and stage.scheduler is not None:
            stage.scheduler.kill()
        started = time.monotonic()
        command = stage.stop("click")
    answer = _answer(command)
    tally.stop.append(time.monotonic() - started)
    tally.slowest[kind] = max(tally.slowest.get(kind, 0.0), tally.stop[-1])
    alive = stage.scheduler is not None and stage.scheduler.poll() is None
    allowed = {ref for ref in bought(stage.life) if _accepted(stage.life, ref) <= latched}
    wrong = (
        ["error" in answer and str(answer)]
        if "items" not in answer
        else after_stop(stage.life, answer, allowed, not alive)
    )
    if other is not None:
        second = _answer(other)
        if second.get("items") != answer.get("items"):
            wrong.append(f"the second click was answered {second}")
    if other is not None or kind == "alive":
        wrong += one_stop(stage.life, "click")
    return [str(text) for text in wrong], allowed


def _prepare(stage: Stage, kind: str, rng: random.Random) -> None:
    if kind == "command killed midway" and rng.random() < 0.5:
        return  # half of these trials run without a scheduler
    if kind != "dead":
        stage.start_scheduler()
    if kind == "busy":
        journals = [stage.life.home.agent(a) / "journal.jsonl" for a in agent_ids(stage.life.home)]
        before = sum(path.stat().st_size for path in journals)
        awaited(lambda: sum(path.stat().st_size for path in journals) > before + 2000, "the pass")
    if kind == "hung":
        stage.hang(rng.choice(OLDER))


def _answer(command: subprocess.Popen[bytes]) -> dict[str, Any]:
    out, err = command.communicate(timeout=PATIENCE)
    try:
        return dict(json.loads(out))
    except ValueError:
        return {"error": err.decode()[-500:], "exit code": command.returncode}


def _accepted(life: Life, ref: str) -> datetime:
    orders = account(life, ref.split(":")[0]).orders
    return next(parse_stamp(o["accepted"]) for o in orders if o["ticket"]["ref"] == ref)
