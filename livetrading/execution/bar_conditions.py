"""What has to hold before a correction of an agent's bars is accepted, and what it leaves open."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from ..adapters.calendar import calendar
from ..core import agent as agents
from ..core import sanity
from ..core.agent import AgentState
from ..core.bar_changes import VOLUME, Change
from ..core.events import DividendPaid, Event, Marked


@dataclass(frozen=True)
class Unbooked:
    """By how much a session's dividend (USD a share) now differs from the booked one; ``shares`` were held into it."""

    session: str
    shares: int
    change: float

    @property
    def amount(self) -> float:
        """USD."""
        return self.shares * self.change


def held_split(state: AgentState, events: Sequence[Event], found: Sequence[Change]) -> str:
    """Why a split cannot be accepted now; empty if it can. One that was not booked on shares that are still held leaves
    the book with a wrong number of them."""
    splits = {change.session.isoformat() for change in found if change.column == "split"}
    held = [session for session, shares in held_into(events, splits).items() if shares]
    if not held or state.flat:
        return ""
    return (
        f"The split of {held[-1]} changes the number of shares that {state.agent.agent_id} has held since;"
        " close its position first, then accept the correction."
    )


def unbooked(events: Sequence[Event], found: Sequence[Change]) -> Iterator[Unbooked]:
    """Changed dividends of sessions that shares were held into, against what is booked of them: a dividend that came
    with an earlier correction never was."""
    changed = {change.session.isoformat(): change for change in found if change.column == "dividend"}
    paid = {event.session: event.amount for event in events if isinstance(event, DividendPaid)}
    for session, shares in held_into(events, set(changed)).items():
        left = Unbooked(session, shares, changed[session].now - paid.get(session, 0.0))
        if round(left.amount, 2):
            yield left


def held_into(events: Sequence[Event], sessions: set[str]) -> dict[str, int]:
    """The shares held overnight into each of these sessions that is booked, in shares of that session."""
    state, found = AgentState(), dict[str, int]()
    for event in events:
        if isinstance(event, Marked) and event.session in sessions:
            found[event.session] = state.overnight
        state = agents.apply(state, event)
    return found


def doubts(corrected: pd.DataFrame, found: Sequence[Change], symbol: str) -> Iterator[str]:
    """What a bar as it is now would be refused for, were it new."""
    for session in sorted({change.session for change in found if change.column != VOLUME}):
        before = corrected[corrected.index < pd.Timestamp(session)]
        if len(before) <= sanity.MEMORY:
            continue
        expected = calendar().sessions(before.index[-1].date(), session)
        doubt = sanity.doubt(before, corrected, session, expected, symbol)
        if doubt:
            yield doubt


def doubts_refused(agent_id: str, found: Sequence[str]) -> str:
    """Why a correction with these doubts is not accepted without a further word of the person; empty if there are none."""
    if not found:
        return ""
    return (
        f"The correction is doubtful ({'; '.join(found)}); if the source is right nevertheless, accept it with"
        f" `python -m livetrading bars accept {agent_id} --doubtful`."
    )
