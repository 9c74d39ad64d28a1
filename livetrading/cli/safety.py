"""``emergency-stop``, ``rearm``, ``verify``."""

import argparse
import os
import signal
import sys
import time
from typing import Any

from ..adapters import request_ids
from ..adapters.halt import Halt, HaltLatch
from ..adapters.home import Home
from ..adapters.locks import Holder, SchedulerLock
from ..adapters.store import Store
from ..core.errors import Conflict, Damaged, NotFound, Unavailable
from ..core.liveness import Liveness
from ..core.stopping import StopState, cancelled
from ..core.wording import counted
from ..dashboard.format import DASH, count, price, signed_money
from ..execution import verification
from ..execution.stopping import emergency_stop as stopping
from ..execution.state import heartbeat, requests, stop_record
from ..execution.agent_manager import AgentManager
from . import interrupts
from .acting import act, answered, node_in_hand, utc_now

ANSWER_SECONDS = 22.0
"""After which this command says how far the stop is, if a scheduler is there to go on with it."""
GRACE_SECONDS = 2.0
"""That a scheduler which took over late has at least for its answer."""
DYING_SECONDS = 5.0
TENURE_SECONDS, ROOM_SECONDS = 20.0, 2.0
"""A command that waits for a broker makes room for a scheduler so often, and so long."""
AGAIN_SECONDS = 2.0
SETTLE_SECONDS = 10.0
"""That a command without a scheduler looks after exits which a broker works."""
INTERRUPTED = 130


