"""When an order may be sent. New York times of the day, as UTC instants.

Nasdaq takes market-on-open orders until 09:28 and no cancel from 09:25 on;
between 16:00 and 16:06 a day order is refused (source: Interactive Brokers' pages).
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")

OPG_FROM, OPG_UNTIL, RECOVER_UNTIL = time(4, 0), time(9, 20), time(9, 25)
DAY_FROM, DAY_LEAD, ENTRY_UNTIL = time(9, 30), timedelta(minutes=15), time(10, 0)
DAY_REFUSED_FROM, DAY_REFUSED_UNTIL = time(16, 0), time(16, 6)


def at(session: date, clock: time) -> datetime:
    """A New York time of day on a session's date, in UTC."""
    return datetime.combine(session, clock, NEW_YORK).astimezone(UTC)


def decision_deadline(next_session: date) -> datetime:
    """Until when the bar before ``next_session`` can still be decided."""
    return at(next_session, OPG_UNTIL)


def for_open(session: date, now: datetime) -> bool:
    """Whether a market-on-open order for ``session`` may be sent at ``now``."""
    return at(session, OPG_FROM) <= now <= at(session, OPG_UNTIL)


def may_recover(session: date, now: datetime) -> bool:
    """Whether an order whose sending is in doubt may still be sent again."""
    return at(session, OPG_FROM) <= now <= at(session, RECOVER_UNTIL)


def day_until(close: datetime) -> datetime:
    """Until when an exit that missed the open may go: 15:45, on a half day 12:45."""
    return close - DAY_LEAD


def for_day(session: date, close: datetime, now: datetime) -> bool:
    """Whether an exit that missed the open may go as a DAY market order; ``close`` is the session's."""
    return at(session, DAY_FROM) <= now <= day_until(close)


def for_late_entry(session: date, now: datetime) -> bool:
    """Whether a purchase that missed the open may go as a DAY market order."""
    return at(session, DAY_FROM) <= now <= at(session, ENTRY_UNTIL)


def day_orders_refused(now: datetime) -> bool:
    """Whether ``now`` is in the minutes after the close in which brokers refuse day orders."""
    clock = now.astimezone(NEW_YORK).time()
    return DAY_REFUSED_FROM <= clock < DAY_REFUSED_UNTIL
