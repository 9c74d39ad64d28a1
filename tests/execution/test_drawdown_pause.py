"""A drawdown pause with a length, lived by a paper agent: equal to its backtest, shown with what is left of it."""

import shutil
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from livetrading.adapters.calendar import calendar
from livetrading.adapters.home import Home
from livetrading.core import ledger, market
from livetrading.core.decide import TEXT, Reason
from livetrading.core.events import EntriesPaused, EntriesResumed
from livetrading.core.types import AgentType, Limits, Terms
from livetrading.execution import pass_runner, verification
from livetrading.execution.node import Node
from livetrading.execution.state import queries
from livetrading.execution.state.bar_series import Series
from livetrading.research import backtest
from tests.doubles.lives import AGENT, FIRST, Cycler, Life, at, deployed
from tests.doubles.series import generated

LENGTH = 5
TERMS = Terms(10_000.0, Limits(max_position=1.0, risk_per_trade=0.2, max_drawdown=0.02, pause_sessions=LENGTH))
DAYS = 70


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return generated(2, FIRST + DAYS + 2, price=60.0)


@pytest.fixture
def life(tmp_path: Path, frame: pd.DataFrame) -> Life:
    return deployed(tmp_path, frame, Cycler(2), terms=TERMS)


def rules_alone(life: Life, days: int) -> backtest.Backtest:
    card = life.node.registry.card(life.model_id)
    view = market.build(life.frame, card.scaler, card.features)
    return backtest.run(view, range(FIRST, FIRST + days), AgentType.PPO, life.policy.raw, life.terms)


def paused(life: Life, t: int = FIRST) -> int:
    """Live until a pause has begun; the row of its first session."""
    for row in range(t, FIRST + DAYS):
        life.day(row)
        if life.state.book.entries_paused:
            return row
    raise AssertionError("the drawdown limit was never reached")


def test_a_paper_agent_restarted_each_week_is_its_backtest_through_several_pauses(life: Life) -> None:
    for t in range(FIRST, FIRST + DAYS):
        life.day(t)
        if t % 5 == 0:
            life.restart()
    expected = rules_alone(life, DAYS)
    assert sum(pause.ended for pause in expected.pauses) >= 2
    assert ledger.text(life.ledger) == ledger.text(expected.rows)
    starts = [expected.rows[pause.start]["bar"] for pause in expected.pauses]
    ends = [expected.rows[pause.stop]["bar"] for pause in expected.pauses if pause.ended]
    assert [e.session for e in life.named("EntriesPaused")] == starts
    assert [e.session for e in life.named("EntriesResumed")] == ends
    refused = [d for d in life.named("Decided") if d.reason.startswith("entries are paused by the drawdown limit")]
    assert len(refused) == expected.buys_lost > 0


def test_what_is_left_and_the_day_of_its_end_are_shown_and_come_true(life: Life) -> None:
    t = paused(life)
    shown = queries.agent(life.store, AGENT)
    assert (shown["entries_paused"], shown["pause_sessions"], shown["pause_sessions_left"]) == (True, 5, 4)
    assert shown["pause_ends"] == life.sessions[t + LENGTH].isoformat()
    assert "entries are paused by the drawdown limit for 4 more sessions or until you resume" in shown["warnings"]
    for row in range(t + 1, t + LENGTH):
        life.day(row)
    assert queries.agent(life.store, AGENT)["pause_sessions_left"] == 0
    life.day(t + LENGTH)
    after = queries.agent(life.store, AGENT)
    assert (after["entries_paused"], after["pause_sessions_left"], after["pause_ends"]) == (False, None, None)
    assert life.state.book.limit_peak == life.state.book.equity < life.state.book.account.peak
    lines = [doc["text"] for doc in queries.history(life.store, AGENT)["log"]]
    assert any(
        "entries paused: drawdown reached 2 %; the pause lasts 5 sessions or until you resume" in s for s in lines
    )
    assert f"{life.sessions[t + LENGTH]}: entries resumed: the pause of 5 sessions is over" in lines


