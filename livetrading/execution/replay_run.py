"""Replays one model with the live trader at full speed, in a home of its own."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from ..adapters.bars.history import HistorySource
from ..adapters.brokers.paper import PaperBroker
from ..adapters.calendar import calendar
from ..adapters.halt import HaltLatch
from ..adapters.home import Home
from ..adapters.stamps import stamp
from ..adapters.store import Store
from ..core import windows
from ..core.agent import AgentConfig
from ..core.card import ModelCard
from ..core.events import Created, Deployed, Deposited, StatusChanged
from ..core.types import AgentStatus, Mode, Terms
from .orders.order_executor import OrderExecutor
from .state.agent_repository import AgentRepository
from .trading import replay
from .trading.live_trader import LiveTrader, Policy


def rehearse(
    root: Path,
    card: ModelCard,
    frame: pd.DataFrame,
    policy: Policy,
    terms: Terms,
    first: date,
    last: date,
    progress: Callable[[int, int], None],
) -> replay.Replayed:
    """Replay a model session by session on a virtual clock, with store, journal, orders and paper broker."""
    home = Home.resolve(str(root))
    repository = begin(home, card, terms, first)
    return replay.run(trader_of(home, repository, card, frame, policy), last, progress)


def begin(home: Home, card: ModelCard, terms: Terms, first: date) -> AgentRepository:
    """A new agent, running, whose first session is ``first``."""
    repository = AgentRepository(home, f"{card.agent_type}_{card.symbol}_001")
    now = windows.at(first, windows.OPG_FROM)
    config = AgentConfig(
        agent_id=repository.agent_id,
        model_id=card.model_id,
        agent_type=card.agent_type,
        symbol=card.symbol,
        mode=Mode.REPLAY,
        source="replay",
        terms=terms,
        pace=0.0,
        zip_sha256=card.zip_sha256,
    )
    repository.commit(
        [
            Created(config.to_dict()),
            Deposited(terms.capital),
            Deployed(stamp(now), first.isoformat()),
            StatusChanged(AgentStatus.RUNNING, "", "replay"),
        ],
        now,
    )
    return repository


def trader_of(
    home: Home, repository: AgentRepository, card: ModelCard, frame: pd.DataFrame, policy: Policy
) -> LiveTrader:
    """A trader over a given history; built from the store alone, so also after a restart."""
    terms = repository.state.agent.terms
    broker = PaperBroker(Store(home), repository.directory / "paper.json", terms.costs)
    executor = OrderExecutor(repository, broker, calendar(), HaltLatch(home))
    return LiveTrader(
        repository,
        broker,
        executor,
        HistorySource(frame),
        calendar(),
        card,
        repository.series(frame),
        lambda: policy,
        timedelta(minutes=30),
    )
