"""What ``doctor`` says of Interactive Brokers: each setting, the account, the clock, the bars."""

import sys
import time as clocks
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, time
from typing import TYPE_CHECKING, Any

from ..adapters import settings
from ..adapters.bars import check_symbol
from ..adapters.brokers.ibkr import account_gates as gates
from ..adapters.brokers.ibkr import handshake as handshake
from ..adapters.brokers.base import Cause, Health
from ..adapters.brokers.ibkr.config import IbkrConfig, Timing
from ..adapters.brokers.ibkr.setup import config_of
from ..adapters.home import Home
from ..adapters.locks import SchedulerLock
from ..adapters.settings import Settings
from ..adapters.stamps import parse_stamp
from ..adapters.store import Store
from ..core.errors import Damaged, LivetradingError, Refused, Unavailable
from ..core.types import Mode
from ..execution.state import queries
from . import doctor_evidence
from .acting import utc_now

if TYPE_CHECKING:
    from ..adapters.brokers.ibkr.broker import IbkrConnection
    from ..adapters.brokers.ibkr.recorder import Recorder

READY_SECONDS = 14.0
"""From the first greeting; then it is said what is missing."""
CLOCK_SECONDS = 5.0
OLD_SECONDS = 180.0
"""The scheduler tells of its connection once a minute."""
SYMBOL = "INTC"
"""Cheap and liquid: what is asked about, and probed with, unless another is named."""
TIMING = Timing(connect=6.0, answer=6.0, history=20.0)
Check = dict[str, Any]


def check(name: str, ok: bool, detail: str, cure: str = "") -> Check:
    return {"name": name, "ok": ok, "detail": detail, "cure": cure}


def failed(name: str, sentence: str) -> Check:
    """A check from an error's sentence: what is wrong; what to do."""
    what, _, cure = sentence.partition("; ")
    return check(name, False, what, cure or "correct what the sentence names")


def checks(
    home: Home, *, asked: bool = False, symbol: str | None = None, clock: Callable[[], datetime] = utc_now,
    timing: Timing = TIMING, answer_seconds: float = handshake.ANSWER_SECONDS,
    recorder: "Recorder | None" = None,
) -> list[Check]:
    """One line when nothing is configured and nobody ``asked``; else whatever is configured is tried."""
    chosen, stored = settings.load(home), Store(home)
    agents = [a for a in queries.agents(stored) if a["mode"] == Mode.IBKR]
    where = f"{chosen.ibkr_host}:{chosen.ibkr_port}"
    if not (asked or agents or settings.ibkr_configured(chosen)):
        account = chosen.ibkr_account or "no account configured"
        text = f"simulated accounts only; Interactive Brokers is not configured ({where}, {account})"
        return [check("broker", True, text)]
    _say(asked, f"asking {where}")
    end = clocks.monotonic() + READY_SECONDS
    greeting = handshake.shake(
        chosen.ibkr_host, chosen.ibkr_port, chosen.ibkr_client_id + handshake.SPARE_CLIENT_ID, answer_seconds,
    )
    found = [*_spoken(chosen, greeting), _agreement(chosen), _restart(chosen, clock())]
    wrong = [c for c in found[:-1] if not c["ok"]]
    if wrong:
        account = chosen.ibkr_account or "no account configured"
        what, cure = ("; ".join(dict.fromkeys(c[key] for c in wrong)) for key in ("detail", "cure"))
        last = [*_scheduler(stored, clock()), doctor_evidence.check(stored)]
        # What is wrong is said once, with the account that it is about.
        return [check("broker", False, f"not connected, {account}: {what}", cure), *(c for c in found if c not in wrong), *last]
    holder = SchedulerLock(home).holder()
    # Beside a scheduler with a client id of its own; alone with the scheduler's, to see that it is free.
    client_id = chosen.ibkr_client_id + (holder is not None)
    # Nothing is sent here, so the number that a deployment asks for is taken as typed; a connection
    # that only reads would not notice TWS's Read-Only API mode.
    config = replace(config_of(chosen, confirmed=chosen.ibkr_account, client_id=client_id), timing=timing)
    if recorder is not None:
        config = replace(config, recorder=recorder)
    names = [check_symbol(symbol)] if symbol else sorted({a["symbol"] for a in agents})[:3] or [SYMBOL]
    _say(asked, f"connecting with client id {client_id}")
    asking = _Asking(config, clock, lambda text: _say(asked, text), end, stored)
    connected = _connected(asking, names)
    return [*connected, *found, *_scheduler(stored, clock()), doctor_evidence.check(stored)]


def _say(aloud: bool, text: str) -> None:
    if aloud:
        print(text, file=sys.stderr, flush=True)


# -- without a connection ---------------------------------------------


def _spoken(chosen: Settings, greeting: handshake.Handshake) -> list[Check]:
    """Whether something listens, and whether it is a TWS that this program understands."""
    where = f"{chosen.ibkr_host}:{chosen.ibkr_port}"
    detail, cure = handshake.explain(greeting, where)
    if greeting.answer == handshake.Answer.NOTHING_LISTENS:
        return [check("broker port", False, detail, cure)]
    familiar = chosen.ibkr_port in {**gates.PAPER_PORTS, **gates.LIVE_PORTS}
    usual = "" if familiar else "usual are 7497 (TWS paper), 7496 (TWS live), 4002 (Gateway paper), 4001 (Gateway live)"
    port = check("broker port", True, f"{where} answers ({gates.port_word(chosen.ibkr_port)})", usual)
    return [port, check("broker version", greeting.ok, detail, cure)]


