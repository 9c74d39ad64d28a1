"""What one pass over the agents did, as lines for people."""

from typing import Any

from ..core.types import Action
from ..core.wording import counted

DONE = (
    ("planned", "{agent_id} planned to {side} {qty} as order {key}"),
    ("sent", "{agent_id} sent order {key} for {qty}"),
    ("missed", "{agent_id} missed session {session}: {reason}"),
)
"""Keys of the answer, each with a line for its items."""


def text_of(answer: dict[str, Any]) -> str:
    """A line for each thing that was done or could not be done. ``answer`` is that of ``pass_runner.document``."""
    lines = [_decided(item) for item in answer["decided"]]
    lines += [form.format_map(item) for key, form in DONE for item in answer[key]]
    lines += [_undecided(item) for item in answer["held"]]
    head = counted(len(answer["due"]), "session") if answer["due"] else "No session"
    return "\n".join([f"{head} {'were' if len(answer['due']) > 1 else 'was'} due.", *lines])


def _decided(item: dict[str, Any]) -> str:
    shares = f" {item['qty']}" if item["qty"] else ""
    return f"{item['agent_id']} decided session {item['session']}: {Action(item['action']).name}{shares} ({item['reason']})"


def _undecided(item: dict[str, Any]) -> str:
    session = f" session {item['session']}" if item.get("session") else ""
    return f"{item['agent_id']} could not decide{session or ' anything'}: {item['reason']}"
