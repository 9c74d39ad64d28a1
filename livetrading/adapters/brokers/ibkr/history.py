"""Historical bars from TWS, within the pacing limits of Interactive Brokers.

Limits (source: IB's API documentation): at most 50 open requests, no identical one
within 15 s, fewer than 6 for one contract within 2 s, at most 60 within 10 min.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from ib_async import BarDataList
from ib_async.wrapper import RequestError

from ....core.errors import Unavailable
from .numbers import Unreadable
from .orders import Instrument
from .session import IbkrSession

OPEN = 50
SAME_SECONDS = 15.0
CONTRACT_COUNT, CONTRACT_SECONDS = 5, 2.0
TOTAL_COUNT, TOTAL_SECONDS = 60, 600.0
LONGEST_WAIT = 60.0
SILENT, PACED, UNREADABLE = 0, -1, -2
"""Our own codes: no answer, a request that pacing does not allow yet, and an answer that cannot be read."""


class RawBar(NamedTuple):
    """A bar as IB sends it: split-adjusted USD prices; ``at`` is a date, or the start of the bar in UTC."""

    at: date | datetime
    open: float
    high: float
    low: float
    close: float
    volume: float


class NoBars(Unavailable):
    """TWS gave no bars; ``code`` is IB's error number, SILENT or PACED."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass
class Pacer:
    """When the next request may be sent. Pure: times are arguments, in seconds of one clock."""

    asked: deque[tuple[float, str, int]] = field(default_factory=deque)

    def delay(self, now: float, key: str, con_id: int) -> float:
        """Seconds to wait before this request; 0 if it may leave now."""
        while self.asked and self.asked[0][0] <= now - TOTAL_SECONDS:
            self.asked.popleft()
        until = [at + SAME_SECONDS for at, k, _ in self.asked if k == key]
        same = [at for at, _, c in self.asked if c == con_id]
        if len(same) >= CONTRACT_COUNT:
            until.append(same[-CONTRACT_COUNT] + CONTRACT_SECONDS)
        if len(self.asked) >= TOTAL_COUNT:
            until.append(self.asked[-TOTAL_COUNT][0] + TOTAL_SECONDS)
        return max(0.0, *(u - now for u in until)) if until else 0.0

    def note(self, now: float, key: str, con_id: int) -> None:
        self.asked.append((now, key, con_id))


@dataclass
class BarSupplier:
    """Requests bars over a session, in its loop."""

    session: IbkrSession
    pacer: Pacer = field(default_factory=Pacer)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)
    _last: dict[str, tuple[float, list[RawBar]]] = field(default_factory=dict)
    _open: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(OPEN))

    async def bars(self, instrument: Instrument, size: str, duration: str, what: str = "TRADES") -> list[RawBar]:
        """Regular-hours bars up to now, the last one possibly unfinished. Raises NoBars."""
        self.session.require()
        key = f"{instrument.con_id} {size} {duration} {what}"
        async with self._open, self._locks.setdefault(key, asyncio.Lock()):
            at, bars = self._last.get(key, (-SAME_SECONDS, []))
            if asyncio.get_running_loop().time() - at < SAME_SECONDS:
                return bars  # pacing forbids the same request now: agents of one symbol share the answer
            await self._pace(key, instrument.con_id)
            found = await self._ask(instrument, size, duration, what)
            bars = [RawBar(b.date, b.open, b.high, b.low, b.close, b.volume) for b in found]
            self._last[key] = (asyncio.get_running_loop().time(), bars)
        return bars

    async def _pace(self, key: str, con_id: int) -> None:
        loop = asyncio.get_running_loop()
        wait = self.pacer.delay(loop.time(), key, con_id)
        if wait > LONGEST_WAIT:
            raise NoBars(
                PACED, f"Interactive Brokers allows no further request for bars for {wait:.0f} s; try again then."
            )
        while wait > 0:
            await asyncio.sleep(wait)
            wait = self.pacer.delay(loop.time(), key, con_id)
        self.pacer.note(loop.time(), key, con_id)

    async def _ask(self, instrument: Instrument, size: str, duration: str, what: str) -> BarDataList:
        seconds = self.session.timing.history
        ib = self.session.require()
        work = asyncio.ensure_future(
            ib.reqHistoricalDataAsync(
                instrument.contract(), "", duration, size, what, useRTH=True, formatDate=2, timeout=seconds
            )
        )
        # A time-out here does not end the connection: requests are numbered, so no late answer is mistaken.
        try:
            found = await asyncio.wait_for(work, seconds + 1)
        except TimeoutError:
            found = BarDataList()
        except Unreadable as error:
            raise NoBars(
                UNREADABLE, f"The bars of {instrument.symbol} that Interactive Brokers sent cannot be read: {error}."
            ) from error
        except OSError as error:
            raise NoBars(
                SILENT, f"The connection to TWS ended during a request for bars ({error}); they are requested again."
            ) from error
        except RequestError as error:
            text = f"Interactive Brokers gives no bars of {instrument.symbol}: {error.code} {error.message}"
            raise NoBars(PACED if "pacing violation" in error.message.lower() else error.code, text) from error
        if not found:
            # After its time-out ib_async returns an empty list.
            raise NoBars(SILENT, f"Interactive Brokers did not answer the request for bars of {instrument.symbol}.")
        return found
