"""Four processes over the same files, killed at random moments, and a reader beside them."""

import json
import mmap
import os
import random
import signal
import struct
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tinydb import TinyDB, where

from livetrading.adapters.home import Home
from livetrading.adapters.journal import Journal, read_lines
from livetrading.adapters.store import Store
from tests.doubles.processes import start

WORKERS, NAMES = 4, ("system", "jobs", "requests")
NOW = datetime(2024, 6, 3, 20, 40, tzinfo=UTC)
JOURNAL = len(NAMES)
SLOTS = JOURNAL + 1
"""Counters of a worker: its updates of each shared file, and its own journal's lines."""


class Acknowledged:
    """Counts that stay when a process is killed: one writer for each number."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 8 * WORKERS * SLOTS)

    def get(self, worker: int, slot: int) -> int:
        return int(struct.unpack_from("<q", self._memory, 8 * (worker * SLOTS + slot))[0])

    def put(self, worker: int, slot: int, value: int) -> None:
        struct.pack_into("<q", self._memory, 8 * (worker * SLOTS + slot), value)

    def of(self, worker: int) -> int:
        return sum(self.get(worker, slot) for slot in range(SLOTS))


@dataclass
class Contention:
    """``total`` transactions by four workers below ``root``; ``wrong`` lists what was lost or incomplete."""

    root: Path
    total: int
    seed: int = 0
    kill_every: float = 0.1
    kills: int = 0
    unacknowledged: int = 0
    reads: int = 0
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store, self.done = Store(Home(self.root), lock_timeout=60.0), Acknowledged()
        self._seen = dict.fromkeys(NAMES, 0)
        self._lines = [0] * WORKERS

    def journal(self, worker: int) -> Path:
        return self.root / "agents" / f"W{worker}" / "journal.jsonl"

    # -- a worker -----------------------------------------------------------

    def work(self, worker: int, seed: int) -> None:
        """Half of the transactions on shared files, half lines of the worker's own journal."""
        dice, share = random.Random(seed), self.total // WORKERS
        journal = Journal.open(self.journal(worker))
        journal.recover()
        while self.done.of(worker) < share:
            if dice.random() < 0.5:
                line = journal.append([{"kind": "Noted", "text": f"line {journal.seq + 1}"}], NOW)
                self.done.put(worker, JOURNAL, line.seq)
            else:
                slot = dice.randrange(len(NAMES))
                self.done.put(worker, slot, self._count(NAMES[slot], worker))

    def _count(self, name: str, worker: int) -> int:
        """The worker's number and the sum are raised in one transaction; readers check that."""
        with self.store.transaction(name) as db:
            table = db.table("counts")
            mine: Any = table.get(where("worker") == worker) or {"worker": worker, "n": 0}
            whole: Any = table.get(where("worker") == "all") or {"worker": "all", "n": 0}
            for doc in (mine, whole):
                table.upsert({**doc, "n": doc["n"] + 1}, where("worker") == doc["worker"])
        return int(mine["n"]) + 1

    # -- the others ---------------------------------------------------------

    def run(self) -> "Contention":
        dice = random.Random(self.seed)
        processes: list[Any] = [self._start(worker, dice) for worker in range(WORKERS)]
        until = time.monotonic() + self.kill_every
        while any(p is not None for p in processes):
            self.read()
            victim = dice.randrange(WORKERS)
            for worker, process in enumerate(processes):
                if process is None or (process.is_alive() and not (worker == victim and time.monotonic() > until)):
                    continue
                if process.is_alive():
                    os.kill(process.pid, signal.SIGKILL)
                    self.kills += 1
                    until = time.monotonic() + dice.uniform(0, 2 * self.kill_every)
                process.join()
                if process.exitcode not in (0, -signal.SIGKILL):
                    self.wrong.append(f"worker {worker} ended with {process.exitcode}")
                self.agree(worker)
                left = self.done.of(worker) < self.total // WORKERS and len(self.wrong) < 5
                processes[worker] = self._start(worker, dice) if left else None
        self.read()
        return self

    def _start(self, worker: int, dice: random.Random) -> Any:
        return start(self.work, worker, dice.randrange(2**31))

    def agree(self, worker: int) -> None:
        """All acknowledged updates of a dead worker exist, and at most one that was not acknowledged."""
        for slot in range(SLOTS):
            acknowledged, there = self.done.get(worker, slot), self._there(worker, slot)
            if there - acknowledged not in (0, 1):
                self.wrong.append(
                    f"worker {worker}, {(*NAMES, 'journal')[slot]}: {acknowledged} acknowledged, {there} there"
                )
            self.unacknowledged += there - acknowledged
            self.done.put(worker, slot, there)

    def _there(self, worker: int, slot: int) -> int:
        if slot == JOURNAL:
            return sum(1 for _ in read_lines(self.journal(worker)))
        counts = self.store.read(NAMES[slot]).get("counts", {}).values()
        return next((int(doc["n"]) for doc in counts if doc["worker"] == worker), 0)

    def read(self) -> None:
        """Readers take no lock: the plain bytes, TinyDB itself, the store, and a journal."""
        for name in NAMES:
            path = self.store.path(name)
            if not path.exists():
                continue
            for way in (self._plain, self._tinydb, self._store):
                counts = way(name)
                whole = sum(doc["n"] for doc in counts if doc["worker"] == "all")
                if whole != sum(doc["n"] for doc in counts if doc["worker"] != "all") or whole < self._seen[name]:
                    self.wrong.append(f"{name}: a reader saw {counts} after {self._seen[name]}")
                self._seen[name] = whole
                self.reads += 1
        if self.reads % 300 < 9:
            for worker in range(WORKERS):
                lines = sum(1 for _ in read_lines(self.journal(worker)))
                if lines < self._lines[worker]:
                    self.wrong.append(f"journal {worker} fell from {self._lines[worker]} lines to {lines}")
                self._lines[worker] = lines
                self.reads += 1

    def _plain(self, name: str) -> list[Any]:
        return list(json.loads(self.store.path(name).read_bytes())["counts"].values())

    def _tinydb(self, name: str) -> list[Any]:
        with TinyDB(self.store.path(name), access_mode="r") as plain:
            return plain.table("counts").all()

    def _store(self, name: str) -> list[Any]:
        return list(self.store.read(name)["counts"].values())

    def transactions(self) -> int:
        return sum(self.done.of(worker) for worker in range(WORKERS))
