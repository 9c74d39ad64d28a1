"""``python -m tests.faults.emergency_trials``: emergency stops over all states of an order's life.

Most trials run in this process on a virtual clock, one in ten with real processes. ``TRIALS`` says how many
(1,000), ``FAST=1`` runs a part. Prints counts, latencies and every failed check.
"""

import logging
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from livetrading.adapters.calendar import calendar
from livetrading.adapters.halt import HaltLatch
from livetrading.execution import pass_runner
from livetrading.execution.agent_manager import AgentManager
from livetrading.execution.state import requests
from livetrading.execution.stopping import emergency_stop
from tests.doubles.lives import Life, at
from tests.faults import crash, emergency_processes
from tests.faults.emergency_checks import after_stop, aftermath, bought, one_stop, seq_of
from tests.faults.emergency_states import STATES, Template, reopened, template

KINDS = ("alive", "latch alone", "dead", "killed midway", "busy")
BUSY = ("nothing decided", "entry planned", "exit planned", "position with its stop")
AGENTS_OF_A_PASS = 5
REAL_SHARE = 10
"""One trial in so many uses real processes."""
MOST_POINTS = 24


@dataclass
class Tally:
    """Counts, latencies in seconds, and what was wrong."""

    seen: Counter[str] = field(default_factory=Counter)
    latch: list[float] = field(default_factory=list)
    stop: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    slowest: dict[str, float] = field(default_factory=dict)
    """The longest answer of each kind."""


