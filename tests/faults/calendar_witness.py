"""The exchange's hours by a second library, against which the calendar sweep is checked."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from livetrading.adapters.calendar import KNOWN_UNTIL, calendar
from livetrading.core.windows import NEW_YORK

DELAY = timedelta(minutes=30)
EARLY_CLOSE = {
    date(2005, 6, 1): "NYSE floor stopped at 15:56, a systems problem; the session and Nasdaq closed at 16:00"
}
LATE_OPENS = {
    date(2001, 9, 17): "9:33, two minutes of silence for 11 September",
    date(2001, 10, 8): "9:31, silence for the troops",
    date(2002, 9, 11): "12:00, first anniversary of the attack",
    date(2003, 3, 20): "9:32, silence for the troops in Iraq",
    date(2004, 6, 7): "9:32, silence for President Reagan",
    date(2006, 12, 27): "9:32, silence for President Ford",
}
"""NYSE's list of special openings, as in pandas-market-calendars' ``holidays/nyse.py``; the scheduled open, by
which an order must be in, was 9:30 on each."""


class Hours(NamedTuple):
    opens: datetime
    closes: datetime


@lru_cache
def witness() -> dict[date, Hours]:
    """Sessions and hours of 2000..2028 by pandas-market-calendars."""
    import pandas_market_calendars

    table = pandas_market_calendars.get_calendar("NYSE").schedule("2000-01-01", str(KNOWN_UNTIL))
    return {
        stamp.date(): Hours(opens.to_pydatetime(), closes.to_pydatetime())
        for stamp, opens, closes in zip(table.index, table["market_open"], table["market_close"], strict=True)
    }


def differences() -> tuple[int, list[str]]:
    """The number of sessions that both calendars know, and unexpected differences."""
    theirs, ours, found = witness(), calendar().sessions(date(2000, 1, 1), KNOWN_UNTIL), []
    found += [f"{day} is a session of one calendar only" for day in sorted(set(ours) ^ set(theirs))]
    for day in ours:
        if (calendar().open_at(day) != theirs[day].opens) != (day in LATE_OPENS):
            found.append(f"{day} opens at {calendar().open_at(day)} here, at {theirs[day].opens} there")
        if (calendar().close_at(day) != theirs[day].closes) != (day in EARLY_CLOSE):
            found.append(f"{day} closes at {calendar().close_at(day)} here, at {theirs[day].closes} there")
    return len(ours), found


def new_york(day: date, clock: str) -> datetime:
    return datetime.fromisoformat(f"{day} {clock}").replace(tzinfo=NEW_YORK).astimezone(UTC)


@lru_cache
def witness_ready(day: date) -> datetime:
    """When a session's bar counts as final, by the second library; 2005-06-01 by the scheduled close."""
    return (new_york(day, "16:00:00") if day in EARLY_CLOSE else witness()[day].closes) + DELAY


@lru_cache
def deadline_of(day: date) -> datetime:
    """Until when a session can be decided."""
    return new_york(session_after(day), "09:20:00")


@lru_cache
def _next() -> dict[date, date]:
    days = sorted(witness())
    return dict(zip(days, days[1:], strict=False))


def session_after(day: date) -> date:
    return _next()[day]
