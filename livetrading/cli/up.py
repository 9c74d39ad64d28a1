"""``up``: scheduler and dashboard under one parent, each started again if it dies or hangs.

Both are judged by the one rule of liveness: the scheduler by its heartbeat, the
dashboard by the answers of its health route.
"""

import argparse
import http.client
import logging
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ..adapters import logs, settings
from ..adapters.home import CHECKOUT, Home
from ..adapters.locks import SchedulerLock
from ..adapters.store import Store
from ..core.errors import BadInput, Conflict
from ..core.liveness import FIRST_BEAT_SECONDS, HUNG_SECONDS, Liveness, Watch
from ..core.windows import NEW_YORK
from ..execution.state import alarms, heartbeat
from . import demo

log = logging.getLogger(__name__)
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
HEALTHY_SECONDS = 60.0
"""A child that lived this long starts again without a longer pause."""
TERM_SECONDS = 10.0
HANGING_SECONDS = 3.0
"""For which a process that hangs may take to end by SIGTERM."""
ALARMS = 20
"""Of one process, kept until it works again: then their texts say so."""
LONGEST_START = 600.0
"""For a first heartbeat: the limit doubles with each start that brought none."""
ASK_EVERY, ASK_SECONDS = 2.0, 5.0
"""Between questions to the dashboard's health route, and for an answer."""


@dataclass
class Child:
    """A process that is kept running; the pause before a restart doubles."""

    name: str
    command: list[str]
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = FIRST_PAUSE
    due: float = 0.0
    restarts: int = 0
    notify: Callable[[str], object] = lambda text: None
    """Called with a sentence each time it has ended; returns the id of the alarm."""
    recovered: Callable[[object, str, str], object] = lambda alarm, text, known: None
    """Called when the process works again: the id of an alarm, its new text and its old one."""
    elsewhere: Callable[[], int | None] = lambda: None
    """The pid of such a process that another program has started: it is only watched, and ended if it hangs."""
    heart: Callable[[int], object] = lambda pid: time.monotonic()
    """Its heartbeat: a value that changes while the process of this pid works; None before the first."""
    first_beat: float = FIRST_BEAT_SECONDS
    hung: str = ""
    """Why it is being ended; empty while it is not."""
    _watch: Watch = field(default_factory=Watch)
    _kill_at: float = math.inf
    _alarms: list[tuple[object, str, str]] = field(default_factory=list)

    def keep(self) -> None:
        """Start it if it does not run and its pause is over; end it if it hangs."""
        now = time.monotonic()
        if self.process is not None and self.process.poll() is not None:
            code, self.process = self.process.returncode, None
            self.pause = FIRST_PAUSE if now - self.started > HEALTHY_SECONDS else min(2 * self.pause, LONGEST_PAUSE)
            self.due = now + self.pause
            self.restarts += 1
            self._alarm(f"The {self.name} {self.hung}ended {_how(code)}", f"; it starts again in {self.pause:g} s.")
            self._forget()
        if self.process is not None:
            self._check_heartbeat(self.process.pid, now)
        elif (other := self.elsewhere()) is not None:
            self._check_heartbeat(other, now)
        elif now >= self.due:
            self._forget()
            self.started = now
            self.process = subprocess.Popen(self.command, cwd=CHECKOUT, env=self.environment)

    def _alarm(self, what: str, then: str) -> None:
        """``what`` happened, and ``then`` is what follows, which is true only until the process works again."""
        self._alarms = [*self._alarms, (self.notify(what + then), what, what + then)][-ALARMS:]

    def _end_alarms(self) -> None:
        at = datetime.now(UTC).astimezone(NEW_YORK)
        for alarm, what, known in self._alarms:
            self.recovered(alarm, f"{what}; it works again since {at:%Y-%m-%d %H:%M:%S} New York.", known)
        self._alarms = []

    def _forget(self) -> None:
        self._watch, self._kill_at, self.hung = Watch(), math.inf, ""

    def _check_heartbeat(self, pid: int, now: float) -> None:
        """End a process whose heartbeat has stopped, first by SIGTERM, then by SIGKILL. The alarm comes after its
        end, because the process may have locked the file of alarms."""
        beat = self.heart(pid)
        still, limit = self._watch.observe((pid, beat), now), self.first_beat if beat is None else HUNG_SECONDS
        if beat is not None:
            self.first_beat = FIRST_BEAT_SECONDS
            if self._alarms and not self.hung:
                self._end_alarms()
        if self.hung and still == 0.0:
            self._forget()  # it was only late, or it is another process now
        elif self.hung and now >= self._kill_at:
            self._kill_at = math.inf
            _signal(pid, signal.SIGKILL)
            if self.process is None:
                self._alarm(f"The {self.name} (process {pid}) {self.hung}ended", "; another starts.")
        elif not self.hung and still >= limit:
            what = "it did not come up within" if beat is None else "its heartbeat stood still for"
            self.hung = f"hung ({what} {still:.0f} s) and was "
            self.first_beat = min(2 * self.first_beat, LONGEST_START) if beat is None else self.first_beat
            self._kill_at = now + HANGING_SECONDS
            _signal(pid, signal.SIGTERM)

    def end(self) -> None:
        """Ask it to stop; kill it if it does not."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(TERM_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def up(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    logs.setup(home, "up")
    chosen = settings.load(home)
    port = options.port if options.port is not None else chosen.port
    _must_be_free(settings.check_address(chosen.address), port)
    sign = heartbeat.look(home)
    if sign.holder is not None:
        does = "hangs" if sign.state == Liveness.HUNG else "already trades"
        raise Conflict(f"a {sign.holder.role} with pid {sign.holder.pid} {does} in {home.root}; stop that one first.")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    answers = Answers(chosen.address, port, stop)
    children = _children(home, chosen, port, answers)
    answers.start()
    demo_thread = threading.Thread(target=demo.run, args=(home, stop, _say), daemon=True) if options.demo else None
    _say(f"dashboard: http://{chosen.address}:{port}   home: {home.root}   Ctrl-C stops both")
    try:
        while not stop.is_set():
            for child in children:
                child.keep()
            if demo_thread is not None and demo_thread.ident is None and children[0].process is not None:
                demo_thread.start()
            stop.wait(0.2)
    finally:
        stop.set()
        for child in reversed(children):
            child.end()
        if demo_thread is not None and demo_thread.ident is not None:
            demo_thread.join(TERM_SECONDS)
    return {"stopped": True, "text": "Stopped."}


def _children(home: Home, chosen: settings.Settings, port: int, answers: "Answers") -> list[Child]:
    environment = {**os.environ, "LIVETRADING_HOME": str(home.root)}
    scheduler = [sys.executable, "-m", "livetrading", "scheduler"]
    dashboard = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        "app.py",
        f"--server.port={port}",
        f"--server.address={chosen.address}",
        "--server.headless=true",
        # Streamlit checks its web socket by this list; pages and routes check by the settings.
        *(f"--server.allowedHosts={host}" for host in chosen.allowed_hosts),
    ]
    store = Store(home)

    def notify(text: str) -> int | None:
        _say(text)
        return alarms.add(store, "", text, datetime.now(UTC))

    def recovered(alarm: object, text: str, known: str) -> None:
        _say(text)
        if isinstance(alarm, int):
            alarms.amend(store, alarm, text, known)

    return [
        Child(
            "scheduler",
            scheduler,
            environment,
            notify=notify,
            recovered=recovered,
            elsewhere=lambda: other_scheduler(home),
            heart=lambda pid: beat_of(home, pid),
        ),
        Child("dashboard", dashboard, environment, notify=notify, recovered=recovered, heart=answers.heart),
    ]


def other_scheduler(home: Home) -> int | None:
    """The process id of the scheduler that has the lock, whoever started it; None if there is none."""
    holder = SchedulerLock(home).holder()
    return holder.pid if holder is not None and holder.role == heartbeat.SCHEDULER else None


def beat_of(home: Home, pid: int) -> object:
    """A scheduler's heartbeat. One that waits for the lock of a command writes none, and counts as alive."""
    lock = SchedulerLock(home)
    holder = lock.holder()
    if holder is not None and holder.pid not in (pid, None):
        return time.monotonic()
    beat = lock.heartbeat()
    return beat if beat is not None and beat[0] == pid else None


