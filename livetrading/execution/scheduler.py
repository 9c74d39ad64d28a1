"""The trading process: ``schedule`` runs its jobs, the calendar decides what is due."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Any

import schedule

from ..adapters import files, logs, private, settings
from ..adapters.calendar import calendar
from ..adapters.home import Home
from ..adapters.locks import SchedulerLock
from ..adapters.stamps import stamp
from ..core import liveness
from ..core.errors import Conflict, Damaged
from ..core.exposure import ALARM_AFTER
from ..core.stopping import Outcome
from ..core.types import AgentStatus, Mode
from ..core.windows import NEW_YORK
from . import account_status, file_repair, pass_runner
from .agent_manager import AgentManager
from .node import Node
from .state import alarms
from .stopping import emergency_stop
from .trading import replay

log = logging.getLogger(__name__)
REPORT_SECONDS = 5
"""How often it writes what it does. The heartbeat is independent of it, see ``_pulse``."""
WARM_SECONDS = 120.0
"""The longest time to load torch; after that it counts as hung."""
BROKER_SECONDS, AWAY_SECONDS = 60, 10
"""How often a shared account's status is written: while it can be used, and while it cannot."""
PASS_SECONDS = 15
READ_SECONDS = 60
HEAL_SECONDS = 10
"""How often files are checked for changes by other programs."""
URGENT = timedelta(minutes=5)
"""How long a position without a stop gets a pass every second. After that it needs a person."""
RETRY_SECONDS = 60
"""After this time a failed replay is tried again."""
STOP_AGAIN_SECONDS = 10
"""After this time an unfinished emergency stop is continued."""
REPEAT_SECONDS = 3600.0
REPLAY_STEP_SECONDS = 0.05
NEWS_SECONDS = 0.25
"""The shortest time between two passes that broker reports cause."""
REPLAYS_A_STEP = 0.25
"""Seconds that replays may take before requests are checked again."""


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Scheduler:
    """Owns the lock, the agents and the clock. ``run`` returns after a signal."""

    home: Home
    clock: Callable[[], datetime] = utc_now
    stopping: bool = False
    next_pass: float = 0.0
    """On the monotonic clock, like every ``next``: no pass before it, unless the broker reports something."""
    next_stop: float = 0.0
    next_account: float = 0.0
    next_replay: dict[str, float] = field(default_factory=dict)
    """By agent id."""
    last_beat: float = 0.0
    _next_news: float = 0.0
    _account: object = None
    _usable: bool = False
    _seen: tuple[object, ...] = ()
    _warned: dict[tuple[str, str], float] = field(default_factory=dict)
    _doing: str = ""
    _reports: tuple[object, ...] = ()
    _alarming: bool = False
    _missed: list[dict[str, Any]] = field(default_factory=list)
    """Missed sessions without an alarm so far."""

    def __post_init__(self) -> None:
        minutes = settings.load(self.home).check_delay_minutes
        self.node = Node(self.home, calendar(), timedelta(minutes=minutes), beside=True, pulse=self._pulse)
        self.manager = AgentManager(self.node)
        self.lock = SchedulerLock(self.home)
        self._loop = threading.get_ident()
        self.jobs = schedule.Scheduler()

    def run(self) -> None:
        """Hold the lock and trade until SIGTERM or SIGINT. Conflict if another scheduler holds it."""
        with self._locked():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._stop)
            self.begin()
            for seconds, work in (
                (1, self.answer_requests),
                (REPORT_SECONDS, self.beat),
                (1, self.trade),
                (1, self._exposed),
                (1, self.check_account),
                (READ_SECONDS, self.read_agents),
                (HEAL_SECONDS, self._heal),
            ):
                self.jobs.every(seconds).seconds.do(self.attempt, work)
            log.info("scheduler started with %d agents", len(self.node.active()))
            while not self.stopping:
                self.attempt(self.watch_files)
                self.jobs.run_pending()
                self.attempt(self.step_replays)
                time.sleep(REPLAY_STEP_SECONDS)
            self.attempt(self.node.close)
            self.attempt(self.show, "stopped")
            log.info("scheduler stopped")

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def _locked(self) -> SchedulerLock:
        """The lock, at once or as soon as a command that holds it releases it."""
        logged = False
        while True:
            try:
                return self.lock.acquire("scheduler", self.clock())
            except Conflict as taken:
                holder = self.lock.holder()
                if holder is not None and holder.role != "command":
                    raise
                if not logged:
                    log.info("the scheduler starts when it can: %s", taken)
                logged = True
                time.sleep(REPLAY_STEP_SECONDS)

    def attempt(self, work: Callable[..., object], *args: object) -> None:
        """Run a job. A full disk, a damaged shared file or a program error ends the job, not the process."""
        try:
            self._pulse()
            work(*args)
        except Damaged as error:
            log.error("%s", error)
            if not self._repair():  # its alarm says what is lost
                self.alarm("", str(error))
        except Exception as error:
            doing = getattr(work, "__name__", "work").strip("_").replace("_", " ")
            self.alarm("", str(logs.caught(log, f"the scheduler ({doing})", error)))

    def _repair(self) -> bool:
        """Set damaged shared files aside, each with an alarm. Whether there were any."""
        found = file_repair.shared(self.node.store, self.clock())
        for text in found:
            self.alarm("", text)
        return bool(found)

    def _heal(self) -> None:
        """Repair files that other programs have changed; an alarm reports it."""
        self._repair()
        file_repair.agents(self.node, self.between_agents)
        self._notices()

    def begin(self) -> None:
        """Remove temporary files, repair, read every agent and load torch, before the first round."""
        self.attempt(files.sweep, self.home.root)
        self.attempt(private.close_content, self.home.root)
        self._repair()
        self.attempt(self.show, "starting")
        self.attempt(self.read_agents)
        self.attempt(self.answer_requests)
        self.attempt(self.warm_up)
        self.attempt(self.show, "")

    def read_agents(self) -> None:
        """Read new agents, and again those that could not be read."""
        self.node.open()
        for agent_id, why in self.node.damaged.items():
            self.alarm(agent_id, why)

    def warm_up(self) -> None:
        """Load torch before the first decision: later it would delay a request. It takes seconds, on a
        slow disk a minute, and the heartbeat must go on meanwhile."""
        loading = threading.Thread(target=load_torch, name="warm", daemon=True)
        loading.start()
        end = time.monotonic() + WARM_SECONDS
        while loading.is_alive() and time.monotonic() < end and not self.stopping:
            loading.join(liveness.BEAT_SECONDS / 2)
            self._pulse()
        _one_thread()

    # -- every second -----------------------------------------------------

    def watch_files(self) -> None:
        """Answer requests and obey the latch when their files change; comparing signatures is cheap."""
        self._notices()
        if self._news():
            self.trade()
        looks = tuple(files.signature(path) for path in (self.node.store.path("requests"), self.node.latch.path))
        if looks != self._seen:
            self._seen = looks
            self.answer_requests()

    def _news(self) -> bool:
        """Whether the broker has reported something since the last pass: that starts a pass at once."""
        reports = self.node.account.connection.version()
        return bool(reports) and reports != self._reports and time.monotonic() >= self._next_news

    def answer_requests(self) -> None:
        """Answer requests, then obey the latch: it may be set without a request, or a stop was interrupted."""
        self.attempt(self._apply)  # the latch must not wait for a request that cannot be answered
        back, self._usable = (
            self.node.account.connection.usable and not self._usable,
            self.node.account.connection.usable,
        )
        if back:
            self.next_stop = 0.0  # a stop may have waited for the account
        if self.node.latch.status() is None:
            self.next_stop = 0.0
        elif time.monotonic() >= self.next_stop and emergency_stop.needs_round(self.node):
            text, result = emergency_stop.stop(self.node, "", "halt latch", self.clock(), wait=False)
            self._warn("", f"the halt latch is set. {text}")
            for item in result["items"]:
                if item["error"]:
                    # One alarm for an account that is away, not one for each agent.
                    about = "" if item["status"] == Outcome.WAITING else item["agent_id"]
                    self.alarm(about, f"emergency stop: {item['error']}")
            self.next_stop = time.monotonic() + STOP_AGAIN_SECONDS

    def _apply(self) -> None:
        self.manager.apply_pending(self.clock())

    def trade(self) -> None:
        """Run a pass over all agents but replays, if anything is due."""
        now = self.clock()
        urgent = any(d.exposure.lasting(now) < URGENT for d in pass_runner.exposed(self.node))
        reports = self.node.account.connection.version()
        news = bool(reports) and reports != self._reports  # a broker's report starts a pass at once
        waits = time.monotonic() < self.next_pass and not urgent
        if not news and (waits or not pass_runner.wanted(self.node, now)):
            return
        self._reports = reports
        self.show("checking agents")
        done, failed = pass_runner.run(self.node, now, self.between_agents, self.clock)
        for agent_id, why in failed.items():
            # One alarm for an account that is away, not one for each agent.
            (self._warn if agent_id in self.node.away else self.alarm)(agent_id, why)
        for entry in done.held:
            self._warn(entry["agent_id"], f"held {entry['session']}: {entry['reason']}")
        self._missed += done.missed
        if not (done.more and done.missed):  # after a long sleep several passes catch up
            for agent_id, text in alarms.of_missed(self._missed):
                self.alarm(agent_id, text)
            self._missed = []
        for entry in done.alarms:
            self.alarm(entry["agent_id"], entry["text"])
        self.next_pass = time.monotonic() + (0.0 if done.more else PASS_SECONDS)
        self._next_news = time.monotonic() + NEWS_SECONDS
        self.show("")

    def _exposed(self) -> None:
        """Alarm for shares that have had neither a stop nor an exit for too long. Also called during long work."""
        now = self.clock()
        for repository in pass_runner.exposed(self.node):
            since, state = repository.exposure.bare_since, repository.state
            if since is not None and now - since >= ALARM_AFTER:
                self.alarm(
                    repository.agent_id,
                    f"{state.book.shares} {state.agent.symbol} have had neither an active stop nor an active exit at the"
                    f" broker since {since.astimezone(NEW_YORK):%H:%M:%S} New York; {_bare_cure(state.agent.mode)}",
                )

    def check_account(self) -> None:
        """Publish a shared account's health, every minute and when it changes."""
        if not self.node.account.wanted:
            return
        shown = [*self.node.sides(), *self.node.cash.documents(self.clock())]
        sides = [{**doc, "at": ""} for doc in shown]
        now, seen = time.monotonic(), (self.node.account.connection.link().health().state, sides)
        if seen == self._account and now < self.next_account:
            return
        ready = self.node.account.connection.link().health().ready
        self._account, self.next_account = seen, now + (BROKER_SECONDS if ready else AWAY_SECONDS)
        for text in account_status.publish(self.node, self.clock()):
            self.alarm("", text)
        if self.node.account.connection.link().health().ready:
            last = self.node.calendar.last_complete(self.clock(), self.node.delay)
            self.node.account.risk.value(last.isoformat(), self.clock())

    def _notices(self) -> None:
        for agent_id, text in self.node.news():
            self.alarm(agent_id, text)

    def between_agents(self) -> bool:
        """Called in a pass after each agent, so that requests wait a second at most. False ends the pass."""
        self.attempt(self.answer_requests)
        self._pulse()
        return not self.stopping

    def step_replays(self) -> None:
        """Run replay agents whose next session is due by their pace, one session each, round-robin."""
        until = time.monotonic() + REPLAYS_A_STEP
        ready = True
        while ready and time.monotonic() < until and not self.stopping:
            ready = False
            for agent_id in sorted(self.node.active(), key=lambda a: self.next_replay.get(a, 0.0)):
                if time.monotonic() >= until and ready:
                    break
                ready = self.step_replay(agent_id) or ready

    def step_replay(self, agent_id: str) -> bool:
        """Run one session of a replay, if it is due. Its errors do not affect other agents."""
        try:
            if not self._replay_due(agent_id):
                return False
            self.next_replay[agent_id] = time.monotonic() + self.node.repository(agent_id).state.agent.pace
            return self._advance(agent_id)
        except Exception as error:
            self.alarm(agent_id, self.node.trouble(agent_id, error, self.clock()))
            self.next_replay[agent_id] = time.monotonic() + RETRY_SECONDS
            return False

    def _replay_due(self, agent_id: str) -> bool:
        state = self.node.repository(agent_id).state
        trades = state.agent.mode == Mode.REPLAY and state.status == AgentStatus.RUNNING
        return trades and self.next_replay.get(agent_id, 0.0) <= time.monotonic()

    def _advance(self, agent_id: str) -> bool:
        if self.node.latch.status() is not None:
            return False
        return replay.advance(self.node.trader(agent_id))

    # -- what others see --------------------------------------------------

    def beat(self) -> None:
        """Write again what this process does, with the time."""
        self.show(self._doing)

    def show(self, doing: str) -> None:
        """Write what this process does, for pages."""
        self._doing = doing
        now = stamp(self.clock())
        with self.node.store.transaction("system") as db:
            table = db.table("scheduler")
            known = next(iter(table.all()), dict[str, Any]())
            started = known.get("started") if known.get("pid") == os.getpid() else now
            table.truncate()
            table.insert({"pid": os.getpid(), "started": started, "heartbeat": now, "doing": doing})

    def _pulse(self) -> None:
        """The heartbeat, given by the main loop and during long work. Other threads must not give it: they
        go on while the main loop hangs."""
        now = time.monotonic()
        if now - self.last_beat >= liveness.BEAT_SECONDS and threading.get_ident() == self._loop:
            self.last_beat = now
            self.lock.beat()
            if not self._alarming:
                self._alarming = True
                try:
                    self._exposed()
                except Exception as error:  # a failed alarm must not end the work that it interrupts
                    logs.caught(log, "the alarm of unprotected shares", error)
                finally:
                    self._alarming = False

    def _warn(self, agent_id: str, text: str) -> bool:
        """Write into the log; the same text again only after an hour. Returns whether it was written."""
        now = time.monotonic()
        if now - self._warned.get((agent_id, text), -REPEAT_SECONDS) < REPEAT_SECONDS:
            return False
        self._warned = {key: at for key, at in self._warned.items() if now - at < REPEAT_SECONDS}
        self._warned[agent_id, text] = now
        log.warning("%s %s", agent_id, text)
        return True

    def alarm(self, agent_id: str, text: str) -> None:
        """Show something to the user: on the dashboard and in the log."""
        if self._warn(agent_id, text):
            alarms.add(self.node.store, agent_id, text, self.clock())


def _bare_cure(mode: Mode) -> str:
    if mode == Mode.BROKER:
        return "look at the position there, and sell it by hand if need be"
    return "close the position if that lasts"


def load_torch() -> None:
    import torch  # noqa: F401


def _one_thread() -> None:
    """Let torch use one thread. Only if it is loaded: tests may leave it out."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
