"""``emergency-stop``, ``rearm``, ``verify``."""

import argparse
import os
import signal
import time
from typing import Any

from ..adapters.halt import HaltLatch
from ..adapters.home import Home
from ..adapters.locks import Holder, SchedulerLock
from ..adapters.store import Store
from ..core.errors import Conflict, Unavailable
from ..execution import audit, emergency, requests, views
from .acting import act, desk_in_hand, utc_now

HUNG_SECONDS = 15.0
ANSWER_SECONDS = 20.0
SILENCE_SECONDS, SILENCE_AT_BROKER = 2.5, 5.0
"""A scheduler that has not written a journal line for an emergency stop by then hangs; one that
waits for a broker's word on cancels writes none meanwhile."""
DYING_SECONDS = 5.0


def emergency_stop(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """Latch, then the scheduler or this process cancels and sells; per agent what became of it.

    ``--all-orders`` cancels in a real account also what is not ours; simulated ones hold only ours.
    """
    HaltLatch(home).set(options.reason, options.by, utc_now())
    holder = SchedulerLock(home).holder()
    if holder is not None and not _hung(home, holder):
        try:
            return _report(_ask(home, options))
        except Unavailable:
            holder = SchedulerLock(home).holder()
    if holder is not None:
        _kill(home, holder)
    with desk_in_hand(home) as desk:
        text, result = emergency.stop(desk, options.reason, options.by, utc_now(), options.all_orders)
    return _report({**result, "message": text})


def _ask(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """The scheduler's answer. Unavailable if it does nothing, or too long."""
    request_id, started, wrote = options.request_id or requests.new_id(), time.monotonic(), _written(home)
    silence = SILENCE_AT_BROKER if views.system(Store(home), utc_now())["broker"] else SILENCE_SECONDS
    while True:
        try:
            return act(
                home, "emergency_stop", args={"reason": options.reason, "all_orders": options.all_orders}, by=options.by,
                request_id=request_id, timeout=silence,
            )
        except Unavailable:
            before, wrote = wrote, _written(home)
            if wrote == before or time.monotonic() - started > ANSWER_SECONDS:
                raise


def _written(home: Home) -> int:
    """Bytes in all journals: they grow while a stop is at work."""
    return sum(path.stat().st_size for path in home.agents.glob("*/journal.jsonl"))


def _hung(home: Home, holder: Holder) -> bool:
    """A scheduler whose heartbeat is old. A command that works under the lock has none."""
    if holder.role != "scheduler":
        return False
    beat = views.system(Store(home), utc_now())["scheduler"]
    young = holder.since is not None and (utc_now() - holder.since).total_seconds() <= HUNG_SECONDS
    return not young and (beat["age_seconds"] is None or beat["age_seconds"] > HUNG_SECONDS)


def _kill(home: Home, holder: Holder) -> None:
    """End a process that holds the lock and does not answer; the lock goes with it."""
    if holder.pid is None:
        raise Conflict("The lock's holder is not known; end the process that hangs, then stop again.")
    try:
        os.kill(holder.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    deadline = time.monotonic() + DYING_SECONDS
    while SchedulerLock(home).holder() is not None and time.monotonic() < deadline:
        time.sleep(0.02)


def _report(result: dict[str, Any]) -> dict[str, Any]:
    items = result.get("items", [])
    lines = [result.get("message", "")] + [
        f"{item['agent_id'] or 'account ' + item.get('account', '')}: {item['status']}" + (f" ({item['error']})" if item.get("error") else "")
        for item in items
    ]
    return {"items": items, "flat": bool(result.get("flat")), "message": lines[0], "text": "\n".join(lines)}


def rearm(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    return act(home, "rearm")


def verify(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """Nothing is changed; problems make the exit code 1."""
    if options.lookahead:
        from . import proofs  # brings the networks' libraries

        return proofs.lookahead(home, options)
    found = audit.audit(home)
    text = "No problems." if not found["problems"] else "\n".join(p["text"] for p in found["problems"])
    if not found["problems"]:
        return {**found, "text": text}
    error = f"{len(found['problems'])} problems were found; the first: {found['problems'][0]['text']}"
    return {**found, "text": text, "error": error, "exit_code": 1}

