"""Interactive Brokers through TWS or Gateway: one connection, one broker an agent.

The connection lives in a thread of its own with its own event loop; ib_async's
objects are touched there alone. Every call from outside is bounded in time and
raises Unavailable when TWS does not answer. Only the scheduler owns one.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import wait
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from ib_async import Stock
from ib_async.contract import ContractDetails

from ...core import rules
from ...core.errors import NotFound, Refused, Unavailable
from ...core.types import Costs
from ...core.windows import NEW_YORK
from .base import AccountFigures, BrokerOrder, Execution, Health, Ticket
from .ibkr_config import Denied, IbkrConfig
from .ibkr_history import LONGEST_WAIT, HistoryDesk, RawBar
from .ibkr_orders import Instrument, OrderDesk
from .ibkr_register import Done, Statement
from .ibkr_session import IbkrSession

T = TypeVar("T")
UNKNOWN_CONTRACT = 200
CALL_SECONDS = 60.0
"""No call takes longer, whatever its parts may take."""
SLICE_SECONDS = 1.0
"""So often a sign of life is given while a call waits."""


class IbkrConnection:
    """TWS for all agents of one account. ``start`` returns at once; ``health`` says when it is ready."""

    def __init__(self, config: IbkrConfig, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.config = config
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="ibkr", daemon=True)
        self.session = IbkrSession(config, clock)
        self.desk = OrderDesk(self.session)
        self.history = HistoryDesk(self.session)
        self._running: Any = None
        self.pulse: Callable[[], object] = lambda: None
        """Called by whoever waits for an answer, while it waits."""

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def start(self) -> None:
        self._thread.start()
        self._running = asyncio.run_coroutine_threadsafe(self.session.run(), self._loop)

    def close(self) -> None:
        """Disconnect; orders at IB stay as they are."""
        if not self._thread.is_alive():
            return
        self._loop.call_soon_threadsafe(self.session.close)
        try:
            self._running.result(5)
        except TimeoutError:
            pass  # the thread is a daemon
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def __enter__(self) -> "IbkrConnection":
        self.start()
        return self

    def __exit__(self, *what: object) -> None:
        self.close()

    def call(self, work: Callable[[], Coroutine[Any, Any, T]], seconds: float = CALL_SECONDS) -> T:
        """Run something in the connection's loop; Unavailable when it takes too long."""
        if not self._thread.is_alive():
            raise Unavailable("The connection to Interactive Brokers is closed; start the scheduler.")
        future = asyncio.run_coroutine_threadsafe(work(), self._loop)
        end = time.monotonic() + seconds
        while not wait([future], min(SLICE_SECONDS, max(end - time.monotonic(), 0.0))).done:
            self.pulse()
            if time.monotonic() >= end:
                break
        try:
            return future.result(0)
        except TimeoutError:
            future.cancel()
            raise Unavailable(f"Interactive Brokers did not answer within {seconds:g} s; it is asked again.") from None

    # -- the account ------------------------------------------------------

    def health(self) -> Health:
        """What is known without asking: never blocks."""
        return self.session.health()

    def wait_ready(self, seconds: float) -> Health:
        """The health once ready, refused, or the time is over."""
        return self.call(lambda: self.session.until_ready(seconds), seconds + 5)

    def account(self) -> AccountFigures:
        """Net liquidation and USD cash as TWS last pushed them."""

        async def work() -> AccountFigures:
            return _figures(self.session)

        return self.call(work)

    def positions(self) -> dict[int, int]:
        """Shares of the whole account by contract id, from an answer and never from a silence."""

        async def work() -> dict[int, int]:
            await self.session.fresh()
            return self.session.positions()

        return self.call(work)

    def server_time(self) -> datetime:
        """What IB's servers say the time is, to the second."""
        self.session.require()
        return self.call(lambda: self.session.ask("time", lambda ib: ib.reqCurrentTimeAsync())).astimezone(UTC)

    def look(self) -> None:
        """Ask for everything anew, whatever was heard lately."""
        self.session.require()
        self.call(self.session.look)

    def open_orders(self) -> list[BrokerOrder]:
        """Every working order of the account, ours or not, by all clients."""

        async def work() -> list[BrokerOrder]:
            await self.session.fresh()
            register = self.session.register
            return [
                register.broker_order(s, s.filled) for s in register.statements.values()
                if s.account == self.session.account and not s.over and not register.lost(s)
            ]

        return self.call(work)

    def cancel(self, refs: Sequence[str]) -> list[str]:
        """Ask for the cancel of many orders at once; the keys that IB has not confirmed as ended."""
        return self.call(lambda: self.desk.cancel_many(refs))

    def cancel_everything(self) -> None:
        """IB's global cancel, also of orders that are not ours: on the user's explicit word alone."""
        self.call(self.desk.cancel_everything)

    def bars(self, instrument: Instrument, size: str, duration: str, what: str = "TRADES") -> list[RawBar]:
        """Historical bars up to now, paced. NoBars when IB has none or is silent."""
        seconds = self.session.timing.history + LONGEST_WAIT + 5
        return self.call(lambda: self.history.bars(instrument, size, duration, what), seconds)

    def instrument(self, symbol: str, con_id: int = 0, primary: str = "") -> Instrument:
        """The stock of a symbol; a stored contract id that the symbol no longer has is Refused."""
        stock = Stock(symbol.replace("-", " "), "SMART", "USD", primaryExchange=primary)

        async def work() -> list[ContractDetails]:
            self.session.require()
            return await self.session.ask(f"contract {symbol}", lambda ib: ib.reqContractDetailsAsync(stock))

        try:
            found = self.call(work)
        except Denied as error:
            if error.code != UNKNOWN_CONTRACT:
                raise
            found = []
        return _chosen(symbol, con_id, primary, found)


