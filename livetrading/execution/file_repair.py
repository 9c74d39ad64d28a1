"""Repairs files that other programs changed: an agent's visible files are rebuilt, shared files are set aside.

For the process that holds the lock. A lost shared file never loses what an agent did:
that is in the journals.
"""

import logging
from collections.abc import Callable
from datetime import datetime

from ..adapters import logs
from ..adapters.store import Store
from ..core.errors import Damaged
from . import shared_files
from .node import Node
from .state.agent_repository import AgentRepository

log = logging.getLogger(__name__)


def shared(store: Store, now: datetime) -> list[str]:
    """Set damaged shared files aside. Returns messages about it."""
    messages = []
    for name, file in shared_files.FILES.items():
        try:
            aside = _aside(store, name, now)
        except Exception as error:
            log.error("%s.json: %s", name, logs.caught(log, f"checking {name}.json", error))
            continue
        if aside:
            messages.append(f"{name}.json was damaged and set aside as {aside}; {file.lost}.")
            log.warning("%s", messages[-1])
    return messages


def _aside(store: Store, name: str, now: datetime) -> str:
    """The new name of a damaged file; empty if it is sound. A sound file needs no lock."""
    try:
        shared_files.check(store, name)
    except Damaged:
        found = store.repair(name, now, shared_files.FILES[name].fits)
        return found.name if found is not None else ""
    return ""


def agents(node: Node, between: Callable[[], bool] = lambda: True) -> None:
    """Rebuild the visible files of agents from their journals where they were changed; log and user are notified.

    ``between`` is called after each agent that was repaired, because reading a journal may take long;
    False from it ends the work.
    """
    for agent_id, repository in list(node.repositories.items()):
        node.pulse()
        if node.repositories.get(agent_id) is repository and _healed(node, agent_id, repository) and not between():
            return


def _healed(node: Node, agent_id: str, repository: AgentRepository) -> bool:
    """Whether an agent's files had to be repaired."""
    try:
        if not repository.spoilt():
            return False
        names = repository.heal()
    except Damaged as error:  # not read again automatically: an older copy of the folder looks sound
        node.set_apart(agent_id, error)
        return True
    except Exception as error:
        log.error("%s: %s", agent_id, logs.caught(log, f"the visible files of {agent_id}", error))
        node.renew(agent_id)
        return True
    if names:
        shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
        notice = f"{shown} {'was' if len(names) == 1 else 'were'} changed from outside and rebuilt from the journal"
        log.warning("%s: %s", agent_id, notice)
        node.notices.append((agent_id, notice))
    return True


SHOWN = 3
"""File names in a message."""
