"""Sends, cancels and finds orders over a session.

Everything here runs in the session's loop. An unknown outcome raises Unavailable:
the order stays in doubt and is looked up by its key.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ib_async import Contract, Order

from ....core import rules
from ....core.errors import BadInput, Refused, Unavailable
from ..base import BrokerOrder, NotListed, Ticket
from . import account_gates as gates
from .order_register import REJECTING, OrderReport
from .session import IbkrSession

log = logging.getLogger(__name__)
TAKEN = frozenset({103, 104})
UNCANCELLABLE = frozenset({161, 10147, 10148})
MISSING_PARENT = 10006
"""The entry's own message was lost, which does not mean that IB refuses pairs."""
QUIET = frozenset({399, 2100, 2109, 10349, 202}) | frozenset({2137, 2161, 2163})
"""Errors that come with an accepted order or with a cancel."""
PATIENT = frozenset({105, 165, 329, 404, 434, 492, 10167})
"""Warnings about orders that are accepted a moment later: they do not end the wait for a permId."""


@dataclass(frozen=True)
class Instrument:
    """A stock by its contract id; ``primary`` is its listing exchange (TNA is on ARCA)."""

    symbol: str
    con_id: int
    primary: str
    min_tick: float = 0.01

    @property
    def id(self) -> str:
        """The contract id as agents keep it."""
        return str(self.con_id)

    def contract(self) -> Contract:
        return Contract(
            secType="STK",
            conId=self.con_id,
            symbol=self.symbol,
            exchange="SMART",
            primaryExchange=self.primary,
            currency="USD",
        )


def trigger(price: float, min_tick: float) -> float:
    """A stop price rounded down to the tick, without binary rounding noise."""
    down = float(rules.tick_down(price))
    steps = int(down / min_tick + 1e-6)
    return round(steps * min_tick if min_tick > 0.01 else down, 6)


def order_for(ticket: Ticket, instrument: Instrument, account: str, order_id: int, **more: Any) -> Order:
    """A ticket as an ib_async order; ``tif`` is always set, and it trades in regular hours only."""
    if ticket.qty < 1 or ticket.qty != int(ticket.qty):
        raise BadInput(f"Order {ticket.ref} is for {ticket.qty} shares; a broker takes whole shares from 1.")
    stop: dict[str, Any] = {"auxPrice": trigger(ticket.stop_price, instrument.min_tick)} if ticket.type == "STP" else {}
    if stop and stop["auxPrice"] <= 0:
        raise BadInput(f"Order {ticket.ref} has the stop price {ticket.stop_price}; it must be positive.")
    return Order(
        orderId=order_id,
        action=ticket.side,
        totalQuantity=int(ticket.qty),
        orderType=ticket.type,
        tif=ticket.tif,
        orderRef=ticket.ref,
        account=account,
        outsideRth=False,
        **stop,
        **more,
    )


