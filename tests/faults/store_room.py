"""What a commit costs after ten years, and what happens when the disk is full or read-only."""

import os
import random
import statistics
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any
from unittest import mock

from livetrading.adapters.calendar import calendar
from livetrading.adapters.halt import HaltLatch
from livetrading.adapters.home import Home
from livetrading.adapters.store import Store
from livetrading.core.errors import Unavailable
from livetrading.core.events import BarsAppended, Decided, Event, Marked
from livetrading.core.types import Terms
from livetrading.execution import pass_runner, replay_run
from livetrading.execution.state import requests
from livetrading.execution.state.agent_repository import AgentRepository
from tests.doubles.lives import FIRST, Cycler, Life, at, deployed
from tests.doubles.models import make_card
from tests.doubles.series import generated

TEN_YEARS, PAIRS = 2520, 200
LAST_DAY = date(2020, 10, 30)
"""The end of the ten years. The measured days are in the second half of each month, when the file is long."""


# -- cost -------------------------------------------------------------------


def _commits(day: date) -> list[list[Event]]:
    """An ordinary day's two transactions."""
    name = day.isoformat()
    row = [name, 100.1, 102.25, 99.5, 101.75, 3_123_456.0, 0.0, 1.0]
    return [
        [BarsAppended([row], "sample"), Marked(name, 101.75)],
        [Decided(name, "a" * 64, 1.0, 1, 0, "the agent holds")],
    ]


def live(repository: AgentRepository, day: date) -> float:
    """Seconds that a day's commits take."""
    now = calendar().close_at(day) + timedelta(minutes=30)
    started = perf_counter()
    for events in _commits(day):
        repository.commit(events, now)
    return perf_counter() - started


@dataclass(frozen=True)
class Cost:
    """Milliseconds a commit, and the median of the ratios of pairs."""

    old_ms: float
    new_ms: float
    ratio: float
    pairs: int


def cost(root: Path, sessions: int = TEN_YEARS, pairs: int = PAIRS) -> Cost:
    """An agent with ten years of daily history and agents on their first day: the same commits, alternately.

    Each pair is measured twice, in the order old, new, new, old, and the quicker of each counts, so that
    time taken by another program does not count. A new agent lives through one day only.
    """
    past, card = calendar().sessions(date(2010, 1, 4), LAST_DAY)[-sessions:], make_card(symbol="TEST")
    with mock.patch("os.fsync", lambda fd: None):
        old = replay_run.begin(Home.resolve(str(root / "old")), card, Terms(), past[0])
        for day in past:
            live(old, day)
    seconds: list[tuple[float, float]] = []
    for day, late in _days_after(LAST_DAY):
        if not late:
            with mock.patch("os.fsync", lambda fd: None):
                live(old, day)
            continue
        homes = [Home.resolve(str(root / f"new{len(seconds)}{letter}")) for letter in "ab"]
        one, two = (replay_run.begin(home, card, Terms(), day) for home in homes)
        runs = [live(repository, day) for repository in (old, one, two, old)]
        seconds.append((min(runs[0], runs[3]), min(runs[1], runs[2])))
        if len(seconds) == pairs:
            break
    olds, news = zip(*seconds, strict=True)
    ratio = statistics.median(o / n for o, n in seconds)
    return Cost(500 * statistics.median(olds), 500 * statistics.median(news), ratio, pairs)


def _days_after(last: date) -> Iterator[tuple[date, bool]]:
    """Sessions, each with whether it lies in the second half of its month."""
    for day in calendar().sessions(last + timedelta(days=1), calendar().last):
        yield day, day.day > 15


# -- room -------------------------------------------------------------------


