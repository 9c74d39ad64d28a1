"""The read model: what pages and REST show, without a lock and without changing anything."""

from datetime import timedelta
from pathlib import Path

import pytest

from livetrading.adapters.halt import HaltLatch
from livetrading.adapters.locks import SchedulerLock
from livetrading.adapters.stamps import stamp
from livetrading.core.errors import NotFound
from livetrading.execution.state import queries
from tests.doubles.lives import AGENT, FIRST, Cycler, Life, at, deployed, until
from tests.doubles.series import generated

STATUS = """agent_id agent_type symbol mode status is_running current_position entry_price stop_price current_price
price_time portfolio_value cash total_pnl total_pnl_pct realized_pnl unrealized_pnl num_trades last_check next_check
last_decision warnings capital model_id source pace deployed_at max_position_pct risk_per_trade bar_session
status_reason""".split()


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return deployed(tmp_path, generated(1, FIRST + 20), Cycler())


def test_an_agents_status_has_every_promised_key(life: Life) -> None:
    assert set(STATUS) <= queries.agents(life.store)[0].keys()
    t = until(lambda: not life.state.flat, life, FIRST)
    shown = queries.agent(life.store, AGENT, at(life.sessions[t - 1], "20:00"))
    assert set(STATUS) <= shown.keys()
    assert shown["current_position"] == life.state.book.shares and shown["stop_price"] < shown["entry_price"]
    assert shown["next_check"] > shown["price_time"]


def test_an_agent_that_is_not_there_is_not_found(life: Life) -> None:
    with pytest.raises(NotFound, match="agents"):
        queries.agent(life.store, "PPO_TEST_009")


def test_the_next_check_never_lies_in_the_past(life: Life) -> None:
    """Due and not done: nobody knows when without a scheduler, and at once with one."""
    life.day(FIRST)
    evening, later = at(life.sessions[FIRST], "20:00"), at(life.sessions[FIRST + 3], "20:00")
    due = stamp(at(life.sessions[FIRST + 1], "16:30"))
    assert queries.agent(life.store, AGENT, evening)["next_check"] == due
    assert queries.agent(life.store, AGENT, later)["next_check"] is None
    with SchedulerLock(life.home).acquire("scheduler") as lock:
        lock.beat()
        assert queries.agent(life.store, AGENT, evening)["next_check"] == due
        assert queries.agent(life.store, AGENT, later)["next_check"] == stamp(later)


def test_a_removed_agent_is_shown_no_more(life: Life) -> None:
    life.ask("remove", at(life.sessions[FIRST - 1], "20:30"))
    assert queries.agents(life.store) == []
    with pytest.raises(NotFound):
        queries.agent(life.store, AGENT)


def test_a_spoilt_state_is_shown_as_unreadable_with_every_key(life: Life) -> None:
    (life.home.agent(AGENT) / "state.json").write_text("{")
    shown = queries.agent(life.store, AGENT)
    assert shown["status"] == "unreadable" and set(STATUS) <= shown.keys() and shown["warnings"]


def test_history_joins_the_models_bars_and_the_agents_own_without_a_gap(life: Life) -> None:
    for t in range(FIRST, FIRST + 6):
        life.day(t)
    rows = [row[0] for row in queries.history(life.store, AGENT)["bars"]]
    assert rows == [s.isoformat() for s in life.sessions[FIRST + 6 - len(rows) : FIRST + 6]] and len(rows) >= 504


def test_an_agent_without_history_has_empty_tables(life: Life) -> None:
    shown = queries.history(life.store, AGENT)
    assert shown["fills"] == shown["trades"] == shown["equity"] == shown["decisions"] == []
    assert len(shown["bars"]) == queries.LEAD_IN


def test_the_system_says_who_halted_and_that_nobody_trades(life: Life) -> None:
    now = at(life.sessions[FIRST], "12:00")
    assert queries.system(life.store, now)["halt"] is None
    HaltLatch(life.home).set("a test", "me", now)
    shown = queries.system(life.store, now + timedelta(minutes=1))
    assert shown["halt"]["reason"] == "a test" and shown["scheduler"]["alive"] is False and shown["alarms"] == []