@dataclass
class OrderBuilder:
    """Sends and cancels for all agents of an account."""

    session: IbkrSession
    pairs: bool = True
    """Whether an entry is sent together with its stop; False once IB refused a pair and accepted the entry alone."""
    _missed: dict[str, float] = field(default_factory=dict)
    _denied: dict[str, float] = field(default_factory=dict)
    _cancel_asked: dict[int, tuple[Any, float]] = field(default_factory=dict)
    """By permId: connection and time of the last cancel request."""

    # -- sending ----------------------------------------------------------

    async def submit(self, parent: Ticket, child: Ticket | None, instrument: Instrument) -> BrokerOrder:
        """The report of ``parent`` once it has a permId. Raises Unavailable otherwise."""
        self._may_send(parent.ref)
        child = child if self.pairs else None
        parent_id, child_id = await self._place(parent, child, instrument)
        code = await self._acknowledged(parent_id, child_id)
        if code in TAKEN:
            self.session.ids.leap()
            answered = await self.session.read_account()
            if self.session.register.by_ref(parent.ref) is None:
                self.session.assure_absent(parent.ref, answered)
                parent_id, child_id = await self._place(parent, child, instrument)
                code = await self._acknowledged(parent_id, child_id)
        answer = await self._final_report(parent)
        await self._no_orphan(answer, child)
        if child is not None and code and (answer is None or self._never_filled(answer)):
            answer = await self._alone(parent, parent_id, instrument, answer, code)
        if child is not None:
            await self._not_idle(child.ref)
        if answer is None:
            raise self._without_trace(parent, code, parent_id, child_id)
        return self.session.register.broker_order(answer, self._executed(answer))

    def _may_send(self, ref: str) -> None:
        config = self.session.config
        config.check_may_order()
        self.session.require()
        again = self._denied.get(ref, -1e9) + self.session.timing.refused_pause
        if asyncio.get_running_loop().time() < again:
            raise Unavailable(f"Interactive Brokers refused {ref} a moment ago; it is not sent again so soon.")
        if gates.near_restart(self.session.clock(), config.restart, config.zone):
            raise Unavailable(
                f"Gateway restarts at {config.restart:%H:%M} where it runs; nothing is sent around that time."
            )

    async def _place(self, parent: Ticket, child: Ticket | None, instrument: Instrument) -> tuple[int, int]:
        """Send both orders together; only the last message makes IB transmit them."""
        session = self.session
        client, account = session.require().client, session.account
        parent_id = session.ids.new(client)
        first = order_for(parent, instrument, account, parent_id, transmit=child is None)
        if child is None:
            client.placeOrder(parent_id, instrument.contract(), first)
            return parent_id, 0
        child_id = session.ids.new(client)
        second = order_for(child, instrument, account, child_id, parentId=parent_id, transmit=True)
        client.placeOrder(parent_id, instrument.contract(), first)
        client.placeOrder(child_id, instrument.contract(), second)
        return parent_id, child_id

    async def _acknowledged(self, parent_id: int, child_id: int) -> int:
        """Wait until IB has given permIds or sent an error. Returns the error's code, or 0."""
        session, register = self.session, self.session.register
        client_id, ids = session.config.client_id, [i for i in (parent_id, child_id) if i]

        def error_code() -> int:
            codes = [code for i in ids for code, _ in register.errors.get((client_id, i), [])]
            serious = [code for code in codes if code not in QUIET and not 2100 <= code < 2200]
            return next((code for code in serious if code in REJECTING), serious[0] if serious else 0)

        def known() -> bool:
            return all(register.by_id(client_id, i) is not None for i in ids)

        def refused() -> bool:
            return error_code() not in (0, *PATIENT)

        await self._until(lambda: known() or refused(), session.timing.acknowledge)
        if refused():
            await self._until(known, session.timing.settle)
        return error_code()

    async def _until(self, done: Callable[[], bool], seconds: float) -> None:
        """Wait for a condition or the end of the time. Raises Unavailable if the connection is lost."""
        session = self.session
        loop = asyncio.get_running_loop()
        end, ib = loop.time() + seconds, session.require()
        while not done() and loop.time() < end:
            self._same(ib)
            try:
                await asyncio.wait_for(_next_update(ib), max(min(end - loop.time(), 0.25), 0.001))
            except TimeoutError:
                continue
        self._same(ib)

    def _same(self, ib: Any) -> None:
        if self.session.require() is not ib:
            raise Unavailable("The connection to TWS ended before it answered; the order is looked up by its key.")

    async def _final_report(self, ticket: Ticket) -> OrderReport | None:
        """The report of a key. If the order has ended or is unknown, the account is read first."""
        register = self.session.register
        found = register.by_ref(ticket.ref)
        if found is not None and not found.over:
            return found
        await self.session.read_account()
        await self._not_idle(ticket.ref)
        return register.by_ref(ticket.ref)

    async def _not_idle(self, ref: str) -> None:
        """Cancel a new order that IB keeps without working it."""
        found = self.session.register.by_ref(ref)
        if found is not None and found.status == "Inactive" and not self.session.register.confirmed(found):
            await self.cancel(ref)

    async def _alone(
        self, parent: Ticket, parent_id: int, instrument: Instrument, before: OrderReport | None, code: int
    ) -> OrderReport | None:
        """Send the entry without its stop, after IB refused the pair; the stop follows after the fill.

        It uses the same order id, so that an entry which exists after all is modified and not
        sent twice. It uses a new id only if IB has reported the end of the first order.
        """
        session = self.session
        client = session.require().client
        order_id = session.ids.new(client) if before is not None else parent_id
        session.register.errors.pop((session.config.client_id, order_id), None)
        order = order_for(parent, instrument, session.account, order_id, transmit=True)
        client.placeOrder(order_id, instrument.contract(), order)
        log.warning("%s: IB refused the entry with its stop; it is sent alone.", parent.ref)
        await self._acknowledged(order_id, 0)
        found = await self._final_report(parent)
        if found is not None and not found.over and code != MISSING_PARENT:
            self.pairs = False
        return found

    def _never_filled(self, report: OrderReport) -> bool:
        """Whether an order has certainly ended without a fill."""
        none = report.filled == 0 and self._executed(report) == 0 and report.status != "Filled"
        return none and report.over and self.session.register.confirmed(report)

    async def _no_orphan(self, parent: OrderReport | None, child: Ticket | None) -> None:
        """Cancel a stop whose entry has ended without a fill: it would sell shares that nobody bought."""
        stop = self.session.register.by_ref(child.ref) if child is not None else None
        if stop is not None and not stop.over and parent is not None and self._never_filled(parent):
            await self.cancel(stop.ref)

    def _without_trace(self, ticket: Ticket, code: int, *ids: int) -> Unavailable:
        """The error for an order that IB does not list: it may have been refused (with an error) or lost."""
        then = f"about {ticket.ref} and does not list it; it is looked up before anything is sent."
        if code in (0, MISSING_PARENT):  # an error about the stop proves nothing about the entry
            return NotListed(
                f"Interactive Brokers sent nothing {then}", "IB sent no answer and does not list the order", False
            )
        client_id, register = self.session.config.client_id, self.session.register
        words = [text for i in ids for c, text in register.errors.get((client_id, i), []) if c == code]
        text = words[0].rstrip(".") if words else ""
        self._denied[ticket.ref] = asyncio.get_running_loop().time()
        return NotListed(f"Interactive Brokers sent error {code} ({text}) {then}", f"IB {code}: {text}", True)

    # -- cancelling -------------------------------------------------------

    async def cancel(self, ref: str) -> None:
        """Request a cancel, and wait a moment for its outcome."""
        left = await self.cancel_many([ref])
        found = self.session.register.by_ref(ref) if left else None
        if found is not None and not self._ours(found):
            raise Refused(
                f"Order {ref} belongs to client id {found.client_id}; cancel it in TWS, or set ibkr_client_id to it."
            )

    async def cancel_many(self, refs: Sequence[str]) -> list[str]:
        """Request all cancels at once, again where IB does not answer. Returns keys not confirmed as ended."""
        session, register = self.session, self.session.register
        session.config.check_may_order()
        if any(s is None or register.lost(s) for s in map(register.by_ref, refs)):
            await session.read_account()
        asked = [s for ref in refs for s in register.unended(ref)]
        for report in asked:
            register.errors.pop((report.client_id, report.order_id), None)
        doubtful = [ref for ref in refs if ref in register.doubtful and register.by_ref(ref) is None]
        if not asked:
            return doubtful
        ours = [s for s in asked if self._ours(s)]
        for seconds in session.timing.cancel:
            for report in self._silent(ours):
                self._ask_cancel(report)
            await self._until(lambda: all(map(self._cancel_answered, ours)), seconds)
        await session.read_account()
        return sorted({s.ref for s in asked if register.unended(s.ref)}) + doubtful

    def _ask_cancel(self, report: OrderReport) -> None:
        ib = self.session.require()
        self._cancel_asked[report.perm_id] = ib, asyncio.get_running_loop().time()
        ib.client.cancelOrder(report.order_id, "")

    def _ours(self, report: OrderReport) -> bool:
        """Whether we may cancel it: IB allows that only to the client that placed the order."""
        return report.client_id == self.session.config.client_id and report.order_id > 0

    def _silent(self, asked: list[OrderReport]) -> list[OrderReport]:
        """Orders whose cancel has to be requested (again): no end, and no recent PendingCancel was reported."""
        known = self.session.register.order_reports
        return [
            s
            for s in asked
            if not self._cancel_answered(s)
            and not (known[s.perm_id].status == "PendingCancel" and self._asked_lately(s))
        ]

    def _asked_lately(self, report: OrderReport) -> bool:
        """Whether the cancel was requested over this connection and not long ago: an older request may be lost."""
        ib, at = self._cancel_asked.get(report.perm_id, (None, 0.0))
        age = asyncio.get_running_loop().time() - at
        return ib is self.session.ib and age < self.session.timing.cancel_again

    def _cancel_answered(self, report: OrderReport) -> bool:
        register = self.session.register
        now = register.order_reports.get(report.perm_id)
        codes = {code for code, _ in register.errors.get((report.client_id, report.order_id), [])}
        return now is None or (now.over and now.status != "Inactive") or bool(codes & UNCANCELLABLE)

    async def cancel_everything(self) -> None:
        """IB's global cancel: orders of every client and manual ones. Only if the user asked for it."""
        self.session.config.check_may_order()
        self.session.require().client.reqGlobalCancel()
        await asyncio.sleep(self.session.timing.settle)
        await self.session.read_account()

    # -- finding ----------------------------------------------------------

    async def find(self, ref: str) -> OrderReport | None:
        """The report of a key. None only after reading the account with answers for open orders, positions, and
        completed orders or executions; otherwise Unavailable names the missing answers. Two reads without a
        result for the same key keep a pause between them, so that they are independent."""
        session, register = self.session, self.session.register
        found = register.by_ref(ref)
        at_once = found is not None and not found.over and (found.type, found.tif) == ("MKT", "DAY")
        await session.fresh(session.timing.unfilled if at_once else math.inf)
        found = register.by_ref(ref)
        if found is not None and not register.lost(found) and (not found.over or register.confirmed(found)):
            self._missed.pop(ref, None)
            return found
        loop = asyncio.get_running_loop()
        pause = (
            max(
                self._missed.get(ref, -1e9) + session.timing.between_looks,
                self._denied.get(ref, -1e9) + session.timing.refused_look,
            )
            - loop.time()
        )
        if pause > 0:
            await asyncio.sleep(pause)
        answered = await session.read_account()
        found = register.by_ref(ref)
        if found is None or register.lost(found):
            session.assure_absent(ref, answered)
            self._missed[ref] = loop.time()
            return None
        self._missed.pop(ref, None)
        return found

    def _executed(self, report: OrderReport) -> int:
        return max((e.cum for e in self.session.register.done(report)), default=0)


async def _next_update(ib: Any) -> None:
    await ib.updateEvent
