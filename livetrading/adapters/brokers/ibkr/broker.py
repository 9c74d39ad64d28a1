"""An account at Interactive Brokers as one agent trades it."""

import asyncio
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, TypeVar

from ....core import account as accounts
from ....core import estimates, rules
from ....core.order_key import OrderKey
from ....core.orders import TERMINAL
from ....core.types import Costs
from ....core.windows import NEW_YORK
from ..base import BrokerOrder, Execution, Health, Ticket
from .connection import IbkrConnection
from .numbers import price_of
from .order_register import Done, OrderReport
from .orders import Instrument
from .wire import COMPLETED, EXECUTIONS

T = TypeVar("T")


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
        working = {o.ref for o in self.working() if o.state not in TERMINAL}
        return sorted(working - set(keys))

    def working(self) -> list[BrokerOrder]:
        return accounts.of_agent(self.agent_id, self.connection.open_orders())

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
            if OrderKey.owner(statement.ref) == self.agent_id:
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
            done.exec_id,
            done.ref,
            done.session,
            done.qty,
            done.price,
            estimate if fee is None else fee,
            final=fee is not None,
            estimated=not done.price,
            side=done.side,
            cum=done.cum,
        )

    def _estimate(self, side: str, qty: int, price: float, session: str) -> float:
        return estimates.fee(side, qty, price, date.fromisoformat(session), self.costs)

    def _unlisted(self, statement: OrderReport, low: int, high: int) -> Execution:
        """A fill of an earlier day, of which IB tells the count, and the average price if at all."""
        qty, price = high - low, self._average(statement, high - low)
        session = statement.ended or self.connection.session.clock().astimezone(NEW_YORK).date().isoformat()
        return Execution(
            f"ibkr:{statement.perm_id}:{low}-{high}",
            statement.ref,
            session,
            qty,
            price,
            self._estimate(statement.side, qty, price, session),
            final=False,
            estimated=True,
            side=statement.side,
        )

    def _average(self, statement: OrderReport, qty: int) -> float:
        """The price of ``qty`` unlisted shares: what the order's average leaves for them. 0 if IB tells none."""
        known = self.connection.session.register.done(statement)
        listed = sum(e.qty for e in known)
        if statement.avg_price and listed and listed + qty == statement.filled:
            return price_of(
                round((statement.avg_price * statement.filled - sum(e.qty * e.price for e in known)) / qty, 6)
            )
        return statement.avg_price
