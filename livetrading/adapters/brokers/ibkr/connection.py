"""Interactive Brokers through TWS or Gateway: the one connection that all agents of an account share.

The connection lives in a thread of its own with its own event loop; ib_async's
objects are touched there alone. Every call from outside is bounded in time and
raises Unavailable when TWS does not answer. Only the scheduler owns one.
"""

import time
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from ib_async import Stock
from ib_async.contract import ContractDetails

from ....core.errors import NotFound, Refused, Unavailable
from ....core.windows import NEW_YORK
from ...store import Store
from ..base import AccountFigures, AwayCause, BrokerOrder, Health
from ..connection import Place
from . import account_gates as gates
from . import evidence
from .account import figures
from .config import Denied, IbkrConfig
from .history import LONGEST_WAIT, BarSupplier, RawBar
from .numbers import Unreadable, number
from .order_register import Done
from .orders import Instrument, OrderBuilder
from .session import IbkrSession
from .thread import LoopThread

T = TypeVar("T")
UNKNOWN_CONTRACT = 200
CALL_SECONDS = 60.0
"""The time limit of every call."""
MOST_TICK = 100.0
TAKEN_PAUSE = 0.2
"""Seconds between two checks of a client id that another process still has."""


class IbkrConnection:
    """TWS for all agents of one account. ``start`` returns at once; ``health`` shows when it is ready.

    It lasts until ``close``: the session restores a lost connection, and this class replaces a
    session whose loop or thread has died.
    """

    def __init__(self, config: IbkrConfig, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.config = config
        self._use(IbkrSession(config, clock))
        self.pulse: Callable[[], object] = lambda: None
        """A heartbeat, called while a caller waits for an answer."""
        self._thread = LoopThread(
            lambda: self.session.run(), self._again, lambda error: self.session.fail(error, "a callback")
        )

    def _use(self, session: IbkrSession) -> None:
        self.session = session
        self.orders, self.history = OrderBuilder(session), BarSupplier(session)

    def _again(self, error: BaseException | None) -> None:
        """Use a new session after one has died."""
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
        """Run a coroutine in the connection's loop. Raises Unavailable when it takes too long."""
        return self._thread.call(work, seconds, lambda: self.pulse())

    # -- what is known without asking ---------------------------------------

    def now(self) -> datetime:
        return self.session.clock()

    def confirmed(self) -> str:
        return self.config.confirmed

    def place(self) -> Place:
        return {"mode": self.config.mode, "host": self.config.host, "port": self.config.port}

    def expects_absence(self, now: datetime) -> bool:
        """True around TWS's daily restart."""
        return gates.near_restart(now, self.config.restart, self.config.zone)

    def check_agent(self, account: str, confirmed: str) -> None:
        self.check_account(self.health().account, account, confirmed)

    def check_account(self, traded: str, account: str, confirmed: str) -> None:
        """The same for the account that TWS trades at this moment."""
        gates.check_agent(self.config.gate, traded, account, confirmed)

    def positions_version(self) -> tuple[object, ...]:
        return self.session.connections, self.session.register.positions.copy()

    def reports_version(self) -> tuple[object, ...]:
        return self.session.register.version()

    def reports(self) -> list[Done]:
        return list(self.session.register.executions.values())

    # -- the account ------------------------------------------------------

    def health(self) -> Health:
        """The health, without waiting. A thread that has died is started again."""
        self._thread.revive()
        return self.session.health()

    def wait_ready(self, seconds: float) -> Health:
        """Wait until ready, until refused, or until the time is over. Returns the health then."""
        return self.call(lambda: self.session.until_ready(seconds), seconds + 5)

    def await_ready(self, seconds: float) -> Health:
        """The same, but wait also while the client id is taken: TWS keeps the id of a process that was just
        killed for a moment."""
        end = time.monotonic() + seconds
        while True:
            health = self.wait_ready(max(end - time.monotonic(), 0.1))
            if health.cause != AwayCause.CLIENT_ID_TAKEN or time.monotonic() >= end:
                return health
            time.sleep(TAKEN_PAUSE)

    def account(self) -> AccountFigures:
        """Net liquidation and USD cash as TWS last sent them; a figure that is not a number is absent."""

        async def work() -> AccountFigures:
            session = self.session
            session.require()
            return figures(session.account, session.values(), session.reported_at or session.clock())

        return self.call(work)

    def observed(self, today: date) -> dict[str, str]:
        """Assumptions about TWS that the reports of this connection confirm; see ``evidence``."""

        async def work() -> dict[str, str]:
            self.session.require()
            return evidence.observed(self.session.register, self.session.account, self.config.port, today)

        return self.call(work)

    def learn(self, store: Store, now: datetime) -> None:
        """Record the assumptions about TWS that the reports confirm."""
        if seen := self.observed(now.astimezone(NEW_YORK).date()):
            evidence.note(store, seen, now, self.server_version(), self.health().account)

    def server_version(self) -> int:
        """The protocol's version that TWS and this program agreed on."""

        async def work() -> int:
            return self.session.require().client.serverVersion()

        return self.call(work)

    def farms_down(self) -> list[str]:
        """IB's messages about data farms that do not work now."""

        async def work() -> list[str]:
            return list(self.session.require().farms_down.values())

        return self.call(work)

    def positions(self) -> dict[int, int]:
        """Shares of the whole account by contract id. Raises Unavailable without an answer of TWS."""

        async def work() -> dict[int, int]:
            await self.session.fresh()
            return self.session.positions()

        return self.call(work)

    def position(self, con_id: str) -> int:
        """Shares of the whole account in one contract."""
        return self.positions().get(int(con_id or 0), 0)

    def server_time(self) -> datetime:
        """The time of IB's servers, to the second."""
        self.session.require()
        return self.call(lambda: self.session.ask("time", lambda ib: ib.reqCurrentTimeAsync())).astimezone(UTC)

    def read_account(self) -> None:
        """Read the whole account again, however recent the last reports are."""
        self.session.require()
        self.call(self.session.read_account)

    def open_orders(self) -> list[BrokerOrder]:
        """Every working order of the account, ours or not, by all clients."""

        async def work() -> list[BrokerOrder]:
            await self.session.fresh()
            register = self.session.register
            return [
                register.broker_order(s, s.filled)
                for s in register.order_reports.values()
                if s.account == self.session.account and not s.over and not register.lost(s)
            ]

        return self.call(work)

    def cancel(self, refs: Sequence[str]) -> list[str]:
        """Request the cancel of several orders at once. Returns the keys that IB has not confirmed as ended."""
        return self.call(lambda: self.orders.cancel_many(refs))

    def cancel_everything(self) -> None:
        """IB's global cancel, including orders that are not ours. Only if the user asked for it."""
        self.call(self.orders.cancel_everything)

    def bars(self, instrument: Instrument, size: str, duration: str, what: str = "TRADES") -> list[RawBar]:
        """Historical bars up to now, within IB's pacing limits. NoBars when IB has none or does not answer."""
        seconds = self.session.timing.history + LONGEST_WAIT + 5
        return self.call(lambda: self.history.bars(instrument, size, duration, what), seconds)

    def instrument(self, symbol: str, con_id: int | str = 0, primary: str = "") -> Instrument:
        """The stock of a symbol. Raises Refused if the symbol no longer has the stored contract id."""
        stock = Stock(symbol.replace("-", " "), "SMART", "USD", primaryExchange=primary)

        async def work() -> list[ContractDetails]:
            self.session.require()
            return await self.session.ask(
                f"contract {symbol}", lambda ib: ib.reqContractDetailsAsync(stock), numbered=True
            )

        try:
            found = self.call(work)
        except Denied as error:
            if error.code != UNKNOWN_CONTRACT:
                raise
            found = []
        return _chosen(symbol, int(con_id or 0), primary, found)


def _chosen(symbol: str, con_id: int, primary: str, found: list[ContractDetails]) -> Instrument:
    stocks = [(d, d.contract) for d in found if d.contract is not None and d.contract.secType == "STK"]
    if not stocks:
        raise NotFound(f"Interactive Brokers does not know a stock {symbol} in USD; check the symbol.")
    ids = sorted({contract.conId for _, contract in stocks})
    if con_id and con_id not in ids:
        raise Refused(
            f"{symbol} was contract {con_id} and is {ids[0]} now: another security trades under its symbol;"
            f" close the agent's position and deploy it again."
        )
    kept = [stock for stock in stocks if con_id in (0, stock[1].conId)]
    if len({contract.conId for _, contract in kept}) > 1:
        where = ", ".join(sorted({contract.primaryExchange for _, contract in kept}))
        raise Refused(f"{symbol} is listed more than once ({where}); name its primary exchange.")
    details, contract = kept[0]
    try:
        tick = number(details.minTick, "tick", 0.0, MOST_TICK) or 0.01
    except Unreadable as error:
        raise Unavailable(
            f"Interactive Brokers sent details of {symbol}, but its {error}; it is asked again."
        ) from error
    return Instrument(symbol, contract.conId, contract.primaryExchange or primary, tick)
