"""Orders out, statements in: write, send, recover, sync.

An order is durable as PENDING_NEW before it leaves. Whatever the process does
then, the next start finds it by its key at the broker, and sends it again only
after the broker has twice said that it does not know it.
"""

import logging
from dataclasses import dataclass
from datetime import date, datetime

from ..adapters.brokers.base import Broker, BrokerOrder, Execution, Ticket
from ..adapters.calendar import Calendar
from ..adapters.halt import HaltLatch
from ..adapters.stamps import stamp
from ..core import windows
from ..core.errors import Unavailable
from ..core.events import Event, Filled, OrderMoved, OrderPlanned
from ..core.orders import Order, OrderState
from ..core.types import Leg
from .dossier import Dossier

log = logging.getLogger(__name__)
_S = OrderState
LOOKUPS = 2


def ticket_of(order: Order) -> Ticket:
    """An order as it leaves us."""
    tif = "GTC" if order.leg == Leg.STOP else order.tif
    price = order.stop_price if order.leg == Leg.STOP else 0.0
    return Ticket(order.key, order.side, order.qty, order.type, tif, price)


@dataclass
class OrderExecutor:
    """One agent's orders at one broker. Every method may be repeated."""

    dossier: Dossier
    broker: Broker
    calendar: Calendar
    latch: HaltLatch

    # -- planning ---------------------------------------------------------

    def entry(self, bar: str, qty: int, stop_price: float, now: datetime) -> list[Event]:
        """A market-on-open purchase, and the protective stop that its fill activates."""
        state, at = self.dossier.state, stamp(now)
        buy = Order(
            state.next_key(bar, Leg.ENTRY), Leg.ENTRY, qty, bar, stop_price=stop_price,
            created=at, updated=at,
        )
        stop = self._stop(bar, qty, stop_price, buy.key, at)
        return [OrderPlanned(buy.to_dict()), OrderPlanned(stop.to_dict())]

    def exit(self, bar: str, now: datetime, tif: str = "OPG", reason: str = "") -> list[Event]:
        """A sale of everything held: at the open (OPG), or as soon as it may go (DAY)."""
        state, at = self.dossier.state, stamp(now)
        order = Order(
            state.next_key(bar, Leg.EXIT), Leg.EXIT, state.book.shares, bar, tif=tif,
            reason=reason, created=at, updated=at,
        )
        return [OrderPlanned(order.to_dict())]

    def _stop(self, bar: str, qty: int, price: float, parent: str | None, at: str) -> Order:
        key = self.dossier.state.next_key(bar, Leg.STOP)
        return Order(
            key, Leg.STOP, qty, bar, "STP", "GTC", price, parent, created=at, updated=at
        )

    # -- sending ----------------------------------------------------------

    def send_due(self, now: datetime) -> list[Order]:
        """Send what may leave now, drop what came too late; the orders sent."""
        sent = []
        for order in self.dossier.state.open_orders():
            if order.state != _S.PLANNED or order.parent is not None:
                continue
            if self.dossier.state.order(order.key) != order:
                continue  # moved by an order before it
            if order.leg == Leg.ENTRY and self.latch.status() is not None:
                self.drop(order, _S.CANCELED, "the emergency stop is set", now)
            elif self._window(order, now) and self._send(order, now):
                sent.append(order)
            elif self._too_late(order, now):
                self.drop(order, _S.EXPIRED, "not sent by 09:20 New York of its session", now)
        return sent

    def _session(self, order: Order) -> date:
        """The session at whose open a decision of ``order.bar`` trades."""
        return self.calendar.next_session(date.fromisoformat(order.bar))

    def _window(self, order: Order, now: datetime) -> bool:
        if order.leg == Leg.STOP:
            return True
        if order.tif == "DAY":
            return not windows.settling(now)
        session = self._session(order)
        late_exit = order.leg == Leg.EXIT and windows.for_day(session, now)
        return windows.for_open(session, now) or late_exit

    def _too_late(self, order: Order, now: datetime) -> bool:
        if order.leg == Leg.STOP or order.tif == "DAY":
            return False
        last = windows.OPG_UNTIL if order.leg == Leg.ENTRY else windows.DAY_UNTIL
        return now > windows.at(self._session(order), last)

    def _send(self, order: Order, now: datetime) -> bool:
        """Write, then send. False: it could not go yet and stays planned."""
        state = self.dossier.state
        child = next((o for o in state.open_orders(Leg.STOP) if o.parent == order.key), None)
        if order.leg == Leg.EXIT:
            if not self._stops_cancelled(now):
                return False
            if self.dossier.state.flat:
                self.drop(order, _S.CANCELED, "the stop filled first", now)
                return False
        day = order.leg == Leg.EXIT and order.tif == "OPG" and not windows.for_open(self._session(order), now)
        tif = "DAY" if day else None
        moves = [OrderMoved(order.key, _S.PENDING_NEW, tif=tif)]
        if child is not None:
            moves.append(OrderMoved(child.key, _S.PENDING_NEW))
        self.dossier.commit([*moves], now)
        return self._deliver(order.key, child, now)

    def _deliver(self, key: str, child: Order | None, now: datetime) -> bool:
        order = self.dossier.state.order(key)
        assert order is not None
        try:
            answer = self.broker.submit(ticket_of(order), child and ticket_of(child), now)
        except Unavailable as error:
            # Whether it arrived is unknown: it stays PENDING_NEW and is looked up.
            log.warning("%s: no answer to the order: %s", key, error)
            return False
        moves: list[Event] = [self._statement(order, answer)]
        if child is not None:
            reply = self.broker.find(child.key)
            moves.append(
                self._statement(child, reply)
                if reply
                else OrderMoved(child.key, _S.REJECTED, "the broker took the entry without its stop")
            )
        self.dossier.commit(moves, now)
        return answer.state not in (_S.REJECTED, _S.CANCELED)

    def _stops_cancelled(self, now: datetime) -> bool:
        """Take the protective stop away before an exit: never both on sale."""
        for stop in self.dossier.state.open_orders(Leg.STOP):
            if stop.at_broker:
                self.cancel(stop.key, "an exit takes its place", now)
            else:
                self.drop(stop, _S.CANCELED, "an exit takes its place", now)
        return not self.dossier.state.open_orders(Leg.STOP)

    # -- cancelling -------------------------------------------------------

    def drop(self, order: Order, state: OrderState, reason: str, now: datetime) -> None:
        """End an order that never left, and the stop that would have come with it."""
        children = [
            o for o in self.dossier.state.open_orders() if o.parent == order.key and o.state == _S.PLANNED
        ]
        self.dossier.commit([OrderMoved(o.key, state, reason) for o in (order, *children)], now)

    def cancel(self, key: str, reason: str, now: datetime) -> None:
        """Ask the broker; the order ends when the broker says so."""
        self.dossier.commit([OrderMoved(key, _S.PENDING_CANCEL, reason)], now)
        try:
            self.broker.cancel(key, now)
        except Unavailable as error:
            log.warning("%s: no answer to the cancel: %s", key, error)
            return
        self.sync(now)

    # -- what became of them ----------------------------------------------

    def recover(self, now: datetime) -> None:
        """Resolve what an earlier process, or a silent broker, left in doubt."""
        self.sync(now)
        for order in self.dossier.state.open_orders():
            if order.state == _S.PENDING_CANCEL and self.broker.find(order.key) is not None:
                self.cancel(order.key, "asked again", now)
            elif order.state == _S.PENDING_NEW and order.parent is None:
                self._resend(order, now)

    def _resend(self, order: Order, now: datetime) -> None:
        if any(self.broker.find(order.key) is not None for _ in range(LOOKUPS)):
            return self.sync(now)
        children = [o for o in self.dossier.state.open_orders(Leg.STOP) if o.parent == order.key]
        opening = order.leg == Leg.ENTRY
        halted = opening and self.latch.status() is not None
        session = self._session(order)
        if halted or (order.tif == "OPG" and not windows.may_recover(session, now)):
            reason = "the emergency stop is set" if halted else "it did not reach the broker in time"
            moves: list[Event] = [OrderMoved(o.key, _S.CANCELED, reason) for o in (order, *children)]
            self.dossier.commit(moves, now)
            return None
        self._deliver(order.key, children[0] if children else None, now)
        return None

    def sync(self, now: datetime) -> None:
        """Take over the broker's statements and executions."""
        events = self.news()
        if events:
            self.dossier.commit(events, now)

    def news(self) -> list[Event]:
        """What the broker says that the book does not hold yet; nothing is written."""
        state = self.dossier.state
        found: list[Event] = []
        fills = [e for e in self.broker.executions() if e.exec_id not in state.book.executions]
        for order in state.open_orders():
            if not order.at_broker:
                continue
            answer = self.broker.find(order.key)
            if answer is not None and self._changed(order, answer):
                found.append(self._statement(order, answer))
        known = [self._filled(fill) for fill in fills if state.order(fill.ref) is not None]
        return [*found, *known]

    @staticmethod
    def _changed(order: Order, answer: BrokerOrder) -> bool:
        waiting = order.state == _S.PENDING_CANCEL and answer.state == _S.NEW
        moved = order.state != answer.state and not waiting
        return moved or order.filled != answer.filled or order.qty != answer.qty or (
            order.leg == Leg.STOP and order.stop_price != answer.stop_price
        )

    @staticmethod
    def _statement(order: Order, answer: BrokerOrder) -> OrderMoved:
        """The broker's word on an order, and the only source of a terminal state."""
        stop = answer.stop_price if order.leg == Leg.STOP else None
        return OrderMoved(
            order.key, str(answer.state), answer.reason, answer.broker_id, answer.filled, answer.qty, stop
        )

    def _filled(self, fill: Execution) -> Filled:
        order = self.dossier.state.order(fill.ref)
        assert order is not None
        stop = 0.0
        if order.leg == Leg.ENTRY:
            children = [o for o in self.dossier.state.open_orders(Leg.STOP) if o.parent == order.key]
            answer = self.broker.find(children[0].key) if children else None
            stop = answer.stop_price if answer else order.stop_price
        return Filled(
            fill.exec_id, fill.ref, str(order.leg), fill.session, fill.qty, fill.price, fill.fee, stop
        )

    def protect(self, now: datetime) -> list[str]:
        """Exactly one stop of the position's size; what was mended, in words."""
        state = self.dossier.state
        if state.flat or state.open_orders(Leg.EXIT):
            return []
        stops = state.open_orders(Leg.STOP)
        if any(o.qty == state.book.shares for o in stops):
            return []
        if any(o.at_broker for o in stops):
            return [f"the protective stop covers {stops[0].qty} of {state.book.shares} shares"]
        bar = state.booked or state.deployed_at[:10]
        stop = self._stop(bar, state.book.shares, float(state.book.account.stop), None, stamp(now))
        self.dossier.commit([OrderPlanned(stop.to_dict())], now)
        self._send(stop, now)
        return [f"the protective stop was missing and was placed again at {stop.stop_price:.2f}"]
