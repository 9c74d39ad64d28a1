"""``doctor``: what could go wrong tonight, checked now, with the cure."""

import argparse
import os
import shutil
import socket
import sys
from collections.abc import Callable
from datetime import timedelta
from importlib import metadata
from typing import Any

from ..adapters import settings
from ..adapters.bars import open_source, sample
from ..adapters.calendar import calendar
from ..adapters.halt import HaltLatch
from ..adapters.home import CHECKOUT, Home
from ..adapters.registry import Registry
from ..adapters.stamps import stamp
from ..adapters.store import Store
from ..core.errors import LivetradingError
from ..core.types import Mode
from ..execution import views
from .acting import utc_now

MIN_FREE_BYTES = 500_000_000
KNOWN_PORTS = {7496: "TWS live", 7497: "TWS paper", 4001: "Gateway live", 4002: "Gateway paper"}
CONNECT_SECONDS = 2.0
EARLIEST_CLOCK = "2025-01-01"
Check = dict[str, Any]


def doctor(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """Every check; exit code 1 when something is not ok."""
    steps: list[Callable[[Home], list[Check]]] = [
        _versions, _calendar, _clock, _disk, _samples, _sources, _models, _latch, _scheduler, _broker,
    ]
    checks = [check for step in steps for check in _guarded(step, home)]
    lines = [
        f"{'ok  ' if c['ok'] else 'FAIL'} {c['name']}: {c['detail']}" + (f" -> {c['cure']}" if c["cure"] else "")
        for c in checks
    ]
    answer = {"checks": checks, "text": "\n".join(lines)}
    failed = [c for c in checks if not c["ok"]]
    if failed:
        answer |= {"error": f"{len(failed)} checks failed: {', '.join(c['name'] for c in failed)}.", "exit_code": 1}
    return answer


def _check(name: str, ok: bool, detail: str, cure: str = "") -> Check:
    return {"name": name, "ok": ok, "detail": detail, "cure": cure}


def _guarded(step: Callable[[Home], list[Check]], home: Home) -> list[Check]:
    try:
        return step(home)
    except LivetradingError as error:
        return [_check(step.__name__.strip("_"), False, str(error), "mend what the sentence names")]


def _versions(home: Home) -> list[Check]:
    wrong = []
    for line in (CHECKOUT / "requirements.txt").read_text().splitlines():
        name, _, pinned = line.partition("==")
        if not pinned or line.startswith("#"):
            continue
        try:
            found = metadata.version(name).split("+")[0]
        except metadata.PackageNotFoundError:
            found = "missing"
        if found != pinned.strip():
            wrong.append(f"{name} is {found}, pinned is {pinned.strip()}")
    python = ".".join(map(str, sys.version_info[:3]))
    fine = sys.version_info >= (3, 11)
    return [
        _check("python", fine, python, "" if fine else "use Python 3.11 or newer"),
        _check("packages", not wrong, "; ".join(wrong) or "all as pinned", "make venv" if wrong else ""),
    ]


def _calendar(home: Home) -> list[Check]:
    left = (calendar().last - utc_now().date()).days
    detail = f"XNYS known from {calendar().first} to {calendar().last}, {left} days ahead"
    return [_check("calendar", left > 60, detail, "" if left > 60 else "upgrade exchange-calendars and this program")]


def _clock(home: Home) -> list[Check]:
    now = utc_now()
    beat = views.system(Store(home), now)["scheduler"]["heartbeat"]
    ok = stamp(now) > EARLIEST_CLOCK and (beat is None or stamp(now + timedelta(minutes=1)) > beat)
    detail = f"{stamp(now)}" + ("" if ok else f", but the scheduler's last heartbeat is {beat}")
    return [_check("clock", ok, detail, "" if ok else "set the clock; let it be kept by NTP")]


def _disk(home: Home) -> list[Check]:
    free = shutil.disk_usage(home.root).free
    ok = free >= MIN_FREE_BYTES and os.access(home.root, os.W_OK)
    return [_check("disk", ok, f"{free / 1e9:.1f} GB free for {home.root}", "" if ok else "make room or choose another --home")]


def _samples(home: Home) -> list[Check]:
    made = [open_source("sample", home.cache).daily(s, now=utc_now()) for s in sample.symbols()]
    return [_check("sample bars", True, ", ".join(f"{b.symbol} to {b.frame.index[-1].date()}" for b in made))]


def _sources(home: Home) -> list[Check]:
    """The bars of every agent that trades real days must reach the last session."""
    found, last = [], calendar().last_complete(utc_now())
    agents = [
        a for a in views.agents(Store(home))
        if a["mode"] in (Mode.PAPER, Mode.IBKR) and (a["is_running"] or a["current_position"])
    ]
    for source, symbol in sorted({(a["source"], a["symbol"]) for a in agents}):
        name = f"bars of {symbol} from {source}"
        try:
            end = open_source(source, home.cache).daily(symbol, now=utc_now()).frame.index[-1].date()
        except LivetradingError as error:
            found.append(_check(name, False, str(error), "mend the source, or deploy with another one"))
            continue
        fresh = end >= last
        cure = "" if fresh else "use a source that is kept up to date, such as yahoo"
        found.append(_check(name, fresh, f"end at {end}, the last session is {last}", cure))
    return found


def _models(home: Home) -> list[Check]:
    damaged = Registry(home).damaged()
    detail = "; ".join(damaged.values()) or f"{len(Registry(home).ids())} models readable"
    return [_check("models", not damaged, detail, "train again or restore from a backup" if damaged else "")]


def _latch(home: Home) -> list[Check]:
    halt = HaltLatch(home).status()
    if halt is None:
        return [_check("emergency stop", True, "not set")]
    return [_check("emergency stop", False, f"set by {halt.by}: {halt.reason}", "python -m livetrading rearm")]


def _scheduler(home: Home) -> list[Check]:
    beat = views.system(Store(home), utc_now())["scheduler"]
    needed = any(a["is_running"] for a in views.agents(Store(home)))
    if beat["alive"]:
        return [_check("scheduler", True, f"alive, pid {beat['pid']}, heartbeat {beat['age_seconds']:.0f} s ago")]
    cure = "python -m livetrading up" if needed else ""
    return [_check("scheduler", not needed, "does not run" + (", though agents do" if needed else ""), cure)]


def _broker(home: Home) -> list[Check]:
    """Whatever is configured is tried; trading through it is not part of this version."""
    chosen = settings.load(home)
    used = any(a["mode"] == Mode.IBKR for a in views.agents(Store(home)))
    asked = used or chosen.ibkr_account or chosen != settings.Settings() and _ibkr_changed(chosen)
    where = f"{chosen.ibkr_host}:{chosen.ibkr_port}"
    account = chosen.ibkr_account or "no account configured"
    if not asked:
        return [_check("broker", True, f"simulated accounts only; Interactive Brokers is not configured ({where}, {account})")]
    try:
        socket.create_connection((chosen.ibkr_host, chosen.ibkr_port), CONNECT_SECONDS).close()
    except OSError as error:
        return [_check("broker", False, f"{where} does not answer ({error}), {account}", "start TWS or Gateway, or correct host and port in settings.toml")]
    known = KNOWN_PORTS.get(chosen.ibkr_port, "an unfamiliar port")
    return [_check("broker", True, f"{where} answers ({known}), {account}")]


def _ibkr_changed(chosen: settings.Settings) -> bool:
    plain = settings.Settings()
    return (chosen.ibkr_host, chosen.ibkr_port) != (plain.ibkr_host, plain.ibkr_port)
