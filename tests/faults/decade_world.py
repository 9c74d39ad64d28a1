"""Agents that trade for years on a virtual clock, in one process as the scheduler runs them, and the faults."""

import hashlib
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from livetrading.adapters.bars.base import BarSet, as_of
from livetrading.adapters.calendar import calendar
from livetrading.adapters.home import Home
from livetrading.adapters.registry import Registry
from livetrading.adapters.store import Store
from livetrading.core.errors import Unavailable
from livetrading.core.types import AgentStatus, Terms
from livetrading.execution import scheduler
from livetrading.execution.scheduler import Scheduler
from livetrading.execution.state import requests
from tests.doubles.lives import FIRST, Cycler, Known, _card, at, store_test
from tests.doubles.models import make_card
from tests.doubles.processes import lift_file_size_limit, limit_file_size
from tests.doubles.series import generated
from tests.faults import crash

SYMBOLS = ("AAA", "BBB", "CCC", "DDD", "EEE")
POINTS = 25
"""A kill happens at one of the first so many commits for each agent."""


class Tape:
    """A source that shows no bar before its true time, and does not answer while it is ``gone``."""

    name = "tape"

    def __init__(self, frame: Any) -> None:
        self.frame, self.true, self.gone = frame, datetime.min.replace(tzinfo=UTC), False

    def daily(self, symbol: str, *, now: datetime) -> BarSet:
        if self.gone:
            raise Unavailable("The source does not answer; it is asked again.")
        return as_of(symbol, self.frame, self.name, "", min(now, self.true))


class Fatal(crash.Points):
    """Ends its process with SIGKILL."""

    def passed(self, what: str) -> None:
        if self.count == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        super().passed(what)


