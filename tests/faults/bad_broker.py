"""Seeded schedules against a broker that answers badly: ``python -m tests.faults.bad_broker``.

The real LiveTrader, OrderExecutor and journal on a virtual clock; SCHEDULES=10000
by default, FAST=1 for a part of them. Features are left out, because the policy does not read them.
"""

import logging
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from livetrading.adapters import files, journal
from livetrading.adapters.bars.history import HistorySource
from livetrading.adapters.calendar import calendar
from livetrading.adapters.halt import HaltLatch
from livetrading.adapters.home import Home
from livetrading.core import agent as agents
from livetrading.core import market
from livetrading.core.agent import AgentConfig
from livetrading.core.atr import atr14
from livetrading.core.card import ModelCard
from livetrading.core.errors import LivetradingError, Unavailable
from livetrading.core.events import Created, Deployed, Deposited, Filled, StatusChanged
from livetrading.core.features import FEATURES
from livetrading.core.orders import OrderState
from livetrading.core.types import AgentStatus, AgentType, Mode
from livetrading.execution.orders.order_executor import OrderExecutor
from livetrading.execution.state.agent_repository import AgentRepository, events_of
from livetrading.execution.state.bar_series import Series
from livetrading.execution.trading.live_trader import LiveTrader
from tests.doubles.lives import AGENT, FIRST, Cycler, at
from tests.doubles.models import make_card
from tests.doubles.scripted_broker import ScriptedBroker
from tests.doubles.series import generated

SESSIONS = 5
SERIES = 16
FAST_SCHEDULES = 100
MORNING = ("08:00", "09:10", "09:22")
DURING = ("09:31", "09:50", "11:00", "15:40")
EVENING = ("16:40", "20:00")


@lru_cache(maxsize=SERIES)
def bars(number: int) -> pd.DataFrame:
    """Ordinary days, and in every other series gaps down through any stop."""
    frame = generated(number, FIRST + SESSIONS + 4)
    if number % 2:
        prices = frame.columns.get_indexer(["open", "high", "low", "close"])
        for row in (FIRST + 2 + number % 3, FIRST + 4 + number % 5):
            frame.iloc[row:, prices] = (frame.iloc[row:, prices] * 0.88).round(2)
    return frame


@lru_cache
def card() -> ModelCard:
    return make_card()


def _small_market(frame: pd.DataFrame, scaler: Any, features: tuple[str, ...] = FEATURES) -> market.Market:
    """The last row of a market whose features are all zero."""
    tail = frame.iloc[-40:]
    return market.Market(tuple(tail.index.date), market.quotes(tail), atr14(tail), np.zeros((len(tail), len(features))))


@contextmanager
def cheap() -> Iterator[None]:
    """No features and no disk syncs, because this sweep does not test them."""
    kept = (market.newest, os.fsync, files.sync_directory, journal.sync_directory)
    market.newest, os.fsync = _small_market, lambda fd: None
    files.sync_directory = journal.sync_directory = lambda path: None
    try:
        yield
    finally:
        market.newest, os.fsync, files.sync_directory, journal.sync_directory = kept


