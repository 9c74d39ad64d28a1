"""``emergency-stop``, ``rearm``, ``verify``."""

import argparse
import os
import signal
import sys
import time
from typing import Any

from ..adapters import request_ids, settings
from ..adapters.halt import Halt, HaltLatch
from ..adapters.home import Home
from ..adapters.locks import Holder, SchedulerLock
from ..adapters.settings import Settings
from ..adapters.store import Store
from ..core.errors import BadInput, Conflict, Damaged, NotFound, Unavailable
from ..core.liveness import Liveness
from ..core.stopping import StopState, cancelled
from ..core.wording import counted
from ..dashboard.format import DASH, count, price, signed_money
from ..execution import verification
from ..execution.agent_manager import AgentManager
from ..execution.state import heartbeat, requests, stop_record
from ..execution.stopping import emergency_stop as stopping
from . import interrupts
from .acting import act, answered, node_in_hand, utc_now

ANSWER_SECONDS = 22.0
"""After which this command reports how far the stop is, if a scheduler continues it."""
GRACE_SECONDS = 2.0
"""At least so long a scheduler that took over late has for its answer."""
DYING_SECONDS = 5.0
TENURE_SECONDS, ROOM_SECONDS = 20.0, 2.0
"""A command that waits for a broker releases the lock so often, and for so long, so that a scheduler can take it."""
AGAIN_SECONDS = 2.0
EXIT_SECONDS = 10.0
"""For which a command without a scheduler watches exits that a broker works."""
INTERRUPTED = 130


