"""One agent, pass by pass: decided once, sent once, booked as the backtest would, or held with its reason."""

from pathlib import Path

import pandas as pd
import pytest

from livetrading.core import ledger, market
from livetrading.core.types import Action, AgentStatus
from livetrading.research import backtest
from tests.doubles.lives import AGENT, FIRST, Always, Cycler, Life, at, crash_bar, deployed, until, write_csv
from tests.doubles.series import generated

DAYS = 24


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    t = FIRST
    frame = generated(
        1, t + DAYS + 2, splits={t + 5: 2.0, t + 15: 1.5}, dividends={t + 1: 0.25, t + 4: 0.5, t + 15: 0.2}
    )
    return crash_bar(frame, t + 10)


@pytest.fixture
def life(tmp_path: Path, bars: pd.DataFrame) -> Life:
    return deployed(tmp_path, bars, Cycler())


def test_a_paper_agents_ledger_is_its_models_backtest_to_the_bit(life: Life, bars: pd.DataFrame) -> None:
    for t in range(FIRST, FIRST + DAYS):
        life.day(t)
    card = life.node.registry.card(life.model_id)
    alone = backtest.run(
        market.build(bars.iloc[: FIRST + DAYS], card.scaler),
        range(FIRST, FIRST + DAYS),
        card.agent_type,
        life.policy.raw,
        life.terms,
    )
    assert alone.fills > 8 and ledger.text(life.ledger) == ledger.text(alone.rows)


def test_a_second_pass_of_a_session_decides_and_sends_nothing(life: Life) -> None:
    evening, morning = at(life.sessions[FIRST], "16:40"), at(life.sessions[FIRST + 1], "08:00")
    assert len(life.check(evening).decided) == 1
    again = life.check(evening)
    assert (again.due, again.decided, again.planned, again.sent) == ([], [], [], [])
    assert len(life.check(morning).sent) == 1
    lines = life.repository.seq
    assert life.check(morning).sent == [] and life.repository.seq == lines


def test_nothing_is_decided_before_half_an_hour_after_the_close(life: Life) -> None:
    assert life.check(at(life.sessions[FIRST], "16:29")).due == []
    assert len(life.check(at(life.sessions[FIRST], "16:30")).decided) == 1


def test_an_entry_unsent_at_twenty_past_nine_never_leaves(life: Life) -> None:
    life.check(at(life.sessions[FIRST], "16:40"))
    assert life.check(at(life.sessions[FIRST + 1], "09:21")).sent == []
    assert life.state.orders == () and {str(o.state) for o in life.state.recent} == {"EXPIRED"}
    life.check(at(life.sessions[FIRST + 1], "16:40"))
    assert life.state.flat


def test_sessions_slept_through_are_missed_and_their_money_is_booked(life: Life) -> None:
    t = until(lambda: not life.state.flat, life, FIRST)
    late = life.check(at(life.sessions[t + 3], "16:40"))
    slept = [s.isoformat() for s in life.sessions[t : t + 3]]
    assert [m["session"] for m in late.missed] == slept
    assert all("09:20" in m["reason"] for m in late.missed)
    assert [d["session"] for d in late.decided] == [life.sessions[t + 3].isoformat()]
    assert [row["bar"] for row in life.ledger][-4:-1] == slept and life.state.booked == life.sessions[t + 3].isoformat()


def test_a_stop_hit_while_the_process_slept_is_booked_on_its_day(tmp_path: Path, bars: pd.DataFrame) -> None:
    life = deployed(tmp_path, crash_bar(bars, FIRST + 3), Always(Action.BUY))
    for t in range(FIRST, FIRST + 2):
        life.day(t)
    assert not life.state.flat
    life.check(at(life.sessions[FIRST + 4], "16:40"))
    assert ["stop"] == [f.leg for f in life.named("Filled") if f.session == life.sessions[FIRST + 3].isoformat()]


def _stale(life: Life, rows: int) -> None:
    write_csv(life.csv, life.frame.iloc[:rows])
    life.restart()


