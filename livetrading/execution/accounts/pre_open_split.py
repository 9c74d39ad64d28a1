"""A split effective today, booked before the open, so that what the broker then tells fits the book.

Of a simulated broker nothing is heard before the day's bar, which tells the split
as well; a real one rescales the position in the night and fills in new shares.
"""

from dataclasses import dataclass
from datetime import date, datetime

from ...adapters.bars.background import fetch
from ...adapters.bars.base import BarSource, last_split_check
from ...adapters.calendar import Calendar
from ...core import rules, windows
from ...core.agent import AgentState
from ...core.events import Event, OrderMoved, SplitApplied
from ...core.orders import Order, OrderState
from ...core.windows import NEW_YORK

NO_SHARE = "a split left no whole share"


@dataclass
class PreOpenSplit:
    """What one agent's source has said about today. ``asked`` is when it answered last."""

    source: BarSource
    calendar: Calendar
    asked: datetime | None = None

    def ratio(self, symbol: str, now: datetime) -> float:
        """The split that holds from today's open, 1 if there is none. Asks the source when due."""
        today = self._today(now)
        if today is None or not self._due(now):
            return 1.0
        ahead = fetch(self.source, symbol, now).ahead
        self.asked = now
        found = 1.0
        for day, ratio in ahead:
            if day == today:
                found *= ratio
        return found

    def known(self, now: datetime) -> bool:
        """Whether today's splits are known, or it is too late to wait for them."""
        today = self._today(now)
        return today is None or not self._due(now) or now > windows.at(today, windows.DAY_FROM)

    def _today(self, now: datetime) -> date | None:
        """The session whose splits hold now: from 04:00 to its close."""
        day = now.astimezone(NEW_YORK).date()
        if not self.calendar.is_session(day):
            return None
        return day if windows.at(day, windows.OPG_FROM) <= now < self.calendar.close_at(day) else None

    def _due(self, now: datetime) -> bool:
        """Whether the source was not asked yet since the last hour at which a split may show."""
        mark = last_split_check(now)
        return mark is not None and (self.asked is None or self.asked < mark)


def today(now: datetime) -> str:
    """New York's date."""
    return now.astimezone(NEW_YORK).date().isoformat()


def applied(state: AgentState, session: str, ratio: float) -> list[Event]:
    """The split on what is held, and on what is planned: quantity floored, stop price turned."""
    found: list[Event] = [SplitApplied(session, ratio, state.book.close)]
    return found + [_rescaled(order, ratio) for order in state.orders if order.state == OrderState.PLANNED]


def _rescaled(order: Order, ratio: float) -> Event:
    qty = int(rules.whole(order.qty, ratio))
    if qty < 1:
        return OrderMoved(order.key, OrderState.CANCELED, NO_SHARE)
    stop = order.stop_price / ratio if order.stop_price else None
    return OrderMoved(order.key, OrderState.PLANNED, qty=qty, stop_price=stop)
