"""Why agents do nothing just now, for people to see: what ended an agent's last pass, and what its entry waits for.

A table of ``system.json``, by agent. What blocks an agent is on record in its journal; what only makes it
wait would else be seen in the log alone.
"""

import logging
from collections.abc import Collection, Mapping

from ...adapters import logs
from ...adapters.store import Store

log = logging.getLogger(__name__)
TABLE = "troubles"


def publish(store: Store, looked_at: Collection[str], failed: Mapping[str, str], waits: Mapping[str, str]) -> None:
    """Show how the last pass of each agent that was looked at ended; the others' stay as they were. A table that
    cannot be written is only logged: it stops no pass."""
    try:
        before = list(store.read("system").get(TABLE, {}).values())
        fresh = [{"agent_id": a, "text": text, "stuck": True} for a, text in failed.items()]
        fresh += [{"agent_id": a, "text": text, "stuck": False} for a, text in waits.items() if a not in failed]
        gone = {*looked_at, *failed, *waits}
        shown = sorted(
            [*fresh, *(d for d in before if d.get("agent_id") not in gone)], key=lambda d: str(d.get("agent_id"))
        )
        if shown == [dict(doc) for doc in before]:
            return
        with store.transaction("system") as db:
            table = db.table(TABLE)
            table.truncate()
            table.insert_multiple(shown)
    except Exception as error:
        log.error("what agents wait for could not be shown: %s", logs.caught(log, "the table of troubles", error))


def of(store: Store, agent_id: str) -> tuple[str, bool]:
    """What an agent's last pass ended or waited with, and whether it ended it; empty if with nothing."""
    docs = [d for d in store.read("system").get(TABLE, {}).values() if d.get("agent_id") == agent_id]
    return (str(docs[0].get("text", "")), bool(docs[0].get("stuck"))) if docs else ("", False)