def test_a_session_that_was_missed_does_not_count(life: Life) -> None:
    t = paused(life)
    life.day(t + 1)
    # The machine sleeps for two sessions; the third evening is in time for its own session alone.
    life.check(at(life.sessions[t + 4], "16:40"))
    assert [m.session for m in life.named("Missed")] == [life.sessions[t + n].isoformat() for n in (2, 3)]
    assert queries.agent(life.store, AGENT)["pause_sessions_left"] == 2
    for row in (t + 5, t + 6):
        life.day(row)
        assert life.state.book.entries_paused
    life.day(t + 7)
    assert [e.session for e in life.named("EntriesResumed")] == [life.sessions[t + 7].isoformat()]


def test_a_person_resumes_earlier_and_the_next_pause_has_its_whole_length(life: Life) -> None:
    t = paused(life)
    life.day(t + 1)
    assert life.ask("start", at(life.sessions[t + 1], "18:00"))["status"] == "done"
    assert not life.state.book.entries_paused and life.state.book.limit_peak == life.state.book.equity
    again = paused(life, t + 2)
    assert queries.agent(life.store, AGENT)["pause_sessions_left"] == LENGTH - 1
    for row in range(again + 1, again + LENGTH + 1):
        life.day(row)
    assert [e.session for e in life.named("EntriesResumed")] == [life.sessions[again + LENGTH].isoformat()]


def test_an_agent_that_a_person_paused_decides_nothing_so_its_drawdown_pause_waits(life: Life) -> None:
    t = paused(life)
    assert life.ask("pause", at(life.sessions[t], "18:00"))["status"] == "done"
    shown = queries.agent(life.store, AGENT)
    assert (shown["pause_sessions_left"], shown["pause_ends"]) == (LENGTH - 1, None)
    for row in range(t + 1, t + 3):
        life.day(row)
    assert life.state.book.paused_closes == 1 and life.state.book.entries_paused


def test_verify_finds_a_pause_that_ended_too_early_or_too_late(life: Life) -> None:
    t = paused(life)
    for row in range(t + 1, t + LENGTH + 1):
        life.day(row)
    end = life.sessions[t + LENGTH].isoformat()
    early = life.sessions[t + 2].isoformat()

    def found(events: list) -> list[str]:
        card = life.node.registry.card(life.model_id)
        series = Series(life.node.registry.bars(life.model_id), [])
        return [text for text in verification._decisions(card, series, life.policy, events) if text]

    events = life.events
    assert found(events) == []
    assert found([e for e in events if not isinstance(e, EntriesResumed)]) == [
        f"the drawdown pause did not end at {end}, against its length"
    ]
    place = next(n for n, e in enumerate(events) if type(e).__name__ == "Decided" and e.session == early)
    moved = [*events[:place], EntriesResumed(early, "too early"), *events[place:]]
    assert f"the drawdown pause ended at {early}, against its length" in found(moved)


def test_an_agent_of_the_version_before_that_is_paused_stays_so_until_a_person_resumes(tmp_path: Path) -> None:
    shutil.copytree(Path(__file__).parents[1] / "fixtures" / "home-before", tmp_path / "home")
    home = Home.resolve(str(tmp_path / "home"))
    shutil.rmtree(home.agent("PPO_AAPL_003"))
    node, day = Node(home, calendar()), date(2022, 7, 25)
    node.open()
    repository = node.repository("PPO_AAPL_001")
    assert repository.state.agent.terms.limits.pause_sessions is None
    repository.commit([EntriesPaused(day.isoformat(), "drawdown reached 15 %")], at(day, "18:00"))
    for _ in range(12):
        day = calendar().next_session(day)
        for clock in ("08:00", "16:40"):
            assert pass_runner.run(node, at(day, clock))[1] == {}
    assert repository.state.settled == day.isoformat() and repository.state.book.entries_paused
    shown = queries.agent(node.store, "PPO_AAPL_001")
    assert (shown["pause_sessions"], shown["pause_sessions_left"], shown["pause_ends"]) == (None, None, None)
    assert TEXT[Reason.DRAWDOWN_PAUSE] in shown["warnings"]
    assert verification.audit(home)["problems"] == []
