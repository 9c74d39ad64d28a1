"""Interactive Brokers through TWS or Gateway: one connection, one broker an agent.

The connection lives in a thread of its own with its own event loop; ib_async's
objects are touched there alone. Every call from outside is bounded in time and
raises Unavailable when TWS does not answer. Only the scheduler owns one.
"""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from ib_async import Stock
from ib_async.contract import ContractDetails

from ....core import account as accounts
from ....core import estimates, rules
from ....core.errors import NotFound, Refused, Unavailable
from ....core.orders import TERMINAL
from ....core.types import Costs
from ....core.windows import NEW_YORK
from . import evidence
from ..base import AccountFigures, BrokerOrder, Execution, Health, Ticket
from .account import figures
from .config import Denied, IbkrConfig
from .history import LONGEST_WAIT, BarSupplier, RawBar
from .numbers import Unreadable, number, price_of
from .orders import Instrument, OrderBuilder
from .order_register import Done, OrderReport
from .session import IbkrSession
from .wire import COMPLETED, EXECUTIONS
from .thread import LoopThread

T = TypeVar("T")
UNKNOWN_CONTRACT = 200
CALL_SECONDS = 60.0
"""No call takes longer, whatever its parts may take."""
MOST_TICK = 100.0


class IbkrConnection:
    """TWS for all agents of one account. ``start`` returns at once; ``health`` says when it is ready.

    It lasts until ``close``: a connection that ends is made again by its session, and a
    session whose loop or thread dies is made again here.
    """

    def __init__(self, config: IbkrConfig, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.config = config
        self._use(IbkrSession(config, clock))
        self.pulse: Callable[[], object] = lambda: None
        """Called by whoever waits for an answer, while it waits."""
        self._thread = LoopThread(
            lambda: self.session.run(), self._again, lambda error: self.session.fail(error, "a callback"),
        )

    def _use(self, session: IbkrSession) -> None:
        self.session = session
        self.orders, self.history = OrderBuilder(session), BarSupplier(session)

    def _again(self, error: BaseException | None) -> None:
        """A new session takes over what the one that died knew for good."""
        self._use(self.session.successor(error))

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Disconnect; orders at IB stay as they are. Never raises."""
        self._thread.close(lambda: self.session.close())

    def __enter__(self) -> "IbkrConnection":
        self.start()
        return self

    def __exit__(self, *what: object) -> None:
        self.close()

    def call(self, work: Callable[[], Coroutine[Any, Any, T]], seconds: float = CALL_SECONDS) -> T:
        """Run something in the connection's loop; Unavailable when it takes too long."""
        return self._thread.call(work, seconds, lambda: self.pulse())

    # -- the account ------------------------------------------------------

    def health(self) -> Health:
        """What is known without asking: never blocks. A thread that has died is started again."""
        self._thread.revive()
        return self.session.health()

    def wait_ready(self, seconds: float) -> Health:
        """The health once ready, refused, or the time is over."""
        return self.call(lambda: self.session.until_ready(seconds), seconds + 5)

    def account(self) -> AccountFigures:
        """Net liquidation and USD cash as TWS last pushed them; one that is no number is absent."""

        async def work() -> AccountFigures:
            session = self.session
            session.require()
            return figures(session.account, session.values(), session.reported_at or session.clock())

        return self.call(work)

    def observed(self, today: date) -> dict[str, str]:
        """What the reports of this connection prove of what is assumed of TWS; see ``ibkr_evidence``."""

        async def work() -> dict[str, str]:
            self.session.require()
            return evidence.observed(self.session.register, self.session.account, self.config.port, today)

        return self.call(work)

    def server_version(self) -> int:
        """The protocol's version that TWS and this program agreed on."""

        async def work() -> int:
            return self.session.require().client.serverVersion()

        return self.call(work)

    def farms_down(self) -> list[str]:
        """IB's words on the data farms that do not work now."""

        async def work() -> list[str]:
            return list(self.session.require().farms_down.values())

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
        return self.call(lambda: self.orders.cancel_many(refs))

    def cancel_everything(self) -> None:
        """IB's global cancel, also of orders that are not ours: on the user's explicit word alone."""
        self.call(self.orders.cancel_everything)

    def bars(self, instrument: Instrument, size: str, duration: str, what: str = "TRADES") -> list[RawBar]:
        """Historical bars up to now, paced. NoBars when IB has none or is silent."""
        seconds = self.session.timing.history + LONGEST_WAIT + 5
        return self.call(lambda: self.history.bars(instrument, size, duration, what), seconds)

    def instrument(self, symbol: str, con_id: int = 0, primary: str = "") -> Instrument:
        """The stock of a symbol; a stored contract id that the symbol no longer has is Refused."""
        stock = Stock(symbol.replace("-", " "), "SMART", "USD", primaryExchange=primary)

        async def work() -> list[ContractDetails]:
            self.session.require()
            return await self.session.ask(f"contract {symbol}", lambda ib: ib.reqContractDetailsAsync(stock), numbered=True)

        try:
            found = self.call(work)
        except Denied as error:
            if error.code != UNKNOWN_CONTRACT:
                raise
            found = []
        return _chosen(symbol, con_id, primary, found)


def _chosen(symbol: str, con_id: int, primary: str, found: list[ContractDetails]) -> Instrument:
    stocks = [(d, d.contract) for d in found if d.contract is not None and d.contract.secType == "STK"]
    if not stocks:
        raise NotFound(f"Interactive Brokers does not know a stock {symbol} in USD; check the symbol.")
    ids = sorted({contract.conId for _, contract in stocks})
    if con_id and con_id not in ids:
        raise Refused(f"{symbol} was contract {con_id} and is {ids[0]} now: another security trades under its symbol;"
                      f" close the agent's position and deploy it again.")
    kept = [stock for stock in stocks if con_id in (0, stock[1].conId)]
    if len({contract.conId for _, contract in kept}) > 1:
        where = ", ".join(sorted({contract.primaryExchange for _, contract in kept}))
        raise Refused(f"{symbol} is listed more than once ({where}); name its primary exchange.")
    details, contract = kept[0]
    try:
        tick = number(details.minTick, "tick", 0.0, MOST_TICK) or 0.01
    except Unreadable as error:
        raise Unavailable(f"Interactive Brokers sent details of {symbol}, but its {error}; it is asked again.") from error
    return Instrument(symbol, contract.conId, contract.primaryExchange or primary, tick)


@dataclass
class IbkrBroker:
    """The account as one agent sees it, on the Broker protocol.

    ``booked`` tells how many shares of a key the agent's book already holds as
    fills, ``others`` how many shares of the contract are not this agent's: other
    agents' and the unmanaged rest, ``in_doubt`` what ``unsettled`` says. ``gate`` refuses an account that is not the agent's:
    it is asked with every call, for TWS may be logged in to another one by then. It has
    no default: nobody trades an account by forgetting to say which.
    """

    connection: IbkrConnection
    agent_id: str
    instrument: Instrument
    costs: Costs = Costs()
    booked: Callable[[str], int] = lambda ref: 0
    others: Callable[[], int] = lambda: 0
    in_doubt: Callable[[], tuple[int, int]] = lambda: (0, 0)
    gate: Callable[[str], None] = field(kw_only=True)

    def _call(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        async def gated() -> T:
            self.connection.session.require()
            self.gate(self.connection.session.account)
            return await work()

        return self.connection.call(gated)

    def submit(self, ticket: Ticket, child: Ticket | None, now: datetime) -> BrokerOrder:
        """Sent and acknowledged with a permId. Unavailable: whether it arrived is unknown."""
        return self._call(lambda: self.connection.orders.submit(ticket, child, self.instrument))

    def cancel(self, ref: str, now: datetime) -> None:
        self._call(lambda: self.connection.orders.cancel(ref))

    def find(self, ref: str) -> BrokerOrder | None:
        """Open orders of all clients, completed ones and executions, by the key they carry."""

        async def work() -> BrokerOrder | None:
            found = await self.connection.orders.find(ref)
            return None if found is None else self._order(found)

        return self._call(work)

    def executions(self) -> list[Execution]:
        """Fills that the book does not hold: those of the day, and earlier ones by their order's count."""
        return self._call(self._executions)

    def reported(self) -> list[Execution]:
        """Every execution of this agent's orders that IB has listed to this process, as last corrected."""

        async def work() -> list[Execution]:
            await self.connection.session.fresh()
            return [self._listed(e) for e in self._mine()]

        return self._call(work)

    def position(self) -> int:
        async def work() -> int:
            await self.connection.session.fresh()
            return self.connection.session.positions().get(self.instrument.con_id, 0)

        return self._call(work) - self.others()

    def unsettled(self) -> tuple[int, int]:
        return self.in_doubt()

    def traded(self) -> str:
        """Nothing waits for a bar: fills are booked as they are heard."""
        return ""

    def advance(self, session: str, opened: datetime, quote: rules.Quote) -> None:
        """IB has traded the session already."""

    def unknown(self, keys: Collection[str]) -> list[str]:
        """Keys of this agent's orders that IB works, by any client, and that are none of these."""
        working = {o.ref for o in self.connection.open_orders() if accounts.owner(o.ref) == self.agent_id and o.state not in TERMINAL}
        return sorted(working - set(keys))

    def unanswered(self) -> tuple[str, ...]:
        return tuple(name for name in self.connection.health().missing if name in (COMPLETED, EXECUTIONS))

    def since(self) -> datetime | None:
        """When the connection that there is became ready."""
        return self.connection.health().since

    def fee(self, exec_id: str) -> float | None:
        return self.connection.session.register.fee(exec_id)

    def health(self) -> Health:
        return self.connection.health()

    # -- inside the loop --------------------------------------------------

    def _order(self, statement: OrderReport) -> BrokerOrder:
        register = self.connection.session.register
        gaps = register.unlisted(statement, self.booked(statement.ref))
        covered = max([self.booked(statement.ref), *(e.cum for e in register.done(statement)), *(b for _, b in gaps)])
        return register.broker_order(statement, covered)

    async def _executions(self) -> list[Execution]:
        session = self.connection.session
        await session.fresh()
        new = [e for e in self._mine() if e.cum > self.booked(e.ref)]
        await self._commissions(new)
        found = [self._listed(e) for e in new]
        for statement in session.register.statements.values():
            if accounts.owner(statement.ref) == self.agent_id:
                gaps = session.register.unlisted(statement, self.booked(statement.ref))
                found += [self._unlisted(statement, *gap) for gap in gaps]
        return found

    def _mine(self) -> list[Done]:
        return accounts.of_agent(self.agent_id, self.connection.session.register.executions.values())

    async def _commissions(self, new: list[Done]) -> None:
        """The commission follows its execution at once; a late one is estimated."""
        session = self.connection.session
        loop = asyncio.get_running_loop()
        end = loop.time() + session.timing.commission
        while any(e.exec_id not in session.register.commissions for e in new) and loop.time() < end:
            await asyncio.sleep(0.02)

    def _listed(self, done: Done) -> Execution:
        fee = self.connection.session.register.fee(done.exec_id) if done.price else None
        if fee is None:
            estimate = self._estimate(done.side, done.qty, done.price, done.session)
        return Execution(
            done.exec_id, done.ref, done.session, done.qty, done.price, estimate if fee is None else fee,
            final=fee is not None, estimated=not done.price, side=done.side, cum=done.cum,
        )

    def _estimate(self, side: str, qty: int, price: float, session: str) -> float:
        return estimates.fee(side, qty, price, date.fromisoformat(session), self.costs)

    def _unlisted(self, statement: OrderReport, low: int, high: int) -> Execution:
        """A fill of an earlier day, of which IB tells the count, and the average price if at all."""
        qty, price = high - low, self._average(statement, high - low)
        session = statement.ended or self.connection.session.clock().astimezone(NEW_YORK).date().isoformat()
        return Execution(
            f"ibkr:{statement.perm_id}:{low}-{high}", statement.ref, session, qty, price,
            self._estimate(statement.side, qty, price, session), final=False, estimated=True, side=statement.side,
        )

    def _average(self, statement: OrderReport, qty: int) -> float:
        """The price of ``qty`` unlisted shares: what the order's average leaves for them. 0 if IB tells none."""
        known = self.connection.session.register.done(statement)
        listed = sum(e.qty for e in known)
        if statement.avg_price and listed and listed + qty == statement.filled:
            return price_of(round((statement.avg_price * statement.filled - sum(e.qty * e.price for e in known)) / qty, 6))
        return statement.avg_price