class Answers(threading.Thread):
    """Asks the dashboard's health route in its own thread; each answer is a heartbeat."""

    def __init__(self, address: str, port: int, stop: threading.Event) -> None:
        super().__init__(name="answers", daemon=True)
        self._host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)
        self._port, self._stop_asking = port, stop
        self._pid, self._count = 0, 0

    def heart(self, pid: int) -> object:
        """The number of answers of this process, None before its first."""
        if pid != self._pid:
            self._pid, self._count = pid, 0
        return self._count or None

    def run(self) -> None:
        while not self._stop_asking.wait(ASK_EVERY):
            pid = self._pid
            if self._answered() and pid == self._pid:
                self._count += 1

    def _answered(self) -> bool:
        """Any answer counts, also a refusal: it shows that the process does not hang."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=ASK_SECONDS)
        try:
            connection.request("GET", "/_stcore/health")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError) as error:
        log.warning("process %d hangs and cannot be ended: %s", pid, error)


def _how(code: int) -> str:
    return f"by signal {-code}" if code < 0 else f"with code {code}"


def _must_be_free(address: str, port: int) -> None:
    if not 1 <= port <= 65_535:
        raise BadInput(f"port {port} is not a number from 1 to 65535; choose another with --port.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise Conflict(
                f"port {port} of {address} is in use ({error.strerror}); choose another with --port."
            ) from None


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
