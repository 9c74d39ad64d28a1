"""One history run twice: by the rules alone, and by the live program, also with kills and restarts."""

import multiprocessing
import os
import signal
import threading
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from livetrading.adapters.home import Home
from livetrading.adapters.registry import Registry
from livetrading.core import agent_ledger, market, scaler
from livetrading.core.card import ModelCard
from livetrading.core.events import EntriesPaused, EntriesResumed
from livetrading.core.types import AgentType, Terms
from livetrading.execution import replay_run
from livetrading.execution.state.agent_repository import AgentRepository, events_of
from livetrading.execution.trading import replay
from livetrading.research import backtest
from tests.doubles.models import make_card
from tests.doubles.probes import Probe
from tests.doubles.series import usual_features

SPAWN = multiprocessing.get_context("spawn")
Rows = list[dict[str, Any]]
PATIENCE = 300.0
"""Seconds; the limit after which a wait fails, not the usual time."""


@dataclass(frozen=True)
class Story:
    """Bars, a card, the range to decide, and the policy; can be sent to other processes.

    Without ``home`` a Probe decides, with it the registered model of the card.
    """

    card: ModelCard
    frame: pd.DataFrame
    bars: range
    terms: Terms = Terms()
    home: str | None = None

    def policy(self) -> Any:
        if self.home is None:
            return Probe(self.card.agent_type)
        return Registry(Home.resolve(self.home)).load(self.card.model_id)[1]

    @property
    def first(self) -> date:
        return self.frame.index[self.bars[0]].date()

    @property
    def last(self) -> date:
        return self.frame.index[self.bars[-1]].date()

    def backtest(self, policy: Any = None) -> backtest.Backtest:
        view = market.build(self.frame, self.card.scaler)
        return backtest.run(view, self.bars, self.card.agent_type, (policy or self.policy()).raw, self.terms)


def probed(frame: pd.DataFrame, bars: range, agent_type: AgentType, terms: Terms = Terms()) -> Story:
    """A Probe's story, scaled by the rows before it."""
    fitted = scaler.fit(usual_features(frame)[300 : bars.start])
    card = make_card(agent_type=agent_type, symbol="TEST", scaler=fitted)
    return Story(card, frame, bars, terms)


def through_the_shell(story: Story, root: Path) -> replay.Replayed:
    """One process that keeps its objects."""
    return replay_run.rehearse(
        root, story.card, story.frame, story.policy(), story.terms, story.first, story.last, lambda *_: None
    )


def rebuilt_every_session(story: Story, root: Path) -> Rows:
    """After each session only the files are kept."""
    home, policy = Home.resolve(str(root)), story.policy()
    agent_id = replay_run.begin(home, story.card, story.terms, story.first).agent_id
    for _ in story.bars:
        trader = replay_run.trader_of(home, AgentRepository(home, agent_id), story.card, story.frame, policy)
        replay.run(trader, replay.current_session(trader), lambda *_: None)
    return rows_of(home, agent_id)


def rows_of(home: Home, agent_id: str) -> Rows:
    return agent_ledger.rows(event for _, batch in events_of(home.agent(agent_id)) for event in batch)


def turns_of(root: Path, story: Story) -> list[tuple[str, str]]:
    """The journal's begins and ends of drawdown pauses, with their sessions."""
    home, agent_id = Home.resolve(str(root)), f"{story.card.agent_type}_{story.card.symbol}_001"
    events = [event for _, batch in events_of(home.agent(agent_id)) for event in batch]
    return [(type(e).__name__, e.session) for e in events if isinstance(e, EntriesPaused | EntriesResumed)]


def expected_turns(story: Story) -> list[tuple[str, str]]:
    """The same of the backtest."""
    done, found = story.backtest(), list[tuple[str, str]]()
    for pause in done.pauses:
        found.append(("EntriesPaused", done.rows[pause.start]["bar"]))
        if pause.ended:
            found.append(("EntriesResumed", done.rows[pause.stop]["bar"]))
    return found


def _live(story: Story, root: str, agent_id: str, furthest: float) -> None:
    """Up to the end, or until killed: a share of the sessions that the killer must not miss."""
    home = Home.resolve(root)
    trader = replay_run.trader_of(home, AgentRepository(home, agent_id), story.card, story.frame, story.policy())

    def lived(*_: int) -> None:
        if furthest < 1 and _lived(home, agent_id, story) >= furthest:
            threading.Event().wait(PATIENCE)

    replay.run(trader, story.last, lived)


def killed_and_restarted(story: Story, root: Path, times: int) -> tuple[Rows, int]:
    """Real processes, each but the last ended by SIGKILL wherever it is; the ledger, and how many died."""
    home = Home.resolve(str(root))
    agent_id = replay_run.begin(home, story.card, story.terms, story.first).agent_id
    journal, died = home.agent(agent_id) / "journal.jsonl", 0
    while True:
        aim, furthest = (died + 1) / (times + 1), (died + 1.5) / (times + 1)
        process = SPAWN.Process(target=_live, args=(story, str(root), agent_id, furthest if died < times else 1.0))
        process.start()
        if died < times:
            start = journal.stat().st_size
            _await(
                lambda: (
                    process.exitcode is not None
                    or (_lived(home, agent_id, story) >= aim and journal.stat().st_size > start)
                )
            )
            if process.exitcode is None:
                os.kill(process.pid, signal.SIGKILL)
                died += 1
        process.join()
        if process.exitcode == 0:
            return rows_of(home, agent_id), died
        if process.exitcode != -signal.SIGKILL:
            raise RuntimeError(f"the shell ended with {process.exitcode}")


def _lived(home: Home, agent_id: str, story: Story) -> float:
    """The share of decided sessions, by counting journal lines; the last line may be unfinished."""
    text = (home.agent(agent_id) / "journal.jsonl").read_text()
    return text.count('"kind":"Decided"') / len(story.bars)


def _await(condition: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the shell made no progress in {PATIENCE:g} s")
        time.sleep(0.003)
