"""Files that were changed from outside while somebody works: images are made again, shared files set aside.

For the lock's holder. What is lost with a shared file is never what an agent did:
that stands in the journals.
"""

import logging
from collections.abc import Callable
from datetime import datetime

from ..adapters import logs
from ..adapters.store import Store
from ..core.errors import Damaged
from .node import Node
from .state import stop_record
from .state.agent_repository import AgentRepository

log = logging.getLogger(__name__)
SHARED = {
    "requests": "what was asked and not answered yet must be asked again",
    "jobs": "a training or test that runs adds itself again, models and agents are elsewhere",
    "system": "earlier alarms are in the log",
    stop_record.FILE: stop_record.LOST,
}
"""Files that several processes write, and what it means that one starts empty."""


def shared(store: Store, now: datetime) -> list[str]:
    """Set damaged shared files aside; what was done, in sentences."""
    told = []
    for name, means in SHARED.items():
        try:
            aside = _aside(store, name, now)
        except Exception as error:
            log.error("%s.json: %s", name, logs.caught(log, f"looking at {name}.json", error))
            continue
        if aside:
            told.append(f"{name}.json was damaged and set aside as {aside}; it starts empty: {means}.")
            log.warning("%s", told[-1])
    return told


def _aside(store: Store, name: str, now: datetime) -> str:
    """Where a damaged file lies now; empty if it is sound. A sound one is not waited for."""
    try:
        store.read(name)
    except Damaged:
        found = store.repair(name, now)
        return found.name if found is not None else ""
    return ""


def agents(node: Node, between: Callable[[], bool] = lambda: True) -> None:
    """What pages read of each agent is its journal's image again; what was done is in the log and told.

    ``between`` is called after each agent that was healed, which takes as long as its journal is read:
    other work gets its turn, and False ends this one.
    """
    for agent_id, repository in list(node.repositories.items()):
        node.pulse()
        if node.repositories.get(agent_id) is repository and _healed(node, agent_id, repository) and not between():
            return


def _healed(node: Node, agent_id: str, repository: AgentRepository) -> bool:
    """Whether there was something to do for an agent."""
    try:
        if not repository.spoilt():
            return False
        names = repository.heal()
    except Damaged as error:  # never read again by itself: an older copy of its folder looks sound
        node.set_apart(agent_id, error)
        return True
    except Exception as error:
        log.error("%s: %s", agent_id, logs.caught(log, f"the visible files of {agent_id}", error))
        node.renew(agent_id)
        return True
    if names:
        shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
        said = f"{shown} {'was' if len(names) == 1 else 'were'} changed from outside and rebuilt from the journal"
        log.warning("%s: %s", agent_id, said)
        node.notices.append((agent_id, said))
    return True


SHOWN = 3
"""Names of files in a sentence."""
