"""The Interactive Brokers adapter connected to a TWS double, with short pauses."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from livetrading.adapters.brokers.base import Ticket
from livetrading.adapters.brokers.ibkr.broker import IbkrBroker, IbkrConnection
from livetrading.adapters.brokers.ibkr.config import IbkrConfig, Timing
from livetrading.core.errors import Unavailable

from .tws import TwsDouble

VERSIONS = (157, 178)
AGENT, BAR = "PPO_TNA_001", "2024-06-03"
NOW = datetime(2024, 6, 4, 13, 0, tzinfo=UTC)
QUICK = Timing(
    connect=10.0,
    answer=10.0,
    probe_every=0.2,
    pauses=(0.05, 0.1),
    refused_pause=0.2,
    refused_look=0.05,
    cancel_again=2.0,
    link_patience=0.6,
    connecting=60.0,
    optional=10.0,
    again=(0.2, 0.4),
    acknowledge=4.0,
    cancel=(0.5, 1.0),
    settle=0.05,
    between_looks=0.02,
    commission=5.0,
    history=10.0,
)
"""Short pauses, but long waits for answers, because a busy machine is slow. See ``impatient``."""
DEADLINE = 60.0


def config(tws: TwsDouble, **more: Any) -> IbkrConfig:
    return IbkrConfig(**{"port": tws.port, "restart": None, "timing": QUICK, **more})


@contextmanager
def connected(tws: TwsDouble, **more: Any) -> Iterator[IbkrConnection]:
    """A connection that is ready."""
    with IbkrConnection(config(tws, **more)) as connection:
        health = connection.wait_ready(DEADLINE)
        assert health.ready, health
        yield connection


def any_account(number: str) -> None:
    """A gate that accepts every account, for tests of other things."""


def broker(connection: IbkrConnection, agent_id: str = AGENT, symbol: str = "TNA", **more: Any) -> IbkrBroker:
    return IbkrBroker(connection, agent_id, connection.instrument(symbol), **{"gate": any_account, **more})


def await_that(condition: Callable[[], Any], what: str = "") -> Any:
    """The condition's value when it is true."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.005)
    raise AssertionError(f"never came true: {what or condition}")


@contextmanager
def impatient(connection: IbkrConnection, **seconds: float) -> Iterator[None]:
    """Inside, the connection waits only so long: for answers that the double never sends."""
    session = connection.session
    before = session.timing
    session.timing = replace(before, **seconds)
    try:
        yield
    finally:
        session.timing = before


def eventually(call: Callable[[], Any]) -> Any:
    """The call's answer, as soon as the connection is ready."""

    def tried() -> list[Any]:
        try:
            return [call()]
        except Unavailable:
            return []

    return await_that(tried, "an answer")[0]


def looks(connection: IbkrConnection) -> int:
    return connection.session.account_reads


def again_ready(connection: IbkrConnection, act: Callable[[], Any]) -> None:
    """Do something that ends the connection, and wait until there is a new one."""
    before = connection.session.register, connection.session.connections
    act()
    await_that(lambda: connection.session.connections > before[1] and connection.health().ready, "reconnected")


def entry(qty: int = 10, n: int = 1, agent_id: str = AGENT) -> Ticket:
    return Ticket(f"{agent_id}:{BAR}:entry:{n}", "BUY", qty, "MKT", "OPG")


def stop(qty: int = 10, n: int = 1, price: float = 90.037, agent_id: str = AGENT) -> Ticket:
    return Ticket(f"{agent_id}:{BAR}:stop:{n}", "SELL", qty, "STP", "GTC", price)


def exit_(qty: int = 10, n: int = 1, tif: str = "DAY", agent_id: str = AGENT) -> Ticket:
    return Ticket(f"{agent_id}:{BAR}:exit:{n}", "SELL", qty, "MKT", tif)


def other(ticket: Ticket, **changes: Any) -> Ticket:
    return replace(ticket, **changes)