def emergency_stop(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """Latch, then the scheduler or this process cancels and sells; per agent what became of it.

    Exit 0 only when everything is flat. With a scheduler the answer comes within 30 s, and what
    waits for a broker then it goes on with. Without one this command stays until nothing waits any
    more; interrupted, it is gone on with by the next command or scheduler. ``--all-orders`` cancels
    in a real account also what is not ours; simulated ones hold only ours.
    """
    latch = HaltLatch(home)
    halt = latch.set(options.reason, options.by, utc_now())
    try:
        with interrupts.remembered() as options.check:
            return _report(_stopped(home, options, halt))
    except KeyboardInterrupt:
        text = "Interrupted; trading stays halted. Run `python -m livetrading emergency-stop` again, or start the scheduler, to go on."
        return {**_report(_waiting(home, halt, text)), "exit_code": INTERRUPTED}


def _stopped(home: Home, options: argparse.Namespace, halt: Halt) -> dict[str, Any]:
    """Ask whoever holds the lock, or do it here, until there is an answer."""
    options.request_id, options.settled = options.request_id or request_ids.new(), None
    options.answer_by, options.scheduler = time.monotonic() + ANSWER_SECONDS, False
    while True:
        options.check()
        if (holder := SchedulerLock(home).holder()) is not None:
            options.scheduler = options.scheduler or holder.role == heartbeat.SCHEDULER
            answer = _asked(home, options, halt)
        else:
            answer = _done_here(home, options, halt)
        if answer is not None:
            return answer


# -- the lock is held -------------------------------------------------------

def _asked(home: Home, options: argparse.Namespace, halt: Halt) -> dict[str, Any] | None:
    """The holder's answer, or that it waits. None once nobody holds the lock: one that hangs is killed."""
    made, end = False, max(options.answer_by, time.monotonic() + GRACE_SECONDS)
    while True:
        options.check()
        try:
            made = made or bool(_submitted(home, options))
            return answered(requests.wait(Store(home), options.request_id, timeout=1.0))
        except (NotFound, Damaged):  # the file was damaged, or set aside with the request in it
            made = False
            time.sleep(0.1)
        except Unavailable:
            pass  # no answer yet, or a process that hangs holds the file
        if (hung := heartbeat.hangs(home)) is not None:
            _kill(home, hung)
            return None
        sign = heartbeat.look(home)
        if sign.holder is None:
            return None
        if sign.state == Liveness.ALIVE and time.monotonic() > end:
            who = f"The {sign.holder.role} (process {sign.holder.pid})"
            return _waiting(home, halt, f"{who} has not answered yet; it goes on with the stop.")


def _submitted(home: Home, options: argparse.Namespace) -> str:
    return requests.submit(
        Store(home), "emergency_stop", args={"reason": options.reason, "all_orders": options.all_orders},
        by=options.by, request_id=options.request_id, now=utc_now(),
    )


def _waiting(home: Home, halt: Halt, text: str) -> dict[str, Any]:
    """The stop as it was last told, for an answer that does not come now."""
    known = stop_record.picture(Store(home), halt)
    if known is None or known["state"] == StopState.WAITING:
        items = known["items"] if known else []
        return {**stop_record.identity(halt), "state": str(StopState.WAITING), "flat": False, "items": items, "message": text}
    return known


def _kill(home: Home, holder: Holder) -> None:
    """End a process that holds the lock and hangs; the lock goes with it."""
    if holder.pid is None:
        raise Conflict("The process that holds the scheduler's lock is not known; end the process that does not"
                       " respond, then run the emergency stop again.")
    try:
        os.kill(holder.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    except PermissionError:
        raise Conflict(f"Process {holder.pid} does not respond and belongs to another user; end it, then run the"
                       " emergency stop again.") from None
    deadline = time.monotonic() + DYING_SECONDS
    while SchedulerLock(home).holder() is not None and time.monotonic() < deadline:
        time.sleep(0.02)


# -- nobody holds it --------------------------------------------------------

def _done_here(home: Home, options: argparse.Namespace, halt: Halt) -> dict[str, Any] | None:
    """The stop by this process, as long as something waits. None when another has taken the lock."""
    print("Trading is halted. No scheduler runs, so this command cancels and sells.", file=sys.stderr, flush=True)
    try:
        while True:
            with node_in_hand(home) as node:
                answer = _rounds(node, options, halt)
            if answer is not None:
                return answer
            options.all_orders = False  # on record by now
            time.sleep(ROOM_SECONDS)
            if SchedulerLock(home).holder() is not None:
                return None
    except Conflict:
        if SchedulerLock(home).holder() is None:
            raise
        return None


def _rounds(node: Any, options: argparse.Namespace, halt: Halt) -> dict[str, Any] | None:
    """Round after round until nothing waits, or until it is time to make room. Requests are answered meanwhile."""
    begun, said, wished = time.monotonic(), "", options.all_orders
    end = begun + TENURE_SECONDS
    if options.scheduler and options.answer_by > begun:
        # Whoever ended the scheduler starts it again: it finds room before this command has to answer.
        end = min(end, options.answer_by - ROOM_SECONDS)
        node.until = end
        node.account.patience = max(min(node.account.patience, end - begun), 0.0)
    while True:
        options.check()
        AgentManager(node).apply_pending(utc_now())
        if node.latch.status() is None:
            return {**stop_record.identity(halt), "state": str(StopState.FAILED), "flat": False, "items": [],
                    "message": "Trading was re-armed while the stop waited; agents stay stopped."}
        text, result = stopping.stop(node, options.reason, options.by, utc_now(), wished)
        # Nobody comes after this command: an exit at a broker may still be refused, and needs its stop back then.
        queued = result["state"] == StopState.QUEUED and node.account.wanted
        if queued and options.settled is None:
            options.settled = time.monotonic() + SETTLE_SECONDS
        settles = queued and time.monotonic() < options.settled
        if result["state"] != StopState.WAITING and not settles:
            return {**result, "message": text}
        wished = False
        if text != said:
            print(f"{text} Ctrl-C ends this command; the next command or scheduler then goes on with the stop.", file=sys.stderr, flush=True)
        said = text
        if time.monotonic() > end:
            return None
        time.sleep(AGAIN_SECONDS)


# -- the answer -------------------------------------------------------------

HEAD = ("", "held", "cancelled", "sold", "price", "P&L", "outcome")


def _report(result: dict[str, Any]) -> dict[str, Any]:
    """The answer as JSON and as text; whoever is not flat hears it on standard error, with exit 1."""
    flat = bool(result["flat"])
    message = result.get("message", "")
    if not flat:
        print(message, file=sys.stderr, flush=True)
    lines = [message] if flat else []
    rows = [HEAD, *(_row(item) for item in result["items"])]
    wide = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, wide, strict=True)).rstrip() for row in rows]
    return {**result, "flat": flat, "message": message, "text": "\n".join(lines), "exit_code": 0 if flat else 1}


def _row(item: dict[str, Any]) -> tuple[str, ...]:
    name = item["agent_id"] or f"account {item.get('account', '')}"
    outcome = item["status"] + (f" ({item['error']})" if item.get("error") else "")
    if "sold" not in item:
        return (name, DASH, DASH, DASH, DASH, DASH, outcome)
    return (
        name, count(item["shares"]), cancelled(item) or DASH, count(item["sold"]), price(item["price"]),
        signed_money(item["pnl"]), outcome,
    )


def rearm(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    return act(home, "rearm")


def verify(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """Nothing is changed; problems make the exit code 1."""
    if options.lookahead:
        from . import proofs  # brings the networks' libraries

        return proofs.lookahead(home, options)
    found = verification.audit(home)
    text = "No problems." if not found["problems"] else "\n".join(p["text"] for p in found["problems"])
    if not found["problems"]:
        return {**found, "text": text}
    error = f"verify found {counted(len(found['problems']), 'problem')}; the first: {found['problems'][0]['text']}"
    return {**found, "text": text, "error": error, "exit_code": 1}

