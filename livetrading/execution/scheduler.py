"""The trading process: ``schedule`` wakes it, the calendar decides what is due."""

import logging
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import FrameType

import schedule

from ..adapters import settings
from ..adapters.calendar import calendar
from ..adapters.home import Home
from ..adapters.locks import SchedulerLock
from ..adapters.stamps import stamp
from ..core.errors import LivetradingError
from ..core.types import AgentStatus, Mode
from . import checks, emergency, replay
from .agent_manager import AgentManager
from .desk import Desk

log = logging.getLogger(__name__)
HEARTBEAT_SECONDS = 5
PASS_SECONDS = 15
RETRY_SECONDS = 300
"""A held agent's source is asked again after this long."""
REPLAYS_A_TURN = 0.25
"""Seconds that replays may take before requests are looked at again."""
KEPT_ALARMS = 200


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Scheduler:
    """Owns the lock, the agents and the clock. ``run`` returns after a signal."""

    home: Home
    clock: Callable[[], datetime] = utc_now
    stopping: bool = False
    _next_pass: float = 0.0
    _next_replay: dict[str, float] = field(default_factory=dict)
    _doing: str = ""
    _said: float = 0.0

    def __post_init__(self) -> None:
        minutes = settings.load(self.home).check_delay_minutes
        self.desk = Desk(self.home, calendar(), timedelta(minutes=minutes))
        self.manager = AgentManager(self.desk)
        self.lock = SchedulerLock(self.home)
        self.jobs = schedule.Scheduler()

    def run(self) -> None:
        """Hold the lock and trade until SIGTERM or SIGINT. Conflict if another holds it."""
        with self.lock.acquire("scheduler", self.clock()):
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._stop)
            self._open()
            self.jobs.every(1).seconds.do(self._requests)
            self.jobs.every(HEARTBEAT_SECONDS).seconds.do(self._beat)
            self.jobs.every(1).seconds.do(self._pass)
            log.info("scheduler started with %d agents", len(self.desk.active()))
            while not self.stopping:
                self.jobs.run_pending()
                self._replays()
                time.sleep(0.05)
            self._say("stopped")
            log.info("scheduler stopped")

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def _open(self) -> None:
        for name in ("requests", "jobs", "system"):
            aside = self.desk.store.repair(name, self.clock())
            if aside is not None:
                self.alarm("", f"{name}.json was damaged and set aside as {aside.name}; it starts empty.")
        self.desk.open()
        for agent_id, why in self.desk.damaged.items():
            self.alarm(agent_id, why)
        self._say("starting")
        self._requests()
        _warm()
        self._say("")

    # -- every second -----------------------------------------------------

    def _requests(self) -> None:
        """Requests, then the latch: it may have been set without one."""
        self.manager.apply_pending(self.clock())
        running = (AgentStatus.RUNNING, AgentStatus.PAUSED, AgentStatus.BLOCKED)
        if self.desk.latch.status() is not None and any(
            self.desk.dossier(a).state.status in running for a in self.desk.active()
        ):
            text, _ = emergency.stop(self.desk, "", "halt latch", self.clock())
            log.warning("the halt latch is set. %s", text)

    def _pass(self) -> None:
        """Agents of real days: what the calendar says is due."""
        now = self.clock()
        if time.monotonic() < self._next_pass or not checks.wanted(self.desk, now):
            return
        self._say("checking agents")
        done, failed = checks.run(self.desk, now, between=self._between)
        for agent_id, why in failed.items():
            self.alarm(agent_id, why)
        for entry in done.held:
            log.warning("%s held %s: %s", entry["agent_id"], entry["session"], entry["reason"])
        for entry in done.missed:
            self.alarm(entry["agent_id"], f"{entry['session']} MISSED: {entry['reason']}")
        self._next_pass = time.monotonic() + (RETRY_SECONDS if done.held or failed else PASS_SECONDS)
        self._say("")

    def _between(self) -> None:
        """A pass yields after each agent: requests wait a second at most."""
        self._requests()
        if time.monotonic() - self._said >= HEARTBEAT_SECONDS:
            self._beat()

    def _replays(self) -> None:
        """Replay agents whose next session is due by their pace."""
        until = time.monotonic() + REPLAYS_A_TURN
        for agent_id in self.desk.active():
            state = self.desk.dossier(agent_id).state
            if state.agent.mode != Mode.REPLAY or state.status != AgentStatus.RUNNING:
                continue
            while self._next_replay.get(agent_id, 0.0) <= time.monotonic() < until and not self.stopping:
                self._next_replay[agent_id] = time.monotonic() + state.agent.pace
                if not self._advance(agent_id):
                    break

    def _advance(self, agent_id: str) -> bool:
        if self.desk.latch.status() is not None:
            return False
        try:
            return replay.advance(self.desk.trader(agent_id))
        except LivetradingError as error:
            self.alarm(agent_id, str(error))
            self._next_replay[agent_id] = time.monotonic() + RETRY_SECONDS
            return False

    # -- what others see --------------------------------------------------

    def _beat(self) -> None:
        self._say(self._doing)

    def _say(self, doing: str) -> None:
        """Heartbeat: that this process lives, and what it does."""
        self._doing, self._said = doing, time.monotonic()
        now = stamp(self.clock())
        with self.desk.store.transaction("system") as db:
            table = db.table("scheduler")
            known = next(iter(table.all()), {})
            started = known.get("started") if known.get("pid") == os.getpid() else now
            table.truncate()
            table.insert({"pid": os.getpid(), "started": started, "heartbeat": now, "doing": doing})

    def alarm(self, agent_id: str, text: str) -> None:
        """Something a person should see: on the dashboard and in the log."""
        log.error("%s %s", agent_id, text)
        with self.desk.store.transaction("system") as db:
            table = db.table("alarms")
            last = table.all()[-1:] or [{}]
            if (last[0].get("agent_id"), last[0].get("text")) != (agent_id, text):
                table.insert({"at": stamp(self.clock()), "agent_id": agent_id, "text": text})
            surplus = len(table) - KEPT_ALARMS
            if surplus > 0:
                table.remove(doc_ids=[doc.doc_id for doc in table.all()[:surplus]])


def _warm() -> None:
    """Import torch before the first decision: later it would delay a request."""
    import torch

    torch.set_num_threads(1)
