"""One agent on disk: the journal first, then the files that pages read."""

import logging
from collections.abc import Iterable
from datetime import datetime
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from ...adapters import logs
from ...adapters.home import Home
from ...adapters.journal import Journal, Line, read_lines
from ...adapters.stamps import stamp
from ...adapters.store import Store
from ...core import agent as agents
from ...core import exposure as exposures
from ...core.agent import AgentState
from ...core.bars import Rows
from ...core.errors import Damaged, LivetradingError, Unavailable
from ...core.events import BarsAppended, BarsCorrected, Event, decode, encode
from ...core.exposure import Exposure
from .bar_series import Series
from .read_model import STATE, ReadModel, notice
from .read_model import Unreadable as _Unreadable

log = logging.getLogger(__name__)


class AgentRepository:
    """An agent's state in memory and its journal on disk, for the process that holds the lock.

    ``commit`` is the only way to change an agent: events are folded (a refusal writes
    nothing), then written to the journal, then shown in the visible files. ``whole`` is
    False after an unexpected error during a commit: memory may be behind the journal,
    and the agent must be read again.
    """

    def __init__(self, home: Home, agent_id: str) -> None:
        """Raises Damaged, naming the line, if the journal was changed from outside."""
        self.agent_id = agent_id
        self.directory = home.agent(agent_id)
        self._projection = ReadModel(self.directory)
        self._behind = False
        self.whole = True
        self._at = ""
        self.notices: list[str] = []
        """Messages for the user about committed events; the reader empties the list."""
        self._begin()
        shown = self._shown()
        self._shown_line = (int(shown.get("seq", 0)), str(shown.get("head", "")))
        self._journal = Journal.open(self.directory / "journal.jsonl", self._take)
        self._load(shown)
        # Only now: an incomplete last line that was shown already must be kept as evidence.
        self.lost_bytes = self._journal.recover()

    @property
    def seq(self) -> int:
        return self._journal.seq

    def series(self, model_bars: pd.DataFrame) -> Series:
        """The bars that the agent decides on from now on."""
        return Series(model_bars, self.rows, self.corrections)

    def _load(self, shown: dict[str, Any]) -> None:
        """After the journal is folded: write the visible files again unless they agree with it."""
        self._require_shown()
        current = shown.get("seq") == self.seq and shown.get("shown", True)
        if self.seq and not (current and self._projection.intact()):
            log.warning("%s: visible files rebuilt from the journal", self.agent_id)
            self._show()
        elif self.seq:
            self._projection.settle()

    def _shown(self) -> dict[str, Any]:
        """The document in state.json; empty if it cannot be read."""
        try:
            tables = Store.read_docs(self.directory / STATE)
        except Damaged as error:
            log.warning("%s", error)
            return {}
        return (tables.get("agent") or [{}])[0]

    def _begin(self) -> None:
        """Reset to the state before the first line of the journal."""
        self._projection.forget()
        self.state, self.rows, self._found = AgentState(), Rows(), False
        self.corrections: list[list[list[Any]]] = []
        self.exposure = Exposure()

    def _take(self, line: Line) -> None:
        self._at = stamp(line.at)
        events = [decode(data) for data in line.events]
        self._advance(events, self._states(events), line.at)
        self._found = self._found or (line.seq, line.hash) == self._shown_line

    def _require_shown(self) -> None:
        """Raise Damaged if the journal lacks the line after which state.json was written."""
        seq, _ = self._shown_line
        if seq and not self._found:
            raise Damaged(
                f"{self._journal.path} ends at line {self.seq} but was shown to line {seq}: what followed "
                "is lost or was replaced; put the file back from a backup."
            )

    def _refold(self) -> None:
        """Fold the journal again from its first line. Raises Damaged if its last line is not the one written last."""
        self._begin()
        last = (0, "")
        for line in self._journal.lines():
            self._take(line)
            last = (line.seq, line.hash)
        if self.seq and last != (self.seq, self._journal.head):
            raise Damaged(
                f"{self._journal.path} ends at line {last[0]} and line {self.seq} was written last: it was changed or"
                " replaced from outside; put the file back from a backup."
            )

    def _states(self, events: list[Event]) -> list[AgentState]:
        """The state before the events and after each of them. What an event breaks is raised, and nothing changes."""
        return list(accumulate(events, agents.apply, initial=self.state))

    def _advance(self, events: list[Event], states: list[AgentState], at: datetime) -> None:
        """Take over the events with the ``states`` before and after each: nothing is folded a second time."""
        for event, (before, after) in zip(events, pairwise(states), strict=True):
            self.state = after
            self.exposure = exposures.apply(self.exposure, event, self.state, at)
            self._projection.add(before, event, self.state, self._at)
            if isinstance(event, BarsAppended):
                self.rows.extend(event.rows)
            elif isinstance(event, BarsCorrected):
                self.corrections.append(event.rows)
        self.exposure = exposures.after_transaction(self.exposure, self.state, at)

    def commit(self, events: list[Event], now: datetime) -> AgentState:
        """Record events durably and apply them. Raises Unavailable when the disk refuses: then nothing changed."""
        if not self.whole:
            raise Unavailable(f"{self.agent_id}: its last change was interrupted; it is read again from its journal.")
        states = self._states(events)
        self.whole = False
        try:
            self._journal.append([encode(event) for event in events], now)
        except LivetradingError:
            self.whole = True
            raise
        self._at = stamp(now)
        self.notices += [text for event in events if (text := notice(event, states[-1]))]
        try:
            self._advance(events, states, now)
        except _Unreadable as error:
            log.warning("%s: %s; the visible files are rebuilt", self.agent_id, error)
            self._refold()
        self._show()
        self.whole = True
        return self.state

    def spoilt(self) -> bool:
        """Whether a visible file was changed by another program, or could not be written."""
        return self.whole and (self._behind or bool(self._projection.changed()))

    def heal(self) -> list[str]:
        """Write visible files again that were changed from outside, and what a full disk has refused; names
        of the former. Raises Damaged if the journal was changed as well: then nothing is written."""
        changed = self._projection.changed()
        if not self.whole or not (changed or self._behind):
            return []
        if set(changed) - {STATE} or not self._behind:
            self.whole = False
            try:
                self._refold()
            except Damaged as error:
                if STATE in changed:  # its figures cannot be trusted; only the journal's last line is kept
                    _write_damage(self.directory / STATE, str(error), {"seq": self.seq, "head": self._journal.head})
                raise
            self.whole = True
        self._show()
        return [] if self._behind else changed

    def _show(self) -> None:
        try:
            self._projection.write(self.state, self.exposure, self.seq, self._journal.head, self._at)
            self._behind = False
        except Exception as error:
            # The journal is written already; the files follow with the next commit.
            reason = logs.caught(log, f"the visible files of {self.agent_id}", error)
            if not self._behind:
                log.error("%s: visible files are behind the journal: %s", self.agent_id, reason)
            self._behind = True


