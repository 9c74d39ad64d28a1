"""Questions to TWS, each with a time limit. Anything that is not answered counts as unknown.

Open orders and positions are required: without their answer the connection is closed
and made again, because a late end marker without a number could end the next question.
Completed orders, executions and the account's figures are optional: missing ones are
named and asked for again; meanwhile orders can be cancelled and positions closed.
"""

import asyncio
import logging
import math
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from ib_async import AccountValue, ExecutionFilter
from ib_async.wrapper import RequestError

from ....core.errors import Unavailable
from .account import Held
from .config import Denied, IbkrConfig
from .numbers import Unreadable
from .order_ids import OrderIds
from .order_register import Register
from .wire import COMPLETED, EXECUTIONS, OPEN_ORDERS, POSITIONS, RegisteringIB

log = logging.getLogger(__name__)
T = TypeVar("T")

FIGURES = "account figures"


class Ended(Unavailable):
    """The connection ended during a question; it is restored automatically."""


class Asking:
    """The questions of a session over its connection. In the session's event loop only."""

    def __init__(self, config: IbkrConfig, clock: Callable[[], datetime]) -> None:
        self.config, self.clock, self.timing = config, clock, config.timing
        self.register, self.ids = Register(), OrderIds()
        self.account = ""
        self.ib: RegisteringIB | None = None
        self.account_reads = 0
        """How often the whole account was read so far."""
        self.reported_at: datetime | None = None
        self.unreadable = 0
        """Messages that could not be read so far."""
        self.lacking: datetime | None = None
        """Since when a question is unanswered, also over several connections."""
        self._lost: asyncio.Event = asyncio.Event()
        self._locks: dict[str, asyncio.Lock] = {}
        self._begin()

    def _begin(self) -> None:
        """Reset for a new connection: no question is open on it."""
        self.missing: frozenset[str] = frozenset()
        """Unanswered optional questions: the connection can be used, but entries wait."""
        self._asked: dict[str, list[tuple[int, int, int, float]]] = defaultdict(list)
        """Open questions by name: (our number, the protocol's number or 0, the register's mark, time)."""
        self._answered: dict[str, int] = {}
        self._spoiled: dict[str, str] = {}
        self._number = 0
        self._ended = asyncio.Event()
        self._looked_at, self._looking = -1e9, False
        self._unread = 0
        """Reads of the account in a row in which a message could not be read."""
        self._logged: set[str] = set()
        self._again, self._next_again = 0, 0.0
        self.register.renew()

    # -- implemented by the session ------------------------------------------

    def renew(self, why: str) -> None:
        """Close this connection and make another one."""
        raise NotImplementedError

    def require(self) -> RegisteringIB:
        """The connection. Raises Unavailable if it cannot be used now."""
        raise NotImplementedError

    def _why_not(self) -> str:
        """Why the connection cannot be used."""
        raise NotImplementedError

    # -- asking -----------------------------------------------------------

    async def ask(self, name: str, question: Callable[[RegisteringIB], Awaitable[T]], numbered: bool = False) -> T:
        """Ask one question of a kind at a time. Without an answer in time the connection is made again, except for
        a ``numbered`` question: its late answer cannot be mistaken for another."""
        async with self._locks.setdefault(name, asyncio.Lock()):
            ib = self.ib
            if ib is None or self._lost.is_set():
                raise Unavailable(f"Interactive Brokers cannot be used now: {self._why_not()}")
            work, lost = asyncio.ensure_future(_asked(question, ib)), asyncio.ensure_future(self._lost.wait())
            try:
                await asyncio.wait({work, lost}, timeout=self.timing.answer, return_when=asyncio.FIRST_COMPLETED)
                if work.done():
                    return await work
                if not lost.done() and not numbered:
                    self.renew(f"TWS did not answer the question for {name}; the connection is made again.")
                raise Unavailable(f"Interactive Brokers did not answer the question for {name}; it is asked again.")
            except RequestError as error:
                raise Denied(name, error.code, error.message) from error
            except Unreadable as error:
                raise Unavailable(f"Interactive Brokers answered the question for {name}, but {error}.") from error
            except (OSError, asyncio.CancelledError) as error:
                if isinstance(error, asyncio.CancelledError) and not work.cancelled():
                    raise
                raise Ended(f"The connection to TWS ended during the question for {name}; it is made again.") from error
            finally:
                lost.cancel()
                work.cancel()

    async def _needed(self, name: str, question: Callable[[RegisteringIB], Awaitable[T]]) -> None:
        """A question that must be answered completely. Messages right after its end marker may still belong to it,
        so the server's time is asked for afterwards: its answer comes last."""
        self._spoiled.pop(name, None)
        ib = self.ib
        await self.ask(name, question)
        try:
            await self.ask("time", lambda ib: ib.reqCurrentTimeAsync())
        except Unavailable:
            if self._lost.is_set():
                raise  # otherwise the time was answered, readable or not: that is enough here
        if self.ib is not ib:
            raise Ended(f"The connection to TWS ended during the question for {name}; it is made again.")
        if why := self._spoiled.pop(name, None):
            self.renew(
                f"TWS answered the question for {name} with something that cannot be read ({why}); it is asked again."
            )
            raise Unavailable(f"Interactive Brokers answered the question for {name}, but {why}.")

    # -- questions that may stay unanswered -----------------------------------

    def _send(self, name: str) -> int:
        """Send a question without waiting. Returns our number of it."""
        ib, key = self.ib, 0
        if ib is None or self._lost.is_set():
            raise Unavailable(f"Interactive Brokers cannot be used now: {self._why_not()}")
        self._number += 1
        self._spoiled.pop(name, None)
        mark, now = self.register.mark(), asyncio.get_running_loop().time()
        if name == COMPLETED:
            ib.client.reqCompletedOrders(False)
        elif name == EXECUTIONS:
            key = ib.client.getReqId()
            ib.client.reqExecutions(key, ExecutionFilter())
        else:
            ib.client.reqAccountUpdates(True, self.account)
            ib.client.reqAccountUpdatesMulti(ib.client.getReqId(), self.account, "", False)
        if name != FIGURES:  # figures are pushed at any time, so their end marker does not count
            self._asked[name].append((self._number, key, mark, now))
        return self._number

    def _on_end(self, name: str, key: int) -> None:
        """An answer is complete. Without a protocol number it is taken as the answer to the oldest open question:
        old data must never count as the answer to a newer question."""
        waiting = self._asked[name]
        found = next((q for q in waiting if q[1] == key), None)
        if found is None:
            return  # the end marker came twice
        waiting.remove(found)
        if why := self._spoiled.pop(name, None):
            log.error("IBKR: the answer for %s is not complete: %s", name, why)
        else:
            number, _, mark, _ = found
            self._answered[name] = max(number, self._answered.get(name, 0))
            if name == EXECUTIONS:
                self.register.listed_fills(mark)
            self._found(name)
        self._ended.set()

    def _on_denied(self, key: int, code: int, text: str) -> None:
        """A question was answered with an error: it is no longer open."""
        for name, waiting in self._asked.items():
            for question in [q for q in waiting if q[1] == key and key > 0]:
                log.warning("IBKR answered the question for %s with %s %s", name, code, text)
                waiting.remove(question)
                self._ended.set()

    async def _optional(self, name: str, end: float) -> bool:
        """Whether a question was answered before ``end`` (the loop's time). A question in ``missing`` is not waited
        for: it is asked again in the background."""
        if name in self.missing:
            return False
        number, loop = self._send(name), asyncio.get_running_loop()
        end = max(end, loop.time() + self.timing.optional / 2)  # also if the question before it took all the time
        while not self._lost.is_set() and loop.time() < end and any(q[0] == number for q in self._asked[name]):
            await self._wait(end - loop.time())
        if self._lost.is_set():
            raise Ended(f"The connection to TWS ended during the question for {name}; it is made again.")
        if self._answered.get(name, 0) >= number:
            return True
        self._miss(name)
        return False

    async def _wait(self, seconds: float) -> None:
        """Wait until an answer is complete, the connection is lost, or the time is over."""
        self._ended.clear()
        either = [asyncio.ensure_future(e.wait()) for e in (self._ended, self._lost)]
        try:
            await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in either:
                one.cancel()

    def _miss(self, name: str) -> None:
        if name not in self.missing:
            log.warning("IBKR: TWS does not answer the question for %s; entries wait, and it is asked again.", name)
            self.lacking = self.lacking or self.clock()
            if not self.missing:
                self._again = 0
                self._next_again = asyncio.get_running_loop().time() + self.timing.again[0]
            self.missing |= {name}

    def _found(self, name: str) -> None:
        if name in self.missing:
            log.info("IBKR: TWS has answered the question for %s.", name)
            self.missing -= {name}
            self.lacking = self.lacking if self.missing else None

    def _ask_again(self) -> None:
        """Ask missing questions again when they are due. If a question was asked twice and answered once, the other
        answer could come at any time, so a new connection is made."""
        now = asyncio.get_running_loop().time()
        if self.missing and now >= self._next_again:
            self._again += 1
            self._next_again = now + self.timing.again[min(self._again, len(self.timing.again) - 1)]
            for name in sorted(self.missing):
                self._send(name)
        stale = [q for q in self._asked[COMPLETED] if now - q[3] > self.timing.answer]
        if stale and COMPLETED not in self.missing:
            self.renew(
                "TWS answers the question for completed orders again, but left one unanswered; the connection is"
                " made again, so that no late answer passes for another."
            )

    # -- what cannot be read --------------------------------------------------

    def _on_spoiled(self, name: str, why: str) -> None:
        """A message could not be read: log it (the same text once per connection), count it, and read the account
        again, because the message may have changed something."""
        self.unreadable += 1
        known = why in self._logged
        self._logged.add(why)
        log.log(
            logging.DEBUG if known else logging.ERROR,
            "IBKR: TWS sent what cannot be read: %s (%d so far)",
            why,
            self.unreadable,
        )
        if name:
            self._spoiled[name] = why
        if not self._looking:
            self._looked_at = -1e9

    # -- reading the account ----------------------------------------------

    async def read_account(self) -> frozenset[str]:
        """Read the whole account: completed orders, executions, open orders, positions.

        Returns the optional questions that were answered. Open orders are asked for after
        completed ones: an order with an end report that is then not listed as open has really
        ended. Raises Unavailable unless open orders and positions were answered.
        """
        async with self._locks.setdefault("look", asyncio.Lock()):
            self._looking, before = True, self.unreadable
            try:
                end = asyncio.get_running_loop().time() + self.timing.optional
                answered = frozenset([name for name in (COMPLETED, EXECUTIONS) if await self._optional(name, end)])
                mark = self.register.listing()
                await self._needed(OPEN_ORDERS, lambda ib: ib.reqAllOpenOrdersAsync())
                self.register.opened(mark, self.register.shown)
                self.register.positions_asked()
                await self._needed(POSITIONS, lambda ib: ib.reqPositionsAsync())
                self.register.positions_end()
            finally:
                self._looking = False
            self._looked_at = asyncio.get_running_loop().time()
            self._unread = self._unread + 1 if self.unreadable > before else 0
            self.account_reads += 1
            self.ids.used(self.register, self.config.client_id)
        for ref in self.register.duplicate_keys():
            log.error("IBKR: more than one working order has the key %s; check them in TWS.", ref)
        return answered

    async def fresh(self, most: float = math.inf) -> None:
        """Read the account again unless that was done lately (``most`` seconds ago at most); pushed messages keep it
        up to date meanwhile. After unreadable messages it is read again sooner, with growing pauses."""
        self.require()
        age, young = asyncio.get_running_loop().time() - self._looked_at, min(self.timing.fresh, most)
        if self._unread:
            young = min(young, self.timing.between_looks * 2.0 ** min(self._unread, 10))
        if self.register.behind():  # an execution or an error came without the order's new status
            young = min(young, self.timing.between_looks)
        if age > young:
            await self.read_account()

    def assure_absent(self, ref: str, answered: frozenset[str]) -> None:
        """Raise Unavailable unless the ``answered`` questions prove that there is no order ``ref``."""
        if why := self.register.doubtful.get(ref):
            raise Unavailable(
                f"Interactive Brokers sent something about {ref} that cannot be read ({why}); whether it"
                f" works is not known, and nothing is sent."
            )
        if not answered:
            raise Unavailable(
                f"Interactive Brokers shows no open order {ref}, but did not answer the questions for"
                f" {COMPLETED} and {EXECUTIONS}; whether it ever arrived is not known yet."
            )

    def positions(self) -> Held:
        """Shares by contract id: as last read, with later pushed reports."""
        self.require()
        mine = {c: qty for (account, c), qty in self.register.positions.items() if account == self.account and qty}
        return Held(mine, {c: why for (account, c), why in self.register.odd.items() if account == self.account})

    def values(self) -> list[AccountValue]:
        """The account's figures that TWS has sent on this connection, as text."""
        return self.ib.accountValues(self.account) if self.ib is not None else []


async def _asked(question: Callable[[RegisteringIB], Awaitable[T]], ib: RegisteringIB) -> T:
    return await question(ib)
