"""The bars that an agent is to trade on: read before it is deployed, and watched for their end afterwards."""

import os
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from livetrading.adapters.locks import SchedulerLock
from livetrading.core.errors import BadBars, Refused
from livetrading.execution.state import agent_status, bar_check, queries
from livetrading.execution.state.bar_check import Reach
from tests.doubles.lives import AGENT, FIRST, Cycler, Life, a_life, at, deployed, write_csv
from tests.doubles.series import generated

FRAME = generated(1, FIRST + 30)


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return a_life(tmp_path, FRAME, Cycler())


def look(life: Life, now: datetime, source: str = "") -> Reach:
    card, own = life.node.registry.card(life.model_id), life.node.registry.bars(life.model_id)
    return bar_check.read_for(card, own, source or f"csv:{life.csv}", life.home.cache, now)


# -- before ---------------------------------------------------------------------------


def test_bars_that_reach_the_last_complete_session_are_current(life: Life) -> None:
    found = look(life, at(life.sessions[-1], "16:40"))
    assert found.current and found.warning() is None and (found.end, found.age) == (life.sessions[-1], 0)


def test_one_session_behind_is_old_and_said_with_its_age_and_cure(life: Life) -> None:
    write_csv(life.csv, FRAME.iloc[:-1])
    found = look(life, at(life.sessions[-1], "16:40"))
    assert not found.current and found.age == 1
    said = found.warning() or ""
    assert f"end at {life.sessions[-2]}, 1 session before the last complete one ({life.sessions[-1]})" in said
    assert "Add the later bars to that file" in said


def test_the_sample_is_history(tmp_path: Path) -> None:
    found, _ = bar_check.read("sample", tmp_path, "AAPL", datetime(2026, 11, 27, 22, tzinfo=UTC))
    assert found.end == date(2024, 12, 30) and found.age > 400
    assert "is history and does not go on" in (found.warning() or "")


@pytest.mark.parametrize("content", ["no bars here\n", "", "date,open\n2024-01-02,1\n", "\x00\x01"])
def test_a_file_that_is_no_csv_of_bars_is_refused(life: Life, content: str) -> None:
    life.csv.write_text(content)
    with pytest.raises(BadBars, match="TEST.csv"):
        look(life, at(life.sessions[-1], "16:40"))


def test_bars_of_another_stock_and_bars_with_a_hole_are_refused(life: Life) -> None:
    now = at(life.sessions[-1], "16:40")
    write_csv(life.csv, generated(2, FIRST + 30))
    with pytest.raises(BadBars, match="disagrees with the bars that the model was trained on"):
        look(life, now)
    write_csv(life.csv, FRAME.iloc[FIRST + 5 :])
    with pytest.raises(BadBars, match=f"the bar of TEST for {life.sessions[FIRST]}.* is missing"):
        look(life, now)


def test_an_unknown_year_is_refused_and_not_taken_for_current(life: Life) -> None:
    with pytest.raises(Refused, match="2040"):
        look(life, datetime(2040, 1, 5, tzinfo=UTC))


# -- afterwards -----------------------------------------------------------------------


def shown(life: Life) -> tuple[str, str | None]:
    doc = queries.agent(life.store, AGENT)
    assert (doc["status"], doc["is_running"]) == ("running", True)
    assert bool(doc["no_bars_since"]) == any("cannot trade" in text for text in doc["warnings"])
    return doc["status_text"], doc["no_bars_since"]


def create(life: Life, until: date) -> None:
    made = life.ask(
        "create",
        at(life.sessions[FIRST - 1], "20:00"),
        model_id=life.model_id,
        mode="paper",
        source=f"csv:{life.csv}",
        job_id="tested",
        bars_until=until.isoformat(),
    )
    assert made["status"] == "done", made


def test_an_agent_of_old_bars_says_since_when_at_once(life: Life) -> None:
    create(life, life.sessions[FIRST - 5])
    since = life.sessions[FIRST - 5].isoformat()
    assert shown(life) == (f"no bars since {since}", since)


def test_a_file_that_is_one_session_behind_until_the_evening_is_no_dead_one(life: Life) -> None:
    create(life, life.sessions[FIRST - 2])
    assert shown(life)[1] is None


def test_bars_that_end_later_are_told_after_the_first_missed_session_and_heal(life: Life) -> None:
    create(life, life.sessions[FIRST - 1])
    life.day(FIRST)
    write_csv(life.csv, FRAME.iloc[: FIRST + 1])
    life.check(at(life.sessions[FIRST + 1], "16:40"))
    assert shown(life)[1] is None  # held: it may still come until the morning
    life.check(at(life.sessions[FIRST + 2], "10:00"))
    since = life.sessions[FIRST].isoformat()
    assert shown(life) == (f"no bars since {since}", since)
    write_csv(life.csv, FRAME)
    life.check(at(life.sessions[FIRST + 2], "16:40"))
    assert shown(life)[1] is None


def test_an_agent_of_the_version_before_is_judged_by_what_it_missed(tmp_path: Path) -> None:
    life = deployed(tmp_path, FRAME, Cycler())
    assert shown(life)[1] is None
    write_csv(life.csv, FRAME.iloc[:FIRST])
    life.check(at(life.sessions[FIRST + 1], "10:00"))
    assert shown(life)[1] == life.sessions[FIRST - 1].isoformat()


# -- and who looks after it -----------------------------------------------------------


def beat(life: Life, seconds_ago: float) -> None:
    """The holder's last sign of life, so old."""
    SchedulerLock(life.home).path.write_text(f"{os.getpid()} {time.monotonic() - seconds_ago:.3f}")


def test_a_running_agent_waits_while_no_scheduler_lives_or_it_hangs(tmp_path: Path) -> None:
    life, now = deployed(tmp_path, FRAME, Cycler()), datetime.now(UTC)

    def text() -> str:
        (doc,) = queries.agents(life.store, now)
        assert doc["status"] == "running" and doc["is_running"]
        return str(doc["status_text"])

    assert text() == agent_status.WAITING == "waiting for the scheduler"
    with SchedulerLock(life.home).acquire():
        beat(life, 2)
        assert text() == "running"
        beat(life, 120)
        assert text() == agent_status.WAITING
        beat(life, 2)
        life.ask("pause", at(life.sessions[FIRST], "08:00"))
        assert queries.agent(life.store, AGENT, now)["status_text"] == "paused"


def test_a_damaged_system_file_costs_no_agent_its_figures(tmp_path: Path) -> None:
    life = deployed(tmp_path, FRAME, Cycler())
    life.store.path("system").write_text("no json")
    assert queries.agent(life.store, AGENT)["status_text"] == agent_status.WAITING
