from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livetrading.adapters.calendar import KNOWN_UNTIL, Calendar, calendar
from livetrading.core.errors import BadInput, Refused

NEW_YORK = ZoneInfo("America/New_York")
CAL = calendar()
DAYS = st.dates(date(1990, 2, 1), date(2028, 11, 30))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    "day",
    [
        "2001-09-11",
        "2001-09-14",
        "2004-06-11",
        "2012-10-29",
        "2012-10-30",
        "2018-12-05",
        "2025-01-09",
        "2024-03-29",
        "2021-12-24",
        "2022-06-20",
        "2026-07-03",
        "2028-04-14",
        "2024-06-01",
    ],
)
def test_exchange_is_closed_on_holidays_mourning_and_weekends(day):
    assert not CAL.is_session(date.fromisoformat(day))


@pytest.mark.parametrize("day", ["2021-12-31", "2020-06-19", "2001-09-17", "2027-12-31"])
def test_exchange_is_open_where_a_rule_of_thumb_would_close_it(day):
    assert CAL.is_session(date.fromisoformat(day))


@pytest.mark.parametrize(
    ("day", "close"),
    [
        ("2024-11-29", "2024-11-29T18:00:00Z"),
        ("2024-07-03", "2024-07-03T17:00:00Z"),
        ("2024-12-24", "2024-12-24T18:00:00Z"),
        ("2024-06-03", "2024-06-03T20:00:00Z"),
        ("2024-01-03", "2024-01-03T21:00:00Z"),
    ],
)
def test_close_is_utc_and_knows_half_days_and_summer_time(day, close):
    assert CAL.close_at(date.fromisoformat(day)) == utc(close)


@pytest.mark.parametrize(
    ("friday", "monday"), [(date(2024, 3, 8), date(2024, 3, 11)), (date(2024, 11, 1), date(2024, 11, 4))]
)
def test_open_is_half_past_nine_in_new_york_on_both_sides_of_a_clock_change(friday, monday):
    opens = [CAL.open_at(friday), CAL.open_at(monday)]
    assert [moment.astimezone(NEW_YORK).strftime("%H:%M") for moment in opens] == ["09:30"] * 2
    assert opens[0].hour != opens[1].hour and all(moment.tzinfo is UTC for moment in opens)


@pytest.mark.parametrize(
    ("now", "session"),
    [
        ("2024-06-03T20:29:59Z", "2024-05-31"),
        ("2024-06-03T20:30:00Z", "2024-06-03"),
        ("2024-06-04T13:00:00Z", "2024-06-03"),
        ("2024-06-09T12:00:00Z", "2024-06-07"),
        ("2024-11-29T18:30:00Z", "2024-11-29"),
        ("2024-11-29T18:29:00Z", "2024-11-27"),
        ("2024-06-03T16:30:00-04:00", "2024-06-03"),
    ],
)
def test_last_complete_session_is_half_an_hour_past_its_close(now, session):
    assert CAL.last_complete(utc(now)) == date.fromisoformat(session)


def test_last_complete_without_delay_counts_from_the_close_itself():
    assert CAL.last_complete(utc("2024-06-03T20:00:00Z"), timedelta(0)) == date(2024, 6, 3)
    assert CAL.last_complete(utc("2024-06-03T19:59:59.999999Z"), timedelta(0)) == date(2024, 5, 31)


def test_time_without_a_zone_is_refused():
    with pytest.raises(BadInput, match="has no zone; give UTC, such as 2024-06-03T20:30:00Z"):
        CAL.last_complete(datetime(2024, 6, 3, 20, 30))


@settings(deadline=None)
@given(DAYS)
def test_neighbours_are_sessions_and_nothing_lies_between(day):
    before, after = CAL.previous_session(day), CAL.next_session(day)
    assert before < day < after
    assert CAL.sessions(before, after) == [before, *([day] if CAL.is_session(day) else []), after]
    assert CAL.next_session(before) == (day if CAL.is_session(day) else after)


@settings(deadline=None)
@given(DAYS)
def test_a_session_is_the_last_complete_one_from_its_close_on(day):
    session = CAL.next_session(day)
    close = CAL.close_at(session)
    assert CAL.open_at(session) < close
    assert CAL.last_complete(close, timedelta(0)) == session
    assert CAL.last_complete(close - timedelta(microseconds=1), timedelta(0)) == CAL.previous_session(session)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: CAL.is_session(date(1989, 12, 29)),
        lambda: CAL.next_session(date(2031, 1, 2)),
        lambda: CAL.sessions(date(2020, 1, 1), date(2031, 1, 1)),
        lambda: CAL.next_session(KNOWN_UNTIL),
        lambda: CAL.previous_session(date(1990, 1, 2)),
        lambda: CAL.close_at(date(2031, 1, 2)),
        lambda: CAL.last_complete(utc("2031-01-02T22:00:00Z")),
        lambda: CAL.last_complete(utc("1990-01-02T12:00:00Z")),
    ],
)
def test_year_that_is_not_known_is_refused(ask):
    with pytest.raises(Refused, match="known from 1990-01-01 to 2028-12-31.*upgrade exchange-calendars"):
        ask()


def test_hours_of_a_closed_day_are_refused():
    with pytest.raises(BadInput, match="2024-06-01 is not a session of XNYS"):
        CAL.open_at(date(2024, 6, 1))


def test_calendar_is_built_once_and_can_be_built_for_other_bounds():
    assert calendar() is CAL
    short = Calendar(start=date(2024, 1, 1), end=date(2024, 1, 31))
    assert len(short.sessions(short.first, short.last)) == 21
