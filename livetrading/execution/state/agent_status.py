"""An agent's status as text: its state, and whether it can act."""

from typing import Any

from ...adapters.brokers.registry import words_of
from ...core.agent import AgentConfig
from ...core.errors import Refused
from ...core.types import Mode
from . import bar_check
from .status import SchedulerStatus

Doc = dict[str, Any]
WAITING = "waiting for the scheduler"
HALTED = "halted"
HELD_UP = "held, see warnings"
REFUSED = "exit refused"
REFUSALS = 3
"""After so many refused exits in a row the status text is REFUSED."""


def where_to_look(agent: AgentConfig) -> str:
    """What the user does about an order that stays open: only a real broker has a screen of its own."""
    if agent.mode == Mode.BROKER:
        return f"look at it in {words_of(agent.broker).program}"
    return "the simulated broker is asked again with every pass"


def lives(scheduler: SchedulerStatus) -> bool:
    """Whether a scheduler acts on agents now: the rule for everything that shows "running"."""
    return bool(scheduler["alive"])


def words(doc: Doc, scheduler_lives: bool, trouble: tuple[str, bool] = ("", False), halted: bool = False) -> Doc:
    """``status_text``, ``no_bars_since`` and the warnings of an agent's document.

    ``status`` and ``is_running`` stay as the user requested. A running agent without bars or
    without a scheduler gets another text. ``trouble`` is what its last pass failed on or waits
    for, and whether it failed; ``halted``: the halt latch is set.
    """
    try:
        since = bar_check.no_bars_since(doc)
    except Refused:  # a year that the calendar does not know
        since = None
    warnings = list(doc["warnings"] or [])
    text = str(doc["status"])
    if since:
        text = f"no bars since {since}"
        warnings.append(
            f"No bar of {doc['symbol']} from {doc['source']} after {since} could be used, so the agent cannot trade:"
            f" {bar_check.cure(str(doc['source']))}."
        )
    elif doc["is_running"] and halted:
        text = HALTED
    elif doc["is_running"] and not scheduler_lives:
        text = WAITING
    elif (doc.get("refused_exits") or 0) >= REFUSALS:
        text = REFUSED
    elif doc["is_running"] and trouble[1]:
        text = HELD_UP
    if trouble[0] and not any(trouble[0] in known for known in (*warnings, str(doc.get("status_reason") or ""))):
        warnings.append(trouble[0])
    return {"status_text": text, "no_bars_since": since, "warnings": warnings}