def trial(number: int, root: Path, templates: dict[str, Template], tally: Tally) -> None:
    """Trial ``number``, the same every time: a state, a kind of scheduler, an hour."""
    rng = random.Random(number)
    kind = KINDS[number % len(KINDS)]
    name = rng.choice(BUSY) if kind == "busy" else list(STATES)[number // len(KINDS) % len(STATES)]
    key = f"{name} x{AGENTS_OF_A_PASS}" if kind == "busy" else name
    if key not in templates:
        templates[key] = template(root / "templates", name, AGENTS_OF_A_PASS if kind == "busy" else 1)
    now = moment(templates[key].since, rng, busy=kind == "busy")
    work = root / "work"
    life = templates[key].copy(work)
    tally.seen[f"scheduler {kind}"] += 1
    tally.seen["in market hours" if in_session(now) else "out of market hours"] += 1
    allowed = bought(life)
    wrong = RUN[kind](life, now, rng, tally, allowed)
    wrong += aftermath(reopened(life, work), now, allowed, tally.seen)
    tally.wrong += [f"trial {number}, {name}, scheduler {kind}, {now:%a %H:%M} UTC: {text}" for text in wrong]
    shutil.rmtree(work)


def moment(since: datetime, rng: random.Random, busy: bool) -> datetime:
    """A time before the next evening pass: in session, before it, after a close, or exactly at one.

    ``busy``: the time of the next pass that has something to do.
    """
    day = calendar().next_session(since.date())
    if busy:
        return min(w for w in (at(day, "08:00"), at(since.date(), "16:40"), at(day, "16:40")) if w > since)
    hours = ["09:31", "11:00", "13:17", "15:44", "15:59", "08:00", "09:19", "09:22", "09:29", "03:00", "16:03", "16:20"]
    days = [since.date(), day] if calendar().is_session(since.date()) else [day]
    found = [at(d, clock) for d in days for clock in hours]
    found += [since + timedelta(minutes=1), at(day, "00:30")]
    return rng.choice([w for w in found if w > since])


def in_session(now: datetime) -> bool:
    day = now.date()
    return calendar().is_session(day) and calendar().open_at(day) <= now < calendar().close_at(day)


# -- kinds of scheduler -----------------------------------------------------


def _latched(life: Life, now: datetime, tally: Tally) -> None:
    """The first step of every stop."""
    started = time.perf_counter()
    HaltLatch(life.home).set("a trial", "test", now)
    tally.latch.append(time.perf_counter() - started)


def _alive(life: Life, now: datetime, rng: random.Random, tally: Tally, allowed: set[str]) -> list[str]:
    """Requested, answered, and requested again with the same id, as by a double click."""
    _latched(life, now, tally)
    started = time.perf_counter()
    answer = life.ask("emergency_stop", now, request_id="click")["result"]
    tally.stop.append(time.perf_counter() - started)
    wrong, lines = after_stop(life, answer, allowed), seq_of(life.home.root)
    life.ask("emergency_stop", now, request_id="click")
    if seq_of(life.home.root) != lines:
        wrong.append("a double click wrote again")
    return wrong + one_stop(life, "click")


def _latch_alone(life: Life, now: datetime, rng: random.Random, tally: Tally, allowed: set[str]) -> list[str]:
    """The scheduler finds the latch in its next loop."""
    _latched(life, now, tally)
    life.check(now)
    return after_stop(life, life.ask("emergency_stop", now)["result"], allowed)


def _dead(life: Life, now: datetime, rng: random.Random, tally: Tally, allowed: set[str]) -> list[str]:
    """No scheduler: the stopping process opens the agents itself."""
    _latched(life, now, tally)
    started = time.perf_counter()
    _, answer = emergency_stop.stop(reopened(life, life.home.root).node, "a trial", "test", now)
    tally.stop.append(time.perf_counter() - started)
    return after_stop(life, answer, allowed)


def _killed(life: Life, now: datetime, rng: random.Random, tally: Tally, allowed: set[str]) -> list[str]:
    """The stop is killed at one of its commits or calls, and the next process continues it."""
    _latched(life, now, tally)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            with crash.watched(crash.Points(rng.randrange(MOST_POINTS))):
                emergency_stop.stop(life.node, "a trial", "test", now)
            code = crash.UNHARMED
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    tally.seen["killed at a point" if code == crash.KILLED else "killed too late"] += 1
    wrong = [] if code in (crash.KILLED, crash.UNHARMED) else [f"exit code {code}"]
    successor = reopened(life, life.home.root)
    successor.check(now)
    return wrong + after_stop(successor, successor.ask("emergency_stop", now)["result"], allowed)


def _busy(life: Life, now: datetime, rng: random.Random, tally: Tally, allowed: set[str]) -> list[str]:
    """The request comes after some agents of a pass; what they sent before it is allowed."""
    left, answers = [rng.randrange(AGENTS_OF_A_PASS)], []

    def between() -> bool:
        if left[0] == 0:
            _latched(life, now, tally)
            allowed.update(bought(life))
            made = requests.submit(life.store, "emergency_stop", by="test", now=now, args={"reason": "a trial"})
            AgentManager(life.node).apply_pending(now)
            answers.append((requests.outcome(life.store, made) or {})["result"])
            wrong.extend(after_stop(life, answers[-1], allowed))
        left[0] -= 1
        return True

    wrong: list[str] = []
    _, failed = pass_runner.run(life.node, now, between)
    return [*wrong, *map(str, failed.items())] + ([] if answers else ["the pass answered no request"])


RUN = {"alive": _alive, "latch alone": _latch_alone, "dead": _dead, "killed midway": _killed, "busy": _busy}


def in_process(numbers: range, root: Path) -> Tally:
    tally = Tally()
    templates: dict[str, Template] = {}
    for number in numbers:
        trial(number, root, templates, tally)
    return tally


def share(values: list[float], part: float) -> float:
    """The quantile ``part`` of the values."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))] if values else 0.0


def print_figures(title: str, count: int, tally: Tally, seconds: float) -> None:
    print(f"{title}: {count} trials in {seconds:.0f} s, {len(tally.wrong)} wrong")
    print("  " + ", ".join(f"{n} {k}" for k, n in sorted(tally.seen.items())))
    for what, values in (("latch durable", tally.latch), ("stop answered", tally.stop)):
        print(
            f"  {what}: median {1000 * share(values, 0.5):.0f} ms, p99 {1000 * share(values, 0.99):.0f} ms, most {1000 * max(values, default=0):.0f} ms ({len(values)})"
        )
    if tally.slowest:
        print("  slowest answers: " + ", ".join(f"{kind} {value:.1f} s" for kind, value in tally.slowest.items()))
    for text in tally.wrong[:40]:
        print(f"  WRONG {text}", file=sys.stderr)
    sys.stdout.flush()


def main() -> int:
    logging.disable(logging.CRITICAL)
    fast = os.environ.get("FAST", "") not in ("", "0")
    count = int(os.environ.get("TRIALS", "43" if fast else "1000"))
    real = 3 if fast else count // REAL_SHARE
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        inside = in_process(range(count - real), Path(folder))
        print_figures("in this process, virtual clock", count - real, inside, time.monotonic() - started)
        started = time.monotonic()
        outside = Tally()
        emergency_processes.run(real, Path(folder) / "real", outside)
        print_figures("real processes", real, outside, time.monotonic() - started)
    late = share(outside.latch, 0.99) > 1.0
    return 1 if inside.wrong or outside.wrong or late else 0


if __name__ == "__main__":
    sys.exit(main())
