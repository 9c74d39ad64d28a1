"""Alarms for the user: a short list in ``system.json`` that the dashboard shows."""

import logging
from datetime import datetime
from typing import Any

from ...adapters import logs
from ...adapters.stamps import stamp
from ...adapters.store import Store

log = logging.getLogger(__name__)
KEPT = 200


def add(store: Store, agent_id: str, text: str, now: datetime) -> int | None:
    """Show an alarm; ``agent_id`` is empty if it concerns no single agent. Its number, for ``amend``.

    An alarm that cannot be written is only logged: it must not stop the caller's work.
    """
    try:
        with store.transaction("system") as db:
            table = db.table("alarms")
            number = table.insert({"at": stamp(now), "agent_id": agent_id, "text": text})
            surplus = len(table) - KEPT
            if surplus > 0:
                table.remove(doc_ids=[doc.doc_id for doc in table.all()[:surplus]])
        return number
    except Exception as error:
        log.error("an alarm could not be shown: %s", logs.caught(log, "the list of alarms", error))
        return None


def amend(store: Store, number: int, text: str, known: str) -> None:
    """Replace the text of an alarm that is over, if it is still ``known``. Does nothing if it is not there."""
    try:
        with store.transaction("system") as db:
            table = db.table("alarms")
            doc = table.get(doc_id=number)
            if isinstance(doc, dict) and doc.get("text") == known:  # the file may have been replaced meanwhile
                table.update({"text": text}, doc_ids=[doc.doc_id])
    except Exception as error:
        log.error("an alarm could not be amended: %s", logs.caught(log, "the list of alarms", error))


def of_missed(missed: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """(agent id, text) of one alarm for each agent that missed sessions, also if it missed several."""
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in missed:
        found.setdefault(entry["agent_id"], []).append(entry)
    return [(agent_id, _missed(entries)) for agent_id, entries in found.items()]


def _missed(entries: list[dict[str, Any]]) -> str:
    first, last = entries[0], entries[-1]
    if len(entries) == 1:
        return f"{first['session']} MISSED: {first['reason']}"
    why = (
        first["reason"]
        if first["reason"] == last["reason"]
        else f"at first {first['reason']}; at last {last['reason']}"
    )
    return f"{len(entries)} sessions from {first['session']} to {last['session']} MISSED: {why}"
