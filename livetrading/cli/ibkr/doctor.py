"""``doctor`` on Interactive Brokers: each setting, the account, the clock, the bars."""

import argparse
import sys
import time as clocks
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time
from pathlib import Path
from typing import Any

from ...adapters import settings
from ...adapters.bars import check_symbol
from ...adapters.brokers.ibkr import account_gates as gates
from ...adapters.brokers.ibkr import handshake
from ...adapters.brokers.ibkr.account_setup import IbkrAccountSetup
from ...adapters.brokers.ibkr.config import IbkrConfig, Timing
from ...adapters.brokers.ibkr.recorder import Recorder
from ...adapters.brokers.ibkr.setup import config_of
from ...adapters.brokers.ibkr.words import WORDS
from ...adapters.home import Home
from ...adapters.locks import SchedulerLock
from ...adapters.settings import Settings
from ...adapters.stamps import parse_stamp
from ...adapters.store import Store
from ...core.errors import Refused
from ...execution.state import queries
from ..acting import utc_now
from ..checks import Check, check, failed
from . import connected, evidence

OLD_SECONDS = 180.0
"""The scheduler writes the state of its connection once a minute."""
SYMBOL = "INTC"
"""A cheap and liquid stock, unless another one is named."""
TIMING = Timing(connect=6.0, answer=6.0, history=20.0)


def alone(home: Home, options: argparse.Namespace) -> dict[str, Any] | None:
    """The answer to ``--probe-open`` and to the options on assumptions, which run no checks; None without them."""
    if evidence.asked(options):
        return evidence.answer(home, options)
    if options.probe_open:
        from . import probe_open  # imports ib_async

        return probe_open.probe(home, options.confirm or "", check_symbol(options.symbol or SYMBOL))
    return None


def only(options: argparse.Namespace) -> bool:
    """Whether no other checks are wanted."""
    return bool(options.ibkr)


def broker(home: Home, options: argparse.Namespace) -> list[Check]:
    """The checks that the options ask for, and what ``--record`` has recorded meanwhile."""
    recorder = Recorder(Path(options.record), values=options.record_values) if options.record else None
    if recorder is None:
        return checks(home, asked=options.ibkr, symbol=options.symbol)
    recorder.open()
    found = checks(home, asked=True, symbol=options.symbol, recorder=recorder)
    return [*found, evidence.recording(recorder)]


def checks(
    home: Home,
    *,
    asked: bool = False,
    symbol: str | None = None,
    clock: Callable[[], datetime] = utc_now,
    timing: Timing = TIMING,
    answer_seconds: float = handshake.ANSWER_SECONDS,
    recorder: Recorder | None = None,
) -> list[Check]:
    """One line when nothing is configured and nobody ``asked``; else whatever is configured is tried."""
    chosen, store = settings.load(home), Store(home)
    agents = [a for a in queries.agents(store) if a["mode"] == WORDS.name]
    where, account = f"{chosen.ibkr_host}:{chosen.ibkr_port}", chosen.ibkr_account or "no account configured"
    if not (asked or agents or settings.ibkr_configured(chosen)):
        text = f"Interactive Brokers is not configured ({where}, {account}), and no agent trades there"
        return [check("broker", True, text)]
    _say(asked, f"asking {where}")
    end = clocks.monotonic() + connected.READY_SECONDS
    client_id = chosen.ibkr_client_id + handshake.SPARE_CLIENT_ID
    greeting = handshake.shake(chosen.ibkr_host, chosen.ibkr_port, client_id, answer_seconds)
    found = [*_version(chosen, greeting), _agreement(chosen), _restart(chosen, clock())]
    wrong = [c for c in found[:-1] if not c["ok"]]
    if wrong:
        what, cure = ("; ".join(dict.fromkeys(c[key] for c in wrong)) for key in ("detail", "cure"))
        # All failures are in one line, with the account that they are about.
        made = [check("broker", False, f"not connected, {account}: {what}", cure)]
        found = [c for c in found if c not in wrong]
    else:
        config = _config(home, chosen, timing, recorder)
        names = [check_symbol(symbol)] if symbol else sorted({a["symbol"] for a in agents})[:3] or [SYMBOL]
        _say(asked, f"connecting with client id {config.client_id}")
        made = connected.checks(connected.Plan(config, clock, lambda text: _say(asked, text), end, store), names)
    return [*made, *found, *_scheduler(store, clock()), evidence.check(store)]


