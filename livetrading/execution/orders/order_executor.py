"""One agent's orders at its broker: write, send, cancel, and take over what the broker reports.

An order is on disk as PENDING_NEW before it is sent. If the process ends then, the
next start looks for it at the broker by its key. It sends the order again only
after the broker has answered twice that it does not know it.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ...adapters.brokers.base import Broker, NotListed
from ...adapters.calendar import Calendar
from ...adapters.halt import HaltLatch
from ...core.errors import Unavailable
from ...core.events import Event, OrderMoved
from ...core.orders import Cause, Order, OrderState
from ...core.types import AgentStatus, Leg
from ...core.wording import counted
from ..state.agent_repository import AgentRepository
from . import execution_reports
from .order_plans import ticket_of
from .pre_open_check import Objection
from .send_window import SendWindow

log = logging.getLogger(__name__)
_S = OrderState
EntryCheck = Callable[[Order, datetime], Objection | None]
LOOKUPS = 2
CANCEL_AGAIN = timedelta(seconds=20)
"""After this time without an outcome, a cancel is requested again."""


@dataclass
class OrderExecutor:
    """One agent's orders at one broker. Every method may be repeated."""

    repository: AgentRepository
    broker: Broker
    calendar: Calendar
    latch: HaltLatch
    auction: bool = True
    """Whether the broker takes market-on-open orders; otherwise day orders are sent after the open."""
    price_of: execution_reports.PriceOf = execution_reports.as_reported
    sellable: Callable[[], int] | None = None
    """Shares that this agent's orders may sell. None: what the broker holds for this agent."""
    patience: timedelta = timedelta(0)
    """How long shares may be missing before sell orders are cancelled: their fill may still be reported."""
    short_since: datetime | None = None
    stop_refused: datetime | None = None
    """When the broker last refused a protective stop, so that it is not sent every second."""
    _cancel_asked: dict[str, datetime] = field(default_factory=dict)

    @property
    def window(self) -> SendWindow:
        """When its orders may leave."""
        return SendWindow(self.calendar, self.auction, self.repository.state.agent.late_entry == "day")

    # -- sending ----------------------------------------------------------

    def send_due(self, now: datetime, check: EntryCheck = lambda order, now: None) -> list[Order]:
        """Send what may leave now, end what is too late. Returns the orders sent.

        ``check`` is called before an entry is sent: is its decision still valid?
        """
        sent = []
        for order in self.repository.state.open_orders():
            if order.state != _S.PLANNED or order.parent is not None:
                continue
            if self.repository.state.order(order.key) != order:
                continue  # changed while an earlier order was sent
            barred = self.barred() if order.leg == Leg.ENTRY else None
            if barred:
                self.drop(order, _S.CANCELED, barred, now)
            elif self._leave_or_drop(order, check, now):
                sent.append(order)
        return sent

    def _leave_or_drop(self, order: Order, check: EntryCheck, now: datetime) -> bool:
        """Whether it was sent. An entry that cannot be checked waits until its window ends."""
        due, late = self.window.is_open(order, now), self.window.too_late(order, now)
        doubt = check(order, now) if order.leg == Leg.ENTRY and (due or late) else None
        if due and doubt is None:
            return self.send(order, now)
        if due and doubt is not None and doubt.final:
            self.drop(order, _S.CANCELED, doubt.reason, now)
        elif late:
            until = self.window.entry_until(order)
            reason = doubt.reason if doubt else f"not sent by {until:%H:%M} New York of its session"
            self.drop(order, _S.EXPIRED, reason, now)
        return False

    def barred(self) -> str | None:
        """Why nothing may be bought now; None if buying is allowed. Called before every entry."""
        if self.latch.status() is not None:
            return "the emergency stop is set"
        status = self.repository.state.status
        return None if status == AgentStatus.RUNNING else f"the agent is {status}"

    def send(self, order: Order, now: datetime) -> bool:
        """Write, then send. False: it cannot be sent yet and stays planned."""
        state = self.repository.state
        child = next((o for o in state.open_orders(Leg.STOP) if o.parent == order.key), None)
        day = order.leg != Leg.STOP and order.tif == "OPG" and not self.window.at_open(order, now)
        tif = "DAY" if day else None
        if order.leg == Leg.EXIT:
            if self.withdraw_ended(now):
                return False  # the broker still works an earlier exit: both could sell
            if not self._stops_cancelled(now):
                if day:  # its window is open: from now on it waits only for the end of the stop
                    self.repository.commit([OrderMoved(order.key, _S.PLANNED, tif=tif)], now)
                return False
            if self.repository.state.flat:
                self.drop(order, _S.CANCELED, "the stop filled first", now)
                return False
            if self.for_sale() < self.repository.state.book.shares:
                return False  # the position is not reported yet, or the shares differ
        # A split booked since the plan changed what there is to sell.
        held = self.repository.state.book.shares
        qty = held if order.leg == Leg.EXIT and order.qty != held else None
        moves = [OrderMoved(order.key, _S.PENDING_NEW, qty=qty, tif=tif)]
        if child is not None:
            moves.append(OrderMoved(child.key, _S.PENDING_NEW))
        self.repository.commit([*moves], now)
        return self.deliver(order.key, child, now)

    def deliver(self, key: str, child: Order | None, now: datetime) -> bool:
        """Send an order that is on record as PENDING_NEW. Returns whether the broker accepted it."""
        order = self.repository.state.order(key)
        assert order is not None
        # Check again: an emergency stop may have been set during the commit.
        if order.leg == Leg.ENTRY and (barred := self.barred()):
            self.give_up(order, barred, now)
            return False
        if order.side == "SELL" and (theirs := self.for_sale()) < order.qty:
            self.give_up(order, f"the broker holds {counted(theirs, 'share')}", now)
            return False
        try:
            answer = self.broker.submit(ticket_of(order), ticket_of(child) if child is not None else None, now)
        except NotListed as error:
            log.warning("%s: %s", key, error)
            if error.refused or order.leg == Leg.EXIT:
                # The position needs its stop back, also if the broker does not answer the question for this order.
                self.repository.commit([OrderMoved(key, _S.PENDING_NEW, complaint=error.reason)], now)
            return False
        except Unavailable as error:
            # Whether it arrived is unknown: it stays PENDING_NEW, and order recovery looks it up.
            log.warning("%s: no answer to the order: %s", key, error)
            return False
        moves: list[Event] = [execution_reports.moved(order, execution_reports.believed(order, answer, order.filled))]
        if child is not None:
            moves += self._child_moves(child)
        self.repository.commit(moves, now)
        accepted = answer.state not in (_S.REJECTED, _S.CANCELED)
        if order.leg == Leg.STOP:
            self.stop_refused = None if accepted else now
        return accepted

    def _child_moves(self, child: Order) -> list[Event]:
        """The state of the stop that was sent with an accepted entry. Empty while the broker does not answer: the
        entry is on record anyway, and its stop is looked up by its key."""
        try:
            reply = self.broker.find(child.key)
        except Unavailable as error:
            log.warning("%s: no answer about the stop: %s", child.key, error)
            return []
        if reply is None:
            return [OrderMoved(child.key, _S.REJECTED, "the broker took the entry without its stop")]
        return [execution_reports.moved(child, execution_reports.believed(child, reply, child.filled))]

    def for_sale(self) -> int:
        """Shares that this agent's orders may sell at most, as the broker reports them."""
        return max(self.sellable() if self.sellable else self.broker.position(), 0)

    def _stops_cancelled(self, now: datetime) -> bool:
        """Cancel the protective stop before an exit, so that they never sell the same shares."""
        for stop in self.repository.state.open_orders(Leg.STOP):
            if stop.state == _S.PENDING_CANCEL or self.repository.state.order(stop.key) != stop:
                continue  # requested already, or changed by a report that came meanwhile
            if stop.at_broker:
                self.cancel(stop.key, "an exit takes its place", now)
            else:
                self.drop(stop, _S.CANCELED, "an exit takes its place", now)
        return not self.repository.state.open_orders(Leg.STOP)

    # -- cancelling -------------------------------------------------------

    def drop(self, order: Order, state: OrderState, reason: str, now: datetime, cause: Cause = Cause.NONE) -> None:
        """End an order that was never sent, and its stop."""
        children = [o for o in self.repository.state.open_orders() if o.parent == order.key and o.state == _S.PLANNED]
        self.repository.commit([OrderMoved(o.key, state, reason, cause=cause) for o in (order, *children)], now)

    def withdraw_ended(self, now: datetime) -> list[str]:
        """Cancel orders that the broker works although the book has them as ended: it refused them first and listed
        them later. Together with the stop or another exit they could sell more than is held. Returns their keys."""
        state = self.repository.state
        ended = {o.key for o in state.recent}
        late = [key for key in self.broker.unknown([o.key for o in state.orders]) if key in ended]
        for key in late:
            self.broker.cancel(key, now)
        return late

    def withdraw_entries(self, reason: str, now: datetime, cause: Cause = Cause.NONE) -> None:
        """Cancel every open entry, whether it is only planned or at the broker."""
        for order in self.repository.state.open_orders(Leg.ENTRY):
            if order.state == _S.PLANNED:
                self.drop(order, _S.CANCELED, reason, now, cause)
            elif order.state != _S.PENDING_CANCEL:
                self.cancel(order.key, reason, now, cause)

    def cancel(self, key: str, reason: str, now: datetime, cause: Cause = Cause.NONE) -> None:
        """Request the cancel; the order ends when the broker reports its end."""
        self.repository.commit([OrderMoved(key, _S.PENDING_CANCEL, reason, cause=cause)], now)
        self.request_cancel(key, now)

    def request_cancel(self, key: str, now: datetime) -> None:
        """Request the cancel of an order that is on record as PENDING_CANCEL."""
        self._cancel_asked[key] = now
        try:
            self.broker.cancel(key, now)
        except Unavailable as error:
            log.warning("%s: no answer to the cancel: %s", key, error)
            return
        self.sync(now)

    def cancel_unanswered(self, key: str, now: datetime) -> bool:
        """Whether a cancel must be requested again: the last request is old, or from an earlier process or connection."""
        asked, since = self._cancel_asked.get(key), self.broker.since()
        return asked is None or now - asked >= CANCEL_AGAIN or (since is not None and since >= asked)

    # -- what the broker reports of them -----------------------------------

    def known(self, order: Order) -> bool:
        """Whether the broker knows it. It is asked twice before the answer is no."""
        return any(self.broker.find(order.key) is not None for _ in range(LOOKUPS))

    def give_up(self, order: Order, reason: str, now: datetime) -> None:
        """End an order that did not reach the broker, and its stop."""
        children = [o for o in self.repository.state.open_orders(Leg.STOP) if o.parent == order.key]
        self.repository.commit([OrderMoved(o.key, _S.CANCELED, reason) for o in (order, *children)], now)

    def sync(self, now: datetime) -> None:
        """Take over the broker's order reports and executions.

        Not while it has traded a session that is not booked: its fills come after
        that session's split and dividend, so the booking of the session takes them over.
        """
        if self.broker.traded() > (self.repository.state.booked or ""):
            return
        events = execution_reports.news(self.repository.state, self.broker, self.price_of)
        if events:
            self.repository.commit(events, now)