def emergency_stop(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """Set the latch; then the scheduler or this process cancels and sells. Answers with the outcome of each agent.

    Exit 0 only when everything is flat. With a scheduler the answer comes within 30 s, and the scheduler
    continues what still waits for a broker. Without one this command runs until nothing waits any more; after
    an interrupt the next command or scheduler continues. ``--all-orders`` also cancels orders in a broker's
    account that are not ours; simulated accounts have only ours.
    """
    latch = HaltLatch(home)
    halt = latch.set(options.reason, options.by, utc_now())
    try:
        with interrupts.remembered() as options.check:
            return _report(_stopped(home, options, halt))
    except KeyboardInterrupt:
        text = "Interrupted; trading stays halted. Run `python -m livetrading emergency-stop` again, or start the scheduler, to continue the stop."
        return {**_report(_waiting(home, halt, text)), "exit_code": INTERRUPTED}


def _stopped(home: Home, options: argparse.Namespace, halt: Halt) -> dict[str, Any]:
    """Ask the process that has the lock, or do it here, until there is an answer."""
    options.request_id, options.exits_until = options.request_id or request_ids.new(), None
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


# -- another process has the lock -------------------------------------------------------


def _asked(home: Home, options: argparse.Namespace, halt: Halt) -> dict[str, Any] | None:
    """The answer of the process that has the lock, or that it waits. None when the lock is free, also because a process that hung was killed."""
    made, end = False, max(options.answer_by, time.monotonic() + GRACE_SECONDS)
    while True:
        options.check()
        try:
            made = made or bool(_submitted(home, options))
            return answered(requests.wait(Store(home), options.request_id, timeout=1.0))
        except (NotFound, Damaged):  # the file was damaged, or moved away with the request in it
            made = False
            time.sleep(0.1)
        except Unavailable:
            pass  # no answer yet, or a process that hangs has locked the file
        if (hung := heartbeat.hangs(home)) is not None:
            _kill(home, hung)
            return None
        sign = heartbeat.look(home)
        if sign.holder is None:
            return None
        if sign.state == Liveness.ALIVE and time.monotonic() > end:
            who = f"The {sign.holder.role} (process {sign.holder.pid})"
            return _waiting(home, halt, f"{who} has not answered yet; it continues the stop.")


def _submitted(home: Home, options: argparse.Namespace) -> str:
    return requests.submit(
        Store(home),
        "emergency_stop",
        args={"reason": options.reason, "all_orders": options.all_orders},
        by=options.by,
        request_id=options.request_id,
        now=utc_now(),
    )


def _waiting(home: Home, halt: Halt, text: str) -> dict[str, Any]:
    """The stop as last recorded, while the answer is missing."""
    known = stop_record.picture(Store(home), halt)
    if known is None or known["state"] == StopState.WAITING:
        items = known["items"] if known else []
        return {
            **stop_record.identity(halt),
            "state": str(StopState.WAITING),
            "flat": False,
            "items": items,
            "message": text,
        }
    return {**known}


def _kill(home: Home, holder: Holder) -> None:
    """Kill a process that has the lock and hangs; that frees the lock."""
    if holder.pid is None:
        raise Conflict(
            "The process that holds the scheduler's lock is not known; end the process that does not"
            " respond, then run the emergency stop again."
        )
    try:
        os.kill(holder.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    except PermissionError:
        raise Conflict(
            f"Process {holder.pid} does not respond and belongs to another user; end it, then run the"
            " emergency stop again."
        ) from None
    deadline = time.monotonic() + DYING_SECONDS
    while SchedulerLock(home).holder() is not None and time.monotonic() < deadline:
        time.sleep(0.02)


# -- no process has the lock --------------------------------------------------------


def _readable(home: Home) -> Settings:
    """The settings, or their defaults where the file cannot be read: simulated positions are sold without them."""
    try:
        return settings.load(home)
    except BadInput as error:
        print(f"{error} The stop goes on with the defaults.", file=sys.stderr, flush=True)
        return Settings()


def _done_here(home: Home, options: argparse.Namespace, halt: Halt) -> dict[str, Any] | None:
    """The stop by this process, as long as something waits. None when another process has taken the lock."""
    print("Trading is halted. No scheduler runs, so this command cancels and sells.", file=sys.stderr, flush=True)
    try:
        while True:
            with node_in_hand(home, _readable(home)) as node:
                answer = _rounds(node, options, halt)
            if answer is not None:
                return answer
            options.all_orders = False  # recorded by now
            time.sleep(ROOM_SECONDS)
            if SchedulerLock(home).holder() is not None:
                return None
    except Conflict:
        if SchedulerLock(home).holder() is None:
            raise
        return None


def _rounds(node: Any, options: argparse.Namespace, halt: Halt) -> dict[str, Any] | None:
    """Repeat the stop until nothing waits, or until it is time to release the lock. Answers requests meanwhile."""
    begun, printed, all_orders = time.monotonic(), "", options.all_orders
    end = begun + TENURE_SECONDS
    if options.scheduler and options.answer_by > begun:
        # A supervisor may start the scheduler again: it gets the lock before this command has to answer.
        end = min(end, options.answer_by - ROOM_SECONDS)
        node.until = end
        node.account.connection.patience = max(min(node.account.connection.patience, end - begun), 0.0)
    while True:
        options.check()
        AgentManager(node).apply_pending(utc_now())
        if node.latch.status() is None:
            return {
                **stop_record.identity(halt),
                "state": str(StopState.FAILED),
                "flat": False,
                "items": [],
                "message": "Trading was re-armed while the stop waited; agents stay stopped.",
            }
        text, result = stopping.stop(node, options.reason, options.by, utc_now(), all_orders)
        # No process follows this command. A broker may still refuse an exit, and then the stop has to be placed again.
        queued = result["state"] == StopState.QUEUED and node.account.wanted
        if queued and options.exits_until is None:
            options.exits_until = time.monotonic() + EXIT_SECONDS
        watched = queued and time.monotonic() < options.exits_until
        if result["state"] != StopState.WAITING and not watched:
            return {**result, "message": text}
        all_orders = False
        if text != printed:
            print(
                f"{text} Ctrl-C ends this command; the next command or scheduler then continues the stop.",
                file=sys.stderr,
                flush=True,
            )
        printed = text
        if time.monotonic() > end:
            return None
        time.sleep(AGAIN_SECONDS)


# -- the answer -------------------------------------------------------------

HEAD = ("", "held", "cancelled", "sold", "price", "P&L", "outcome")


def _report(result: dict[str, Any]) -> dict[str, Any]:
    """The answer as JSON and as text. If not everything is flat, the message goes to standard error and the exit code is 1."""
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
        name,
        count(item["shares"]),
        cancelled(item) or DASH,
        count(item["sold"]),
        price(item["price"]),
        signed_money(item["pnl"]),
        outcome,
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
