"""One client's connection: its questions and the messages to it."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import messages
from .faults import ANSWERS, CANCEL_ORDER, GLOBAL_CANCEL, PLACE_ORDER, Fault
from .ledger import Event, Order
from .wire import frame, split

if TYPE_CHECKING:
    from .server import TwsDouble

READ_ONLY = "Error validating request.-'bW' : cause - The API interface is currently in Read-Only mode."
ORDER_MESSAGES = (PLACE_ORDER, CANCEL_ORDER, GLOBAL_CANCEL)


class Session:
    """A connected client. Answers are written in the order in which TWS would."""

    def __init__(self, tws: "TwsDouble", writer: asyncio.StreamWriter, version: int) -> None:
        self.tws, self.writer, self.version = tws, writer, version
        self.client_id = -1
        self.positions, self.values = False, ""
        """Whether positions are pushed; the account whose values are pushed."""
        self._kept: list[bytes] | None = None
        self._marker: dict[int, bytes] = {}
        """End markers that are sent again before the next answer of their kind."""
        self._handlers: dict[int, Callable[[list[str]], None]] = {
            3: self._place,
            4: self._cancel,
            5: self._open_orders,
            6: self._account_updates,
            7: self._executions,
            8: self._ids,
            9: self._contract,
            15: lambda f: None,
            16: self._all_open_orders,
            20: self._history,
            25: lambda f: None,
            49: self._time,
            58: self._global_cancel,
            59: lambda f: None,
            61: self._positions,
            62: self._summary,
            63: lambda f: None,
            64: self._no_positions,
            71: self._start,
            76: self._multi,
            99: self._completed,
        }

    def send(self, *frames: bytes) -> None:
        if self.tws.faults.spoils:
            frames = tuple(frame(*self.tws.faults.spoiled(split(f[4:]))) for f in frames)
        if self._kept is not None:
            self._kept += frames
            return
        for piece in self.tws.manners.pieces(b"".join(frames)):
            if not self.writer.is_closing():
                self.writer.write(piece)

    def push(self, message: bytes, kind: str) -> None:
        """A message without a question: it may come twice, late, or in another order."""
        self.tws.manners.push(self, message, kind)

    def _answer(self, fields: list[str], fault: Fault) -> None:
        """The answer to a question, changed by the fault; its last message is the end marker."""
        self._kept = kept = []
        try:
            self._handlers[int(fields[0])](fields)
        finally:
            self._kept = None
        items, end = kept[:-1], kept[-1]
        order = {"no_end": items, "end_first": [end, *items], "twice": [*kept, *kept], "end_twice": kept, "late": []}[
            fault.kind
        ]
        if fault.kind == "end_twice":
            self._marker[int(fields[0])] = end
        if fault.kind == "late":
            asyncio.get_running_loop().call_later(fault.seconds, lambda: self.send(*kept))
        self.send(*order)

    def say(self, *fields: Any) -> None:
        self.send(frame(*fields))

    def error(self, about: int, code: int, text: str) -> None:
        self.send(messages.error(self.version, about, code, text))

    def drop(self) -> None:
        self.writer.transport.abort()

    def receive(self, fields: list[str]) -> None:
        """Handle one message, with the fault for it."""
        message = int(fields[0])
        if message in self._marker:
            self.send(self._marker.pop(message))
        fault = self.tws.faults.take(message, fields)
        kind = fault.kind if fault else ""
        if kind == "drop_before":
            return self.drop()
        if kind == "swallow" or message not in self._handlers:
            return None
        if self.tws.read_only and message in (*ORDER_MESSAGES, 5, 15, 16, 99):
            return self.error(-1 if message not in (3, 4) else int(fields[1]), 321, READ_ONLY)
        if not self.tws.link and message in ORDER_MESSAGES:
            return None  # the double drops it; the real TWS's behaviour is not known
        if kind in ("drop_after", "mute"):
            self.tws.muted = self
            try:
                self._handlers[message](fields)
            finally:
                self.tws.muted = None
            return self.drop() if kind == "drop_after" else None
        if kind in ANSWERS and fault is not None:
            return self._answer(fields, fault)
        if kind == "grumble":
            self.error(int(fields[1]), 201, fault.text if fault else "")
            fault = None
        if fault is not None and message in (PLACE_ORDER, CANCEL_ORDER):
            return self._place(fields, fault) if message == PLACE_ORDER else self._cancel(fields, fault)
        return self._handlers[message](fields)

    # -- starting ---------------------------------------------------------

    def _start(self, fields: list[str]) -> None:
        wanted = int(fields[2])
        if any(s.client_id == wanted for s in self.tws.sessions if s is not self):
            self.error(-1, 326, "Unable to connect as the client id is already in use. Retry with a unique client id.")
            self.writer.close()
            return
        self.client_id = wanted
        self.say(15, 1, ",".join(self.tws.accounts))
        self._ids(fields)
        for code, text in (
            (2104, "Market data farm connection is OK:usfarm"),
            (2106, "HMDS data farm connection is OK:ushmds"),
            (2158, "Sec-def data farm connection is OK:secdefil"),
            *self.tws.notices,
        ):
            self.error(-1, code, text)
        if not self.tws.link:
            self.error(-1, 2110, "Connectivity between TWS and server is broken. It will be restored automatically.")

    def _ids(self, fields: list[str]) -> None:
        self.say(9, 1, self.tws.next_id)

    def _time(self, fields: list[str]) -> None:
        self.say(49, 1, int(self.tws.ledger.clock().timestamp()))

    # -- the account ------------------------------------------------------

    def _positions(self, fields: list[str]) -> None:
        self.positions = True
        for listing in self.tws.ledger.listings.values():
            self.position(listing.con_id, asked=True)
        self.say(62, 1)

    def _no_positions(self, fields: list[str]) -> None:
        self.positions = False

    def position(self, con_id: int, asked: bool = False) -> None:
        ledger = self.tws.ledger
        listing = next(x for x in ledger.listings.values() if x.con_id == con_id)
        if self.positions and con_id in ledger.positions:
            put = self.send if asked else lambda frame: self.push(frame, "position")
            put(messages.position(ledger.account, listing, *ledger.positions[con_id]))

    def push_values(self) -> None:
        """Pushes account values that changed, if the client asked for them."""
        ledger = self.tws.ledger
        now = str(messages.account_values(ledger))
        if self.values not in ("", now):
            self.values = now
            for tag, value, currency in messages.account_values(ledger):
                self.say(6, 2, tag, value, currency, ledger.account)

    def _account_updates(self, fields: list[str]) -> None:
        ledger = self.tws.ledger
        self.values = str(messages.account_values(ledger))
        for tag, value, currency in messages.account_values(ledger):
            self.say(6, 2, tag, value, currency, ledger.account)
        for listing in ledger.listings.values():
            if listing.con_id in ledger.positions:
                self.send(messages.portfolio(ledger.account, listing, *ledger.positions[listing.con_id]))
        self.say(8, 1, "09:00")
        self.say(54, 1, ledger.account)

    def _multi(self, fields: list[str]) -> None:
        for tag, value, currency in messages.account_values(self.tws.ledger):
            self.say(73, 1, fields[2], fields[3], "", tag, value, currency)
        self.say(74, 1, fields[2])

    def _summary(self, fields: list[str]) -> None:
        for tag, value, currency in messages.account_values(self.tws.ledger):
            self.say(63, 1, fields[2], self.tws.ledger.account, tag, value, currency)
        self.say(64, 1, fields[2])

    # -- contracts and bars -----------------------------------------------

    def _contract(self, fields: list[str]) -> None:
        request, con_id, symbol, primary = fields[2], fields[3], fields[4], fields[11]
        found = [
            x
            for x in self.tws.listed
            if (x.con_id == int(con_id or 0) if int(con_id or 0) else x.symbol == symbol)
            and (not primary or x.primary == primary)
        ]
        if not found:
            return self.error(int(request), 200, "No security definition has been found for the request")
        for listing in found:
            self.send(messages.contract_details(self.version, request, listing))
        return self.say(52, 1, request)

    def _history(self, fields: list[str]) -> None:
        request, symbol, size, what = fields[1], fields[3], fields[16], fields[19]
        trouble = self.tws.history_trouble.get(symbol)
        if trouble == "silence":
            return None
        if isinstance(trouble, tuple):
            return self.error(int(request), *trouble)
        bars = self.tws.bars.get((symbol, size, what))
        if bars is None:
            return self.error(
                int(request), 162, "Historical Market Data Service error message:HMDS query returned no data"
            )
        return self.send(messages.historical(request, bars))

    # -- orders -----------------------------------------------------------

    def _place(self, fields: list[str], fault: Fault | None = None) -> None:
        order = messages.order_of(fields, self.client_id, self.tws.ledger)
        if order is None:
            return self.error(int(fields[1]), 200, "No security definition has been found for the request")
        self.tws.next_id = max(self.tws.next_id, order.order_id + 1)
        self.tws.publish(self.tws.ledger.place(order, fault))
        if self.tws.fills_at is not None:
            self.tws.publish(self.tws.ledger.market(order.listing.symbol, self.tws.fills_at))

    def _cancel(self, fields: list[str], fault: Fault | None = None) -> None:
        self.tws.publish(self.tws.ledger.cancel(self.client_id, int(fields[2]), fault))

    def _global_cancel(self, fields: list[str]) -> None:
        self.tws.publish(self.tws.ledger.cancel_all())

    def _show(self, orders: list[Order]) -> None:
        for order in orders:
            self.send(messages.open_order(self.version, order), messages.order_status(order))
        self.say(53, 1)

    def _open_orders(self, fields: list[str]) -> None:
        self._show([o for o in self.tws.ledger.open_orders() if o.client_id == self.client_id])

    def _all_open_orders(self, fields: list[str]) -> None:
        self._show(self.tws.ledger.open_orders())

    def _completed(self, fields: list[str]) -> None:
        for order in self.tws.ledger.completed():
            self.send(messages.completed_order(self.version, order))
        self.say(102)

    def _executions(self, fields: list[str]) -> None:
        for fill in self.tws.ledger.todays_fills():
            commissions = [messages.commission(fill, self.tws.reported_fee(fill))] if self.tws.commissions else []
            self.send(self._execution(fields[2], fill), *commissions)
        self.say(55, 1, fields[2])

    def _execution(self, request: int | str, fill: Any) -> bytes:
        when = messages.execution_time(fill.at, self.tws.zone, self.tws.naive_times)
        return messages.execution(self.version, request, fill, when)

    # -- pushed -----------------------------------------------------------

    def notify(self, event: Event) -> None:
        """Sends an event at the broker to this client, if it concerns it."""
        kind, subject = event
        if kind == "position":
            return self.position(subject.con_id)
        if kind == "error":
            client_id, *rest = subject
            return self.error(*rest) if client_id == self.client_id else None
        owner = subject.order if kind in ("exec", "commission") else subject
        if owner.client_id != self.client_id:
            return None
        say = {
            "open": lambda: self.push(messages.open_order(self.version, subject), kind),
            "status": lambda: self.push(messages.order_status(subject), kind),
            "exec": lambda: self.push(self._execution(-1, subject), kind),
            "commission": lambda: (
                self.push(messages.commission(subject, self.tws.reported_fee(subject)), kind)
                if self.tws.commissions
                else None
            ),
        }
        return say[kind]()
