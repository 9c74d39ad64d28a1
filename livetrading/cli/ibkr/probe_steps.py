"""The steps of a probe: one share in, one share out, each looked up before anything is sent.

A lost connection is made again by itself, and the steps wait for that. If a share is still
not sold or an order not known then, ``left`` says so in one sentence.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from typing import Any, TypeVar

from ...adapters.brokers.base import BrokerOrder, Ticket
from ...adapters.brokers.ibkr.broker import IbkrBroker
from ...core import windows
from ...core.errors import Conflict, Refused, Unavailable
from ...core.orders import TERMINAL, OrderState
from .probe_record import Record

OPENS, DECIDED = windows.DAY_FROM, time(9, 35)
PATIENCE = timedelta(minutes=5)
"""The longest wait for a connection, a confirmed cancel, or a sale."""
OFTEN, SELDOM = 10.0, 60.0
MOST_EXITS = 3
"""Orders to sell that IB may end without a sale before the run ends with an error; a later run sends the next."""
T = TypeVar("T")


def left(record: Record, why: str) -> str:
    """What a probe has left, and what to do, in one sentence."""
    why = why.rstrip(".")
    again = f"run `python -m livetrading doctor --probe-open --confirm {record.account}` again"
    if record.held:
        return (
            f"{record.held} share of {record.symbol} that the probe bought is still held in paper account"
            f" {record.account} ({why}); {again}, it sells the share by order {record.key('exit')}."
        )
    return (
        f"Whether the probe's order {record.key('entry')} bought its 1 share of {record.symbol} in paper account"
        f" {record.account} is not known ({why}); {again}, it cancels the order or sells the share."
    )


@dataclass
class Probe:
    """``record`` is what is known, stored by ``save``. ``proof``: whether the auction filled the order, None if
    that is not known. ``report``: sentences on what became of the share."""

    broker: IbkrBroker
    record: Record
    save: Callable[[Record], None]
    halted: Callable[[], bool]
    clock: Callable[[], datetime]
    pause: Callable[[float], None]
    proof: bool | None = None
    report: list[str] = field(default_factory=list)

    def count(self) -> None:
        """Note the shares that are held before anything is sent, without those of an earlier run that left no record."""
        bought, sold = (self._looked_up(leg) for leg in ("entry", "exit"))
        mine = (bought.filled if bought else 0) - (sold.filled if sold else 0)
        self.record = replace(self.record, held_before=self.broker.position() - mine, sent=bought is not None)
        if bought is not None:
            self.save(self.record)

    # -- in -----------------------------------------------------------------

    def buy(self) -> None:
        """Bring the order to buy to its end: filled in the auction, or ended otherwise."""
        if self.record.entry_over:
            return
        order = self._patiently(self._found_or_sent)
        if order is None:
            self._by_position()
            return
        order = self._until_over(order, windows.at(self.record.day, DECIDED), self.halted)
        if order.state not in TERMINAL:
            why = "the emergency stop is set" if self.halted() else "still open after the auction"
            self._print(f"{why}: the order is cancelled")
            decided = self._decided()
            order = self._cancelled(order)
        else:
            decided = self.clock() >= windows.at(self.record.day, OPENS)
        if order.state not in TERMINAL:
            raise Unavailable(f"IB has not ended order {order.ref} yet; cancel it in TWS.")
        self._judge(order, decided and self._today())
        self._bought(order.filled)

    def _judge(self, order: BrokerOrder, decided: bool) -> None:
        """What the end of the order shows about the auction: nothing if it ended unfilled before the auction was over."""
        if order.filled:
            times = self._fill_times()
            start, end = (windows.at(self.record.day, t) for t in (OPENS, DECIDED))
            self.proof = all(start <= at <= end for at in times) if times else None
        elif order.state != OrderState.REJECTED and decided:
            self.proof = False
        known = self.proof is not None or order.state == OrderState.REJECTED
        self.note(policy="auction" if self.proof else "day" if known else "")

    def _decided(self) -> bool:
        return self.clock() >= windows.at(self.record.day, DECIDED)

    def _today(self) -> bool:
        return self.clock().astimezone(windows.NEW_YORK).date() == self.record.day

    def _found_or_sent(self) -> BrokerOrder | None:
        """The order to buy. If two queries do not find it, it is sent while its window is open."""
        found = self._looked_up("entry")
        if found is not None or not windows.for_open(self.record.day, self.clock()):
            if found is None and not self.record.sent:
                raise Refused(
                    "A market-on-open order leaves between 04:00 and 09:20 New York; probe the opening auction then."
                )
            return found
        if self.halted():
            if self.record.sent:
                return None
            raise Conflict("The emergency stop is set; re-arm first, then probe the opening auction.")
        self.record = replace(self.record, sent=True)
        self.save(self.record)  # written, then sent
        return self._submit(Ticket(self.record.key("entry"), "BUY", 1, "MKT", "OPG"))

    def _by_position(self) -> None:
        """IB no longer lists the order, or never got it: the account's position shows whether it bought."""
        more = self._patiently(self.broker.position) - self.record.held_before
        if more > 1:
            self.note(done=True)
            raise Conflict(
                f"Account {self.record.account} holds {more} shares of {self.record.symbol} more than before"
                f" the probe, and IB does not list order {self.record.key('entry')} any more; if you bought"
                f" fewer, sell the probe's share in TWS."
            )
        self._bought(max(more, 0))

    def _cancelled(self, order: BrokerOrder) -> BrokerOrder:
        """Ask for the cancel until the broker has reported how the order ended; it may fill meanwhile."""
        end = self.clock() + PATIENCE
        while True:
            try:
                self.broker.cancel(order.ref, self.clock())
                order = self.broker.find(order.ref) or order
            except Unavailable as error:
                self._print(str(error))
            if order.state in TERMINAL or self.clock() >= end:
                return order
            self.pause(OFTEN)

    # -- out ----------------------------------------------------------------

    def sell(self) -> None:
        """Sell what was bought and not sold yet. Unavailable with the reason if that takes too long."""
        first = self.record.exits
        while self.record.held:
            if self._today():
                self._wait_until(windows.at(self.record.day, OPENS))
            order = self._patiently(self._exit)
            if order is None:
                return
            order = self._until_over(order, self.clock() + PATIENCE, lambda: False)
            if order.filled:
                self._end("The share is sold again.", sold=order.filled)
            elif order.state not in TERMINAL:
                raise Unavailable(
                    "IB has the order to sell and has not filled it yet; outside 09:30 to 16:00 New York it"
                    " waits for the open"
                )
            else:
                self.note(exits=self.record.exits + 1)
                if self.record.exits - first >= MOST_EXITS:
                    raise Unavailable(f"IB ended the order to sell: {order.reason or order.state}")

    def _exit(self) -> BrokerOrder | None:
        """The order to sell. If two queries do not find it, it is sent. None if the account no longer has the share."""
        found = self._looked_up("exit")
        if found is not None:
            return found
        if self.broker.position() - self.record.held_before < self.record.held:
            gone = f"The account no longer holds the share of {self.record.symbol}: nothing was sold."
            self._end(gone, sold=self.record.bought)
            return None
        while windows.day_orders_refused(self.clock()):
            self.pause(OFTEN)
        return self._submit(Ticket(self.record.key("exit"), "SELL", self.record.held, "MKT", "DAY"))

    # -- helpers ------------------------------------------------------------

    def note(self, **changes: Any) -> None:
        """Store what became known. A failing disk must not stop a sale: the broker's lists show the same."""
        self.record = replace(self.record, **changes)
        try:
            self.save(self.record)
        except Unavailable as error:
            self._print(str(error))

    def _bought(self, shares: int) -> None:
        """One write, because the process can be killed between two."""
        if shares:
            self.note(entry_over=True, bought=shares)
        else:
            self._end("Nothing was bought.", entry_over=True)

    def _end(self, sentence: str, **known: int) -> None:
        self.report.append(sentence)
        self.note(done=True, **known)

    def _submit(self, ticket: Ticket) -> BrokerOrder:
        self._print(f"sending {ticket.side} {ticket.qty} {ticket.type} {ticket.tif}")
        return self.broker.submit(ticket, None, self.clock())

    def _looked_up(self, leg: str) -> BrokerOrder | None:
        """None only after two separate queries of all orders."""
        ref = self.record.key(leg)
        return self.broker.find(ref) or self.broker.find(ref)

    def _patiently(self, call: Callable[[], T]) -> T:
        """The call's answer. A lost connection gets time to come back."""
        end = self.clock() + PATIENCE
        while True:
            try:
                return call()
            except Unavailable as error:
                if self.clock() >= end:
                    raise
                self._print(str(error))
            self.pause(OFTEN)

    def _until_over(self, order: BrokerOrder, end: datetime, ends: Callable[[], bool]) -> BrokerOrder:
        """The last report on it, once it has ended, the time is over, or ``ends`` says so."""
        while order.state not in TERMINAL and self.clock() < end and not ends():
            left_ = (windows.at(self.record.day, OPENS) - self.clock()).total_seconds()
            self._wait(min(SELDOM, left_) if left_ > 0 else OFTEN, ends)
            try:
                order = self.broker.find(order.ref) or order
            except Unavailable as error:
                self._print(str(error))  # the connection is made again by itself; the broker keeps the order
        return order

    def _wait(self, seconds: float, ends: Callable[[], bool]) -> None:
        end = self.clock() + timedelta(seconds=seconds)
        while self.clock() < end and not ends():
            self.pause(min(OFTEN, (end - self.clock()).total_seconds()))

    def _wait_until(self, moment: datetime) -> None:
        while self.clock() < moment:
            self.pause(min(SELDOM, (moment - self.clock()).total_seconds()))

    def _fill_times(self) -> list[datetime]:
        """Execution times as the broker reports them; when a report arrives proves nothing."""
        connection, ref = self.broker.connection, self.record.key("entry")

        async def work() -> list[datetime]:
            return [e.at for e in connection.session.register.executions.values() if e.ref == ref]

        return connection.call(work)

    def _print(self, text: str) -> None:
        print(f"{self.clock().astimezone(windows.NEW_YORK):%H:%M:%S} New York: {text}", file=sys.stderr, flush=True)
