"""Questions to TWS: each has its own time limit, and what is not answered is not known.

Open orders and positions are needed: without their answer the connection is given
up, because an end marker without a number could end the next question early.
Completed orders, executions and the account's figures may stay unanswered: what
is missing is named and asked for again, while orders can be cancelled and
positions closed.
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
from .wire import COMPLETED, EXECUTIONS, OPEN_ORDERS, POSITIONS, TappedIB

log = logging.getLogger(__name__)
T = TypeVar("T")

FIGURES = "account figures"


class Ended(Unavailable):
    """The connection ended during a question; it is made again by itself."""


class Asking:
    """What is asked over the one connection that there is. In its event loop only."""

    def __init__(self, config: IbkrConfig, clock: Callable[[], datetime]) -> None:
        self.config, self.clock, self.timing = config, clock, config.timing
        self.register, self.ids = Register(), OrderIds()
        self.account = ""
        self.ib: TappedIB | None = None
        self.looks = 0
        """Full looks at the account so far."""
        self.reported_at: datetime | None = None
        self.unreadable = 0
        """Messages that could not be read so far."""
        self.lacking: datetime | None = None
        """Since when some question is not answered, over however many connections."""
        self._lost: asyncio.Event = asyncio.Event()
        self._locks: dict[str, asyncio.Lock] = {}
        self._begin()

    def _begin(self) -> None:
        """A new connection: nothing was asked on it, and nothing that was lost on another one counts."""
        self.missing: frozenset[str] = frozenset()
        """Questions without whose answer the connection serves, but entries wait."""
        self._asked: dict[str, list[tuple[int, int, int, float]]] = defaultdict(list)
        """Questions that wait for their end: their own number, the protocol's or 0, the register's mark, when."""
        self._answered: dict[str, int] = {}
        self._spoiled: dict[str, str] = {}
        self._number = 0
        self._ended = asyncio.Event()
        self._looked_at, self._looking = -1e9, False
        self._unread = 0
        """Looks in a row in which something could not be read."""
        self._logged: set[str] = set()
        self._again, self._next_again = 0, 0.0
        self.register.renew()

    # -- what the life of a connection adds ---------------------------------

    def renew(self, why: str) -> None:
        """Give this connection up."""
        raise NotImplementedError

    def require(self) -> TappedIB:
        """The connection, if it may be used now."""
        raise NotImplementedError

    def _why_not(self) -> str:
        """Why it may not."""
        raise NotImplementedError

    # -- asking -----------------------------------------------------------

    async def ask(self, name: str, question: Callable[[TappedIB], Awaitable[T]], numbered: bool = False) -> T:
        """One question of a kind at a time, answered in time or the connection is given up; not for one that
        is ``numbered``, whose late answer is nobody's."""
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

    async def _needed(self, name: str, question: Callable[[TappedIB], Awaitable[T]]) -> None:
        """A question that must be answered completely. What comes right behind its end marker still
        belongs to it: the time, which is asked after it, comes last."""
        self._spoiled.pop(name, None)
        ib = self.ib
        await self.ask(name, question)
        try:
            await self.ask("time", lambda ib: ib.reqCurrentTimeAsync())
        except Unavailable:
            if self._lost.is_set():
                raise  # else it was answered, if unreadably, and that is all that counts here
        if self.ib is not ib:
            raise Ended(f"The connection to TWS ended during the question for {name}; it is made again.")
        if why := self._spoiled.pop(name, None):
            self.renew(
                f"TWS answered the question for {name} with something that cannot be read ({why}); it is asked again."
            )
            raise Unavailable(f"Interactive Brokers answered the question for {name}, but {why}.")

    # -- questions that may stay unanswered -----------------------------------

    def _send(self, name: str) -> int:
        """Ask, without waiting; the question's own number."""
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
        if name != FIGURES:  # pushed as they come; what is known of them decides, and no end marker
            self._asked[name].append((self._number, key, mark, now))
        return self._number

    def _on_end(self, name: str, key: int) -> None:
        """An answer is complete. Without a number it is taken for that to the oldest question: what was
        asked later may still be under way, and old news must not pass for new."""
        waiting = self._asked[name]
        found = next((q for q in waiting if q[1] == key), None)
        if found is None:
            return  # told twice
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
        """A question was answered with an error: nobody waits for it any more."""
        for name, waiting in self._asked.items():
            for question in [q for q in waiting if q[1] == key and key > 0]:
                log.warning("IBKR answered the question for %s with %s %s", name, code, text)
                waiting.remove(question)
                self._ended.set()

    async def _optional(self, name: str, end: float) -> bool:
        """Whether a question was answered by ``end``, in the loop's time. One that is known as unanswered is
        not waited for: it is asked again meanwhile."""
        if name in self.missing:
            return False
        number, loop = self._send(name), asyncio.get_running_loop()
        end = max(end, loop.time() + self.timing.optional / 2)  # also if the one before it took all the time
        while not self._lost.is_set() and loop.time() < end and any(q[0] == number for q in self._asked[name]):
            await self._wait(end - loop.time())
        if self._lost.is_set():
            raise Ended(f"The connection to TWS ended during the question for {name}; it is made again.")
        if self._answered.get(name, 0) >= number:
            return True
        self._miss(name)
        return False

    async def _wait(self, seconds: float) -> None:
        """Until an answer is complete, the connection is lost, or the time is over."""
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
        """What is missing, when its time has come. A question that was asked twice and answered once
        leaves an answer that could come any time: then only another connection makes sure."""
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
        """A message was lost: logged (once a connection in the same words), counted, and what it might have
        changed is looked at again."""
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

    # -- looking ----------------------------------------------------------

    async def look(self) -> frozenset[str]:
        """A full look: what has ended, what was executed, what is open, what is held.

        Returns which questions that may stay unanswered were answered. Open orders come
        last: an order that ended before the question and is not in the answer has ended
        for good. Raises Unavailable unless open orders and positions were answered.
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
            self.looks += 1
            self.ids.used(self.register, self.config.client_id)
        for ref in self.register.doubled():
            log.error("IBKR: more than one working order carries the key %s; look at them in TWS.", ref)
        return answered

    async def fresh(self, most: float = math.inf) -> None:
        """Look again unless the last look is young; pushes keep it true meanwhile. One in which something
        could not be read ages sooner, and later each time that it is so again. ``most`` seconds it counts as young."""
        self.require()
        age, young = asyncio.get_running_loop().time() - self._looked_at, min(self.timing.fresh, most)
        if self._unread:
            young = min(young, self.timing.between_looks * 2.0 ** min(self._unread, 10))
        if self.register.behind():  # an execution or an error came, and what became of its order did not
            young = min(young, self.timing.between_looks)
        if age > young:
            await self.look()

    def assure_absent(self, ref: str, answered: frozenset[str]) -> None:
        """Unavailable unless a look that had these answers and showed no order ``ref`` proves that there is none."""
        if why := self.register.doubtful.get(ref):
            raise Unavailable(
                f"Interactive Brokers sent something about {ref} that cannot be read ({why}); whether it"
                f" works is not known, and nothing is sent."
            )
        if not answered:
            raise Unavailable(
                f"Interactive Brokers shows no open order {ref}, but did not answer the questions for"
                f" {COMPLETED} and {EXECUTIONS}; whether it ever came in is not known yet."
            )

    def positions(self) -> Held:
        """Shares by contract id: the last look, and what was pushed since."""
        self.require()
        mine = {c: qty for (account, c), qty in self.register.positions.items() if account == self.account and qty}
        return Held(mine, {c: why for (account, c), why in self.register.odd.items() if account == self.account})

    def values(self) -> list[AccountValue]:
        """What TWS has told of the account's figures on this connection, as text."""
        return self.ib.accountValues(self.account) if self.ib is not None else []


async def _asked(question: Callable[[TappedIB], Awaitable[T]], ib: TappedIB) -> T:
    return await question(ib)
