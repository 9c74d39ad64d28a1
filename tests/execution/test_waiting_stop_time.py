"""How long an emergency stop keeps a person waiting while TWS says nothing: the real times of the product."""

import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from livetrading.core.liveness import LATE_SECONDS
from tests.doubles.account_life import in_account
from tests.doubles.lives import AGENT, Cycler
from tests.doubles.processes import awaited
from tests.doubles.stop_stage import Pulse, Stage, answer
from tests.doubles.tws import TwsDouble

ANSWER_SECONDS = 30.0


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