class Disk:
    """A small file system of its own, where the machine allows to mount one."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def ballast(self) -> Path:
        return self.root / "ballast"

    def fill(self, leave: int = 0) -> None:
        """Take all the room but ``leave`` bytes."""
        with self.ballast.open("ab") as file, suppress(OSError):
            while True:
                free = os.statvfs(self.root)
                size = free.f_bavail * free.f_frsize - leave
                if size <= 0:
                    break
                os.write(file.fileno(), bytes(min(size, 1 << 16)))

    def free(self) -> None:
        self.ballast.unlink(missing_ok=True)

    def remount(self, how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", str(self.root)], check=True, capture_output=True)


@contextmanager
def disk(root: Path, size: str = "24m") -> Iterator[Disk | None]:
    """A mounted tmpfs, or None where that is not allowed."""
    root.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(root)], capture_output=True)
    if done.returncode:
        yield None
        return
    try:
        yield Disk(root)
    finally:
        subprocess.run(["umount", str(root)], check=True)


def troubled(
    life: Life, spoil: Callable[[], None], mend: Callable[[], None], when: Callable[[int], bool], days: int
) -> list[str]:
    """Continues with a disk that fails for a while; each pass is repeated when there is room."""
    wrong = []
    for t in range(FIRST, FIRST + days):
        for clock, again in (("08:00", "08:10"), ("16:40", "17:00")):
            if when(t):
                wrong += _refused(life, spoil, mend, at(life.sessions[t], clock))
            else:
                life.check(at(life.sessions[t], clock))
            life.check(at(life.sessions[t], again))
    return wrong


def _refused(life: Life, spoil: Callable[[], None], mend: Callable[[], None], now: datetime) -> list[str]:
    """A pass, a request and the latch while nothing can be written: refused, and nothing changed."""
    before, seq = life.state, life.repository.seq
    files = _contents(life.home.root)
    spoil()
    try:
        _, failed = pass_runner.run(life.node, now)
        wrong = [
            f"{now}: {why}"
            for why in failed.values()
            if not any(w in why for w in ("full", "read-only", "may not grow"))
        ]
        if life.repository.seq == seq and life.state != before:
            wrong.append(f"{now}: the state changed and the journal did not")
        if life.repository.seq == seq and not failed and _orders_due(before):
            wrong.append(f"{now}: nothing failed and nothing was done")
        wrong += _request(life.store, now)
    finally:
        mend()
    after = _contents(life.home.root)
    torn = [
        name
        for name, data in after.items()
        if name in files and name.endswith(".jsonl") and not data.startswith(files[name])
    ]
    return [*wrong, *(f"{now}: {name} lost lines" for name in torn)]


def _orders_due(state: Any) -> bool:
    return any(o.state == "PLANNED" and o.parent is None for o in state.orders)


def _request(store: Store, now: datetime) -> list[str]:
    before = store.read("requests")
    try:
        requests.submit(store, "rearm", by="test", now=now)
        return []  # there was enough room
    except Unavailable:
        return [] if store.read("requests") == before else [f"{now}: a refused request changed the file"]


def _contents(root: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in root.rglob("*.json*") if p.is_file() and "lock" not in p.name}


def a_life(root: Path, days: int) -> Life:
    return deployed(root, generated(11, FIRST + days + 3), Cycler())


def room(root: Path, days: int, seed: int = 0) -> tuple[dict[str, int], list[str]]:
    """A disk that is full, nearly full or read-only at random checks: the ledger must be that of an undisturbed life."""
    calm = a_life(root / "calm", days)
    for t in range(FIRST, FIRST + days):
        calm.day(t)
    dice, counts, wrong = random.Random(seed), {"full": 0, "read-only": 0}, []
    with disk(root / "disk") as small:
        if small is None:
            return counts, ["a file system cannot be mounted here: run as root, or look at the slice"]
        for how in counts:
            life = a_life(small.root / how.replace("-", ""), days)
            spoil = (
                (lambda: small.fill(dice.choice((0, 0, 4096, 16384))))
                if how == "full"
                else (lambda: small.remount("ro"))
            )
            mend = small.free if how == "full" else (lambda: small.remount("rw"))

            def when(t: int) -> bool:
                hit = dice.random() < 0.5
                counts[how] += 2 * hit
                return hit

            wrong += [f"{how}: {text}" for text in troubled(life, spoil, mend, when, days)]
            if life.ledger != calm.ledger:
                wrong.append(f"{how}: the ledger differs from that of an undisturbed life")
            wrong += _latch(life, spoil, mend)
    return counts, wrong


def _latch(life: Life, spoil: Callable[[], None], mend: Callable[[], None]) -> list[str]:
    """A halt that cannot be written raises an error; a written one halts."""
    latch, now = HaltLatch(life.home), datetime(2024, 6, 3, 20, tzinfo=UTC)
    spoil()
    try:
        latch.set("test", "test", now)
        said = True
    except Unavailable:
        said = False
    finally:
        mend()
    halted = latch.status() is not None
    if halted:
        latch.clear("test", now)
    return [] if halted or not said else ["the latch said yes and is not set"]
