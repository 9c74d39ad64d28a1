"""One agent's orders at its broker: write, send, cancel, and take over what the broker reports.

An order is durable as PENDING_NEW before it leaves. Whatever the process does
then, the next start finds it by its key at the broker, and sends it again only
after the broker has twice said that it does not know it.
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
from .pre_open_check import Look
from .send_window import SendWindow

log = logging.getLogger(__name__)
_S = OrderState
LookAgain = Callable[[Order, datetime], Look | None]
LOOKUPS = 2
CANCEL_AGAIN = timedelta(seconds=20)
"""So long a cancel may stay without its outcome before it is asked for again."""


@dataclass
class OrderExecutor:
    """One agent's orders at one broker. Every method may be repeated."""

    repository: AgentRepository
    broker: Broker
    calendar: Calendar
    latch: HaltLatch
    auction: bool = True
    """Whether the broker takes market-on-open orders; else they go as day orders after it."""
    price_of: execution_reports.PriceOf = execution_reports.as_reported
    sellable: Callable[[], int] | None = None
    """Shares that may be on sale; without it those that the broker holds for this agent."""
    patience: timedelta = timedelta(0)
    """So long shares may be missing before sales are taken back for it: they may be on their way."""
    short_since: datetime | None = None
    stop_refused: datetime | None = None
    """When the broker last refused a protective stop: it is not asked every second."""
    _cancel_asked: dict[str, datetime] = field(default_factory=dict)

    @property
    def window(self) -> SendWindow:
        """When its orders may leave."""
        return SendWindow(self.calendar, self.auction, self.repository.state.agent.late_entry == "day")

    # -- sending ----------------------------------------------------------

    def send_due(self, now: datetime, look: LookAgain = lambda order, now: None) -> list[Order]:
        """Send what may leave now, drop what came too late; the orders sent.

        ``look`` is asked before an entry leaves whether its decision still stands.
        """
        sent = []
        for order in self.repository.state.open_orders():
            if order.state != _S.PLANNED or order.parent is not None:
                continue
            if self.repository.state.order(order.key) != order:
                continue  # moved by an order before it
            barred = self.barred() if order.leg == Leg.ENTRY else None
            if barred:
                self.drop(order, _S.CANCELED, barred, now)
            elif self._leave_or_drop(order, look, now):
                sent.append(order)
        return sent

    def _leave_or_drop(self, order: Order, look: LookAgain, now: datetime) -> bool:
        """Whether it was sent. An entry that cannot be looked at waits until its window ends."""
        due, late = self.window.is_open(order, now), self.window.too_late(order, now)
        doubt = look(order, now) if order.leg == Leg.ENTRY and (due or late) else None
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
        """Why nothing may be bought now: read before every opening order."""
        if self.latch.status() is not None:
            return "the emergency stop is set"
        status = self.repository.state.status
        return None if status == AgentStatus.RUNNING else f"the agent is {status}"

    def send(self, order: Order, now: datetime) -> bool:
        """Write, then send. False: it could not go yet and stays planned."""
        state = self.repository.state
        child = next((o for o in state.open_orders(Leg.STOP) if o.parent == order.key), None)
        day = order.leg != Leg.STOP and order.tif == "OPG" and not self.window.at_open(order, now)
        tif = "DAY" if day else None
        if order.leg == Leg.EXIT:
            if self.withdraw_ended(now):
                return False  # an earlier exit works after all: both could sell
            if not self._stops_cancelled(now):
                if day:  # its hour has come: it waits for the stop's end, not for a window
                    self.repository.commit([OrderMoved(order.key, _S.PLANNED, tif=tif)], now)
                return False
            if self.repository.state.flat:
                self.drop(order, _S.CANCELED, "the stop filled first", now)
                return False
            if self.for_sale() < self.repository.state.book.shares:
                return False  # the position is still on its way, or a difference that blocks
        # A split booked since the plan changed what there is to sell.
        held = self.repository.state.book.shares
        qty = held if order.leg == Leg.EXIT and order.qty != held else None
        moves = [OrderMoved(order.key, _S.PENDING_NEW, qty=qty, tif=tif)]
        if child is not None:
            moves.append(OrderMoved(child.key, _S.PENDING_NEW))
        self.repository.commit([*moves], now)
        return self.deliver(order.key, child, now)

    def deliver(self, key: str, child: Order | None, now: datetime) -> bool:
        """Hand the broker an order that is on record as PENDING_NEW; whether it was accepted."""
        order = self.repository.state.order(key)
        assert order is not None
        # Read once more: the commit took its time, and a stop may have come meanwhile.
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
                # A position waits for its stop: it does not depend on whether the broker speaks.
                self.repository.commit([OrderMoved(key, _S.PENDING_NEW, complaint=error.reason)], now)
            return False
        except Unavailable as error:
            # Whether it arrived is unknown: it stays PENDING_NEW and is looked up.
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
        """What became of the stop that went with an accepted entry. Nothing while the broker cannot tell: the
        entry is on record all the same, and its stop is looked up by its key."""
        try:
            reply = self.broker.find(child.key)
        except Unavailable as error:
            log.warning("%s: no answer about the stop: %s", child.key, error)
            return []
        if reply is None:
            return [OrderMoved(child.key, _S.REJECTED, "the broker took the entry without its stop")]
        return [execution_reports.moved(child, execution_reports.believed(child, reply, child.filled))]

    def for_sale(self) -> int:
        """Shares that this agent's orders may sell at most, by the broker's word."""
        return max(self.sellable() if self.sellable else self.broker.position(), 0)

    def _stops_cancelled(self, now: datetime) -> bool:
        """Take the protective stop away before an exit: never both on sale."""
        for stop in self.repository.state.open_orders(Leg.STOP):
            if stop.state == _S.PENDING_CANCEL or self.repository.state.order(stop.key) != stop:
                continue  # asked for already, or moved by the answer about an earlier one
            if stop.at_broker:
                self.cancel(stop.key, "an exit takes its place", now)
            else:
                self.drop(stop, _S.CANCELED, "an exit takes its place", now)
        return not self.repository.state.open_orders(Leg.STOP)

    # -- cancelling -------------------------------------------------------

    def drop(self, order: Order, state: OrderState, reason: str, now: datetime, cause: Cause = Cause.NONE) -> None:
        """End an order that never left, and the stop that would have come with it."""
        children = [o for o in self.repository.state.open_orders() if o.parent == order.key and o.state == _S.PLANNED]
        self.repository.commit([OrderMoved(o.key, state, reason, cause=cause) for o in (order, *children)], now)

    def withdraw_ended(self, now: datetime) -> list[str]:
        """Cancel what works at the broker and has ended in the book: the broker lists it too late, after it had
        refused it. Its keys. Together with the stop, or another exit, it could sell more than is held."""
        state = self.repository.state
        ended = {o.key for o in state.recent}
        late = [key for key in self.broker.unknown([o.key for o in state.orders]) if key in ended]
        for key in late:
            self.broker.cancel(key, now)
        return late

    def withdraw_entries(self, reason: str, now: datetime, cause: Cause = Cause.NONE) -> None:
        """Cancel every purchase that has not filled, here or at the broker."""
        for order in self.repository.state.open_orders(Leg.ENTRY):
            if order.state == _S.PLANNED:
                self.drop(order, _S.CANCELED, reason, now, cause)
            elif order.state != _S.PENDING_CANCEL:
                self.cancel(order.key, reason, now, cause)

    def cancel(self, key: str, reason: str, now: datetime, cause: Cause = Cause.NONE) -> None:
        """Ask the broker; the order ends when the broker says so."""
        self.repository.commit([OrderMoved(key, _S.PENDING_CANCEL, reason, cause=cause)], now)
        self.request_cancel(key, now)

    def request_cancel(self, key: str, now: datetime) -> None:
        """Ask the broker to cancel an order that is on record as PENDING_CANCEL."""
        self._cancel_asked[key] = now
        try:
            self.broker.cancel(key, now)
        except Unavailable as error:
            log.warning("%s: no answer to the cancel: %s", key, error)
            return
        self.sync(now)

    def cancel_unanswered(self, key: str, now: datetime) -> bool:
        """Whether a cancel was asked for long ago, by an earlier process, or over an earlier connection."""
        asked, since = self._cancel_asked.get(key), self.broker.since()
        return asked is None or now - asked >= CANCEL_AGAIN or (since is not None and since >= asked)

    # -- what the broker reports of them -----------------------------------

    def known(self, order: Order) -> bool:
        """Whether the broker knows it: asked twice before the answer is no."""
        return any(self.broker.find(order.key) is not None for _ in range(LOOKUPS))

    def give_up(self, order: Order, reason: str, now: datetime) -> None:
        """End an order that the broker twice did not know, and the stop that went with it."""
        children = [o for o in self.repository.state.open_orders(Leg.STOP) if o.parent == order.key]
        self.repository.commit([OrderMoved(o.key, _S.CANCELED, reason) for o in (order, *children)], now)

    def sync(self, now: datetime) -> None:
        """Take over the broker's statements and executions.

        Not while it has traded a session that is not booked: fills belong after
        that session's split and dividend, so its booking takes them over.
        """
        if self.broker.traded() > (self.repository.state.booked or ""):
            return
        events = execution_reports.news(self.repository.state, self.broker, self.price_of)
        if events:
            self.repository.commit(events, now)
