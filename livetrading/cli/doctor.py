"""``doctor``: what could go wrong at the next session, checked now, with the cure."""

import argparse
import logging
import os
import shutil
import sys
from collections.abc import Callable
from datetime import timedelta
from importlib import metadata
from typing import Any

from ..adapters import logs, settings
from ..adapters.bars import open_source, sample
from ..adapters.brokers.registry import names, words_of
from ..adapters.calendar import calendar
from ..adapters.halt import HaltLatch
from ..adapters.home import CHECKOUT, Home
from ..adapters.registry import Registry
from ..adapters.stamps import stamp
from ..adapters.store import Store
from ..core.liveness import Liveness
from ..core.wording import counted
from ..dashboard import kinds
from ..execution.state import bar_check, queries
from . import broker_rooms
from .acting import utc_now
from .checks import Check, check

log = logging.getLogger(__name__)
MIN_FREE_BYTES = 500_000_000
EARLIEST_CLOCK = "2025-01-01"


def doctor(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """Every check; exit code 1 when something is not ok. Some options of a broker are answered without checks."""
    rooms = list(broker_rooms.modules("doctor"))
    for room in rooms:
        if (answer := room.alone(home, options)) is not None:
            return answer
    chosen = [room for room in rooms if room.only(options)]
    others = (
        []
        if chosen
        else [_versions, _calendar, _clock, _disk, _address, _samples, _sources, _models, _latch, _scheduler]
    )
    found = [c for step in others for c in _guarded(step, home)]
    found += [c for room in chosen or rooms for c in _guarded(room.broker, home, options)]
    lines = [
        f"{'ok  ' if c['ok'] else 'FAIL'} {c['name']}: {c['detail']}" + (f" -> {c['cure']}" if c["cure"] else "")
        for c in found
    ]
    report: dict[str, Any] = {"checks": found, "text": "\n".join(lines)}
    failed = [c for c in found if not c["ok"]]
    if failed:
        report |= {
            "error": f"{counted(len(failed), 'check')} failed: {', '.join(c['name'] for c in failed)}.",
            "exit_code": 1,
        }
    return report


def _guarded(step: Callable[..., list[Check]], *arguments: Any) -> list[Check]:
    """A check that ends with an error is a failed check."""
    try:
        return step(*arguments)
    except Exception as error:
        name = step.__name__.strip("_")
        return [
            check(name, False, str(logs.caught(log, f"the check of {name}", error)), "correct what the sentence names")
        ]


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
        check("python", fine, python, "" if fine else "use Python 3.11 or newer"),
        check("packages", not wrong, "; ".join(wrong) or "all as pinned", "make venv" if wrong else ""),
    ]


def _calendar(home: Home) -> list[Check]:
    left = (calendar().last - utc_now().date()).days
    detail = f"XNYS known from {calendar().first} to {calendar().last}, {left} days ahead"
    return [check("calendar", left > 60, detail, "" if left > 60 else "upgrade exchange-calendars and this program")]


def _clock(home: Home) -> list[Check]:
    now = utc_now()
    beat = queries.system(Store(home), now)["scheduler"]["heartbeat"]
    ok = stamp(now) > EARLIEST_CLOCK and (beat is None or stamp(now + timedelta(minutes=1)) > beat)
    detail = f"{stamp(now)}" + ("" if ok else f", but the scheduler's last heartbeat is {beat}")
    return [check("clock", ok, detail, "" if ok else "set the computer's clock, best by NTP")]


def _disk(home: Home) -> list[Check]:
    free = shutil.disk_usage(home.root).free
    ok = free >= MIN_FREE_BYTES and os.access(home.root, os.W_OK)
    return [
        check(
            "disk", ok, f"{free / 1e9:.1f} GB free for {home.root}", "" if ok else "make room or choose another --home"
        )
    ]


def _address(home: Home) -> list[Check]:
    address = settings.check_address(settings.load(home).address)
    return [check("address", True, f"only this computer reaches the dashboard at {address}")]


def _samples(home: Home) -> list[Check]:
    made = [open_source("sample", home.cache).daily(s, now=utc_now()) for s in sample.symbols()]
    return [check("sample bars", True, ", ".join(f"{b.symbol} to {b.frame.index[-1].date()}" for b in made))]


def _sources(home: Home) -> list[Check]:
    """The bars of every agent that trades real days must reach the last session."""
    found = []
    agents = [
        a
        for a in queries.agents(Store(home))
        if kinds.trades_real_days(a) and (a["is_running"] or a["current_position"])
    ]
    # A broker's own bars come over its connection, and are checked with it.
    theirs = {words_of(name).bars for name in names()}
    for source, symbol in sorted({(a["source"] or "", a["symbol"]) for a in agents if a["source"] not in theirs}):
        name = f"bars of {symbol} from {source}"
        try:
            reach, _ = bar_check.read(source, home.cache, symbol, utc_now())
        except Exception as error:
            problem = logs.caught(log, name, error)
            found.append(check(name, False, str(problem), "repair the source, or deploy with another one"))
            continue
        found.append(check(name, reach.current, str(reach), "" if reach.current else bar_check.cure(source)))
    return found


def _models(home: Home) -> list[Check]:
    damaged = Registry(home).damaged()
    detail = "; ".join(damaged.values()) or f"{counted(len(Registry(home).ids()), 'model')} readable"
    return [check("models", not damaged, detail, "train again or restore from a backup" if damaged else "")]


def _latch(home: Home) -> list[Check]:
    halt = HaltLatch(home).status()
    if halt is None:
        return [check("emergency stop", True, "not set")]
    return [check("emergency stop", False, f"set by {halt.by}: {halt.reason}", "python -m livetrading rearm")]


def _scheduler(home: Home) -> list[Check]:
    beat = queries.system(Store(home), utc_now())["scheduler"]
    needed = any(a["is_running"] for a in queries.agents(Store(home)))
    if beat["alive"]:
        return [check("scheduler", True, f"alive, pid {beat['pid']}, heartbeat {beat['age_seconds']:.0f} s ago")]
    if beat["liveness"] == Liveness.HUNG:
        return [
            check(
                "scheduler",
                False,
                f"hangs, pid {beat['pid']}",
                f"end process {beat['pid']} and start it again; `up` does both",
            )
        ]
    cure = "python -m livetrading up" if needed else ""
    return [check("scheduler", not needed, "does not run" + (", though agents do" if needed else ""), cure)]
