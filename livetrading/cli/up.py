"""``up``: scheduler and dashboard under one parent, each restarted if it dies."""

import argparse
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..adapters import logs, settings
from ..adapters.home import CHECKOUT, Home
from ..adapters.locks import SchedulerLock
from ..adapters.store import Store
from ..core.errors import BadInput, Conflict
from ..execution import alarms
from . import demo

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
HEALTHY_SECONDS = 60.0
"""A child that lived this long starts again without a longer pause."""
TERM_SECONDS = 10.0


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
    told: Callable[[str], object] = lambda text: None
    """Hears of each death."""
    elsewhere: Callable[[], bool] = lambda: False
    """Whether somebody else has started it: then it is left to them."""

    def keep(self) -> None:
        """Start it if it does not run and its pause is over."""
        now = time.monotonic()
        if self.process is not None and self.process.poll() is not None:
            code, self.process = self.process.returncode, None
            self.pause = FIRST_PAUSE if now - self.started > HEALTHY_SECONDS else min(2 * self.pause, LONGEST_PAUSE)
            self.due = now + self.pause
            self.restarts += 1
            self.told(f"The {self.name} ended {_how(code)}; it starts again in {self.pause:g} s.")
        if self.process is None and now >= self.due and not self.elsewhere():
            self.started = now
            self.process = subprocess.Popen(self.command, cwd=CHECKOUT, env=self.environment)

    def end(self) -> None:
        """Ask it to stop, and insist after a while."""
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
    holder = SchedulerLock(home).holder()
    if holder is not None:
        raise Conflict(f"a {holder.role} with pid {holder.pid} already trades in {home.root}; stop that one first.")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    children = _children(home, chosen, port)
    show = threading.Thread(target=demo.run, args=(home, stop, _say), daemon=True) if options.demo else None
    _say(f"dashboard: http://{chosen.address}:{port}   home: {home.root}   Ctrl-C stops both")
    try:
        while not stop.is_set():
            for child in children:
                child.keep()
            if show is not None and show.ident is None and children[0].process is not None:
                show.start()
            stop.wait(0.2)
    finally:
        stop.set()
        for child in reversed(children):
            child.end()
        if show is not None and show.ident is not None:
            show.join(TERM_SECONDS)
    return {"stopped": True, "text": "Stopped."}


def _children(home: Home, chosen: settings.Settings, port: int) -> list[Child]:
    environment = {**os.environ, "LIVETRADING_HOME": str(home.root)}
    scheduler = [sys.executable, "-m", "livetrading", "scheduler"]
    dashboard = [
        sys.executable, "-m", "streamlit", "run", "app.py",
        f"--server.port={port}", f"--server.address={chosen.address}", "--server.headless=true",
        # Streamlit's own web socket asks this list, the pages and routes ask the settings.
        *(f"--server.allowedHosts={host}" for host in chosen.allowed_hosts),
    ]
    store = Store(home)

    def tell(text: str) -> None:
        _say(text)
        alarms.add(store, "", text, datetime.now(UTC))

    return [
        Child("scheduler", scheduler, environment, elsewhere=lambda: SchedulerLock(home).holder() is not None, told=tell),
        Child("dashboard", dashboard, environment, told=tell),
    ]


def _how(code: int) -> str:
    return f"by signal {-code}" if code < 0 else f"with code {code}"


def _must_be_free(address: str, port: int) -> None:
    if not 1 <= port <= 65_535:
        raise BadInput(f"port {port} is not one from 1 to 65535; choose another with --port.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise Conflict(f"port {port} of {address} is in use ({error.strerror}); choose another with --port.") from None


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