def test_old_bars_hold_the_decision_and_say_so(life: Life) -> None:
    _stale(life, FIRST)
    done = life.check(at(life.sessions[FIRST], "16:40"))
    assert len(done.held) == 1 and "out of date" in done.held[0]["reason"]
    assert life.state.settled is None and life.named("Decided") == []


def test_a_bar_that_arrives_in_the_night_is_decided_until_twenty_past_nine(life: Life) -> None:
    _stale(life, FIRST)
    life.check(at(life.sessions[FIRST], "16:40"))
    _stale(life, FIRST + 1)
    done = life.check(at(life.sessions[FIRST + 1], "09:19"))
    assert len(done.decided) == len(done.sent) == 1


def test_a_session_held_past_its_deadline_is_missed_with_the_reason_it_was_held_for(life: Life) -> None:
    _stale(life, FIRST)
    held = life.check(at(life.sessions[FIRST], "16:40")).held[0]["reason"]
    missed = life.check(at(life.sessions[FIRST + 1], "09:21")).missed
    assert [m["reason"] for m in missed] == [held]


def test_three_sessions_held_for_one_reason_block_the_agent_though_the_dates_in_it_differ(life: Life) -> None:
    _stale(life, FIRST)
    for t in range(FIRST, FIRST + 3):
        life.check(at(life.sessions[t], "16:40"))
        assert life.state.status == AgentStatus.RUNNING
    done = life.check(at(life.sessions[FIRST + 3], "16:40"))
    assert life.state.status == AgentStatus.BLOCKED and "3 sessions" in life.state.status_reason
    assert any("blocked" in alarm["text"] for alarm in done.alarms)


def test_sessions_that_nobody_looked_at_do_not_block(life: Life) -> None:
    life.check(at(life.sessions[FIRST + 6], "16:40"))
    assert len(life.named("Missed")) == 6 and life.state.status == AgentStatus.RUNNING


def test_a_blocked_agent_keeps_its_stop_and_its_book(life: Life) -> None:
    t = until(lambda: not life.state.flat, life, FIRST)
    life.node.trouble(AGENT, ValueError("made up"), at(life.sessions[t], "07:00"))  # type: ignore[arg-type]
    assert life.state.status == AgentStatus.BLOCKED
    life.day(t)
    assert life.state.booked == life.sessions[t].isoformat()
    assert [str(o.leg) for o in life.state.orders] == ["stop"]


def test_a_source_that_tells_another_past_is_refused(life: Life, bars: pd.DataFrame) -> None:
    changed = bars.copy()
    changed.iloc[300, 0:4] *= 1.01
    write_csv(life.csv, changed.iloc[: FIRST + 1])
    life.restart()
    (held,) = life.check(at(life.sessions[FIRST], "16:40")).held
    assert "disagrees" in held["reason"]


def test_a_drawdown_beyond_the_limit_pauses_entries_until_a_person_starts_again(
    tmp_path: Path, bars: pd.DataFrame
) -> None:
    fallen = bars.copy()
    fallen.iloc[FIRST + 2 :, 0:4] *= 0.44
    life = deployed(tmp_path, fallen, Always(Action.BUY))
    for t in range(FIRST, FIRST + 4):
        life.day(t)
    assert life.state.book.entries_paused and life.state.flat
    assert "paused by the drawdown" in life.state.last_decision.reason
    life.ask("start", at(life.sessions[FIRST + 3], "18:00"))
    life.day(FIRST + 4)
    assert life.state.last_decision.qty > 0


def test_a_clock_set_back_decides_nothing_twice(life: Life) -> None:
    life.day(FIRST)
    life.day(FIRST + 1)
    lines = life.repository.seq
    done = life.check(at(life.sessions[FIRST], "16:40"))
    assert (done.due, done.sent) == ([], []) and life.repository.seq == lines
    life.day(FIRST + 2)
    assert [row["bar"] for row in life.ledger] == [s.isoformat() for s in life.sessions[FIRST : FIRST + 3]]
