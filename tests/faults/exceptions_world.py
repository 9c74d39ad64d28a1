"""Three agents under a scheduler whose loop runs step by step, and their stories, for the sweep of exceptions."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from livetrading.adapters import request_ids
from livetrading.adapters.home import Home
from livetrading.core.types import AgentStatus, Mode
from livetrading.execution.scheduler import Scheduler
from livetrading.execution.state import requests
from tests.doubles.lives import FIRST, Cycler, Known, Life, at

A, B, C = AGENTS = ("PPO_TEST_001", "PPO_TEST_002", "PPO_TEST_003")
MADE = "PPO_TEST_004"
"""The agent that the create request makes."""


@dataclass
class World:
    """A process over a home; what is only in memory is lost with it."""

    life: Life
    home: Home
    now: datetime

    def __post_init__(self) -> None:
        self.scheduler = Scheduler(self.home, clock=lambda: self.now)
        self.scheduler.node.beside = False
        self.scheduler.node.registry = Known(self.home, self.life.policy)
        self.scheduler.attempt(self.scheduler.read_agents)

    @property
    def node(self) -> Any:
        return self.scheduler.node

    def run_loop(self) -> None:
        """Runs the loop twice, so that a failure is tried again."""
        for _ in range(2):
            self.scheduler.next_pass = self.scheduler.next_stop = 0.0
            for work in (self.scheduler.answer_requests, self.scheduler.trade):
                self.scheduler.attempt(work)

    def ask(self, kind: str, agent_id: str | None, name: str) -> None:
        args = {"reason": "a test", "all_orders": False} if kind == "emergency_stop" else {}
        if kind == "create":
            args = {
                "model_id": self.life.model_id,
                "mode": self.life.mode,
                "source": f"csv:{self.life.csv}",
                "pace": 0.0,
                "job_id": "tested",
                "capital": self.life.terms.capital,
            }
        watcher = sys.getprofile()
        sys.setprofile(None)  # the request comes from another process
        requests.submit(self.node.store, kind, agent_id=agent_id, args=args, by="test", request_id=name, now=self.now)
        sys.setprofile(watcher)

    def person(self) -> None:
        """Starts the agent again, as its reason says."""
        if self.node.repositories[B].state.status == AgentStatus.BLOCKED:
            self.ask("start", B, request_ids.new())
            self.scheduler.attempt(self.scheduler.answer_requests)

    def catch_up(self, settled: str) -> None:
        """A replay that waited or was blocked runs the same sessions later."""
        for _ in range(3):
            state = self.node.repositories[B].state
            if state.agent.mode == Mode.REPLAY and state.settled < settled:
                self.scheduler.next_replay.clear()
                self.scheduler.step_replay(B)


Step = tuple[str, Callable[[World], None]]


def _at(t: int, clock: str, work: Callable[[World], None]) -> Step:
    def run(world: World) -> None:
        world.now = at(world.life.sessions[FIRST + t], clock)
        work(world)

    return f"{t} {clock}", run


def _asked(t: int, clock: str, kind: str, agent_id: str | None) -> Step:
    """A request about B, followed by one about C."""

    def work(world: World) -> None:
        name = f"{kind}-{t}-{clock.replace(':', '')}"
        world.ask(kind, agent_id, name)
        if agent_id == B:
            world.ask("pause" if kind != "start" else "start", C, f"{name}-behind")
        world.run_loop()

    return f"{kind} {t}", _at(t, clock, work)[1]


def _replayed(world: World) -> None:
    for agent_id in world.node.active():
        world.scheduler.next_replay.clear()
        world.scheduler.attempt(world.scheduler.step_replay, agent_id)


def passes() -> list[Step]:
    """Bought, held with its stop, sold, and bought again."""
    times = [(0, "16:40"), *((t, clock) for t in range(1, 5) for clock in ("08:00", "16:40"))]
    return [_at(t, clock, World.run_loop) for t, clock in times]


def asks() -> list[Step]:
    """Every kind of request while a position is held."""
    eve = [_at(0, "16:40", World.run_loop), _at(1, "08:00", World.run_loop), _at(1, "16:40", World.run_loop)]
    return [
        *eve,
        _asked(1, "17:00", "pause", B),
        _asked(1, "17:10", "start", B),
        _asked(1, "17:20", "close", B),
        _at(2, "08:00", World.run_loop),
        _at(2, "16:40", World.run_loop),
        _asked(2, "17:00", "create", None),
        _at(3, "08:00", World.run_loop),
        _at(3, "16:40", World.run_loop),
        _asked(3, "17:00", "emergency_stop", None),
        _at(4, "08:00", World.run_loop),
        _at(4, "16:40", World.run_loop),
        _asked(4, "17:00", "rearm", None),
        _asked(4, "17:10", "remove", B),
    ]


def replays() -> list[Step]:
    return [(f"replayed {n}", _replayed) for n in range(4)]


STORIES = {
    "passes": (passes, "paper", Cycler(1)),
    "requests": (asks, "paper", Cycler(9)),
    "replays": (replays, "replay", Cycler(1)),
}