def _config(home: Home, chosen: Settings, timing: Timing, recorder: Recorder | None) -> IbkrConfig:
    """For a connection that sends no order. Beside a process that trades it takes the next client id; alone the
    scheduler's, to see that it is free."""
    client_id = chosen.ibkr_client_id + (SchedulerLock(home).holder() is not None)
    # A connection that only reads would not notice TWS's Read-Only API mode, so this one may order, and
    # the number that a deployment asks for counts as typed.
    config = replace(config_of(chosen, confirmed=chosen.ibkr_account, client_id=client_id), timing=timing)
    return config if recorder is None else replace(config, recorder=recorder)


def _say(aloud: bool, text: str) -> None:
    if aloud:
        print(text, file=sys.stderr, flush=True)


def _version(chosen: Settings, greeting: handshake.Handshake) -> list[Check]:
    """Whether something listens, and whether it is a TWS of a version that this program understands."""
    where = f"{chosen.ibkr_host}:{chosen.ibkr_port}"
    detail, cure = handshake.explain(greeting, where)
    if greeting.answer == handshake.Answer.NOTHING_LISTENS:
        return [check("broker port", False, detail, cure)]
    familiar = chosen.ibkr_port in {**gates.PAPER_PORTS, **gates.LIVE_PORTS}
    usual = "" if familiar else "usual are 7497 (TWS paper), 7496 (TWS live), 4002 (Gateway paper), 4001 (Gateway live)"
    port = check("broker port", True, f"{where} answers ({gates.port_name(chosen.ibkr_port)})", usual)
    return [port, check("broker version", greeting.ok, detail, cure)]


def _agreement(chosen: Settings) -> Check:
    try:
        IbkrAccountSetup().check(chosen)
    except Refused as error:
        return failed("broker settings", str(error))
    money = "real money" if chosen.ibkr_mode == "live" else "paper money"
    account = chosen.ibkr_account or "the only paper account"
    auction = chosen.ibkr_mode == "live" or chosen.ibkr_paper_open == "auction"
    entries = f"entries go {'in the opening auction' if auction else 'after 09:30 as DAY orders'}"
    return check("broker settings", True, f"{money} in {account}; mode, port and account agree; {entries}")


def _restart(chosen: Settings, now: datetime) -> Check:
    zone = chosen.ibkr_timezone or "this computer's zone"
    if not chosen.ibkr_restart:
        cure = "set ibkr_restart to TWS's time of Auto restart, if it has one"
        return check("broker restart", True, "no daily restart is configured", cure)
    day = gates.first_disturbed(
        time.fromisoformat(chosen.ibkr_restart), chosen.ibkr_timezone, now.astimezone(gates.NEW_YORK).date()
    )
    if day is not None:
        cure = "choose another time of Auto restart in TWS and set ibkr_restart to it, ibkr_timezone to its zone"
        text = f"{chosen.ibkr_restart} ({zone}) falls between 04:00 and 16:10 New York, first on {day}"
        return check("broker restart", False, text, cure)
    return check("broker restart", True, f"{chosen.ibkr_restart} ({zone}), outside 04:00–16:10 New York all year")


def _scheduler(store: Store, now: datetime) -> list[Check]:
    """The connection that trades, by the scheduler's last report."""
    system = queries.system(store, now)
    report = system.get("broker")
    if not report or not system["scheduler"]["alive"]:
        return []
    age = (now - parse_stamp(report["at"])).total_seconds() if report.get("at") else None
    if age is None or age > OLD_SECONDS:
        text = "the scheduler has not reported on its connection for a while"
        return [check("broker scheduler", False, text, "look at its log, or start it again")]
    if not report["ready"]:
        return [failed("broker scheduler", str(report["detail"]))]
    return [check("broker scheduler", True, f"the scheduler's own connection: {report['detail']}")]
