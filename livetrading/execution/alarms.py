"""What a person should see: a short list in ``system.json`` that the dashboard shows."""

import logging
from datetime import datetime

from ..adapters import logs
from ..adapters.stamps import stamp
from ..adapters.store import Store

log = logging.getLogger(__name__)
KEPT = 200


def add(store: Store, agent_id: str, text: str, now: datetime) -> None:
    """Show an alarm; ``agent_id`` is empty if it concerns no single agent.

    An alarm that cannot be written is only logged: what it tells of matters more.
    """
    try:
        with store.transaction("system") as db:
            table = db.table("alarms")
            table.insert({"at": stamp(now), "agent_id": agent_id, "text": text})
            surplus = len(table) - KEPT
            if surplus > 0:
                table.remove(doc_ids=[doc.doc_id for doc in table.all()[:surplus]])
    except Exception as error:
        log.error("an alarm could not be shown: %s", logs.caught(log, "the list of alarms", error))
