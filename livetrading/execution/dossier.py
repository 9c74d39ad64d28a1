"""One agent on disk: journal first, then the files that others read."""

import logging
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from ..adapters.home import Home
from ..adapters.journal import Journal, read_lines
from ..adapters.stamps import stamp
from ..adapters.store import Store
from ..core import agent as agents
from ..core.agent import AgentState
from ..core.errors import Damaged, Unavailable
from ..core.events import BarsAppended, Event, decode, encode
from .projection import Projection

log = logging.getLogger(__name__)


class Dossier:
    """An agent's state in memory and its journal on disk, for the lock's holder.

    ``commit`` is the only way to change an agent: the events are folded first (a
    fold that refuses writes nothing), then durable in the journal, then visible.
    """

    def __init__(self, home: Home, agent_id: str) -> None:
        """Raises Damaged, naming the line, if the journal was changed from outside."""
        self.agent_id = agent_id
        self.directory = home.agent(agent_id)
        self._journal = Journal.open(self.directory / "journal.jsonl")
        self.lost_bytes = self._journal.recover()
        self._projection = Projection(self.directory)
        self.state = AgentState()
        self.rows: list[list[object]] = []
        self._behind = False
        self._at = ""
        self._rebuild()

    @property
    def seq(self) -> int:
        return self._journal.seq

    def _rebuild(self) -> None:
        """Fold the journal; write the visible files again unless they are its image."""
        self._projection.forget()
        for line in self._journal.lines():
            self._at = stamp(line.at)
            self._fold([decode(data) for data in line.events])
        if self.seq and not self._current():
            log.warning("%s: visible files rebuilt from the journal", self.agent_id)
            self._show()
        elif self.seq:
            self._projection.settle()

    def _current(self) -> bool:
        try:
            tables = Store.read_docs(self.directory / "state.json")
        except Damaged as error:
            log.warning("%s", error)
            return False
        documents = tables.get("agent") or [{}]
        return documents[0].get("seq") == self.seq and self._projection.intact()

    def _fold(self, events: Iterable[Event]) -> None:
        for event in events:
            before, self.state = self.state, agents.apply(self.state, event)
            self._projection.add(before, event, self.state, self._at)
            if isinstance(event, BarsAppended):
                self.rows.extend(event.rows)

    def commit(self, events: list[Event], now: datetime) -> AgentState:
        """Make events true, durably. Raises Unavailable when the disk refuses: then nothing happened."""
        agents.fold(events, self.state)
        self._journal.append([encode(event) for event in events], now)
        self._at = stamp(now)
        self._fold(events)
        self._show()
        return self.state

    def _show(self) -> None:
        try:
            self._projection.write(self.state, self.seq, self._at)
            self._behind = False
        except Unavailable as error:
            # The journal holds the truth already; the files follow with the next commit.
            if not self._behind:
                log.error("%s: visible files are behind the journal: %s", self.agent_id, error)
            self._behind = True


def events_of(directory: Path) -> Iterable[tuple[datetime, list[Event]]]:
    """An agent's journal for readers, transaction by transaction; takes no lock."""
    for line in read_lines(directory / "journal.jsonl"):
        yield line.at, [decode(data) for data in line.events]
