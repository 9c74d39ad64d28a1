"""An emergency stop while TWS says nothing: it waits, nobody is killed for that, and it is finished when TWS is back.

Real processes and the double of TWS; their clocks are shifted into a session of the agent's life.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from livetrading.adapters.halt import HaltLatch
from livetrading.adapters.home import CHECKOUT, Home
from livetrading.adapters.locks import SchedulerLock
from livetrading.core.liveness import LATE_SECONDS
from livetrading.execution.state import heartbeat, queries
from tests.doubles.account_days import holding
from tests.doubles.account_life import TEST, AccountLife, in_account
from tests.doubles.lives import AGENT, Cycler, at
from tests.doubles.processes import PATIENCE, awaited
from tests.doubles.tws import TwsDouble
from tests.doubles.tws.ledger import Order

ANSWER_SECONDS = 30.0
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


@pytest.fixture
def stage(tmp_path: Path, calm: pd.DataFrame, tws: TwsDouble) -> Iterator[Stage]:
    made = Stage(in_account(tmp_path, calm, Cycler(), tws))
    try:
        yield made
    finally:
        made.end()


def test_a_stop_waits_for_a_mute_tws_and_any_scheduler_finishes_it(stage: Stage) -> None:
    stage.quick = False
    first = stage.scheduler()
    awaited(stage.trades, "the broker")
    stage.mute()
    pulse = Pulse(stage.home)
    pulse.start()
    begun = time.monotonic()
    told = answer(stage.stop())
    took = time.monotonic() - begun
    assert (told["state"], told["flat"], told["code"]) == ("waiting", False, 1), told
    assert took <= ANSWER_SECONDS and first.poll() is None, took
    (item,) = [i for i in told["items"] if i["agent_id"] == AGENT]
    assert item["status"] == "waiting for the broker" and item["error"] and item["shares"] == stage.held

    again = answer(stage.stop("--reason", "another reason"))
    assert [again[key] for key in ("reason", "by", "at", "state")] == [
        told[key] for key in ("reason", "by", "at", "state")
    ]
    pulse.over.set()
    pulse.join()
    assert pulse.oldest < LATE_SECONDS and first.poll() is None
    print(f"answered in {took:.1f} s, oldest heartbeat {pulse.oldest:.1f} s")

    first.kill()
    first.wait()
    stage.speak()
    stage.scheduler()
    stage.fill()
    awaited(lambda: (stage.system()["stop"] or {})["flat"], "flat")
    over = answer(stage.stop())
    assert (over["state"], over["flat"], over["code"], over["at"]) == ("done", True, 0, told["at"])
    (item,) = [i for i in over["items"] if i["agent_id"] == AGENT]
    assert (item["sold"], item["exit"], item["status"]) == (stage.held, "filled", "flat")
    assert item["price"] == pytest.approx(stage.price) and item["pnl"] is not None
    assert [(o["leg"], o["qty"]) for o in item["cancelled"]] == [("stop", stage.held)]


def test_without_a_scheduler_the_command_stays_and_can_be_interrupted_and_started_again(stage: Stage) -> None:
    stage.mute()
    first = stage.stop()
    assert first.stderr
    assert "No scheduler runs" in first.stderr.readline()
    said = first.stderr.readline()
    assert "has not answered yet" in said and "Ctrl-C" in said
    assert first.poll() is None
    first.send_signal(2)
    out, err = first.communicate(timeout=PATIENCE)
    assert first.returncode == 130 and "Interrupted" in err and json.loads(out)["state"] == "waiting"
    assert SchedulerLock(stage.home).holder() is None and HaltLatch(stage.home).status() is not None

    second = stage.stop()
    awaited(lambda: SchedulerLock(stage.home).holder(), "the second command")
    stage.speak()
    told = answer(second)
    assert (told["state"], told["flat"], told["code"]) == ("queued", False, 1), told
    assert len(stage.exits()) == 1
    stage.fill()
    assert (answer(stage.stop())["state"]) == "done"


def test_a_scheduler_that_starts_takes_over_from_a_command_that_waits(stage: Stage) -> None:
    stage.mute()
    command = stage.stop()
    awaited(lambda: SchedulerLock(stage.home).holder(), "the command")
    scheduler = stage.scheduler()
    told = answer(command)
    assert (told["state"], told["code"]) == ("waiting", 1) and scheduler.poll() is None
    stage.speak()
    stage.fill()
    awaited(lambda: (stage.system()["stop"] or {})["flat"], "flat")


def test_a_scheduler_that_dies_and_is_started_again_under_a_stop_costs_it_no_second_time_of_waiting(
    stage: Stage,
) -> None:
    first = stage.scheduler()
    awaited(stage.trades, "the broker")
    stage.mute()
    begun = time.monotonic()
    command = stage.stop()
    time.sleep(4.0)  # half of what a command may take whose waits are quick
    first.kill()
    first.wait()
    awaited(
        lambda: (holder := SchedulerLock(stage.home).holder()) is not None and holder.role == "command", "the command"
    )
    second = stage.scheduler()
    told = answer(command)
    took = time.monotonic() - begun
    assert (told["state"], told["flat"], told["code"]) == ("waiting", False, 1) and second.poll() is None
    assert took <= 14, took
    stage.speak()
    stage.fill()
    awaited(lambda: (stage.system()["stop"] or {})["flat"], "flat")


def test_everybodys_orders_are_cancelled_when_tws_is_back_and_not_again(stage: Stage) -> None:
    by_hand = Order(1, 0, TEST, "BUY", 3.0, "STP", 50.0, "GTC", "by hand", stage.tws.ledger.account, 0, True)
    stage.tws.happen(lambda ledger: ledger.place(by_hand))
    first = stage.scheduler()
    awaited(stage.trades, "the broker")
    stage.mute()
    assert answer(stage.stop("--all-orders"))["state"] == "waiting"
    first.kill()
    first.wait()
    stage.scheduler()
    stage.speak()
    awaited(lambda: not by_hand.live, "the cancel of everybody's orders")
    awaited(stage.exits, "our exit")
    later = Order(2, 0, TEST, "BUY", 3.0, "STP", 50.0, "GTC", "by hand later", stage.tws.ledger.account, 0, True)
    stage.tws.happen(lambda ledger: ledger.place(later))
    stage.fill()
    awaited(lambda: (stage.system()["stop"] or {})["flat"], "flat")
    assert later.live, "what a person places after it is not cancelled"