def events_of(directory: Path) -> Iterable[tuple[datetime, list[Event]]]:
    """An agent's journal, one transaction at a time, for readers; needs no lock."""
    for line in read_lines(directory / "journal.jsonl"):
        yield line.at, [decode(data) for data in line.events]


def show_damage(directory: Path, why: str) -> None:
    """Show in state.json that this agent is blocked, and why; a sound journal rebuilds the file.

    If state.json cannot be read either, it contains only the damage and no figures.
    """
    path = directory / STATE
    try:
        try:
            tables = Store.read_docs(path)
        except Damaged:
            tables = {}
        if not tables.get("agent"):
            _write_damage(path, why, {})
            return
        for document in tables.get("agent", []):
            document |= {
                "status": "blocked",
                "is_running": False,
                "status_reason": why,
                "warnings": [why],
                "shown": False,
            }
        Store.write_docs(path, tables, durable=False)
    except Exception as error:
        log.error("%s: its state could not be shown as blocked: %s", directory.name, logs.caught(log, f"{path}", error))


def _write_damage(path: Path, why: str, more: dict[str, Any]) -> None:
    """Write a state without figures."""
    try:
        Store.write_docs(path, {"agent": [{"damage": why, "shown": False, **more}]}, durable=False)
    except LivetradingError as error:
        log.error("%s could not say what is damaged: %s", path, error)
