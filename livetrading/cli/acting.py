"""Requests from the command line: answered by the scheduler, or applied here if there is none."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from ..adapters import logs, settings
from ..adapters.calendar import calendar
from ..adapters.home import Home
from ..adapters.locks import SchedulerLock
from ..adapters.settings import Settings
from ..adapters.store import Store
from ..core import drawdown_pause
from ..core.errors import Conflict, revived
from ..execution import file_repair
from ..execution.agent_manager import AgentManager
from ..execution.node import Node
from ..execution.state import requests

ANSWER_SECONDS = 10.0
ACCOUNT_SECONDS = 15.0
"""For which a command waits for the connection to a broker."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def report_pause(test: dict[str, Any]) -> None:
    """Print to standard error at which session the drawdown limit paused a test."""
    text = drawdown_pause.words(test.get("pause"))
    if text:
        print(text, file=sys.stderr)


def new_node(home: Home, chosen: Settings | None = None) -> Node:
    """The agents of a home, by its settings or the ones given; call ``open`` under the lock."""
    chosen = chosen or settings.load(home)
    return Node(home, calendar(), timedelta(minutes=chosen.check_delay_minutes), patience=ACCOUNT_SECONDS)


@contextmanager
def node_in_hand(home: Home, chosen: Settings | None = None) -> Iterator[Node]:
    """The node under the scheduler's lock, recovered. Conflict names who holds it."""
    with SchedulerLock(home).acquire("command") as lock:
        logs.setup(home, "command")
        store = Store(home)
        file_repair.shared(store, utc_now())
        node = new_node(home, chosen)
        node.pulse = lock.beat
        try:
            node.open()
            yield node
        finally:
            node.close()


def act(
    home: Home,
    kind: str,
    *,
    agent_id: str | None = None,
    args: dict[str, Any] | None = None,
    by: str = "command line",
    request_id: str | None = None,
    timeout: float = ANSWER_SECONDS,
) -> dict[str, Any]:
    """Submit a request and wait for its outcome. Raises the error that refused it."""
    store = Store(home)
    made = requests.submit(store, kind, agent_id=agent_id, args=args, by=by, request_id=request_id, now=utc_now())
    if SchedulerLock(home).holder() is None:
        try:
            with node_in_hand(home) as node:
                AgentManager(node).apply_pending(utc_now())
        except Conflict:
            pass  # a scheduler has started meanwhile and answers
    return answered(requests.wait(store, made, timeout))


def answered(done: dict[str, Any]) -> dict[str, Any]:
    """The outcome of a request as the answer of a command. Raises the error that refused it."""
    if done["status"] == "refused":
        raise revived(done["result"].get("error_type"), done["message"])
    return {
        "request_id": done["id"],
        "status": "done",
        "message": done["message"],
        **done["result"],
        "text": done["message"],
    }