def _figures(session: IbkrSession) -> AccountFigures:
    values = {(v.tag, v.currency): v.value for v in session.require().accountValues(session.account)}
    worth = next(((v, c) for (tag, c), v in values.items() if tag == "NetLiquidation" and c != "BASE"), None)
    cash = values.get(("CashBalance", "USD"), values.get(("TotalCashValue", "USD")))
    if worth is None or cash is None:
        raise Unavailable(f"TWS has not told the value of account {session.account} in USD yet; try again in a minute.")
    return AccountFigures(session.account, float(worth[0]), worth[1], float(cash), session.health().heard or session.clock())


def _chosen(symbol: str, con_id: int, primary: str, found: list[ContractDetails]) -> Instrument:
    stocks = [d for d in found if d.contract is not None and d.contract.secType == "STK"]
    if not stocks:
        raise NotFound(f"Interactive Brokers knows no stock {symbol} in USD; check the symbol.")
    ids = sorted({d.contract.conId for d in stocks})
    if con_id and con_id not in ids:
        raise Refused(f"{symbol} was contract {con_id} and is {ids[0]} now: another security trades under its symbol;"
                      f" close the agent's position and deploy it again.")
    kept = [d for d in stocks if not con_id or d.contract.conId == con_id]
    if len({d.contract.conId for d in kept}) > 1:
        where = ", ".join(sorted({d.contract.primaryExchange for d in kept}))
        raise Refused(f"{symbol} is listed more than once ({where}); name its primary exchange.")
    details = kept[0]
    return Instrument(symbol, details.contract.conId, details.contract.primaryExchange or primary, details.minTick or 0.01)


