"""The live shell over history: one session at a time, restartable anywhere, finished at the end."""

from pathlib import Path

import pytest

from livetrading.core import ledger
from livetrading.core.types import AgentStatus
from livetrading.execution.trading import replay
from tests.doubles.lives import AGENT, FIRST, Cycler, Life, at, deployed
from tests.doubles.series import generated

ROWS = FIRST + 25


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return deployed(tmp_path, generated(1, ROWS), Cycler(), mode="replay", model_rows=ROWS)


def _to_the_end(life: Life, restart: bool = False) -> None:
    while replay.advance(life.node.trader(AGENT)):
        if restart:
            life.restart()


def test_it_starts_flat_at_the_first_test_session_and_finishes_with_history(life: Life) -> None:
    _to_the_end(life)
    rows = life.ledger
    assert rows[0]["bar"] == life.sessions[FIRST - 1].isoformat() and rows[0]["shares"] == 0
    assert rows[-1]["bar"] == life.sessions[-1].isoformat() and len(rows) == 26
    assert life.state.status == AgentStatus.FINISHED and life.state.orders == ()


def test_a_restart_after_every_session_changes_nothing(life: Life, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = deployed(tmp_path_factory.mktemp("other"), life.frame, Cycler(), mode="replay", model_rows=ROWS)
    _to_the_end(life)
    _to_the_end(other, restart=True)
    assert ledger.text(life.ledger) == ledger.text(other.ledger)


def test_its_times_are_those_of_its_history(life: Life) -> None:
    replay.advance(life.node.trader(AGENT))
    trader = life.node.trader(AGENT)
    assert replay.virtual_now(trader) == trader.calendar.close_at(life.sessions[FIRST - 1]) + trader.delay
    assert life.state.last_decision.session == life.sessions[FIRST - 1].isoformat()


def test_a_finished_replay_does_nothing_more_and_can_be_removed_with_its_shares(life: Life) -> None:
    _to_the_end(life)
    lines = life.repository.seq
    assert replay.advance(life.node.trader(AGENT)) is False and life.repository.seq == lines
    now = at(life.sessions[-1], "20:00")
    assert life.ask("close", now)["status"] == "refused"
    assert life.ask("remove", now)["status"] == "done"


def test_closing_runs_one_bar_further_and_is_flat(life: Life) -> None:
    while life.state.flat:
        replay.advance(life.node.trader(AGENT))
    before = life.sessions.index(type(life.sessions[0]).fromisoformat(life.state.booked))
    answer = life.ask("close", at(life.sessions[-1], "20:00"))
    assert answer["result"]["flat"] and life.state.booked == life.sessions[before + 1].isoformat()


def test_a_replay_never_sees_a_bar_before_its_time(life: Life) -> None:
    trader = life.node.trader(AGENT)
    replay.advance(trader)
    seen = trader.source.daily("TEST", now=replay.virtual_now(trader)).frame
    assert seen.index[-1].date() == life.sessions[FIRST - 1]
