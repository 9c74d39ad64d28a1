"""The drawdown limit, which pauses entries, and the end of its pause. Bounds on the size of a position are in
``rules.size``.

Only decided sessions count; one that was missed does not. The session at whose close the limit is reached is
session 0 of the pause. With ``pause_sessions`` n, entries are refused at that close and at the next n - 1 decided
closes. At the n-th decided close after session 0 the pause ends by itself, before the decision: the limit's
peak becomes the equity of that close, so that the drawdown counts anew, and the decision may already buy.
Without n the pause lasts until a person resumes entries, which also ends any other pause earlier.

The limit's peak is not the account's own: the drawdown that an agent observes counts from the highest equity ever.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from . import decide
from .events import EntriesPaused, EntriesResumed, Event
from .frozen import replace
from .rules import Num, drawdown
from .types import Limits
from .wording import counted


class Turn(Enum):
    """What a close changes."""

    NONE = 0
    BEGINS = 1
    ENDS = 2


@dataclass(frozen=True)
class Pause:
    """How the limit stands. ``peak`` (USD): the highest equity at a close since the limit began to count;
    ``closes``: at how many closes the present pause has refused entries, None while they are allowed."""

    peak: float
    closes: int | None = None

    @property
    def on(self) -> bool:
        return self.closes is not None

    def left(self, limits: Limits) -> int | None:
        """At how many decided closes entries will still be refused; None: until a person resumes, or no pause."""
        if self.closes is None or limits.pause_sessions is None:
            return None
        return max(limits.pause_sessions - self.closes, 0)

    def marked(self, equity: float) -> "Pause":
        """With the equity of a close."""
        return replace(self, peak=max(self.peak, equity))

    def decided(self) -> "Pause":
        """After the decision of a close."""
        return self if self.closes is None else replace(self, closes=self.closes + 1)


def at_close(pause: Pause, equity: float, limits: Limits) -> tuple[Pause, Turn]:
    """How the limit stands for the decision of a close whose equity is marked, and what that changes."""
    if pause.on:
        return (Pause(equity), Turn.ENDS) if pause.left(limits) == 0 else (pause, Turn.NONE)
    if pauses_entries(equity, pause.peak, limits):
        return replace(pause, closes=0), Turn.BEGINS
    return pause, Turn.NONE


def pauses_entries(equity: Num, peak: Num, limits: Limits) -> Num:
    """Whether the drawdown from ``peak`` reaches the limit."""
    return np.asarray(drawdown(equity, peak) >= limits.max_drawdown)[()]


def recorded(turn: Turn, session: str, limits: Limits) -> list[Event]:
    """The event of a turn at a session's close; it precedes the session's decision in the same transaction."""
    count = limits.pause_sessions
    if turn is Turn.BEGINS:
        lasting = "" if count is None else f"; the pause lasts {counted(count, 'session')} or until you resume"
        return [EntriesPaused(session, f"drawdown reached {100 * limits.max_drawdown:g} %{lasting}")]
    if turn is Turn.ENDS:
        return [EntriesResumed(session, f"the pause of {counted(count or 0, 'session')} is over")]
    return []


def words(left: int | None) -> str:
    """Why an entry is refused, with the closes that will still refuse it (None: until a person resumes)."""
    if left is None:
        return decide.TEXT[decide.Reason.DRAWDOWN_PAUSE]
    lasting = f"for {counted(left, 'more session')}" if left else "until the next session's close"
    return f"entries are paused by the drawdown limit {lasting} or until you resume"
