"""The checks of ``doctor`` that need a connection to TWS: account, clock, bars, data farms."""

import time as clocks
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ...adapters.brokers.base import BEGINNING, AwayCause, Health, HealthState
from ...adapters.brokers.ibkr import account_gates as gates
from ...adapters.brokers.ibkr.config import IbkrConfig
from ...adapters.store import Store
from ...core.errors import Damaged, LivetradingError, Unavailable
from ...core.wording import counted
from ..checks import Check, check, failed
from . import evidence

if TYPE_CHECKING:
    from ...adapters.brokers.ibkr.broker import IbkrConnection

READY_SECONDS = 14.0
"""From the first greeting; after that the checks report what is missing."""
CLOCK_SECONDS = 5.0


@dataclass(frozen=True)
class Plan:
    """How to connect: ``end`` on the monotonic clock is the latest time for a connection."""

    config: IbkrConfig
    clock: Callable[[], datetime]
    say: Callable[[str], None]
    end: float
    store: Store


def checks(plan: Plan, symbols: list[str]) -> list[Check]:
    """Connect, and check everything that a connection shows."""
    from ...adapters.brokers.ibkr.broker import IbkrConnection  # takes half a second

    config = plan.config
    with IbkrConnection(config, plan.clock) as connection:
        health = _ready(connection, plan.end)
        if not health.ready:
            return [_not_ready(health, config)]
        kind = "paper" if gates.is_paper(health.account) else "REAL MONEY"
        text = f"{config.host}:{config.port} is connected with client id {config.client_id}"
        found = [check("broker", True, f"{text}, account {health.account} ({kind})")]
        if health.state != HealthState.READY:
            found.append(failed("broker questions", health.detail))
        for name, step in (
            ("broker account", lambda: _account(connection)),
            ("broker clock", lambda: _clock(connection, plan.clock)),
            *(("broker bars", lambda s=symbol: _bars(connection, s)) for symbol in symbols),
            ("broker data farms", lambda: _farms(connection)),
        ):
            plan.say(f"{name.removeprefix('broker ')} …")
            try:
                found.append(step())
            except LivetradingError as error:
                found.append(failed(name, str(error)))
        with suppress(Unavailable, Damaged):  # the next connection proves as much; the file has its own check
            evidence.observe(plan.store, connection, plan.clock)
    return found


def _ready(connection: "IbkrConnection", end: float) -> Health:
    """The health once ready, or as the first attempt left it."""
    session, over = connection.session, frozenset({HealthState.REFUSED, HealthState.DISCONNECTED})
    seconds = max(end - clocks.monotonic(), 0.0)
    return connection.call(lambda: session.until_ready(seconds, over), seconds + 1)


def _not_ready(health: Health, config: IbkrConfig) -> Check:
    """Why there is no connection, though TWS has greeted."""
    cure = "look at TWS's window and confirm its dialogs; wait until it has loaded the account, or restart it"
    if health.state in BEGINNING:
        text = f"TWS at {config.host}:{config.port} greets and does not answer the first questions"
        return check("broker", False, f"{text} within {READY_SECONDS:g} s", cure)
    found = failed("broker", health.detail)
    return found if health.cause != AwayCause.ENDED else check("broker", False, found["detail"], cure)


def _farms(connection: "IbkrConnection") -> Check:
    """Prices come from data farms at IB, and a TWS that is connected can lack them."""
    down = connection.farms_down()
    if not down:
        return check("broker data farms", True, "none is reported as broken")
    cure = "wait some minutes, because IB repairs them by itself; else restart TWS, or look at IB's page on the state of its systems"
    return check("broker data farms", False, "; ".join(down), cure)


def _account(connection: "IbkrConnection") -> Check:
    figures = connection.account()
    if figures.net_liquidation is None or figures.cash_usd is None:
        return failed("broker account", f"{figures.absent[0]}; compare with TWS, and try again in a minute.")
    worth = f"net liquidation {figures.net_liquidation:,.2f} {figures.currency}"
    text = f"{figures.number}: {worth}, cash {figures.cash_usd:,.2f} USD"
    if figures.currency != "USD":
        cure = "use an account whose base currency is USD: capital and limits are in USD, and no currency is borrowed"
        return check("broker account", False, text, cure)
    cure = "" if figures.cash_usd > 0 else "bring USD into the account: without cash nothing is bought"
    return check("broker account", True, text, cure)


def _clock(connection: "IbkrConnection", clock: Callable[[], datetime]) -> Check:
    theirs = connection.server_time()
    off = (clock() - theirs).total_seconds()
    ok = abs(off) <= CLOCK_SECONDS
    where = "within a second of" if abs(off) < 1.5 else f"{abs(off):.0f} s {'ahead of' if off > 0 else 'behind'}"
    text = f"this computer is {where} Interactive Brokers"
    return check("broker clock", ok, text, "" if ok else "set the computer's clock, best by NTP")


def _bars(connection: "IbkrConnection", symbol: str) -> Check:
    """An account without bars can still trade, so this is advice and no failure."""
    from ...adapters.brokers.ibkr.history import NoBars

    try:
        bars = connection.bars(connection.instrument(symbol), "1 day", "5 D")
    except NoBars as error:
        then = (
            "agents of source ibkr take Yahoo's bars, where 500 of them agree, and hold otherwise; a market data"
            " subscription for API use would open IB's"
        )
        return check("broker bars", True, f"none of {symbol}: {error}", then)
    return check("broker bars", True, f"{counted(len(bars), 'daily bar')} of {symbol}, the last of {bars[-1].at}")
