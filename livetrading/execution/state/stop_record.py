"""The record of an emergency stop on disk: what it found, its progress, and what else the user asked for.

``stop.json`` belongs to one halt latch, by its reason, author and time; a record of another latch is
ignored. The process with the lock writes it, everybody reads it. If the disk refuses, the stop goes on
and only reports less.
"""

import logging
from datetime import datetime
from typing import Any

from ...adapters.halt import Halt
from ...adapters.stamps import stamp
from ...adapters.store import Store
from ...core import stopping
from ...core.agent import AgentState
from ...core.errors import Damaged, LivetradingError
from ...core.stopping import StopState
from .read_model import history_files
from .status import StopStatus

log = logging.getLogger(__name__)
Doc = dict[str, Any]
FILE = "stop"
KEYS = frozenset(
    {"reason", "by", "at", "state", "flat", "items", "message", "updated", "all_orders", "asked", "found", "seq"}
)
LOST = (
    "an emergency stop goes on, and counts its figures anew; whether the account's other orders were to be canceled"
    " is lost with it: if so, ask again with --all-orders"
)
"""What is lost when the record starts empty."""
MONTHS = 2
"""Monthly files of an agent's fills that are read: a sale fills within days."""


def identity(halt: Halt) -> Doc:
    """The fields that identify one stop."""
    return {"reason": halt.reason, "by": halt.by, "at": stamp(halt.at) if halt.at else None}


def read(store: Store, halt: Halt | None) -> Doc | None:
    """The record of this latch; None if there is none or it cannot be read."""
    if halt is None:
        return None
    try:
        found = next(iter(store.read(FILE).get(FILE, {}).values()), None)
    except LivetradingError as error:
        log.warning("%s", error)
        return None
    if found is None or not KEYS <= found.keys():
        return None
    return found if all(found[key] == value for key, value in identity(halt).items()) else None


def picture(store: Store, halt: Halt | None) -> StopStatus | None:
    """The part for the user: ``state``, ``flat``, ``items``, ``message`` and the stop's identity."""
    found = read(store, halt)
    if found is None or found["state"] is None:
        return None
    return StopStatus(
        reason=found["reason"],
        by=found["by"],
        at=found["at"],
        state=found["state"],
        flat=found["flat"],
        items=found["items"],
        message=found["message"],
        updated=found["updated"],
    )


class StopRecord:
    """The record of the current stop, for the process that holds the lock."""

    def __init__(self, store: Store, halt: Halt, now: datetime) -> None:
        self._store, self._now = store, now
        self.doc: Doc = read(store, halt) or {
            **identity(halt),
            "state": None,
            "flat": False,
            "items": [],
            "message": "",
            "updated": None,
            "all_orders": False,
            "asked": None,
            "found": {},
            "seq": -1,
        }

    def begin(self, states: list[AgentState], fills: dict[str, list[Doc]], all_orders: bool) -> None:
        """Record the agents as found, and the user's request, before anything is done."""
        new = {s.agent.agent_id: stopping.baseline(s, fills[s.agent.agent_id]) for s in states}
        self.doc["found"] = {**new, **self.doc["found"]}
        self.doc["all_orders"] = self.doc["all_orders"] or all_orders
        if all_orders:
            self.doc.pop("lost", None)
        self._write()

    def found(self, state: AgentState, fills: list[Doc]) -> Doc:
        """An agent as the stop found it."""
        known = self.doc["found"].get(state.agent.agent_id)
        return known if known is not None else stopping.baseline(state, fills)

    def end(self, state: StopState, items: list[Doc], message: str, seq: int) -> None:
        """Record the result of one round of the stop."""
        flat = state == StopState.DONE
        text = f"{message} {self.doc['lost']}" if "lost" in self.doc else message
        self.doc |= {
            "state": str(state),
            "flat": flat,
            "items": items,
            "message": text,
            "seq": seq,
            "updated": stamp(self._now),
        }
        self._write()

    def progress(self, done: list[Doc]) -> None:
        """Record what this round has done so far, until the first round has ended."""
        if self.doc["state"] == StopState.WAITING:
            known = {item["agent_id"]: item for item in done}
            self.doc |= {"items": [known.get(item["agent_id"], item) for item in self.doc["items"]]}
            self._write()

    def _write(self) -> None:
        try:
            try:
                self._replace()
            except Damaged:
                aside = self._store.repair(FILE, self._now)
                self._lose(aside.name if aside is not None else "")
                self._replace()
        except LivetradingError as error:
            log.error("the emergency stop goes on, but its progress cannot be written: %s", error)

    def _lose(self, aside: str) -> None:
        """Tell the user what was lost with a damaged record, until this stop ends or he asks again."""
        notice = f"{FILE}.json was damaged and set aside{f' as {aside}' if aside else ''}: {LOST}."
        log.warning("%s", notice)
        # Otherwise nothing is lost: this round has it in memory.
        if self.doc["state"] is None and not self.doc["all_orders"]:
            self.doc["lost"] = notice

    def _replace(self) -> None:
        with self._store.transaction(FILE) as db:
            table = db.table(FILE)
            table.truncate()
            table.insert(self.doc)


def fills_of(store: Store, agent_id: str) -> list[Doc]:
    """An agent's latest fills, oldest first; empty if its files cannot be read."""
    found: list[Doc] = []
    for path in history_files(store.home.agent(agent_id))[-MONTHS:]:
        try:
            found += store.read_docs(path).get("fills", [])
        except LivetradingError as error:
            log.warning("%s", error)
    return found