@dataclass
class IbkrBroker:
    """The account as one agent sees it, on the Broker protocol.

    ``booked`` tells how many shares of a key the agent's book already holds as
    fills, ``others`` how many shares of the contract are not this agent's: other
    agents' and the unmanaged rest. ``gate`` refuses an account that is not the agent's:
    it is asked with every call, for TWS may be logged in to another one by then.
    """

    connection: IbkrConnection
    agent_id: str
    instrument: Instrument
    costs: Costs = Costs()
    booked: Callable[[str], int] = lambda ref: 0
    others: Callable[[], int] = lambda: 0
    gate: Callable[[str], None] = lambda number: None

    def _call(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        async def gated() -> T:
            self.connection.session.require()
            self.gate(self.connection.session.account)
            return await work()

        return self.connection.call(gated)

    def submit(self, ticket: Ticket, child: Ticket | None, now: datetime) -> BrokerOrder:
        """Sent and acknowledged with a permId. Unavailable: whether it arrived is unknown."""
        return self._call(lambda: self.connection.desk.submit(ticket, child, self.instrument))

    def cancel(self, ref: str, now: datetime) -> None:
        self._call(lambda: self.connection.desk.cancel(ref))

    def find(self, ref: str) -> BrokerOrder | None:
        """Open orders of all clients, completed ones and executions, by the key they carry."""

        async def work() -> BrokerOrder | None:
            found = await self.connection.desk.find(ref)
            return None if found is None else self._order(found)

        return self._call(work)

    def executions(self) -> list[Execution]:
        """Fills that the book does not hold: those of the day, and earlier ones by their order's count."""
        return self._call(self._executions)

    def position(self) -> int:
        async def work() -> int:
            await self.connection.session.fresh()
            return self.connection.session.positions().get(self.instrument.con_id, 0)

        return self._call(work) - self.others()

    def traded(self) -> str:
        """Nothing waits for a bar: fills are booked as they are heard."""
        return ""

    def advance(self, session: str, opened: datetime, quote: rules.Quote) -> None:
        """IB has traded the session already."""

    def fee(self, exec_id: str) -> float | None:
        return self.connection.session.register.commissions.get(exec_id)

    def health(self) -> Health:
        return self.connection.health()

    # -- inside the loop --------------------------------------------------

    def _order(self, statement: Statement) -> BrokerOrder:
        register = self.connection.session.register
        gaps = register.unlisted(statement, self.booked(statement.ref))
        covered = max([self.booked(statement.ref), *(e.cum for e in register.done(statement)), *(b for _, b in gaps)])
        return register.broker_order(statement, covered)

    async def _executions(self) -> list[Execution]:
        session = self.connection.session
        await session.fresh()
        mine = [e for e in session.register.executions.values() if self._mine(e.ref)]
        new = [e for e in mine if e.cum > self.booked(e.ref)]
        await self._commissions(new)
        found = [self._listed(e) for e in new]
        for statement in session.register.statements.values():
            if self._mine(statement.ref):
                gaps = session.register.unlisted(statement, self.booked(statement.ref))
                found += [self._unlisted(statement, *gap) for gap in gaps]
        return found

    def _mine(self, ref: str) -> bool:
        return ref.startswith(f"{self.agent_id}:")

    async def _commissions(self, new: list[Done]) -> None:
        """The commission follows its execution at once; a late one is estimated."""
        session = self.connection.session
        loop = asyncio.get_running_loop()
        end = loop.time() + session.timing.commission
        while any(e.exec_id not in session.register.commissions for e in new) and loop.time() < end:
            await asyncio.sleep(0.02)

    def _listed(self, done: Done) -> Execution:
        fee = self.connection.session.register.commissions.get(done.exec_id)
        estimate = float(rules.commission(done.qty, done.qty * done.price, self.costs))
        return Execution(
            done.exec_id, done.ref, done.session, done.qty, done.price, estimate if fee is None else fee,
            final=fee is not None,
        )

    def _unlisted(self, statement: Statement, low: int, high: int) -> Execution:
        """A fill of an earlier day, of which IB tells the count, and the average price if at all."""
        qty, price = high - low, self._average(statement, high - low)
        fee = float(rules.commission(qty, qty * price, self.costs))
        session = statement.ended or self.connection.session.clock().astimezone(NEW_YORK).date().isoformat()
        return Execution(
            f"ibkr:{statement.perm_id}:{low}-{high}", statement.ref, session, qty, price, fee, final=False,
            estimated=True,
        )

    def _average(self, statement: Statement, qty: int) -> float:
        """The price of ``qty`` unlisted shares: what the order's average leaves for them. 0 if IB tells none."""
        known = self.connection.session.register.done(statement)
        listed = sum(e.qty for e in known)
        if statement.avg_price and listed and listed + qty == statement.filled:
            return round((statement.avg_price * statement.filled - sum(e.qty * e.price for e in known)) / qty, 6)
        return statement.avg_price