@dataclass
class Schedule:
    """One seed's run: an agent, its broker, and what was wrong."""

    home: Home
    seed: int
    rate: float = 0.15
    wrongs: list[str] = field(default_factory=list)
    restarts: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.frame = bars(self.seed % SERIES)
        self.days: list[date] = list(self.frame.index.date)
        self.broker = ScriptedBroker(
            random.Random(self.seed + 1_000_003), self.rate * self.chance.choice((0.3, 1.0, 2.0))
        )
        self.repository = AgentRepository(self.home, AGENT)
        self._create()
        self.trader = self._begin()

    def _create(self) -> None:
        config = AgentConfig(AGENT, "PPO_TEST_v20240603_000000", AgentType.PPO, "TEST", Mode.PAPER, "replay")
        first = self.days[FIRST]
        self.repository.commit(
            [
                Created(config.to_dict()),
                Deposited(10_000.0),
                Deployed(f"{first}T12:00:00Z", first.isoformat()),
                StatusChanged(AgentStatus.RUNNING, "", "test"),
            ],
            at(first, "08:00"),
        )

    def _begin(self) -> LiveTrader:
        executor = OrderExecutor(self.repository, self.broker, calendar(), HaltLatch(self.home))
        series = Series(self.frame, self.repository.rows)  # as in a replay: this sweep does not test bars
        return LiveTrader(
            self.repository,
            self.broker,
            executor,
            HistorySource(self.frame),
            calendar(),
            card(),
            series,
            lambda: Cycler(1 + self.seed % 3),
        )

    def restart(self) -> None:
        """As a new process, with nothing but the journal."""
        before = self.repository.state
        self.repository = AgentRepository(self.home, AGENT)
        if self.repository.state != before:
            self.wrongs.append("the journal folds to another state")
        self.trader = self._begin()
        self.restarts += 1

    def live(self) -> None:
        for row in range(FIRST, FIRST + SESSIONS):
            self._day(row, MORNING, DURING, EVENING)
        self.broker.calm()
        self._day(FIRST + SESSIONS, ("08:00", "09:10"), ("09:31",), ("16:40", "17:00"))
        self._judge()

    def _day(self, row: int, morning: tuple[str, ...], during: tuple[str, ...], evening: tuple[str, ...]) -> None:
        day, bar, broker = self.days[row], self.frame.iloc[row], self.broker
        self._passes(day, morning)
        if self.chance.random() < self.rate / 2 and broker.faults:
            broker.silent = self.chance.randint(1, 3)  # gone at the open
        path = [bar["low"], bar["high"], (bar["low"] + bar["close"]) / 2]
        broker.open(day.isoformat(), float(bar["open"]))
        for clock in during:
            self._passes(day, (clock,))
            broker.trade(round(float(self.chance.choice(path)), 2))
        broker.close(float(bar["close"]))
        self._passes(day, evening)

    def _passes(self, day: date, clocks: tuple[str, ...]) -> None:
        for clock in clocks:
            if self.broker.faults and self.chance.random() < self.rate / 4:
                self.restart()
            self._pass(at(day, clock))
            self.broker.tick()

    def _pass(self, now: datetime) -> None:
        """As the node does: no answer is tried again, any other error blocks."""
        try:
            self.trader.run(now)
            self._never_oversold(now)
        except Unavailable:
            self.trader = self._begin()  # only the files are trusted
        except LivetradingError as error:
            self.wrongs.append(f"at {now}: {type(error).__name__}: {error}")
            self.repository.commit([StatusChanged(AgentStatus.BLOCKED, str(error), "node")], now)

    def _never_oversold(self, now: datetime) -> None:
        """After a pass no more is on sale than the account holds, unless a cancel is pending."""
        asked = {o.key for o in self.repository.state.open_orders() if o.state == OrderState.PENDING_CANCEL}
        on_sale, there = self.broker.on_sale(asked), self.broker.own + self.broker.by_hand
        if on_sale > max(there, 0):
            self.wrongs.append(f"at {now}: {on_sale} on sale and {there} in the account")

    # -- what must hold ---------------------------------------------------

    def _judge(self) -> None:
        state, broker = self.repository.state, self.broker
        self.wrongs += broker.wrongs
        if state.book.shares != broker.own:
            self.wrongs.append(f"the book holds {state.book.shares}, the agent's orders {broker.own}")
        blocked = state.status == AgentStatus.BLOCKED and state.status_reason
        if state.book.shares != broker.position() and not blocked:
            self.wrongs.append(f"the book holds {state.book.shares}, the broker {broker.position()}: {state.status}")
        if blocked and not broker.by_hand and not self._explained(state.status_reason):
            self.wrongs.append(f"blocked: {state.status_reason}")
        self._judge_journal()
        on_sale = broker.on_sale(set())
        if state.book.shares == broker.position() and on_sale != broker.own:
            self.wrongs.append(f"{on_sale} of {broker.own} shares are on sale at the end")

    @staticmethod
    def _explained(reason: str) -> bool:
        return "the book holds" in reason or "sessions in a row" in reason

    def _judge_journal(self) -> None:
        events = [e for _, batch in events_of(self.repository.directory) for e in batch]
        if agents.fold(events) != self.repository.state:
            self.wrongs.append("the journal folds to another state")
        fills = [e for e in events if isinstance(e, Filled)]
        ours = sorted((e.exec_id, e.key, e.session, e.qty, e.price, e.fee) for e in fills)
        theirs = sorted((e.exec_id, e.ref, e.session, e.qty, e.price, e.fee) for e in self.broker.done)
        if ours != theirs:
            self.wrongs.append(f"{len(ours)} fills in the book, {len(theirs)} at the broker")
        paid = sum((-1 if e.leg == "entry" else 1) * e.qty * e.price - e.fee for e in fills)
        if abs(10_000.0 + paid - self.repository.state.book.cash) > 1e-6:
            self.wrongs.append(f"the book's cash is {self.repository.state.book.cash}")


def lived(seed: int, root: Path) -> Schedule:
    """One schedule from its seed, in its own directory, which is removed afterwards."""
    home = root / f"s{seed}"
    try:
        schedule = Schedule(Home.resolve(str(home)), seed)
        schedule.live()
        return schedule
    finally:
        shutil.rmtree(home, ignore_errors=True)


def run(seeds: range, verbose: bool = True) -> tuple[Counter[str], list[str]]:
    """Counts of what happened, and what was wrong, by seed."""
    counts: Counter[str] = Counter()
    wrongs: list[str] = []
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as root, cheap():
        for n, seed in enumerate(seeds, 1):
            one = lived(seed, Path(root))
            counts.update(one.broker.struck)
            counts.update(
                {
                    "schedules": 1,
                    "orders": len(one.broker.orders),
                    "fills": len(one.broker.done),
                    "restarts": one.restarts,
                    "blocked": one.repository.state.status == AgentStatus.BLOCKED,
                }
            )
            wrongs += [f"seed {seed}: {w}" for w in one.wrongs]
            if verbose and n % 1000 == 0:
                print(f"  {n} schedules, {len(wrongs)} wrong", flush=True)
    return counts, wrongs


def main() -> int:
    logging.disable(logging.CRITICAL)
    fast = os.environ.get("FAST", "") not in ("", "0")
    started, count = time.monotonic(), int(os.environ.get("SCHEDULES", FAST_SCHEDULES if fast else 10_000))
    counts, wrongs = run(range(count))
    facts = ("schedules", "orders", "fills", "restarts", "blocked")
    print(
        "bad broker: "
        + ", ".join(f"{counts[f]} {f}" for f in facts)
        + f"; {len(wrongs)} wrong; {time.monotonic() - started:.0f} s"
    )
    print("  faults: " + ", ".join(f"{n} {k}" for k, n in sorted(counts.items()) if k not in facts))
    for wrong in wrongs[:40]:
        print(f"  {wrong}", file=sys.stderr)
    return 1 if wrongs else 0


if __name__ == "__main__":
    sys.exit(main())
