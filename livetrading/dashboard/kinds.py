"""Whose money an agent trades: real, a broker's paper account, simulated. Figures of different kinds are never added up."""

from collections.abc import Iterable
from typing import Any

from livetrading.adapters.brokers.registry import names, words_of
from livetrading.core.types import Mode
from livetrading.execution.state import agent_status
from livetrading.execution.state.status import AgentStatus

Doc = dict[str, Any]
REAL, PAPER, REPLAY, UNKNOWN = "REAL MONEY", "PAPER", "REPLAY", "UNREADABLE"
UNREADABLE_MODE = "unknown"
"""Of an agent whose files cannot be read."""
_TONES = {REAL: "lt-down", UNKNOWN: "lt-muted"}


def at_broker(mode: str) -> bool:
    """Whether a mode is a broker's name; also of a broker that is no longer registered."""
    return mode not in (Mode.REPLAY, Mode.PAPER, UNREADABLE_MODE)


def trades_real_days(agent: AgentStatus) -> bool:
    """Whether an agent trades today's sessions, in simulation or at a broker."""
    return agent["mode"] == Mode.PAPER or at_broker(agent["mode"])


def paper_account(broker: str) -> str:
    """The kind of an agent on a paper account of this broker."""
    return f"{broker.upper()} paper account"


def kind_of(agent: AgentStatus) -> str:
    """An agent at a broker trades real money unless its account is known to be a paper one."""
    mode = agent["mode"]
    if at_broker(mode):
        setup = words_of(mode).setup
        return paper_account(mode) if setup is not None and setup.is_paper(agent.get("account") or "") else REAL
    return {str(Mode.PAPER): PAPER, str(Mode.REPLAY): REPLAY}.get(mode, UNKNOWN)


def tone_of(kind: str) -> str:
    """The style class of a kind's label."""
    return _TONES.get(kind, "lt-accent")


def unread(agent: AgentStatus) -> bool:
    """Whether the files of an agent cannot be read, so that its shares are not known."""
    return agent["current_position"] is None


def unread_words(agents: Iterable[AgentStatus]) -> str:
    """``1 cannot be read``; empty if all can."""
    number = sum(1 for a in agents if unread(a))
    return f"{number:,} cannot be read" if number else ""


def grouped(agents: Iterable[AgentStatus]) -> dict[str, list[AgentStatus]]:
    """The agents of each kind that there is: first the kind that costs most."""
    order = (REAL, *(paper_account(name) for name in names()), PAPER, REPLAY, UNKNOWN)
    found: dict[str, list[AgentStatus]] = {kind: [] for kind in order}
    for agent in agents:
        found[kind_of(agent)].append(agent)
    return {kind: members for kind, members in found.items() if members}


def trades(agent: AgentStatus) -> bool:
    """Whether an agent runs, gets bars and is not halted. Titles, strips and dialogs count "running" by it."""
    return (
        bool(agent["is_running"]) and not agent.get("no_bars_since") and agent.get("status_text") != agent_status.HALTED
    )


def holds(agent: AgentStatus) -> bool:
    """Whether an agent has an open position: shares of a finished replay are history."""
    return bool(agent["current_position"]) and agent["status"] != "finished"


def running_words(agents: list[AgentStatus], scheduler_lives: bool) -> str:
    """``3 running``, or their state if that is another one."""
    running = [a for a in agents if a["is_running"]]
    idle = [a for a in running if a.get("no_bars_since")]
    halted = any(a.get("status_text") == agent_status.HALTED for a in running)
    waiting = not scheduler_lives and len(running) > len(idle)
    state = agent_status.HALTED if halted else agent_status.WAITING if waiting else "running"
    parts = [f"{len(running) - len(idle):,} {state}"]
    unknown = unread_words(agents)
    return " · ".join(parts + ([f"{len(idle):,} without bars"] if idle else []) + ([unknown] if unknown else []))
