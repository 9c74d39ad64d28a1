"""When the exchange trades: sessions, opens and closes in UTC.

Built from exchange_calendars with fixed bounds: its defaults, 20 years back and
one year ahead, would change with the date of the day.
"""

from bisect import bisect_left, bisect_right
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from livetrading.core.errors import BadInput, Refused

BAR_FINAL_AFTER = timedelta(minutes=30)
"""So long after the close the daily bar is final, also from a source delayed by 15 minutes."""

KNOWN_UNTIL = date(2028, 12, 31)
"""NYSE has published its holidays to here (announced 2025-12-23) and
exchange-calendars 4.13 was compared with them; raise both together."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Calendar:
    """Sessions are dates; opens and closes are aware UTC datetimes.

    `first` and `last` bound what is known; a question about a day outside is
    Refused, because an unknown holiday would be traded.
    """

    def __init__(self, name: str = "XNYS", start: date = date(1990, 1, 1), end: date = KNOWN_UNTIL) -> None:
        import exchange_calendars  # 0.1 s, and not every command needs it

        schedule = exchange_calendars.get_calendar(name, start=start, end=end).schedule
        self.name, self.first, self.last = name, start, end
        self._sessions: list[date] = list(schedule.index.date)
        self._opens = _microseconds(schedule["open"])
        self._closes = _microseconds(schedule["close"])

    def sessions(self, start: date, end: date) -> list[date]:
        """Sessions from `start` to `end`, both included."""
        self._known(start)
        self._known(end)
        return self._sessions[bisect_left(self._sessions, start) : bisect_right(self._sessions, end)]

    def is_session(self, day: date) -> bool:
        self._known(day)
        at = bisect_left(self._sessions, day)
        return at < len(self._sessions) and self._sessions[at] == day

    def next_session(self, day: date) -> date:
        """The first session after `day`, which need not be one."""
        self._known(day)
        return self._at(bisect_right(self._sessions, day), day)

    def previous_session(self, day: date) -> date:
        """The last session before `day`, which need not be one."""
        self._known(day)
        return self._at(bisect_left(self._sessions, day) - 1, day)

    def open_at(self, session: date) -> datetime:
        return _EPOCH + self._opens[self._index(session)] * _MICROSECOND

    def close_at(self, session: date) -> datetime:
        """16:00 New York time, 13:00 on a half day, as UTC."""
        return _EPOCH + self._closes[self._index(session)] * _MICROSECOND

    def last_complete(self, now: datetime, delay: timedelta = BAR_FINAL_AFTER) -> date:
        """The last session with close + `delay` not after the aware `now`."""
        if now.tzinfo is None:
            raise BadInput(
                f"The time {now.isoformat()} has no zone; give UTC, such as {now.isoformat(timespec='seconds')}Z."
            )
        self._known(now.astimezone(UTC).date())
        moment = (now - delay - _EPOCH) // _MICROSECOND
        return self._at(bisect_right(self._closes, moment) - 1, now.date())

    def _index(self, session: date) -> int:
        if not self.is_session(session):
            raise BadInput(f"{session} is not a session of {self.name}; choose a trading day.")
        return bisect_left(self._sessions, session)

    def _at(self, index: int, day: date) -> date:
        if not 0 <= index < len(self._sessions):
            raise self._unknown(day)
        return self._sessions[index]

    def _known(self, day: date) -> None:
        if not self.first <= day <= self.last:
            raise self._unknown(day)

    def _unknown(self, day: date) -> Refused:
        return Refused(
            f"The {self.name} calendar is known from {self.first} to {self.last}, which"
            f" does not include {day}; upgrade exchange-calendars or choose a day"
            f" in that range."
        )


def _microseconds(times) -> list[int]:
    """Exact integers since 1970; a float would round the close."""
    return (times.to_numpy("datetime64[us]").astype("int64")).tolist()


@lru_cache(maxsize=1)
def calendar() -> Calendar:
    """The calendar of the process, built once."""
    return Calendar()