def _agreement(chosen: Settings) -> Check:
    gate = replace(config_of(chosen).gate, read_only=True)  # what is typed at a deployment is no setting
    try:
        gates.check_settings(gate)
    except Refused as error:
        return failed("broker settings", str(error))
    money = "real money" if gate.mode == "live" else "paper money"
    account = chosen.ibkr_account or "the only paper account"
    auction = gate.mode == "live" or chosen.ibkr_paper_open == "auction"
    entries = f"entries go {'in the opening auction' if auction else 'after 09:30 as DAY orders'}"
    return check("broker settings", True, f"{money} in {account}; mode, port and account agree; {entries}")


def _restart(chosen: Settings, now: datetime) -> Check:
    zone = chosen.ibkr_timezone or "this computer's zone"
    if not chosen.ibkr_restart:
        cure = "set ibkr_restart to TWS's time of Auto restart, if it has one"
        return check("broker restart", True, "no daily restart is configured", cure)
    day = gates.first_disturbed(
        time.fromisoformat(chosen.ibkr_restart), chosen.ibkr_timezone, now.astimezone(gates.NEW_YORK).date(),
    )
    if day is not None:
        cure = "choose another time of Auto restart in TWS and set ibkr_restart to it, ibkr_timezone to its zone"
        text = f"{chosen.ibkr_restart} ({zone}) falls between 04:00 and 16:10 New York, first on {day}"
        return check("broker restart", False, text, cure)
    return check("broker restart", True, f"{chosen.ibkr_restart} ({zone}), outside 04:00–16:10 New York all year")


def _scheduler(store: Store, now: datetime) -> list[Check]:
    """The connection that trades, as its owner last told of it."""
    system = queries.system(store, now)
    told = system.get("broker")
    if not told or not system["scheduler"]["alive"]:
        return []
    age = (now - parse_stamp(told["at"])).total_seconds() if told.get("at") else None
    if age is None or age > OLD_SECONDS:
        text = "the scheduler has not reported on its connection for a while"
        return [check("broker scheduler", False, text, "look at its log, or start it again")]
    if not told["ready"]:
        return [failed("broker scheduler", str(told["detail"]))]
    return [check("broker scheduler", True, f"the scheduler's own connection: {told['detail']}")]


# -- with one ---------------------------------------------------------


@dataclass(frozen=True)
class _Asking:
    """A connection to come: until ``end`` on the monotonic clock it is waited for."""

    config: IbkrConfig
    clock: Callable[[], datetime]
    say: Callable[[str], None]
    end: float
    store: Store


def _connected(asking: _Asking, symbols: list[str]) -> list[Check]:
    from ..adapters.brokers.ibkr.broker import IbkrConnection  # half a second, and only when it is asked

    config = asking.config
    with IbkrConnection(config, asking.clock) as connection:
        health = _ready(connection, asking.end)
        if not health.ready:
            return [_not_ready(health, config)]
        kind = "paper" if gates.is_paper(health.account) else "REAL MONEY"
        text = f"{config.host}:{config.port} is connected with client id {config.client_id}"
        found = [check("broker", True, f"{text}, account {health.account} ({kind})")]
        if health.state != "ready":
            found.append(failed("broker questions", health.detail))
        for name, step in (
            ("broker account", lambda: _account(connection)),
            ("broker clock", lambda: _clock(connection, asking.clock)),
            *(("broker bars", lambda s=symbol: _bars(connection, s)) for symbol in symbols),
            ("broker data farms", lambda: _farms(connection)),
        ):
            asking.say(f"{name.removeprefix('broker ')} …")
            try:
                found.append(step())
            except LivetradingError as error:
                found.append(failed(name, str(error)))
        with suppress(Unavailable, Damaged):  # the next connection proves as much; the file has a check of its own
            doctor_evidence.observe(asking.store, connection, asking.clock)
    return found


def _ready(connection: "IbkrConnection", end: float) -> Health:
    """The health once ready, or as the first attempt left it."""
    session, over = connection.session, frozenset({"refused", "disconnected"})
    seconds = max(end - clocks.monotonic(), 0.0)
    return connection.call(lambda: session.until_ready(seconds, over), seconds + 1)


def _not_ready(health: Health, config: IbkrConfig) -> Check:
    """Why there is no connection to a TWS that has greeted and named its accounts."""
    cure = "look at TWS's window and confirm its dialogs; wait until it has loaded the account, or restart it"
    if health.state in ("starting", "connecting"):
        text = f"TWS at {config.host}:{config.port} greets and does not answer the first questions"
        return check("broker", False, f"{text} within {READY_SECONDS:g} s", cure)
    found = failed("broker", health.detail)
    return found if health.cause != Cause.ENDED else check("broker", False, found["detail"], cure)


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
    """Without bars nothing stands still: that is a warning, and what follows from it."""
    from ..adapters.brokers.ibkr.history import NoBars

    try:
        bars = connection.bars(connection.instrument(symbol), "1 day", "5 D")
    except NoBars as error:
        then = ("agents of source ibkr take Yahoo's bars, where 500 of them agree, and hold otherwise; a market data"
                " subscription for API use would open IB's")
        return check("broker bars", True, f"none of {symbol}: {error}", then)
    return check("broker bars", True, f"{len(bars)} daily bars of {symbol}, the last of {bars[-1].at}")
