"""An agent's decisions made again, each on the bars as they were when it was made, or on others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd

from ..core import agent as agents
from ..core import decide, limits, market
from ..core.agent import AgentState
from ..core.bar_changes import replaced
from ..core.card import ModelCard
from ..core.events import BarsAppended, BarsCorrected, Event
from ..core.market import Market
from ..core.observe import observe
from ..core.types import Leg
from .state.bar_series import Series
from .trading.live_trader import Policy


@dataclass(frozen=True, eq=False)
class Epoch:
    """The bars of an agent between two corrections. Later bars are in it, too: the market of the first n bars is
    exactly its first n rows."""

    card: ModelCard
    frame: pd.DataFrame

    @cached_property
    def market(self) -> Market:
        return market.build(self.frame, self.card.scaler, self.card.features)


@dataclass(frozen=True, eq=False)
class Seen:
    """What an agent saw at a close, and what the policy made of it. ``obs`` is float32 ``(n_features + 4,)``."""

    obs: np.ndarray
    raw: float
    action: int


@dataclass(frozen=True)
class Outcome:
    """A decision: its action, the shares to buy or sell, and the stop (USD a share) that a purchase brings."""

    action: int
    qty: int
    stop: float | None


def walked(card: ModelCard, series: Series, events: Sequence[Event]) -> Iterator[tuple[AgentState, Event, Epoch]]:
    """Each event with the state before it and the bars as they were then; ``series`` holds the model's bars alone."""
    for event in events:
        if isinstance(event, BarsAppended):
            series.append(event.rows)
    state, epoch = AgentState(), Epoch(card, series.up_to(series.end))
    for event in events:
        if isinstance(event, BarsCorrected):
            epoch = Epoch(card, replaced(epoch.frame, event.rows))
        yield state, event, epoch
        state = agents.apply(state, event)


def seen(epoch: Epoch, session: date, state: AgentState, policy: Policy) -> Seen | None:
    """The decision's input and output on these bars; None if they lack the session."""
    view = epoch.market
    if session not in view.sessions:
        return None
    t = view.index(session)
    obs = observe(view.scaled[t], state.book.account, view.columns.close[t])
    raw = policy.raw(obs)
    return Seen(obs, float(raw), int(decide.action_of(epoch.card.agent_type, np.asarray(raw)[()])))


def outcome(epoch: Epoch, session: date, state: AgentState, policy: Policy, forbidden: bool = False) -> Outcome | None:
    """What the agent would order on these bars with the account of ``state``; ``forbidden``: entries are refused."""
    made = seen(epoch, session, state, policy)
    if made is None:
        return None
    terms, account, t = state.agent.terms, state.book.account, epoch.market.index(session)
    pause, _ = limits.at_close(state.book.pause, state.book.equity, terms.limits)
    plan = decide.intend(
        np.asarray(made.action)[()],
        account,
        epoch.market.columns.close[t],
        epoch.market.atr[t],
        pause.on or forbidden,
        terms.limits,
        terms.costs,
    ).plan
    if any(order.leg != Leg.STOP for order in state.orders):
        return Outcome(made.action, 0, None)
    if plan.exit:
        return Outcome(made.action, state.book.shares, None)
    qty = int(plan.qty)
    return Outcome(made.action, qty, float(plan.stop) if qty else None)
