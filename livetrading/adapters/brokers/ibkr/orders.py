"""Orders in and out of a session: write, await a permId, look again before believing.

Everything here runs in the session's loop. What is not known is Unavailable:
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
"""The entry's own message was lost: that says nothing about pairs."""
QUIET = frozenset({399, 2100, 2109, 10349, 202}) | frozenset({2137, 2161, 2163})
"""Errors that accompany an order which was accepted, or that a cancel brings."""
PATIENT = frozenset({105, 165, 329, 404, 434, 492, 10167})
"""Warnings about orders that are accepted a moment later: they do not end the wait for it."""


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
    """A stop price on the tick, rounded down, without the noise of binary fractions."""
    down = float(rules.tick_down(price))
    steps = int(down / min_tick + 1e-6)
    return round(steps * min_tick if min_tick > 0.01 else down, 6)


def order_for(ticket: Ticket, instrument: Instrument, account: str, order_id: int, **more: Any) -> Order:
    """A ticket as ib_async sends it; ``tif`` is always set and nothing trades outside regular hours."""
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
    """Whether an entry may carry its stop; IB's refusal of a pair that it takes alone turns it off."""
    _missed: dict[str, float] = field(default_factory=dict)
    _denied: dict[str, float] = field(default_factory=dict)
    _cancel_asked: dict[int, tuple[Any, float]] = field(default_factory=dict)
    """By permId: over which connection a cancel was asked for last, and when."""

    # -- sending ----------------------------------------------------------

    async def submit(self, parent: Ticket, child: Ticket | None, instrument: Instrument) -> BrokerOrder:
        """The broker's statement on ``parent`` once it carries a permId, else Unavailable."""
        self._may_send(parent.ref)
        child = child if self.pairs else None
        parent_id, child_id = await self._place(parent, child, instrument)
        code = await self._word(parent_id, child_id)
        if code in TAKEN:
            self.session.ids.leap()
            answered = await self.session.look()
            if self.session.register.by_ref(parent.ref) is None:
                self.session.assure_absent(parent.ref, answered)
                parent_id, child_id = await self._place(parent, child, instrument)
                code = await self._word(parent_id, child_id)
        answer = await self._settled(parent)
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
            raise Unavailable(f"Gateway restarts at {config.restart:%H:%M} where it runs; nothing is sent near it.")

    async def _place(self, parent: Ticket, child: Ticket | None, instrument: Instrument) -> tuple[int, int]:
        """Both messages leave in one piece; only the last one sets them going."""
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

    async def _word(self, parent_id: int, child_id: int) -> int:
        """Wait until IB has given permIds or complained; the complaint's code, else 0."""
        session, register = self.session, self.session.register
        client_id, ids = session.config.client_id, [i for i in (parent_id, child_id) if i]

        def complaint() -> int:
            codes = [code for i in ids for code, _ in register.words.get((client_id, i), [])]
            loud = [code for code in codes if code not in QUIET and not 2100 <= code < 2200]
            return next((code for code in loud if code in REJECTING), loud[0] if loud else 0)

        def known() -> bool:
            return all(register.by_id(client_id, i) is not None for i in ids)

        def refused() -> bool:
            return complaint() not in (0, *PATIENT)

        await self._until(lambda: known() or refused(), session.timing.acknowledge)
        if refused():
            await self._until(known, session.timing.settle)
        return complaint()

    async def _until(self, done: Callable[[], bool], seconds: float) -> None:
        """Wait for a condition, the time, or the loss of the connection (Unavailable)."""
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

    async def _settled(self, ticket: Ticket) -> OrderReport | None:
        """The statement on a key; one that ended, or none, only after a look at what is open."""
        register = self.session.register
        found = register.by_ref(ticket.ref)
        if found is not None and not found.over:
            return found
        await self.session.look()
        await self._not_idle(ticket.ref)
        return register.by_ref(ticket.ref)

    async def _not_idle(self, ref: str) -> None:
        """A new order that IB keeps without working it is better ended than forgotten."""
        found = self.session.register.by_ref(ref)
        if found is not None and found.status == "Inactive" and not self.session.register.confirmed(found):
            await self.cancel(ref)

    async def _alone(
        self, parent: Ticket, parent_id: int, instrument: Instrument, before: OrderReport | None, code: int
    ) -> OrderReport | None:
        """The entry without its stop, after IB refused the pair; the stop follows on the fill.

        Under the id that it had, so that an entry which does exist after all is
        changed and not doubled; under a new one only if IB said that it has ended.
        """
        session = self.session
        client = session.require().client
        order_id = session.ids.new(client) if before is not None else parent_id
        session.register.words.pop((session.config.client_id, order_id), None)
        order = order_for(parent, instrument, session.account, order_id, transmit=True)
        client.placeOrder(order_id, instrument.contract(), order)
        log.warning("%s: IB refused the entry with its stop; it is sent alone.", parent.ref)
        await self._word(order_id, 0)
        found = await self._settled(parent)
        if found is not None and not found.over and code != MISSING_PARENT:
            self.pairs = False
        return found

    def _never_filled(self, statement: OrderReport) -> bool:
        """Whether an order has ended for good without a share."""
        none = statement.filled == 0 and self._executed(statement) == 0 and statement.status != "Filled"
        return none and statement.over and self.session.register.confirmed(statement)

    async def _no_orphan(self, parent: OrderReport | None, child: Ticket | None) -> None:
        """A stop whose entry has ended would sell what nobody holds."""
        stop = self.session.register.by_ref(child.ref) if child is not None else None
        if stop is not None and not stop.over and parent is not None and self._never_filled(parent):
            await self.cancel(stop.ref)

    def _without_trace(self, ticket: Ticket, code: int, *ids: int) -> Unavailable:
        """An order that IB does not list: with an error it was perhaps refused, without one perhaps lost."""
        then = f"about {ticket.ref} and does not list it; it is looked up before anything is sent."
        if code in (0, MISSING_PARENT):  # what is said of its stop tells nothing of the entry
            return NotListed(f"Interactive Brokers said nothing {then}", "IB said nothing and lists it nowhere", False)
        client_id, register = self.session.config.client_id, self.session.register
        words = [text for i in ids for c, text in register.words.get((client_id, i), []) if c == code]
        text = words[0].rstrip(".") if words else ""
        self._denied[ticket.ref] = asyncio.get_running_loop().time()
        return NotListed(f"Interactive Brokers said {code} ({text}) {then}", f"IB {code}: {text}", True)

    # -- cancelling -------------------------------------------------------

    async def cancel(self, ref: str) -> None:
        """Ask IB to cancel, and give it a moment to say what became of it."""
        left = await self.cancel_many([ref])
        found = self.session.register.by_ref(ref) if left else None
        if found is not None and not self._ours(found):
            raise Refused(
                f"Order {ref} belongs to client id {found.client_id}; cancel it in TWS, or set ibkr_client_id to it."
            )

    async def cancel_many(self, refs: Sequence[str]) -> list[str]:
        """Ask for all at once, a silent one twice; the keys that IB has not confirmed as ended."""
        session, register = self.session, self.session.register
        session.config.check_may_order()
        if any(s is None or register.lost(s) for s in map(register.by_ref, refs)):
            await session.look()
        asked = [s for ref in refs for s in register.unended(ref)]
        for statement in asked:
            register.words.pop((statement.client_id, statement.order_id), None)
        doubtful = [ref for ref in refs if ref in register.doubtful and register.by_ref(ref) is None]
        if not asked:
            return doubtful
        ours = [s for s in asked if self._ours(s)]
        for seconds in session.timing.cancel:
            for statement in self._silent(ours):
                self._ask_cancel(statement)
            await self._until(lambda: all(map(self._cancel_answered, ours)), seconds)
        await session.look()
        return sorted({s.ref for s in asked if register.unended(s.ref)}) + doubtful

    def _ask_cancel(self, statement: OrderReport) -> None:
        ib = self.session.require()
        self._cancel_asked[statement.perm_id] = ib, asyncio.get_running_loop().time()
        ib.client.cancelOrder(statement.order_id, "")

    def _ours(self, statement: OrderReport) -> bool:
        """IB lets only the client that placed an order cancel it."""
        return statement.client_id == self.session.config.client_id and statement.order_id > 0

    def _silent(self, asked: list[OrderReport]) -> list[OrderReport]:
        """Those of which IB has said neither an end nor, lately, that it works on the cancel."""
        known = self.session.register.statements
        return [
            s
            for s in asked
            if not self._cancel_answered(s)
            and not (known[s.perm_id].status == "PendingCancel" and self._asked_lately(s))
        ]

    def _asked_lately(self, statement: OrderReport) -> bool:
        """Whether the cancel was asked for over this connection, not long ago: an older one may be lost."""
        ib, at = self._cancel_asked.get(statement.perm_id, (None, 0.0))
        age = asyncio.get_running_loop().time() - at
        return ib is self.session.ib and age < self.session.timing.cancel_again

    def _cancel_answered(self, statement: OrderReport) -> bool:
        register = self.session.register
        now = register.statements.get(statement.perm_id)
        codes = {code for code, _ in register.words.get((statement.client_id, statement.order_id), [])}
        return now is None or (now.over and now.status != "Inactive") or bool(codes & UNCANCELLABLE)

    async def cancel_everything(self) -> None:
        """IB's global cancel: every order of every client and manual ones. On the user's word alone."""
        self.session.config.check_may_order()
        self.session.require().client.reqGlobalCancel()
        await asyncio.sleep(self.session.timing.settle)
        await self.session.look()

    # -- looking ----------------------------------------------------------

    async def find(self, ref: str) -> OrderReport | None:
        """The statement on a key. None only after a look of its own in which open orders, positions and
        completed orders or executions were answered, else Unavailable names what was not; looks at the
        same key that find nothing lie apart, so that two of them are two."""
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
        answered = await session.look()
        found = register.by_ref(ref)
        if found is None or register.lost(found):
            session.assure_absent(ref, answered)
            self._missed[ref] = loop.time()
            return None
        self._missed.pop(ref, None)
        return found

    def _executed(self, statement: OrderReport) -> int:
        return max((e.cum for e in self.session.register.done(statement)), default=0)


async def _next_update(ib: Any) -> None:
    await ib.updateEvent
