"""An emergency stop while TWS says nothing: it waits, nobody is killed for that, and it is finished when TWS is back.

Real processes and the double of TWS; their clocks are shifted into a session of the agent's life.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from livetrading.adapters.halt import HaltLatch
from livetrading.adapters.locks import SchedulerLock
from tests.doubles.account_life import TEST, in_account
from tests.doubles.lives import Cycler
from tests.doubles.processes import PATIENCE, awaited
from tests.doubles.stop_stage import Stage, answer
from tests.doubles.tws import TwsDouble
from tests.doubles.tws.ledger import Order


@pytest.fixture
def stage(tmp_path: Path, calm: pd.DataFrame, tws: TwsDouble) -> Iterator[Stage]:
    made = Stage(in_account(tmp_path, calm, Cycler(), tws))
    try:
        yield made
    finally:
        made.end()


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
