"""Fetches bars in a thread of its own, so that a silent network does not delay the pass."""

import logging
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ...core.errors import LivetradingError, Unavailable, in_a_line
from .. import logs
from ..calendar import Calendar
from .base import BarSet, BarSource, last_split_check

log = logging.getLogger(__name__)
PATIENCE = 0.3
"""Seconds that a pass waits for an answer; then it goes on and asks again later."""
KEEP_SECONDS = 300.0
"""An answer, also a failure, is kept so long, unless a session completes or a split has to be checked."""


class StillFetching(Unavailable):
    """The source has not answered yet. This is not a failure."""


def fetch(source: BarSource, symbol: str, now: datetime) -> BarSet:
    """The source's daily bars. An unforeseen error becomes Unavailable, so the source is asked again later."""
    try:
        return source.daily(symbol, now=now)
    except LivetradingError:
        raise
    except Exception as error:
        logs.caught(log, f"{source.name}'s bars of {symbol}", error)
        raise Unavailable(
            f"{source.name} failed for {symbol} by an error of the program"
            f" ({in_a_line(error)}); the log holds its traceback. It is asked again."
        ) from error


@dataclass
class _Call:
    """One question to a source: the bars that were complete when it was asked."""

    session: str
    done: threading.Event = field(default_factory=threading.Event)
    bars: BarSet | None = None
    error: LivetradingError | None = None
    ended: float = 0.0

    def ask(self, source: BarSource, symbol: str, now: datetime) -> None:
        try:
            self.bars = fetch(source, symbol, now)
        except LivetradingError as error:
            self.error = error
        finally:
            self.ended = time.monotonic()
            self.done.set()


class BackgroundSource:
    """A source whose questions run in threads of their own, one for each symbol."""

    def __init__(self, source: BarSource, calendar: Calendar, patience: float = PATIENCE) -> None:
        self.name = source.name
        self._source, self._calendar, self.patience = source, calendar, patience
        self._calls: dict[str, _Call] = {}

    def daily(self, symbol: str, *, now: datetime) -> BarSet:
        """See ``BarSource``; StillFetching while the source has not answered."""
        # Asked again when a session completes, and at the times when a split of today may appear.
        session = f"{self._calendar.last_complete(now, timedelta(0))} {last_split_check(now)}"
        call = self._calls.get(symbol)
        if call is None or self._stale(call, session):
            call = self._calls[symbol] = _Call(session)
            # A daemon thread: one that hangs in the network must not keep the process alive.
            threading.Thread(target=call.ask, args=(self._source, symbol, now), daemon=True).start()
        if not call.done.wait(self.patience):
            raise StillFetching(f"{self.name} has not answered for {symbol} yet.")
        if call.error is not None:
            raise call.error
        assert call.bars is not None, "a call that ended has bars or an error"
        return call.bars

    @staticmethod
    def _stale(call: _Call, session: str) -> bool:
        if not call.done.is_set():
            return False
        return call.session != session or time.monotonic() - call.ended > KEEP_SECONDS
