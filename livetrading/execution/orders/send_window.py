"""When an order may leave for the broker: at the open of its session, or during it."""

from dataclasses import dataclass
from datetime import date, datetime, time

from ...adapters.calendar import Calendar
from ...core import windows
from ...core.orders import Order
from ...core.types import Leg


@dataclass(frozen=True)
class SendWindow:
    """The windows of one agent's orders. ``auction``: its broker takes market-on-open orders;
    ``late_entry``: an entry that missed the open may go after it."""

    calendar: Calendar
    auction: bool
    late_entry: bool

    def session(self, order: Order) -> date:
        """The session at whose open a decision of ``order.bar`` trades."""
        return self.calendar.next_session(date.fromisoformat(order.bar))

    def is_open(self, order: Order, now: datetime) -> bool:
        """Whether the order may leave at ``now``."""
        if order.leg == Leg.STOP:
            return True
        session = self.session(order)
        if order.leg == Leg.ENTRY:
            return self.at_open(order, now) or (self.by_day(order) and windows.for_late_entry(session, now))
        if order.tif == "DAY":
            return not windows.day_orders_refused(now)
        return self.at_open(order, now) or windows.for_day(session, self.calendar.close_at(session), now)

    def at_open(self, order: Order, now: datetime) -> bool:
        """Whether it may be sent as a market-on-open order now."""
        return self.auction and order.tif == "OPG" and windows.for_open(self.session(order), now)

    def by_day(self, order: Order) -> bool:
        """Whether an entry may still be sent as a day order after the open."""
        return not self.auction or order.tif == "DAY" or self.late_entry

    def too_late(self, order: Order, now: datetime) -> bool:
        """Whether the last moment has passed at which it could leave."""
        session = self.session(order)
        if order.leg == Leg.ENTRY:
            return now > windows.at(session, self.entry_until(order))
        if order.leg == Leg.STOP or order.tif == "DAY":
            return False
        return now > windows.day_until(self.calendar.close_at(session))

    def entry_until(self, order: Order) -> time:
        """The New York time of its session after which an entry is not sent."""
        return windows.ENTRY_UNTIL if self.by_day(order) else windows.OPG_UNTIL

    def exit_may_go_again(self, order: Order, now: datetime) -> bool:
        """Whether an exit that did not arrive can be sent again at once, as it is or as a day order."""
        session = self.session(order)
        if order.tif == "DAY":
            return not windows.day_orders_refused(now)
        return windows.may_recover(session, now) or windows.for_day(session, self.calendar.close_at(session), now)
