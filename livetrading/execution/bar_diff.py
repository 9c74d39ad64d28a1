"""What an agent's source states of its bars now and did not when they were booked, and what that would have changed.

Reads only. A decision is made again with the account as it was: no chain of other fills is imagined.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd

from ..adapters.bars import agreement, ask_once
from ..adapters.bars.base import BarSet, vendor_of
from ..adapters.home import Home, check_agent_id
from ..adapters.registry import Registry
from ..core import agent as agents
from ..core import sanity
from ..core.agent import AgentState
from ..core.bar_changes import VOLUME, Change, changes, replaced, rows_of
from ..core.bars import check_series
from ..core.card import ModelCard
from ..core.errors import BadBars, Conflict, NotFound
from ..core.events import Decided, Event
from ..core.types import AgentStatus, Mode
from ..core.wording import counted
from . import decided_again
from .bar_conditions import Unbooked, doubts, held_split, unbooked
from .decided_again import Epoch, Outcome
from .state.agent_repository import events_of
from .state.bar_series import Series
from .trading.live_trader import Policy

ANOTHER_SERIES = 0.1
"""Where more of the compared bars have other prices, the source tells of another series and not of a correction."""


@dataclass(frozen=True)
class Redecided:
    """A decision that would have come out differently on the corrected bars."""

    session: str
    then: Outcome
    now: Outcome


@dataclass(frozen=True, eq=False)
class Diff:
    """The comparison of an agent's bars with its source. ``rows`` are the corrected bars, ``doubts`` what is
    implausible about them; ``checked`` counts the decisions made again; ``refusal``: why it cannot be accepted now."""

    agent_id: str
    source: str
    compared: int
    changes: tuple[Change, ...]
    rows: list[list[Any]]
    redecided: tuple[Redecided, ...] = ()
    checked: int = 0
    dividends: tuple[Unbooked, ...] = ()
    doubts: tuple[str, ...] = ()
    refusal: str = ""


def diff(home: Home, agent_id: str, now: datetime, registry: Registry | None = None) -> Diff:
    """Compare. Raises NotFound, Conflict if the agent gets no bars from a source, or as the source does."""
    registry = registry or Registry(home)
    events = journal(home, agent_id)
    state = state_of(events)
    _comparable(state)
    card, own = registry.card(state.agent.model_id), registry.bars(state.agent.model_id)
    bars = ask_once(state.agent.source, home.cache, card.symbol, now=now, recent=True)
    steps = list(decided_again.walked(card, Series(own, []), events))
    latest = steps[-1][2]
    ours = latest.frame
    found = _changes(card, state, own, ours, bars)
    made = Diff(agent_id, bars.source, len(ours.index.intersection(bars.frame.index)), found, [])
    if not found:
        return made
    rows = rows_of(found, ours, bars.frame)
    corrected = checked(ours, rows, card.symbol)
    again = list(_again(steps, latest, Epoch(card, corrected), registry.load(card.model_id)[1]))
    return Diff(
        agent_id,
        bars.source,
        made.compared,
        found,
        rows,
        tuple(each for each in again if each.then != each.now),
        len(again),
        tuple(unbooked(events, found)),
        tuple(doubts(corrected, found, card.symbol)),
        held_split(state, events, found),
    )


def journal(home: Home, agent_id: str) -> list[Event]:
    """All events of an agent. Raises NotFound if there is none."""
    directory = home.agent(check_agent_id(agent_id))
    if not (directory / "journal.jsonl").exists():
        raise NotFound(f"There is no agent {agent_id}: list them with `python -m livetrading agents`.")
    return [event for _, batch in events_of(directory) for event in batch]


def state_of(events: Sequence[Event]) -> AgentState:
    """An agent's state. Raises NotFound for one whose creation was never finished."""
    state = agents.fold(events)
    if state.config is None:
        raise NotFound("The agent's creation was never finished: list agents with `python -m livetrading agents`.")
    return state


def _comparable(state: AgentState) -> None:
    agent_id = state.agent.agent_id
    if state.status == AgentStatus.REMOVED:
        raise NotFound(f"There is no agent {agent_id}: list them with `python -m livetrading agents`.")
    if state.agent.mode == Mode.REPLAY:
        raise Conflict(f"{agent_id} replays the bars of its model, and no source corrects these.")


def _changes(
    card: ModelCard, state: AgentState, own: pd.DataFrame, ours: pd.DataFrame, bars: BarSet
) -> tuple[Change, ...]:
    """Raises BadBars for a source that tells of another series, or that may not decide for the model."""
    problem = sanity.malformed(bars.frame) or agreement.undecidable(card, state.agent.source, ours, bars)
    if problem:
        raise BadBars(f"The source {bars.source} cannot correct the bars of {state.agent.agent_id}: {problem}.")
    vendors = np.where(ours.index > own.index[-1], vendor_of(state.priced_by), vendor_of(card.source))
    found = changes(ours, bars.frame, agreement.tolerance(card, bars), ours.index[vendors == bars.vendor])
    common = len(ours.index.intersection(bars.frame.index))
    sessions = {change.session for change in found if change.column != VOLUME}
    if len(sessions) > ANOTHER_SERIES * common:
        raise BadBars(
            f"{bars.source} states {len(sessions)} of {counted(common, 'bar')} of {card.symbol} otherwise than {state.agent.agent_id}"
            " knows them: that is another series and no correction; train a model on it."
        )
    return found


def checked(frame: pd.DataFrame, rows: list[list[Any]], symbol: str) -> pd.DataFrame:
    """``frame`` with corrected rows. Raises BadBars if that is no sound series."""
    corrected = replaced(frame, rows)
    check_series(corrected, list(corrected.index.date), f"the corrected series of {symbol}")
    return corrected


def _again(
    steps: Sequence[tuple[AgentState, Event, Epoch]], before: Epoch, after: Epoch, policy: Policy
) -> Iterator[Redecided]:
    """Each decision on the bars that are accepted so far and on the corrected ones: what an earlier correction
    changed is no effect of this one."""
    for state, event, then in steps:
        if not isinstance(event, Decided):
            continue
        session = date.fromisoformat(event.session)
        was = decided_again.outcome(then, session, state, policy)
        # A purchase that the record lacks was refused by the account, which the bars do not change.
        refused = was is not None and was.qty > 0 and event.qty == 0
        if refused or then is not before:
            was = decided_again.outcome(before, session, state, policy, forbidden=refused)
        now = decided_again.outcome(after, session, state, policy, forbidden=refused)
        if was is not None and now is not None:
            yield Redecided(event.session, was, now)
