"""A home whose agent holds shares at a double of TWS, and the processes of an emergency stop that trade it.

Their clocks are shifted into a session of the agent's life.
"""

import json
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime
from typing import Any

from livetrading.adapters.home import CHECKOUT, Home
from livetrading.execution.state import heartbeat, queries
from tests.doubles.account_days import holding
from tests.doubles.account_life import AccountLife
from tests.doubles.lives import at
from tests.doubles.processes import PATIENCE, awaited
from tests.doubles.tws.ledger import Order

EVERYTHING = set(range(1, 120))


class Stage:
    """A home whose agent holds shares in the double's account, and the processes that trade it."""

    def __init__(self, life: AccountLife) -> None:
        row = holding(life)
        self.held = life.state.book.shares
        self.home, self.tws, self.store = life.home, life.tws, life.store
        self.price = float(life.frame["open"].iloc[row])
        life.node.close()
        self.offset = at(life.sessions[row], "11:00") - datetime.now(UTC)
        self.tws.ledger.clock = lambda: datetime.now(UTC) + self.offset
        self.processes: list[subprocess.Popen[str]] = []
        self.quick = True
        """Short waits for answers; not where they are what is tested."""

    def start(self, *words: str) -> subprocess.Popen[str]:
        quick = {"SHIFTED_QUICK": "1"} if self.quick else {}
        self.processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "tests.faults.shifted", str(self.offset.total_seconds()), *words],
                cwd=CHECKOUT,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, **quick},
            )
        )
        return self.processes[-1]

    def scheduler(self) -> subprocess.Popen[str]:
        made = self.start("scheduler", str(self.home.root))
        awaited(lambda: self.system()["scheduler"]["alive"] and self.system()["scheduler"]["doing"] != "starting", "it")
        return made

    def trades(self) -> bool:
        return (self.system()["broker"] or {}).get("state") == "ready"

    def system(self) -> dict[str, Any]:
        return queries.system(self.store, datetime.now(UTC))

    def mute(self) -> None:
        self.tws.do(lambda: self.tws.faults.silent.update(EVERYTHING))

    def speak(self) -> None:
        self.tws.do(self.tws.faults.silent.clear)

    def stop(self, *more: str) -> subprocess.Popen[str]:
        return self.start("emergency-stop", "--home", str(self.home.root), "--json", "--reason", "a test", *more)

    def fill(self) -> None:
        """The market trades: the exit fills."""
        awaited(self.exits, "the exit at the broker")
        self.tws.happen(lambda ledger: [e for o in self.exits() for e in ledger.fill(o, o.remaining, self.price)])

    def exits(self) -> list[Order]:
        return [o for o in self.tws.ledger.open_orders() if ":exit:" in o.ref]

    def end(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate()


class Pulse(threading.Thread):
    """The oldest heartbeat of the lock's holder while it runs."""

    def __init__(self, home: Home) -> None:
        super().__init__(daemon=True)
        self.home, self.oldest, self.over = home, 0.0, threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.1):
            self.oldest = max(self.oldest, heartbeat.look(self.home).still)


def answer(command: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = command.communicate(timeout=PATIENCE)
    return {**json.loads(out), "code": command.returncode}
