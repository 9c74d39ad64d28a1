"""A split that is effective today, booked before the open, so that the broker's reports fit the book.

A real broker rescales the position overnight, and its fills count new shares. A simulated
broker reports nothing before the day's bar, and that bar contains the split.
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
    """Today's splits of one agent, from its source. ``asked`` is the time of the source's last answer."""

    source: BarSource
    calendar: Calendar
    asked: datetime | None = None

    def ratio(self, symbol: str, now: datetime) -> float:
        """The ratio of a split effective at today's open, 1.0 if there is none. Asks the source when due."""
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
        """Today's session between 04:00 New York time and its close, otherwise None."""
        day = now.astimezone(NEW_YORK).date()
        if not self.calendar.is_session(day):
            return None
        return day if windows.at(day, windows.OPG_FROM) <= now < self.calendar.close_at(day) else None

    def _due(self, now: datetime) -> bool:
        """Whether the source has to be asked again: there was an hour since then at which it may publish a split."""
        mark = last_split_check(now)
        return mark is not None and (self.asked is None or self.asked < mark)


def today(now: datetime) -> str:
    """New York's date."""
    return now.astimezone(NEW_YORK).date().isoformat()


def applied(state: AgentState, session: str, ratio: float) -> list[Event]:
    """The split of the shares held and of planned orders: quantities rounded down, stop prices divided."""
    found: list[Event] = [SplitApplied(session, ratio, state.book.close)]
    return found + [_rescaled(order, ratio) for order in state.orders if order.state == OrderState.PLANNED]


def _rescaled(order: Order, ratio: float) -> Event:
    qty = int(rules.whole(order.qty, ratio))
    if qty < 1:
        return OrderMoved(order.key, OrderState.CANCELED, NO_SHARE)
    stop = order.stop_price / ratio if order.stop_price else None
    return OrderMoved(order.key, OrderState.PLANNED, qty=qty, stop_price=stop)
