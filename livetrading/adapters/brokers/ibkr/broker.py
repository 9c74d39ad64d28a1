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

    ``booked`` gives the shares of a key that the agent has booked, ``others`` the shares of
    the contract that are not this agent's (unmanaged ones included), ``in_doubt`` the answer
    of ``unsettled``. ``gate`` refuses an account that is not the agent's; it is called each
    time, because TWS may be logged in to another account by then. It has no default, so that
    it cannot be forgotten.
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
        """Send an order and wait for its permId. Unavailable: whether it arrived is unknown."""
        return self._call(lambda: self.connection.orders.submit(ticket, child, self.instrument))

    def cancel(self, ref: str, now: datetime) -> None:
        self._call(lambda: self.connection.orders.cancel(ref))

    def find(self, ref: str) -> BrokerOrder | None:
        """The order with this key, among open orders of all clients, completed orders and executions."""

        async def work() -> BrokerOrder | None:
            found = await self.connection.orders.find(ref)
            return None if found is None else self._order(found)

        return self._call(work)

    def executions(self) -> list[Execution]:
        """Fills that are not booked: those of the day, and earlier ones by their order's filled count."""
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
        """Always empty: fills are booked as they are reported, without a bar."""
        return ""

    def advance(self, session: str, opened: datetime, quote: rules.Quote) -> None:
        """Nothing to do: IB has traded the session already."""

    def unknown(self, keys: Collection[str]) -> list[str]:
        """Keys of this agent's orders that IB works, by any client, and that are none of these."""
        working = {o.ref for o in self.working() if o.state not in TERMINAL}
        return sorted(working - set(keys))

    def working(self) -> list[BrokerOrder]:
        return accounts.of_agent(self.agent_id, self.connection.open_orders())

    def unanswered(self) -> tuple[str, ...]:
        return tuple(name for name in self.connection.health().missing if name in (COMPLETED, EXECUTIONS))

    def since(self) -> datetime | None:
        """When the current connection became ready."""
        return self.connection.health().since

    def fee(self, exec_id: str) -> float | None:
        return self.connection.session.register.fee(exec_id)

    def health(self) -> Health:
        return self.connection.health()

    # -- inside the loop --------------------------------------------------

    def _order(self, report: OrderReport) -> BrokerOrder:
        register = self.connection.session.register
        gaps = register.unlisted(report, self.booked(report.ref))
        covered = max([self.booked(report.ref), *(e.cum for e in register.done(report)), *(b for _, b in gaps)])
        return register.broker_order(report, covered)

    async def _executions(self) -> list[Execution]:
        session = self.connection.session
        await session.fresh()
        new = [e for e in self._mine() if e.cum > self.booked(e.ref)]
        await self._commissions(new)
        found = [self._listed(e) for e in new]
        for report in session.register.order_reports.values():
            if OrderKey.owner(report.ref) == self.agent_id:
                gaps = session.register.unlisted(report, self.booked(report.ref))
                found += [self._unlisted(report, *gap) for gap in gaps]
        return found

    def _mine(self) -> list[Done]:
        return accounts.of_agent(self.agent_id, self.connection.session.register.executions.values())

    async def _commissions(self, new: list[Done]) -> None:
        """Wait a moment for commission reports, which usually follow at once; a late one is estimated."""
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

    def _unlisted(self, report: OrderReport, low: int, high: int) -> Execution:
        """A fill of an earlier day: IB reports only its order's filled count, and perhaps the average price."""
        qty, price = high - low, self._average(report, high - low)
        session = report.ended or self.connection.session.clock().astimezone(NEW_YORK).date().isoformat()
        return Execution(
            f"ibkr:{report.perm_id}:{low}-{high}",
            report.ref,
            session,
            qty,
            price,
            self._estimate(report.side, qty, price, session),
            final=False,
            estimated=True,
            side=report.side,
        )

    def _average(self, report: OrderReport, qty: int) -> float:
        """The price of ``qty`` unlisted shares, calculated from the order's average price. 0 if IB reports none."""
        known = self.connection.session.register.done(report)
        listed = sum(e.qty for e in known)
        if report.avg_price and listed and listed + qty == report.filled:
            return price_of(round((report.avg_price * report.filled - sum(e.qty * e.price for e in known)) / qty, 6))
        return report.avg_price