class World:
    """One home, its agents, and runs of the scheduler's loop at times that the world sets."""

    def __init__(self, root: Path, agents: int, count: int, seed: int = 1) -> None:
        self.home, self.rng, self.seen = Home.resolve(str(root / "home")), random.Random(seed), Counter[str]()
        self.tapes, models = {}, {}
        for number, symbol in enumerate(SYMBOLS[: min(agents, len(SYMBOLS))]):
            frame = generated(
                number + 1, FIRST + count + 2, price=80.0, daily=0.012, splits=splits(count), dividends=dividends(count)
            )
            self.tapes[symbol], models[symbol] = Tape(frame), self._model(root, symbol, frame)
        self.sessions: list[date] = list(frame.index.date)[FIRST : FIRST + count]
        self.now = at(list(frame.index.date)[FIRST - 1], "20:00")
        self.start()
        for number in range(agents):
            symbol = list(models)[number % len(models)]
            self.ask(
                "create", model_id=models[symbol], mode="paper", source="sample", job_id=symbol, capital=Terms().capital
            )

    def _model(self, root: Path, symbol: str, frame: Any) -> str:
        content = b"no real policy"
        known = {**_card(frame, FIRST), "symbol": symbol}
        card = make_card(zip_sha256=hashlib.sha256(content).hexdigest(), **known)
        source = root / f"{symbol}.zip"
        source.write_bytes(content)
        Registry(self.home).register(card, source, frame.iloc[:FIRST], {})
        store_test(Store(self.home), card.model_id, Terms(), symbol)
        return card.model_id

    def start(self) -> None:
        """A scheduler as in a new process: everything from disk. The lock is left out."""
        self.scheduler = self.node = None  # type: ignore[assignment]  # as a dead process holds nothing
        with mock.patch.object(scheduler, "load_torch", lambda: None):
            self.scheduler = Scheduler(self.home, clock=lambda: self.now)
            self.node = self.scheduler.node
            self.node.beside = False
            self.node.registry = Known(self.home, Cycler())
            self.node.source_of = lambda config, bars: self.tapes[config.symbol]  # type: ignore[assignment]
            self.scheduler.begin()
        self.seen["starts"] += 1

    def ask(self, kind: str, agent_id: str | None = None, **args: Any) -> dict[str, Any]:
        made = requests.submit(self.node.store, kind, agent_id=agent_id, args=args, by="test", now=self.now)
        self.run_loop()
        answer = requests.outcome(self.node.store, made) or {}
        assert answer.get("status") == "done", answer
        return answer

    def run_loop(self) -> None:
        """Runs everything in the scheduler's loop once."""
        self.scheduler.next_pass = self.scheduler.next_stop = 0.0
        for work in (
            self.scheduler.watch_files,
            self.scheduler.answer_requests,
            self.scheduler.trade,
            self.scheduler.beat,
        ):
            self.scheduler.attempt(work)

    def at(self, when: datetime, clock_ahead: timedelta = timedelta(0)) -> None:
        self.now = when + clock_ahead
        for tape in self.tapes.values():
            tape.true = when
        self.run_loop()

    # -- a session ----------------------------------------------------------

    def live(self, session: date, fault: "Fault | None") -> None:
        morning, evening = at(session, "08:00"), at(session, "16:40")
        self.at(morning)
        if fault is not None:
            fault(self, evening)
        self.at(evening + timedelta(minutes=20))
        for tape in self.tapes.values():
            tape.gone = tape.gone and self.rng.random() < 0.5  # until past the next deadline, or not
        for agent_id in self.node.active():
            if self.node.repository(agent_id).state.status == AgentStatus.BLOCKED:
                self.seen["blocked, and started by a person"] += 1
                self.ask("start", agent_id)

    def end(self) -> None:
        """After the deadline of the last session: it is decided or MISSED."""
        self.at(at(calendar().next_session(self.sessions[-1]), "09:25"))

    # -- the faults ---------------------------------------------------------

    def kill(self, evening: datetime) -> None:
        fatal = self.rng.randrange(POINTS * len(self.node.active()))
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                with crash.watched(Fatal(fatal)):
                    self.at(evening)
                code = 0
            finally:
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert code in (-signal.SIGKILL, 0), f"the victim ended with {code}"
        self.seen["killed in a pass" if code else "killed between passes"] += 1
        self.start()

    def disk_full(self, evening: datetime) -> None:
        limit_file_size(self.rng.choice((0, 200, 4096)))
        try:
            self.at(evening)
        finally:
            lift_file_size_limit()

    def clock_jump(self, evening: datetime) -> None:
        self.at(evening, timedelta(hours=self.rng.choice((-30, -5, 3, 14, 20))))

    def damaged_file(self, evening: datetime) -> None:
        folder = self.home.agent(self.rng.choice(self.node.active()))
        shared = [self.home.root / "system.json", self.home.root / "requests.json"]
        path = self.rng.choice([*folder.glob("history-*.json"), folder / "state.json", folder / "paper.json", *shared])
        raw = path.read_bytes() if path.exists() else b""
        path.write_bytes(self.rng.choice((raw[: len(raw) // 2], self.rng.randbytes(500), b"")))
        if self.rng.random() < 0.5:
            self.start()

    def broker_gone(self, evening: datetime) -> None:
        (self.home.agent(self.rng.choice(self.node.active())) / "paper.json").unlink(missing_ok=True)
        self.start()

    def source_gone(self, evening: datetime) -> None:
        self.tapes[self.rng.choice(list(self.tapes))].gone = True
        self.at(evening)


Fault = Callable[[World, datetime], None]
FAULTS: tuple[Fault, ...] = (
    World.kill,
    World.disk_full,
    World.clock_jump,
    World.damaged_file,
    World.broker_gone,
    World.source_gone,
)


def splits(count: int) -> dict[int, float]:
    return {FIRST + row: (2.0, 0.5)[n % 2] for n, row in enumerate(range(35, count, 600))}


def dividends(count: int) -> dict[int, float]:
    return {FIRST + row: 0.2 for row in range(20, count, 63)}
