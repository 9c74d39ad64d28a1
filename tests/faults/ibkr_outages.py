"""Outages of seconds to a night on the event loop's virtual clock, with fills at random times.

The session, the double and real sockets between them live in one loop whose
time skips idle periods; there is no thread and no sleep.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from livetrading.adapters.brokers.base import Execution
from livetrading.adapters.brokers.ibkr.broker import IbkrBroker
from livetrading.adapters.brokers.ibkr.config import IbkrConfig
from livetrading.adapters.brokers.ibkr.orders import Instrument, OrderBuilder
from livetrading.adapters.brokers.ibkr.session import IbkrSession
from tests.doubles.ibkr import AGENT, any_account, entry, stop
from tests.doubles.tws import TwsDouble
from tests.doubles.virtual import run_virtually

START = datetime(2024, 6, 4, 12, 0, tzinfo=UTC)
TNA = Instrument("TNA", 38708990, "ARCA")
READY_WITHIN = 30.0


@dataclass
class InLoop:
    """Replaces the connection's thread: the broker's own coroutines run in this loop."""

    session: IbkrSession

    def __post_init__(self) -> None:
        self.orders = OrderBuilder(self.session)

    def broker(self, booked: Callable[[str], int] = lambda ref: 0) -> IbkrBroker:
        return IbkrBroker(self, AGENT, TNA, booked=booked, gate=any_account)  # type: ignore[arg-type]


@dataclass
class Result:
    ready_after: float
    wrongs: list[str]
    fills: int
    estimated: int


async def _ready(session: IbkrSession) -> float:
    loop = asyncio.get_running_loop()
    start = loop.time()
    while not session.health().ready:
        await asyncio.sleep(0.1)
    return loop.time() - start


async def _life(version: int, seconds: float, seed: int, roll_back: bool) -> Result:
    loop, dice = asyncio.get_running_loop(), random.Random(seed)
    start = START + timedelta(hours=dice.choice([0, 0, 15.5]))  # 08:00, or half an hour before midnight
    clock = lambda: start + timedelta(seconds=loop.time())  # noqa: E731
    tws = TwsDouble(version, clock=clock)
    await tws.start()
    session = IbkrSession(IbkrConfig(port=tws.port, restart=None), clock)
    running = asyncio.ensure_future(session.run())
    await _ready(session)
    connection = InLoop(session)
    book: dict[str, Execution] = {}
    broker = connection.broker(lambda ref: sum(e.qty for e in book.values() if e.ref == ref))
    qty = dice.randint(2, 30)
    await connection.orders.submit(entry(qty), stop(qty), TNA)
    _trade(tws, dice, "auction", dice.choice([0.0, 0.3, 1.0]), qty)
    await _book(broker, book)
    tws.close_port()
    for share, kind in ((0.2, "auction"), (0.5, "market"), (0.9, "market")):
        loop.call_later(seconds * share * dice.random(), _trade, tws, dice, kind, dice.choice([0.0, 0.5, 1.0]), qty)
    await asyncio.sleep(seconds)
    if roll_back:
        tws.next_id = tws.ledger.roll_back()
    await tws.start()
    took = await _ready(session)
    _trade(tws, dice, "auction", 1.0, qty)
    _trade(tws, dice, "market", 1.0, qty)
    await session.read_account()
    for _ in range(3):
        await _book(broker, book)
    wrongs = _compare(tws, book)
    session.close()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    return Result(took, wrongs, len(tws.ledger.fills), sum(e.estimated for e in book.values()))


def _trade(tws: TwsDouble, dice: random.Random, kind: str, part: float, qty: int) -> None:
    size = int(qty * part)
    if size:
        price = round(dice.uniform(80, 90), 2)
        tws.publish(
            tws.ledger.auction("TNA", price, size) if kind == "auction" else tws.ledger.market("TNA", price, size)
        )


async def _book(broker: IbkrBroker, book: dict[str, Execution]) -> None:
    await asyncio.sleep(0.5)
    for execution in await broker._executions():
        book.setdefault(execution.exec_id, execution)


def _compare(tws: TwsDouble, book: dict[str, Execution]) -> list[str]:
    """Each share that filled is in the book once, under its order's key."""
    real, ours = Counter[str](), Counter[str]()
    for fill in tws.ledger.fills:
        real[fill.order.ref] += int(fill.qty)
    for execution in book.values():
        ours[execution.ref] += execution.qty
    return [] if real == ours else [f"filled {dict(real)}, booked {dict(ours)}"]


def outage(version: int, seconds: float, seed: int, roll_back: bool = False) -> Result:
    """One outage; times in virtual seconds."""
    work: Coroutine[Any, Any, Result] = _life(version, seconds, seed, roll_back)
    result = run_virtually(work)
    if result.ready_after > READY_WITHIN:
        result.wrongs.append(f"ready only {result.ready_after:.1f} s after the port's return")
    return result


DURATIONS = (1, 5, 20, 60, 180, 600, 3_600, 4 * 3_600, 11 * 3_600, 20 * 3_600)
