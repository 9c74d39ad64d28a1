"""Whose money an agent trades. Figures of different kinds are never added up."""

from collections.abc import Iterable
from typing import Any

from livetrading.adapters.brokers.ibkr import account_gates
from livetrading.core.types import Mode
from livetrading.execution.state import agent_status

Doc = dict[str, Any]
REAL, ACCOUNT, PAPER, REPLAY, UNKNOWN = "REAL MONEY", "IBKR paper account", "PAPER", "REPLAY", "UNREADABLE"
ALL = (REAL, ACCOUNT, PAPER, REPLAY, UNKNOWN)
"""In the order in which they are shown: what costs most comes first."""
TONES = {REAL: "lt-down", ACCOUNT: "lt-accent", PAPER: "lt-accent", REPLAY: "lt-accent", UNKNOWN: "lt-muted"}


def kind_of(agent: Doc) -> str:
    """An agent at a broker trades real money unless its account is known to be a paper one."""
    if agent["mode"] == Mode.IBKR:
        return ACCOUNT if account_gates.is_paper(agent.get("account") or "") else REAL
    return {Mode.PAPER: PAPER, Mode.REPLAY: REPLAY}.get(agent["mode"], UNKNOWN)


def unread(agent: Doc) -> bool:
    """Whether nobody can say now what an agent holds: its files say nothing."""
    return agent["current_position"] is None


def unread_words(agents: Iterable[Doc]) -> str:
    """``1 cannot be read``; empty if all can."""
    number = sum(1 for a in agents if unread(a))
    return f"{number:,} cannot be read" if number else ""


def grouped(agents: Iterable[Doc]) -> dict[str, list[Doc]]:
    """The agents of each kind that there is, in the order of ``ALL``."""
    found: dict[str, list[Doc]] = {kind: [] for kind in ALL}
    for agent in agents:
        found[kind_of(agent)].append(agent)
    return {kind: members for kind, members in found.items() if members}


def trades(agent: Doc) -> bool:
    """Whether an agent runs, gets bars and is not halted: the one count of "running" for titles, strips and dialogs."""
    return bool(agent["is_running"]) and not agent.get("no_bars_since") and agent.get("status_text") != agent_status.HALTED


def holds(agent: Doc) -> bool:
    """Whether an agent has an open position: shares of a finished replay are history."""
    return bool(agent["current_position"]) and agent["status"] != "finished"


def running_words(agents: list[Doc], scheduler_lives: bool) -> str:
    """``3 running``, or what they do instead of it."""
    running = [a for a in agents if a["is_running"]]
    idle = [a for a in running if a.get("no_bars_since")]
    halted = any(a.get("status_text") == agent_status.HALTED for a in running)
    waiting = not scheduler_lives and len(running) > len(idle)
    state = agent_status.HALTED if halted else agent_status.WAITING if waiting else "running"
    parts = [f"{len(running) - len(idle):,} {state}"]
    unknown = unread_words(agents)
    return " · ".join(parts + ([f"{len(idle):,} without bars"] if idle else []) + ([unknown] if unknown else []))
