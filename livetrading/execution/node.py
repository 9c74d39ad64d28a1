"""All agents of a home, opened for trading by the process that holds the lock."""

import logging
import math
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from ..adapters import logs
from ..adapters.bars import BarSource, open_source
from ..adapters.bars.background import BackgroundSource
from ..adapters.bars.history import HistorySource
from ..adapters.brokers.base import AccountAway
from ..adapters.calendar import Calendar
from ..adapters.halt import HaltLatch
from ..adapters.home import Home, is_agent_id
from ..adapters.registry import Registry
from ..adapters.store import Store
from ..core.agent import AgentConfig, AgentState
from ..core.errors import Conflict, Damaged, LivetradingError, NotFound, Unavailable, in_a_line
from ..core.events import StatusChanged
from ..core.types import AgentStatus, Mode
from .accounts.agent_in_account import AgentInAccount
from .accounts.broker_account import BrokerAccount
from .accounts.cash_reconciliation import CashReconciliation
from .accounts.pre_open_split import PreOpenSplit
from .accounts.reconciliation import SURE_AFTER, Reconciliation
from .orders import execution_reports
from .orders.order_executor import OrderExecutor
from .orders.paper_recovery import open_broker
from .state.agent_repository import AgentRepository, show_damage
from .trading.live_trader import LiveTrader, Policy

log = logging.getLogger(__name__)
OPEN_AGAIN_SECONDS = 60.0
"""When an agent is read again that could not be read for another reason than a damaged journal."""
GIVE_WAY_SECONDS = 0.5
"""After so much booking a scheduler's pass ends early, so that requests are answered."""
CURE = "its protective stop stays. Look at the log, then start the agent again"
"""What the user does about an error of the program."""


