"""A session with TWS or Gateway that restores its connection. Lives in one event loop.

It connects, passes the account gates, reads the account, and is ready. When the port
closes, the link to IB breaks, a required question stays unanswered or anything else
fails, it is not ready and connects again with growing pauses. Only ``close`` ends it.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ....core.errors import Refused, Unavailable
from ..base import BEGINNING, AwayCause, Health, HealthState
from . import account_gates as gates
from .account import is_reported
from .asking import FIGURES, Asking, Ended
from .config import FARM_NOTICES, LINK_BACK, LINK_LOST, IbkrConfig
from .wire import OPEN_ORDERS, RegisteringIB

log = logging.getLogger(__name__)


class _Known(Unavailable):
    """The connection ended; the health already has the reason."""


class IbkrSession(Asking):
    """Call from its own loop only. ``run`` until ``close``."""

    def __init__(self, config: IbkrConfig, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__(config, clock)
        self.connections = 0
        """Connections that became ready so far."""
        self._fatal, self._brief = "", False
        self._closing = False
        self._changed = asyncio.Event()
        self._failures, self._trouble = 0, ""
        self._away: datetime | None = clock()
        self._health = Health(False, HealthState.STARTING, "The connection to TWS was not tried yet.", clock())
        self._said_at = time.monotonic()
        self._link = True

    # -- health -----------------------------------------------------------

    def health(self) -> Health:
        """From any thread, without waiting. An attempt that takes too long counts as failed."""
        h, missing = self._health, tuple(sorted(self.missing))
        if h.ready and missing:
            text = (
                f"{h.detail} It has not answered the question for {', '.join(missing)} yet and is asked again: entries"
                f" wait; stops, exits and the emergency stop work."
            )
            h = replace(h, state=HealthState.DEGRADED, detail=text, missing=missing)
        failures = self._failures
        if h.state in BEGINNING and time.monotonic() - self._said_at > 2 * self.timing.connecting:
            text = (
                f"The attempt to connect to {self.config.host}:{self.config.port} hangs; restart the scheduler, and"
                f" send the log."
            )
            h, failures = replace(h, state=HealthState.DISCONNECTED, detail=text), failures + 1
        return replace(
            h,
            account=self.account,
            heard=self.reported_at,
            away=self._away,
            failures=failures,
            lacking=self.lacking,
            trouble=self._trouble or ("" if h.ready or h.state in BEGINNING else h.detail),
            unreadable=self.unreadable,
        )

    def _say(self, state: HealthState, detail: str, ready: bool = False, cause: AwayCause = AwayCause.NONE) -> None:
        """Set the visible state. A repeated failure with the same text is not logged again as a warning."""
        if (state, detail) != (self._health.state, self._health.detail):
            quiet = ready or self._closing or state == HealthState.CONNECTING or detail == self._trouble
            log.log(logging.INFO if quiet else logging.WARNING, "IBKR %s: %s", state, detail)
            self._health, self._said_at = Health(ready, state, detail, self.clock(), cause=cause), time.monotonic()
        if ready:
            self._away, self._failures, self._trouble = None, 0, ""
        else:
            self._away = self._away or self.clock()
            self._trouble = detail if state not in BEGINNING else self._trouble
        self._changed.set()

    def fail(self, error: BaseException, where: str) -> None:
        """An unexpected error: log it with its traceback, and make another connection."""
        log.error("IBKR: %s: %s", where, error, exc_info=error)
        self.renew(
            f"An unexpected error ended the connection to TWS ({type(error).__name__}: {error}); it is"
            f" made again. If that lasts, restart TWS and send the log.",
            HealthState.FAILED,
            AwayCause.ENDED,
        )

    def successor(self, error: BaseException | None) -> "IbkrSession":
        """A new session after this one's loop has died. It takes over what stays valid for another connection."""
        made = IbkrSession(self.config, self.clock)
        made.register, made.ids, made.connections, made.account_reads = (
            self.register,
            self.ids,
            self.connections,
            self.account_reads,
        )
        made.unreadable, made._failures, made._away = self.unreadable, self._failures + 1, self._away
        text = "" if error is None else f" ({type(error).__name__}: {error})"
        made._say(
            HealthState.FAILED,
            f"The connection to TWS died of an unexpected error{text}; it is made again. If that"
            f" lasts, restart the scheduler and send the log.",
            cause=AwayCause.ENDED,
        )
        return made

    def _why_not(self) -> str:
        return self._health.detail

    async def until_ready(
        self, seconds: float, ends: frozenset[HealthState] = frozenset({HealthState.REFUSED})
    ) -> Health:
        """Wait until ready, until a state of ``ends`` (a person is needed), or until the time is over."""
        end = asyncio.get_running_loop().time() + seconds
        while not self._health.ready and self._health.state not in ends:
            left = end - asyncio.get_running_loop().time()
            if left <= 0:
                break
            self._changed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), left)
        return self.health()

    def require(self) -> RegisteringIB:
        """The connection, if it may be used now."""
        if self.ib is None or not self._health.ready:
            raise Unavailable(f"Interactive Brokers cannot be used now: {self._health.detail}")
        return self.ib

    # -- life -------------------------------------------------------------

    async def run(self) -> None:
        """Connect, watch the connection, and connect again, until closed."""
        while not self._closing:
            pause = await self._once()
            if not self._closing:
                await self._pause(pause)

    async def _once(self) -> float:
        """One connection from beginning to end. Returns the pause before the next one."""
        pauses, before = self.timing.pauses, self.connections
        try:
            async with asyncio.timeout(self.timing.connecting):
                await self._connect()
            await self._watch()
        except Refused as error:
            self._say(
                HealthState.REFUSED, str(error), cause=AwayCause.CLIENT_ID_TAKEN if self._brief else AwayCause.NONE
            )
            if not self._brief:
                pauses = (self.timing.refused_pause,)
        except _Known:
            pass
        except (Unavailable, OSError, TimeoutError, UnicodeError) as error:
            ended = AwayCause.ENDED if isinstance(error, Ended) else AwayCause.NONE
            self._say(HealthState.DISCONNECTED, self.config.explain(error), cause=ended)
        except Exception as error:  # no error may prevent the next attempt
            log.exception("IBKR: the connection failed with an unexpected error")
            self._say(HealthState.FAILED, self.config.explain(error))
        finally:
            self._drop()
        self._failures = 0 if self.connections > before else self._failures + 1
        return pauses[min(max(self._failures - 1, 0), len(pauses) - 1)]

    async def _pause(self, seconds: float) -> None:
        self._lost.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._lost.wait(), seconds)  # close() wakes it

    def close(self) -> None:
        self._closing = True
        self._lost.set()
        self._drop()

    def renew(self, why: str, state: HealthState = HealthState.DISCONNECTED, cause: AwayCause = AwayCause.NONE) -> None:
        """Close this connection; ``run`` makes another."""
        if not self._lost.is_set():
            self._say(state, why, cause=cause)
            self._lost.set()

    def _drop(self) -> None:
        ib, self.ib = self.ib, None
        try:
            if ib is not None:
                ib.leave()
        except Exception:  # the next connection does not depend on it
            log.exception("IBKR: the connection could not be closed properly")
        if self._health.ready:
            self._say(HealthState.DISCONNECTED, "The connection to TWS ended; it is made again.", cause=AwayCause.ENDED)

    # -- connecting -------------------------------------------------------

    async def _connect(self) -> None:
        gates.check_settings(self.config.gate)
        before = f" Before: {self._trouble}" if self._failures else ""
        self._say(HealthState.CONNECTING, f"Connecting to {self.config.host}:{self.config.port}.{before}")
        self._lost, self._fatal, self._brief, self._link = asyncio.Event(), "", False, True
        self._begin()
        ib = self._tapped()
        self.ib = ib
        await self._until_lost(self._shake_hands(ib))
        self.account = gates.check_account(self.config.gate, ib.managedAccounts())
        if not self.config.read_only:
            await self._until_lost(self._read_first())
        if not self._link:
            raise Unavailable(
                "TWS is connected, but its own link to Interactive Brokers is down; wait, or log in again."
            )
        self.connections += 1
        self.lacking = self.lacking if self.missing else None
        does = "Reading bars with" if self.config.read_only else "Trading"
        self._say(
            HealthState.READY, f"{does} account {self.account} through {self.config.host}:{self.config.port}.", True
        )

    def _tapped(self) -> RegisteringIB:
        """A new connection object. Callbacks of an earlier connection are ignored."""

        def mine(act: Callable[..., None]) -> Callable[..., None]:
            return lambda *args: act(*args) if ib is self.ib else None

        def closed(message: str) -> None:
            self.renew("TWS closed the connection; it is made again.", cause=AwayCause.ENDED)

        def data() -> None:
            self.reported_at = self.clock()
            if FIGURES in self.missing and is_reported(self.values()):
                self._found(FIGURES)

        ib = RegisteringIB(
            self.register,
            self.config.zone,
            mine(self._on_end),
            mine(self._on_spoiled),
            mine(lambda error: self.fail(error, "a message of TWS could not be processed")),
            self.config.recorder,
        )
        # eventkit keeps only weak references without keep_ref.
        ib.client.conn.disconnected.connect(mine(closed), keep_ref=True)
        ib.errorEvent.connect(
            mine(lambda about, code, text, contract: self._on_error(about, code, text)), keep_ref=True
        )
        ib.updateEvent.connect(mine(data), keep_ref=True)
        return ib

    async def _until_lost(self, step: Coroutine[Any, Any, None]) -> None:
        """Run a step of connecting; if TWS sends the reason for a failure, raise that instead of a time-out."""
        work, gone = asyncio.ensure_future(step), asyncio.ensure_future(self._lost.wait())
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if self._fatal:
                raise Refused(self._fatal)
            if not work.done():
                raise _Known(self._health.detail)
            await work
        finally:
            gone.cancel()
            work.cancel()
            await asyncio.wait({work}, timeout=self.timing.settle)
            if work.done() and not work.cancelled():
                work.exception()  # handled above, or replaced by the reason that TWS sent

    async def _shake_hands(self, ib: RegisteringIB) -> None:
        config, seconds = self.config, self.timing.connect
        try:
            async with asyncio.timeout(seconds):
                await ib.shake_hands(config.host, config.port, config.client_id, seconds)
        except TimeoutError:
            if ib.reached:
                raise
            raise Unavailable(config.unreached()) from None

    async def _read_first(self) -> None:
        """Read orders and positions, which are required; the figures are pushed and may come later."""
        self._send(FIGURES)
        end = asyncio.get_running_loop().time() + self.timing.optional
        await self._needed(OPEN_ORDERS, lambda ib: ib.reqOpenOrdersAsync())
        await self.read_account()
        while not is_reported(self.values()) and (left := end - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(min(left, 0.05))
        if not is_reported(self.values()):
            self._miss(FIGURES)

    # -- watching ---------------------------------------------------------

    async def _watch(self) -> None:
        """Return when the connection is lost. Regular probes detect a silent TWS; a broken link to IB is given
        some time to come back."""
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
                self._ask_again()
        if self._fatal:
            raise Refused(self._fatal)
        if not self._closing:
            raise _Known(self._health.detail)

    def _on_error(self, about: int, code: int, text: str) -> None:
        cure = gates.read_only(code, text)
        if code == 326 or cure:
            # TWS keeps the client id of a dead socket for a moment, so another attempt comes soon.
            self._fatal, self._brief = cure or gates.client_id_taken(self.config.client_id), code == 326
            self._say(
                HealthState.REFUSED, self._fatal, cause=AwayCause.CLIENT_ID_TAKEN if self._brief else AwayCause.NONE
            )
            self._lost.set()
        elif code in LINK_LOST:
            self._link = False
            if self._health.ready:
                self._say(
                    HealthState.LINK_LOST,
                    "TWS lost its link to Interactive Brokers; usually it finds it again by itself; if not, log in"
                    " again.",
                )
        elif code in LINK_BACK:
            # Even if TWS kept its data (1102), reports may have been lost meanwhile.
            self.renew("TWS has its link to Interactive Brokers again; the account is read again.")
        elif about >= 0 and code not in FARM_NOTICES:
            self._on_denied(about, code, text)
            self.register.error(self.config.client_id, about, code, text)
