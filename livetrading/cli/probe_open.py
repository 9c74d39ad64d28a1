"""``doctor --probe-open``: does this paper account simulate the opening auction?

One share is bought by a market-on-open order and sold again; what became of the
order is stored as ``ibkr_paper_open``. Orders of agents are not concerned: the
probe has a client id and a key of its own, and takes no stock that an agent
trades. The key holds the day, so a probe that was interrupted is gone on with.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from datetime import time as day_time
from typing import Any

from ..adapters import settings
from ..adapters.brokers import ibkr_gates as gates
from ..adapters.brokers.base import BrokerOrder, Ticket
from ..adapters.brokers.ibkr import IbkrBroker, IbkrConnection
from ..adapters.brokers.ibkr_config import Timing
from ..adapters.brokers.ibkr_setup import config_of
from ..adapters.calendar import calendar
from ..adapters.halt import HaltLatch
from ..adapters.home import Home
from ..adapters.store import Store
from ..core import windows
from ..core.errors import BadInput, Conflict, Refused, Unavailable
from ..core.orders import TERMINAL, OrderState
from ..core.types import Mode
from ..execution import views
from .acting import utc_now

NAME = "PROBE"
READY_SECONDS = 30.0
OPENS, DECIDED = windows.DAY_FROM, day_time(9, 35)
SOLD_WITHIN = timedelta(minutes=5)
OFTEN, SELDOM = 10.0, 60.0


def probe(
    home: Home, confirm: str, symbol: str, *, clock: Callable[[], datetime] = utc_now,
    pause: Callable[[float], None] = time.sleep, timing: Timing = Timing(),
) -> dict[str, Any]:
    """Buy one share at the next open and sell it. Refused outside its window or without consent."""
    chosen, today = settings.load(home), clock().astimezone(windows.NEW_YORK).date()
    _may_try(home, chosen, symbol, today, clock())
    client_id = chosen.ibkr_client_id + 1  # a scheduler that runs keeps its own
    with IbkrConnection(replace(config_of(chosen, client_id=client_id), timing=timing), clock) as connection:
        health = connection.wait_ready(READY_SECONDS)
        if not health.ready:
            raise Unavailable(health.detail)
        _agreed(health.account, confirm)
        broker = IbkrBroker(
            connection, NAME, connection.instrument(symbol), gate=lambda account: _agreed(account, confirm),
        )
        run = Probe(broker, today, lambda: HaltLatch(home).status() is not None, clock, pause)
        policy = run.at_the_open()
        settings.save(home, "ibkr_paper_open", policy)
        sold = run.sell()
    return _answer(health.account, symbol, policy, sold)


def _may_try(home: Home, chosen: settings.Settings, symbol: str, today: date, now: datetime) -> None:
    if chosen.ibkr_mode != "paper":
        raise Refused("The opening auction is probed on a paper account alone; set ibkr_mode to paper first.")
    known = calendar()
    if not known.is_session(today) or not _from_first_to_last(today, known.close_at(today), now):
        raise Refused(f"The opening auction is probed between 04:00 and 09:20 New York on a session, and it is"
                      f" {now.astimezone(windows.NEW_YORK):%A %H:%M} there; try again then.")
    if any(a["mode"] == Mode.IBKR and a["symbol"] == symbol for a in views.agents(Store(home))):
        raise Conflict(f"An agent trades {symbol} in this account; choose another stock with --symbol.")


def _from_first_to_last(today: date, close: datetime, now: datetime) -> bool:
    """From the first minute in which it may send to the last in which it may go on."""
    return windows.at(today, windows.OPG_FROM) <= now <= windows.day_until(close)


def _agreed(account: str, confirm: str) -> None:
    if not gates.is_paper(account):
        raise Refused(f"Account {account} is no paper account; log in to one before the opening auction is probed.")
    if confirm != account:
        raise BadInput(f"Probing buys one share in paper account {account} and sells it again; agree with --confirm"
                       f" {account}.")


def _answer(account: str, symbol: str, policy: str, sold: str) -> dict[str, Any]:
    seen = {
        "auction": f"The market-on-open order for {symbol} filled at the open: {account} simulates the auction.",
        "day": f"The market-on-open order for {symbol} did not fill at the open: {account} gets DAY orders from 09:30.",
    }[policy]
    stored = f"ibkr_paper_open is {policy} now; the scheduler takes it at its next start."
    if "ibkr_paper_open" in settings.overridden():
        stored = f"Stored is {policy}, but LIVETRADING_IBKR_PAPER_OPEN in the environment decides."
    text = f"{seen} {stored} {sold}"
    return {"paper_open": policy, "account": account, "symbol": symbol, "message": text, "text": text}


@dataclass
class Probe:
    """One share in, one share out, on a session."""

    broker: IbkrBroker
    session: date
    halted: Callable[[], bool]
    clock: Callable[[], datetime]
    pause: Callable[[float], None]

    def at_the_open(self) -> str:
        """``auction`` if a market-on-open order filled at the open, else ``day``."""
        entry = self._found("entry") or self._send_entry()
        entry = self._until_over(entry, windows.at(self.session, DECIDED))
        if entry.state not in TERMINAL:
            self._tell("still open after the auction: it is cancelled")
            self.broker.cancel(entry.ref, self.clock())
            self._until_over(entry, self.clock() + SOLD_WITHIN)
            return "day"
        return "auction" if entry.state == OrderState.FILLED and self._filled_at_open() else "day"

    def sell(self) -> str:
        """Sell what was bought; what became of it in a sentence."""
        entry, name = self._found("entry"), self.broker.instrument.symbol
        if entry is None or not entry.filled:
            return "Nothing was bought."
        self._wait_until(windows.at(self.session, OPENS))
        order = self._found("exit") or self._send(Ticket(self._key("exit"), "SELL", entry.filled, "MKT", "DAY"))
        order = self._until_over(order, self.clock() + SOLD_WITHIN)
        if order.state == OrderState.FILLED:
            return "The share is sold again."
        return f"The share of {name} is not sold yet; look at order {order.ref} in TWS."

    # -- its steps --------------------------------------------------------

    def _send_entry(self) -> BrokerOrder:
        if not windows.for_open(self.session, self.clock()):
            raise Refused("A market-on-open order leaves between 04:00 and 09:20 New York; probe the opening auction"
                          " then.")
        if self.halted():
            raise Conflict("The emergency stop is set; re-arm first, then probe the opening auction.")
        return self._send(Ticket(self._key("entry"), "BUY", 1, "MKT", "OPG"))

    def _send(self, ticket: Ticket) -> BrokerOrder:
        self._tell(f"sending {ticket.side} {ticket.qty} {ticket.type} {ticket.tif}")
        try:
            return self.broker.submit(ticket, None, self.clock())
        except Unavailable as error:
            found = self._found(ticket.ref.split(":")[2])
            if found is None:
                raise Unavailable(f"{error} Look in TWS for order {ticket.ref} before probing again.") from None
            return found

    def _until_over(self, order: BrokerOrder, end: datetime) -> BrokerOrder:
        """The last statement on it, once it has ended or the time is over."""
        while order.state not in TERMINAL and self.clock() < end:
            opens = windows.at(self.session, OPENS)
            left = (opens - self.clock()).total_seconds()
            self.pause(min(SELDOM, left) if left > 0 else OFTEN)
            try:
                order = self.broker.find(order.ref) or order
            except Unavailable as error:
                self._tell(str(error))  # the connection mends itself; the order is at the broker
        return order

    def _found(self, leg: str) -> BrokerOrder | None:
        return self.broker.find(self._key(leg))

    def _filled_at_open(self) -> bool:
        """By the execution's own time; a fill that was seen late or early is no auction."""
        connection, ref = self.broker.connection, self._key("entry")

        async def work() -> list[datetime]:
            return [e.at for e in connection.session.register.executions.values() if e.ref == ref]

        times = connection.call(work)
        start, end = windows.at(self.session, OPENS), windows.at(self.session, DECIDED)
        return bool(times) and all(start <= at <= end for at in times)

    def _wait_until(self, moment: datetime) -> None:
        while self.clock() < moment:
            self.pause(min(SELDOM, (moment - self.clock()).total_seconds()))

    def _key(self, leg: str) -> str:
        return f"{NAME}:{self.session}:{leg}:1"

    def _tell(self, text: str) -> None:
        print(f"{self.clock().astimezone(windows.NEW_YORK):%H:%M:%S} New York: {text}", file=sys.stderr, flush=True)
