"""The calendar sweep in small: hosts of two zones through quarters with a closed week, both clock changes, half days."""

from datetime import UTC, date, datetime
from pathlib import Path

from livetrading.adapters.calendar import calendar
from livetrading.core import windows
from livetrading.execution import pass_runner
from tests.doubles.lives import AGENT, FIRST, Always, deployed
from tests.doubles.series import generated
from tests.faults.calendar_sweep import EARLY_CLOSE, LATE_OPENS, ZONES, cheap, differences, in_zone, unknown_years
from tests.faults.calendar_witness import new_york

QUARTERS = ((2001, 2), (2007, 0), (2020, 3))


def test_two_libraries_know_the_same_sessions_and_hours_but_for_seven_named_days() -> None:
    assert differences() == (7292, [])
    assert (len(EARLY_CLOSE), len(LATE_OPENS)) == (1, 6)


def test_each_session_is_decided_once_or_missed_with_its_reason_whatever_the_hosts_zone(tmp_path: Path) -> None:
    lived = {zone: in_zone(zone, QUARTERS, tmp_path) for zone in (ZONES[1], ZONES[-1])}
    here, there = lived.values()
    assert here.keys() == there.keys() == set(QUARTERS)
    for quarter, year in here.items():
        assert year.wrong == []
        assert year.digest == there[quarter].digest
        assert year.counts["decided"] > 20 and year.counts["missed"] > 0 and year.counts["fills"] > 10


def test_a_year_that_the_calendar_does_not_know_is_refused_and_nothing_is_done(tmp_path: Path) -> None:
    with cheap():
        assert unknown_years(tmp_path) == []


def test_an_exit_that_missed_the_open_of_a_half_day_goes_until_a_quarter_of_an_hour_before_its_close() -> None:
    half = date(2020, 11, 27)
    close = calendar().close_at(half)
    assert windows.for_day(half, close, new_york(half, "12:45:00"))
    assert not windows.for_day(half, close, new_york(half, "12:45:01"))
    full = date(2020, 11, 30)
    assert windows.day_until(calendar().close_at(full)) == new_york(full, "15:45:00")


def test_a_clock_in_an_unknown_year_does_not_end_the_scheduler_and_blocks_the_agent_with_the_reason(
    tmp_path: Path,
) -> None:
    life = deployed(tmp_path, generated(1, FIRST + 3), Always(1))
    now = datetime(2031, 5, 5, 21, tzinfo=UTC)
    assert pass_runner.wanted(life.node, now)
    _, failed = pass_runner.run(life.node, now)
    assert "known from 1990-01-01 to 2028-12-31" in failed[AGENT]
    assert life.state.status == "blocked" and "2028-12-31" in life.state.status_reason