@dataclass
class Node:
    """Repositories and traders by agent id. ``damaged`` says why an agent cannot trade.

    ``beside``: sources are asked in threads, and passes end early, because requests wait
    meanwhile. ``pulse`` is a heartbeat, called during long work: it must neither wait nor use
    the store. The first use of a broker account waits ``patience`` seconds for its connection.
    """

    home: Home
    calendar: Calendar
    delay: timedelta = timedelta(minutes=30)
    beside: bool = False
    pulse: Callable[[], object] = lambda: None
    patience: float = 0.0
    until: float = math.inf
    """On the monotonic clock: until then an emergency stop waits for a lost connection."""
    repositories: dict[str, AgentRepository] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)
    away: set[str] = field(default_factory=set)
    """Agents whose last error was that their account could not be used."""
    notices: list[tuple[str, str]] = field(default_factory=list)
    _again: dict[str, float] = field(default_factory=dict)
    _traders: dict[str, LiveTrader] = field(default_factory=dict)
    _executors: dict[str, OrderExecutor] = field(default_factory=dict)
    _sources: dict[str, BarSource] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = Store(self.home)
        self.latch = HaltLatch(self.home)
        self.registry = Registry(self.home)
        self.account = BrokerAccount(
            self.home,
            lambda: [d.state for d in self.repositories.values() if d.state.config is not None],
            self.patience,
            pulse=lambda: self.pulse(),
        )
        self.cash = CashReconciliation(self.account, self.calendar, self.delay, self._unreported)
        self.store.waiting = lambda: self.pulse()

    def close(self) -> None:
        """Close the connection to a broker, if there is one."""
        self.account.connection.close()

    def open(self) -> None:
        """Read every agent that is not known yet; one that cannot be read is set apart (see ``damaged``).

        May be called again: the reason may be gone.
        """
        for agent_id in agent_ids(self.home):
            if agent_id in self.repositories or (agent_id in self.damaged and not self._may_read_again(agent_id)):
                continue
            self.pulse()
            self._read(agent_id)

    def _may_read_again(self, agent_id: str) -> bool:
        return time.monotonic() >= self._again.get(agent_id, math.inf)

    def _read(self, agent_id: str) -> None:
        try:
            repository = AgentRepository(self.home, agent_id)
        except Exception as error:
            self.set_apart(agent_id, logs.caught(log, f"reading {agent_id}", error))
            return
        self.damaged.pop(agent_id, None)
        self._again.pop(agent_id, None)
        if repository.lost_bytes:
            log.warning(
                "%s: an unfinished last line of %d bytes was dropped; nothing had acted on it",
                agent_id,
                repository.lost_bytes,
            )
        if repository.seq:
            self.repositories[agent_id] = repository

    def set_apart(self, agent_id: str, error: LivetradingError) -> None:
        """Set apart an agent whose journal cannot be trusted: it is shown as blocked, and the others trade on."""
        why = str(error)
        log.error("%s cannot trade: %s", agent_id, why)
        if not isinstance(error, Damaged | Conflict):
            self._again[agent_id] = time.monotonic() + OPEN_AGAIN_SECONDS
        self.damaged[agent_id] = why
        self.repositories.pop(agent_id, None)
        self.forget(agent_id)
        show_damage(self.home.agent(agent_id), why)

    def trouble(self, agent_id: str, error: Exception, now: datetime) -> str:
        """React to an error of one agent: it waits, is blocked, or is set apart. Returns the reason as a message."""
        reason = str(error)
        (self.away.add if isinstance(error, AccountAway) else self.away.discard)(agent_id)
        if not isinstance(error, LivetradingError):
            logs.caught(log, f"the pass of {agent_id}", error)
            reason = f"an error of the program in its pass: {in_a_line(error)}; {CURE}"
        self.renew(agent_id)
        if isinstance(error, Unavailable) or agent_id not in self.repositories:
            return reason
        repository = self.repositories[agent_id]
        try:
            if repository.state.status in (AgentStatus.RUNNING, AgentStatus.PAUSED):
                repository.commit([StatusChanged(AgentStatus.BLOCKED, reason, "node")], now)
        except Unavailable as full:
            log.error("%s could not be blocked: %s", agent_id, full)
        except LivetradingError as damage:
            self.set_apart(agent_id, damage)
        except Exception as unforeseen:  # the next failed pass blocks it
            logs.caught(log, f"the block of {agent_id}", unforeseen)
            self.renew(agent_id)
        return reason

    def renew(self, agent_id: str) -> None:
        """After an error: build trader and broker again. If a commit was interrupted, read the agent from disk."""
        self.forget(agent_id)
        if agent_id in self.repositories and not self.repositories[agent_id].whole:
            del self.repositories[agent_id]
            self._read(agent_id)

    def active(self) -> list[str]:
        """Agents that were not removed."""
        return [a for a, d in sorted(self.repositories.items()) if d.state.status != AgentStatus.REMOVED]

    def repository(self, agent_id: str) -> AgentRepository:
        """An agent that exists and was not removed."""
        if agent_id in self.damaged:
            raise Damaged(self.damaged[agent_id])
        if agent_id not in self.active():
            raise NotFound(f"There is no agent {agent_id}: list them with `python -m livetrading agents`.")
        return self.repositories[agent_id]

    def trader(self, agent_id: str) -> LiveTrader:
        """An agent with its broker, bars and model; built once."""
        if agent_id not in self._traders:
            self._traders[agent_id] = self.build_trader(self.repository(agent_id))
        return self._traders[agent_id]

    def take_reports(self, now: datetime) -> dict[str, str]:
        """Take over the broker's reports for every agent of a shared account, before any agent is compared with
        it: an agent's shares are the position minus the shares of the others."""
        failed: dict[str, str] = {}
        self.away.clear()
        if self.account.connection.connecting:
            return failed
        for agent_id in [s.agent.agent_id for s in self.account.agents()]:
            begun = True
            # Fills are taken over also if bars or model fail: the other agents are compared by them.
            for take_reports in (self._begin, self.take_fills):
                try:
                    begun = begun and take_reports(agent_id, now)
                except Exception as error:
                    failed[agent_id] = self.trouble(agent_id, error, now)
        self.account.shares.waits.note_unreported(failed, now)
        return failed

    def news(self) -> list[tuple[str, str]]:
        """New messages for the user, with the agent that they concern; each is returned once."""
        found = [*self.notices, *self.cash.notices]
        self.notices.clear()
        self.cash.notices.clear()
        for agent_id, repository in self.repositories.items():
            found += [(agent_id, text) for text in repository.notices]
            repository.notices.clear()
        return found

    def _begin(self, agent_id: str, now: datetime) -> bool:
        real = self.trader(agent_id).real
        return real is not None and real.begin(now)

    def take_fills(self, agent_id: str, now: datetime) -> bool:
        """Take over the broker's reports on the orders of one agent."""
        self.executor(agent_id).sync(now)
        return True

    def _unreported(self, number: str) -> bool:
        """Whether the broker has reported fills of an account's agents that still lack a price."""
        mine = [s for s in self.account.agents() if s.agent.account == number and s.agent.agent_id in self._executors]
        return any(self._unpriced(state) for state in mine)

    def _unpriced(self, state: AgentState) -> bool:
        """The same for one agent; True if that cannot be found out."""
        try:
            return bool(execution_reports.unpriced(state, self._executors[state.agent.agent_id].broker))
        except Exception as error:  # the agent's own pass reports it; the other agents go on
            logs.caught(log, f"the fills of {state.agent.agent_id}", error)
            return True

    def sides(self) -> list[dict[str, Any]]:
        """Both sides of the reconciliation of every agent of a shared account, as last compared."""
        reals = [trader.real for trader in self._traders.values()]
        return [real.shown for real in reals if real is not None and real.shown is not None]

    def compared(self, failed: Collection[str]) -> None:
        """After a pass: the account counts as read if every agent was compared with it, and no difference is
        still waiting to block its agent."""
        for state in self.account.agents():
            trader = self._traders.get(state.agent.agent_id)
            shown = trader.real.shown if trader is not None and trader.real is not None else None
            doubtful = shown is not None and shown["text"] and state.status in (AgentStatus.RUNNING, AgentStatus.PAUSED)
            if state.agent.agent_id in failed or shown is None or doubtful:
                return
        self.account.connection.was_read()

    def forget(self, agent_id: str) -> None:
        """Drop the trader; the next use builds it again."""
        self._traders.pop(agent_id, None)
        self._executors.pop(agent_id, None)

    def executor(self, agent_id: str) -> OrderExecutor:
        """An agent's orders and broker: enough to cancel and to sell, without bars or model."""
        if agent_id not in self._executors and self.repository(agent_id).state.agent.mode == Mode.BROKER:
            repository = self.repository(agent_id)
            self._executors[agent_id] = OrderExecutor(
                repository,
                self.account.broker(repository),
                self.calendar,
                self.latch,
                self.account.auction,
                sellable=lambda: self.account.shares.sellable(repository.state),
                patience=SURE_AFTER,
            )
        if agent_id not in self._executors:
            repository = self.repository(agent_id)
            broker, notice = open_broker(self.store, repository)
            if notice:
                log.warning("%s: %s", agent_id, notice)
                self.notices.append((agent_id, notice))
            self._executors[agent_id] = OrderExecutor(repository, broker, self.calendar, self.latch)
        return self._executors[agent_id]

    def build_trader(self, repository: AgentRepository) -> LiveTrader:
        """An agent's trader with its broker, bars and model, built anew."""
        config = repository.state.agent
        card, bars = self.registry.card(config.model_id), self.registry.bars(config.model_id)
        executor = self.executor(config.agent_id)
        series, source = repository.series(bars), self.source_of(config, bars)
        return LiveTrader(
            repository,
            executor.broker,
            executor,
            source,
            self.calendar,
            card,
            series,
            _Lazy(self.registry, config.model_id),
            self.delay,
            GIVE_WAY_SECONDS if self.beside else math.inf,
            self._real(repository, executor, source),
            lambda: self.pulse(),
        )

    def _real(self, repository: AgentRepository, executor: OrderExecutor, source: BarSource) -> AgentInAccount | None:
        if repository.state.agent.mode != Mode.BROKER:
            return None
        watch = Reconciliation(repository, executor.broker, self.account)  # type: ignore[arg-type]
        return AgentInAccount(repository, self.account, watch, PreOpenSplit(source, self.calendar), self.cash)

    def source_of(self, config: AgentConfig, bars: pd.DataFrame) -> BarSource:
        """Where the bars of an agent come from."""
        if config.mode == Mode.REPLAY:
            return HistorySource(bars)
        if not self.beside:
            return self._open_source(config.source)
        if config.source not in self._sources:
            opened = self._open_source(config.source)
            self._sources[config.source] = BackgroundSource(opened, self.calendar)
        return self._sources[config.source]

    def _open_source(self, spec: str) -> BarSource:
        """A source; the account's broker is asked over the connection that exists already."""
        return open_source(
            spec,
            self.home.cache,
            self.account.connection if self.account.wanted and self.account.words.bars == spec else None,
        )


class _Lazy:
    """A policy that is loaded at its first use: loading torch takes seconds."""

    def __init__(self, registry: Registry, model_id: str) -> None:
        self._load: Callable[[], Policy] = lambda: registry.load(model_id)[1]
        self._policy: Policy | None = None

    def __call__(self) -> Policy:
        if self._policy is None:
            self._policy = self._load()
        return self._policy


def agent_ids(home: Home) -> list[str]:
    """Ids of all agents, including removed ones, sorted by name."""
    return sorted(p.name for p in home.agents.iterdir() if is_agent_id(p.name) and p.is_dir() and _has_journal(p))


def _has_journal(directory: Path) -> bool:
    try:
        return (directory / "journal.jsonl").exists()
    except OSError:
        return True  # reading the agent then reports the error
