"""One connection to TWS or Gateway that mends itself. Lives in one event loop.

It connects, passes the gates, takes a full look at the account, and is ready;
when the port closes, the link to IB breaks or a question stays unanswered, it
is not ready, and connects again with growing pauses. A question that was not
answered in time ends the connection: its late answer could pass for the answer
to the next one, and an empty list for a flat account.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

from ib_async.wrapper import RequestError

from ...core.errors import Refused, Unavailable
from . import ibkr_gates as gates
from .base import Health
from .ibkr_config import FARM_NOTICES, LINK_BACK, LINK_LOST, Denied, IbkrConfig
from .ibkr_ids import OrderIds
from .ibkr_register import Register
from .ibkr_tap import TappedIB

log = logging.getLogger(__name__)
T = TypeVar("T")



class IbkrSession:
    """Call from its own loop only. ``run`` until ``close``."""

    def __init__(self, config: IbkrConfig, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.config, self.clock, self.timing = config, clock, config.timing
        self.register = Register()
        self.account = ""
        self.ib: TappedIB | None = None
        self.looks = 0
        self.connections = 0
        """Full looks at the account, and connections that became ready, so far."""
        self._looked_at = -1e9
        self._locks: dict[str, asyncio.Lock] = {}
        self._lost: asyncio.Event = asyncio.Event()
        self._fatal, self._brief = "", False
        self.ids = OrderIds()
        self._closing = False
        self._changed = asyncio.Event()
        self._health = Health(False, "starting", "The connection to TWS was not tried yet.", clock())
        self._heard_at: datetime | None = None
        self._link = True

    # -- health -----------------------------------------------------------

    def health(self) -> Health:
        h = self._health
        return Health(h.ready, h.state, h.detail, h.since, self.account, self._heard_at)

    def _say(self, state: str, detail: str, ready: bool = False) -> None:
        if (state, detail) != (self._health.state, self._health.detail):
            quiet = ready or self._closing or state == "connecting"
            log.log(logging.INFO if quiet else logging.WARNING, "IBKR %s: %s", state, detail)
            self._health = Health(ready, state, detail, self.clock())
        self._changed.set()

    async def until_ready(self, seconds: float, ends: frozenset[str] = frozenset({"refused"})) -> Health:
        """The health once ready, in a state of ``ends`` (there a person is needed), or when the time is over."""
        end = asyncio.get_running_loop().time() + seconds
        while not self._health.ready and self._health.state not in ends:
            left = end - asyncio.get_running_loop().time()
            if left <= 0:
                break
            self._changed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), left)
        return self.health()

    def require(self) -> TappedIB:
        """The connection, if it may be used now."""
        if self.ib is None or not self._health.ready:
            raise Unavailable(f"Interactive Brokers cannot be used now: {self._health.detail}")
        return self.ib

    # -- life -------------------------------------------------------------

    async def run(self) -> None:
        """Connect, watch, connect again, until closed."""
        failures = 0
        while not self._closing:
            pause = self.timing.pauses[min(failures, len(self.timing.pauses) - 1)]
            try:
                await self._connect()
                failures = 0
                await self._watch()
                pause = self.timing.pauses[0]
            except Refused as error:
                failures += 1
                self._say("refused", str(error))
                pause = pause if self._brief else self.timing.refused_pause
            except (Unavailable, OSError, TimeoutError) as error:
                failures += 1
                self._say("disconnected", self.config.explain(error))
            finally:
                self._drop()
            if not self._closing:
                await self._pause(pause)

    async def _pause(self, seconds: float) -> None:
        self._lost.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._lost.wait(), seconds)  # close() wakes it

    def close(self) -> None:
        self._closing = True
        self._lost.set()
        self._drop()

    def renew(self, why: str) -> None:
        """Give this connection up; ``run`` makes another."""
        if not self._lost.is_set():
            self._say("disconnected", why)
            self._lost.set()

    def _drop(self) -> None:
        ib, self.ib = self.ib, None
        if ib is not None:
            ib.disconnect()
        if self._health.ready:
            self._say("disconnected", "The connection to TWS ended; it is made again.")

    # -- connecting -------------------------------------------------------

    async def _connect(self) -> None:
        gates.check_settings(self.config.gate)
        self._say("connecting", f"Connecting to {self.config.host}:{self.config.port}.")
        self._lost, self._fatal, self._brief, self._link = asyncio.Event(), "", False, True
        self.register.renew()
        self._looked_at = -1e9
        ib = TappedIB(self.register, self.config.zone, self.config.recorder)
        self._listen(ib)
        self.ib = ib
        await self._shake_hands(ib)
        self.account = gates.check_account(self.config.gate, ib.managedAccounts())
        if not self.config.read_only:
            await self.look()
        if not self._link:
            raise Unavailable("TWS is connected, but its own link to Interactive Brokers is down; wait, or log in"
                              " again.")
        self.connections += 1
        does = "Reading bars with" if self.config.read_only else "Trading"
        self._say("ready", f"{does} account {self.account} through {self.config.host}:{self.config.port}.", True)

    def _listen(self, ib: TappedIB) -> None:
        """What an earlier connection still says when it dies concerns nobody."""

        def closed(message: str) -> None:
            if ib is self.ib:
                self.renew("TWS closed the connection; it is made again.")

        def error(about: int, code: int, text: str, contract: Any) -> None:
            if ib is self.ib:
                self._on_error(about, code, text)

        def data() -> None:
            self._heard_at = self.clock()

        # A stopped listener is forgotten by eventkit if nothing else holds it.
        ib.client.conn.disconnected.connect(closed, keep_ref=True)
        ib.errorEvent.connect(error, keep_ref=True)
        ib.updateEvent.connect(data, keep_ref=True)

    async def _shake_hands(self, ib: TappedIB) -> None:
        """Connect and synchronise; an error that explains the failure comes before its time-out."""
        work = asyncio.ensure_future(ib.connectAsync(
            self.config.host, self.config.port, self.config.client_id, timeout=self.timing.connect,
            account=self.config.account, raiseSyncErrors=True, readonly=self.config.read_only,
        ))
        gone = asyncio.ensure_future(self._lost.wait())
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if self._fatal:
                raise Refused(self._fatal)
            if not work.done():
                raise Unavailable(self._health.detail)
            await work
        except RequestError as error:
            raise Denied("the account's state", error.code, error.message) from error
        finally:
            gone.cancel()
            work.cancel()
            await asyncio.wait({work})
            if not work.cancelled():
                work.exception()  # dealt with above, or overtaken by what explains it

    # -- watching ---------------------------------------------------------

    async def _watch(self) -> None:
        """Until the connection is lost. A probe finds out silence; a broken link gets some patience."""
        since_lost = 0.0
        while not self._lost.is_set() and not self._closing:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._lost.wait(), self.timing.probe_every)
            if self._lost.is_set() or self.ib is None:
                break
            if not self._link:
                since_lost += self.timing.probe_every
                if since_lost >= self.timing.link_patience:
                    self.renew("TWS lost its link to Interactive Brokers; the connection is made again.")
                continue
            since_lost = 0.0
            with suppress(Unavailable):
                await self.ask("time", lambda ib: ib.reqCurrentTimeAsync())
        if self._fatal:
            raise Refused(self._fatal)
        if not self._closing:
            raise Unavailable(self._health.detail)

    def _on_error(self, about: int, code: int, text: str) -> None:
        cure = gates.read_only(code, text)
        if code == 326 or cure:
            # A dead socket keeps its client id for a moment: that is worth another try soon.
            self._fatal, self._brief = cure or gates.client_id_taken(self.config.client_id), code == 326
            self._say("refused", self._fatal)
            self._lost.set()
        elif code in LINK_LOST:
            self._link = False
            if self._health.ready:
                self._say("link lost", "TWS lost its link to Interactive Brokers; it mends that by itself, or log in"
                                       " again.")
        elif code in LINK_BACK:
            # Even with data kept, what happened meanwhile is asked anew.
            self.renew("TWS has its link to Interactive Brokers again; the account is read anew.")
        elif about >= 0 and code not in FARM_NOTICES:
            self.register.word(self.config.client_id, about, code, text)

    # -- asking -----------------------------------------------------------

    async def ask(self, name: str, question: Callable[[TappedIB], Awaitable[T]], seconds: float | None = None) -> T:
        """One question of a kind at a time, answered in time or the connection is given up."""
        async with self._locks.setdefault(name, asyncio.Lock()):
            ib = self.ib
            if ib is None or self._lost.is_set():
                raise Unavailable(f"Interactive Brokers cannot be used now: {self._health.detail}")
            work, lost = asyncio.ensure_future(_asked(question, ib)), asyncio.ensure_future(self._lost.wait())
            try:
                patience = seconds or self.timing.answer
                await asyncio.wait({work, lost}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                if work.done():
                    return await work
                if not lost.done():
                    self.renew(f"TWS did not answer the question for {name}; the connection is made again.")
                raise Unavailable(f"Interactive Brokers did not answer the question for {name}; it is asked again.")
            except RequestError as error:
                raise Denied(name, error.code, error.message) from error
            except (OSError, asyncio.CancelledError) as error:
                if isinstance(error, asyncio.CancelledError) and not work.cancelled():
                    raise
                raise Unavailable(f"The connection to TWS ended during the question for {name}; it is made"
                                  f" again.") from error
            finally:
                lost.cancel()
                work.cancel()

    async def look(self) -> None:
        """A full look: what has ended, what was executed, what is open, what is held.

        Open orders come last: an order that ended before the question and is not
        in the answer has ended for good.
        """
        async with self._locks.setdefault("look", asyncio.Lock()):
            await self.ask("completed orders", lambda ib: ib.reqCompletedOrdersAsync(False))
            mark = self.register.mark()
            await self.ask("executions", lambda ib: ib.reqExecutionsAsync())
            self.register.listed_fills(mark)
            mark = self.register.mark()
            trades = await self.ask("open orders", lambda ib: ib.reqAllOpenOrdersAsync())
            self.register.opened(mark, [t.order.permId for t in trades if t.order.permId])
            await self.ask("positions", lambda ib: ib.reqPositionsAsync())
            self._looked_at = asyncio.get_running_loop().time()
            self.looks += 1
            self.ids.used(self.register, self.config.client_id)
        for ref in self.register.doubled():
            log.error("IBKR: more than one working order carries the key %s; look at them in TWS.", ref)

    async def fresh(self) -> None:
        """Look again unless the last look is young; pushes keep it true meanwhile."""
        self.require()
        if asyncio.get_running_loop().time() - self._looked_at > self.timing.fresh:
            await self.look()

    def positions(self) -> dict[int, int]:
        """Shares by contract id: the last look, and what was pushed since."""
        self.require()
        return {c: qty for (account, c), qty in self.register.positions.items() if account == self.account and qty}


async def _asked(question: Callable[[TappedIB], Awaitable[T]], ib: TappedIB) -> T:
    return await question(ib)
