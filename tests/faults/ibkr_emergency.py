"""How long an emergency stop takes until IB has reported every order as cancelled."""

import time

from livetrading.adapters.brokers.base import Ticket
from livetrading.adapters.brokers.ibkr.broker import IbkrBroker, IbkrConnection
from livetrading.core.errors import LivetradingError
from livetrading.core.orders import TERMINAL
from tests.doubles.ibkr import NOW, any_account, await_that, config
from tests.doubles.tws import Fault, TwsDouble

AGENTS = 20
WITHIN = 5.0


def _tickets(agent_id: str) -> tuple[Ticket, Ticket]:
    return (
        Ticket(f"{agent_id}:2024-06-03:entry:1", "BUY", 10, "MKT", "OPG"),
        Ticket(f"{agent_id}:2024-06-03:stop:1", "SELL", 10, "STP", "GTC", 90.0),
    )


def stopped(version: int, trouble: str, scope: str) -> tuple[float, list[str]]:
    """Seconds until all 40 orders are cancelled, and what went wrong."""
    agents = [f"PPO_TNA_{n:03d}" for n in range(1, AGENTS + 1)]
    with TwsDouble(version) as tws:
        connection = _start(tws)
        for agent_id in agents:
            _broker(connection, agent_id).submit(*_tickets(agent_id), NOW)
        assert len(tws.ledger.open_orders()) == 2 * AGENTS
        started = time.monotonic()
        if trouble == "drop":
            tws.fail(Fault("drop_after", message=4, skip=7), Fault("drop_before", message=58))
        if trouble == "refused":
            tws.fail(Fault("refuse", message=4, skip=3), Fault("swallow", message=4, skip=9))
        if scope == "all":
            connection = _all(tws, connection, trouble)
        else:
            connection = _ours(tws, connection, agents, trouble)
        seconds = time.monotonic() - started
        left = [
            o.ref
            for a in agents
            for o in (_broker(connection, a).find(t.ref) for t in _tickets(a))
            if o is None or o.state not in TERMINAL
        ]
        connection.close()
        wrongs = [f"{ref} is not cancelled" for ref in left] + [f"{o.ref} works" for o in tws.ledger.open_orders()]
        return seconds, wrongs + ([f"took {seconds:.1f} s"] if seconds > WITHIN else [])


def _start(tws: TwsDouble) -> IbkrConnection:
    connection = IbkrConnection(config(tws))
    connection.start()
    await_that(lambda: connection.health().ready)
    return connection


def _broker(connection: IbkrConnection, agent_id: str) -> IbkrBroker:
    return IbkrBroker(connection, agent_id, connection.instrument("TNA"), gate=any_account)


def _all(tws: TwsDouble, connection: IbkrConnection, trouble: str) -> IbkrConnection:
    if trouble == "crash":
        connection.close()
        connection = _start(tws)
    while tws.ledger.open_orders():
        try:
            connection.cancel_everything()
        except LivetradingError:
            await_that(lambda: connection.health().ready)
    return connection


def _ours(tws: TwsDouble, connection: IbkrConnection, agents: list[str], trouble: str) -> IbkrConnection:
    """The orders of our agents, asked for at once; again until IB has reported all of them."""
    refs = [t.ref for agent_id in agents for t in _tickets(agent_id)]
    if trouble == "crash":
        connection.cancel(refs[:AGENTS])
        connection.close()
        connection = _start(tws)
    while refs:
        try:
            refs = connection.cancel(refs)
        except LivetradingError:
            await_that(lambda: connection.health().ready)
    return connection
