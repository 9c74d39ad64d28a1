"""Records this double's own cassettes: ``python -m tests.doubles.tws.record DIRECTORY``.

They show that recorder, player and adapter agree, and prove nothing about a real TWS;
their header says so.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from livetrading.adapters.brokers.ibkr.broker import IbkrConnection
from livetrading.adapters.brokers.ibkr.recorder import Recorder
from tests.doubles.ibkr import NOW, await_that, broker, connected, entry, exit_, stop
from tests.doubles.tws import Fault, TwsDouble
from tests.doubles.tws.ledger import Event, Ledger
from tests.doubles.tws.replay import TIMING

SOURCE = "the double of TWS of this project, not a real TWS"
Story = Callable[[TwsDouble, IbkrConnection], None]


APART = 0.25
"""Seconds between an answer of TWS and the next event in the market, so that the player can separate them."""


def happens(tws: TwsDouble, act: Callable[[Ledger], list[Event]]) -> None:
    time.sleep(APART)
    tws.happen(act)


def round_trip(tws: TwsDouble, connection: IbkrConnection) -> None:
    """A pair, filled in the auction; the stop is cancelled and the position sold."""
    tna = broker(connection)
    tna.submit(entry(), stop(), NOW)
    happens(tws, lambda ledger: ledger.auction("TNA", 100.0))
    await_that(lambda: sum(e.qty for e in tna.executions()) == 10)
    connection.cancel([stop().ref])
    tna.submit(exit_(), None, NOW)
    happens(tws, lambda ledger: ledger.market("TNA", 101.5))
    await_that(lambda: sum(e.qty for e in tna.executions()) == 20)
    connection.read_account()


def refusals(tws: TwsDouble, connection: IbkrConnection) -> None:
    """A position and an order of somebody else, a refused entry, a stop that is stopped out in parts."""
    tna = broker(connection)
    tws.fail(Fault("reject"))
    tna.submit(entry(), None, NOW)
    tna.submit(stop(), None, NOW)
    happens(tws, lambda ledger: ledger.market("TNA", 89.0, 4))
    happens(tws, lambda ledger: ledger.market("TNA", 88.5))
    await_that(lambda: sum(e.qty for e in tna.executions()) == 10)
    tws.complain(17, 1, 399)
    connection.read_account()


def morning(tws: TwsDouble, connection: IbkrConnection) -> None:
    """A stock's contract and bars, an entry that is cancelled before the open."""
    instrument = connection.instrument("INTC")
    connection.bars(instrument, "1 day", "5 D")
    broker(connection, symbol="INTC").submit(entry(5), stop(5), NOW)
    connection.cancel([entry().ref])
    connection.read_account()


STORIES: dict[str, tuple[int, Story]] = {
    "double-157-round-trip": (157, round_trip),
    "double-178-refusals": (178, refusals),
    "double-178-morning": (178, morning),
}


def record(name: str, path: Path) -> None:
    version, story = STORIES[name]
    path.unlink(missing_ok=True)
    recorder = Recorder(path, source=SOURCE)
    with TwsDouble(version, clock=lambda: NOW) as tws:
        tws.bars["INTC", "1 day", "TRADES"] = [("20240603", 30.0, 31.0, 29.0, 30.5, 1000, 30.2, 10)]
        if story is refusals:
            tws.ledger.positions[265598] = (25.0, 90.0)
            with connected(tws, client_id=30) as somebody:
                broker(somebody, symbol="AAPL").submit(replace(stop(25), ref="my own stop"), None, NOW)
        with connected(tws, recorder=recorder, timing=TIMING) as connection:
            story(tws, connection)
    recorder.close()
    assert not recorder.trouble


if __name__ == "__main__":
    for chosen in STORIES:
        record(chosen, Path(sys.argv[1]) / f"{chosen}.jsonl")
