"""An agent's status in words: what it is, and whether anything comes of it."""

from typing import Any

from ..core.errors import Refused
from ..core.types import Mode
from . import bar_check

Doc = dict[str, Any]
WAITING = "waiting for the scheduler"


def where_to_look(mode: str) -> str:
    """What a person does about an order that goes on standing: only a real broker has a screen of its own."""
    return "look at it in TWS" if mode == Mode.IBKR else "the simulated broker is asked again with every pass"


def lives(scheduler: Doc) -> bool:
    """Whether a scheduler acts on agents now: the one rule for all that would say "running"."""
    return bool(scheduler["alive"])


def words(doc: Doc, scheduler_lives: bool) -> Doc:
    """``status_text``, ``no_bars_since`` and the warnings of an agent's document.

    ``status`` and ``is_running`` stay what a person asked for; a running agent that
    gets no bars, or that no scheduler looks after, does not look like one that trades.
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
            f"No bar of {doc['symbol']} from {doc['source']} after {since} could be used, so the agent trades nothing:"
            f" {bar_check.cure(str(doc['source']))}."
        )
    elif doc["is_running"] and not scheduler_lives:
        text = WAITING
    return {"status_text": text, "no_bars_since": since, "warnings": warnings}
