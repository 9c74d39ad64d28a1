"""No decision is made on a spoiled bar: the session waits with the reason, and continues when the bar is right."""

import re
import shutil
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from livetrading.adapters.bars.base import BarSet
from livetrading.adapters.home import Home
from livetrading.core import sanity
from livetrading.core.errors import BadBars, LivetradingError, NotFound, Unavailable
from livetrading.execution.trading.pass_result import PassResult
from tests.doubles.lives import AGENT, FIRST, Life, at, deployed
from tests.doubles.probes import Probe
from tests.doubles.series import sample
from tests.faults.spoils import CASES, HARMLESS, ORDINARY, Case

DAYS = sorted({case.day for case in CASES})


class Serves:
    """A source that answers with this frame, ungated, or fails with this error."""

    name = "spoiled"

    def __init__(self, answer: pd.DataFrame | LivetradingError) -> None:
        self.answer = answer

    def daily(self, symbol: str, *, now: Any) -> BarSet:
        if isinstance(self.answer, LivetradingError):
            raise self.answer
        return BarSet(symbol, self.answer, self.name, "")


@lru_cache
def clean(day: str) -> pd.DataFrame:
    """AAPL up to ``day``, which is the second session that the agent decides, and the one after."""
    frame = sample("AAPL")
    end = frame.index.get_loc(pd.Timestamp(day))
    return frame.iloc[end - FIRST - 1 : end + 2]


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Life]]:
    """An agent that decided the session before, for each day that cases are about."""
    found = {}
    for day in DAYS:
        life = deployed(tmp_path_factory.mktemp(day), clean(day), Probe(eager=0.45))
        life.day(FIRST)
        assert life.state.settled == clean(day).index[FIRST].date().isoformat()
        found[day] = life
    yield found


@pytest.fixture(scope="module")
def decisions(lives: dict[str, Life], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each agent decides from the bars as they were."""
    found = {}
    for day in DAYS:
        undisturbed = copied(lives[day], tmp_path_factory.mktemp("undisturbed"))
        evening(undisturbed, Serves(served(day)), day)
        found[day] = undisturbed.state.last_decision
        assert found[day].session == day
    return found


def copied(life: Life, root: Path) -> Life:
    shutil.copytree(life.home.root, root / "home")
    return Life(Home(root / "home"), life.frame, life.model_id, life.csv, life.policy)


def evening(life: Life, source: Serves, day: str) -> PassResult:
    trader = life.node.trader(AGENT)
    trader.source = source
    return trader.run(at(date.fromisoformat(day), "16:40"))


def served(day: str) -> pd.DataFrame:
    return clean(day).iloc[:-1]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_a_spoiled_bar_is_held_with_its_reason_and_decided_when_mended(
    case: Case, lives: dict[str, Life], decisions: dict[str, Any], tmp_path: Path
) -> None:
    life = copied(lives[case.day], tmp_path)
    before = life.state
    done = evening(life, Serves(case.spoil(served(case.day).copy())), case.day)
    assert [h["session"] for h in done.held] == [case.day]
    assert re.search(case.reason, done.held[0]["reason"]), done.held[0]["reason"]
    assert not done.decided and not done.planned
    assert (life.state.booked, life.state.bars_end, life.state.book) == (before.booked, before.bars_end, before.book)
    assert case.reason and life.state.held and life.state.held.reason == done.held[0]["reason"]
    assert evening(life, Serves(served(case.day)), case.day).decided
    assert life.state.last_decision == decisions[case.day]


@pytest.mark.parametrize("case", HARMLESS, ids=lambda c: c.name)
def test_what_cannot_change_the_decision_does_not_hold_it(
    case: Case, lives: dict[str, Life], decisions: dict[str, Any], tmp_path: Path
) -> None:
    life = copied(lives[case.day], tmp_path)
    assert evening(life, Serves(case.spoil(served(case.day).copy())), case.day).decided
    assert life.state.last_decision == decisions[case.day]


@pytest.mark.parametrize(
    "error", [Unavailable("it does not answer."), BadBars("row 7 is odd."), NotFound("no such symbol.")]
)
def test_a_source_that_fails_holds_the_session_and_says_why(
    error: LivetradingError, lives: dict[str, Life], tmp_path: Path
) -> None:
    life = copied(lives[ORDINARY], tmp_path)
    assert [h["reason"] for h in evening(life, Serves(error), ORDINARY).held] == [str(error)]


def test_at_least_fifty_ways_are_tried_and_each_is_another() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 50


def test_three_sessions_held_for_the_same_reason_block_the_agent_and_keep_its_stop(
    lives: dict[str, Life], tmp_path: Path
) -> None:
    """The first bad bar is also the reason for the sessions after it, because they need it."""
    life = copied(lives[ORDINARY], tmp_path)
    trader = life.node.trader(AGENT)
    days = [s.date() for s in sample("AAPL").index[sample("AAPL").index >= ORDINARY][:4]]
    for n, day in enumerate(days):
        frame = sample("AAPL").loc[clean(ORDINARY).index[0] : pd.Timestamp(day)].copy()
        frame.loc[ORDINARY, "low"] *= 0.5
        trader.source = Serves(frame)
        done = trader.run(at(day, "16:40"))
        assert all("2019-06-05 has a low of" in held["reason"] for held in (*done.held, *done.missed)), n
    assert life.state.status == "blocked" and "3 sessions in a row" in life.state.status_reason
    stops = [o for o in life.state.open_orders() if o.leg == "stop" and o.at_broker]
    assert sum(o.qty for o in stops) == life.state.book.shares


def test_a_true_crash_is_decided_on() -> None:
    """AAPL lost half of its value on 2000-09-29, with 22 times the usual volume; no split."""
    frame = sample("AAPL")
    at_row = frame.index.get_loc(pd.Timestamp("2000-09-29"))
    ours, fresh = frame.iloc[:at_row], frame.iloc[: at_row + 1]
    assert sanity.doubt(ours, fresh, date(2000, 9, 29), [date(2000, 9, 29)], "AAPL") is None
