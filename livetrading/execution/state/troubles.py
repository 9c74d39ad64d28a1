"""Why agents do nothing now, for pages: why an agent's last pass failed, and what its entry waits for.

A table of ``system.json``, by agent. What blocks an agent is in its journal; what only makes it wait would
otherwise be visible only in the log.
"""

import logging
from collections.abc import Collection, Mapping

from ...adapters import logs
from ...adapters.store import Store

log = logging.getLogger(__name__)
TABLE = "troubles"


def publish(store: Store, looked_at: Collection[str], failed: Mapping[str, str], waits: Mapping[str, str]) -> None:
    """Record the result of the last pass of each agent in ``looked_at``; other agents keep theirs. If the table
    cannot be written that is only logged, so that no pass stops."""
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
    """What an agent's last pass failed on or waits for, and whether it failed; empty if nothing."""
    docs = [d for d in store.read("system").get(TABLE, {}).values() if d.get("agent_id") == agent_id]
    return (str(docs[0].get("text", "")), bool(docs[0].get("stuck"))) if docs else ("", False)
