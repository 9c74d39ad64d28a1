"""Trading lives for tests: a home with a registered model, its bars as a CSV file, and a policy
that is a plain function of the observation, on a clock that the test sets."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from livetrading.adapters.calendar import calendar
from livetrading.adapters.home import Home
from livetrading.adapters.registry import Registry
from livetrading.adapters.store import Store
from livetrading.core import agent_ledger, scaler, windows
from livetrading.core.bars import bars_sha256, to_rows
from livetrading.core.card import ModelCard, Span
from livetrading.core.types import AgentType, Terms
from livetrading.execution import pass_runner
from livetrading.execution.agent_manager import AgentManager, terms_document
from livetrading.execution.node import Node
from livetrading.execution.state import requests
from livetrading.execution.state.agent_repository import AgentRepository, events_of
from livetrading.execution.stopping import emergency_stop
from livetrading.execution.trading.pass_result import PassResult
from tests.doubles.gates import answer_of
from tests.doubles.models import make_card
from tests.doubles.series import usual_features

AGENT = "PPO_TEST_001"
FIRST = 520
"""The row of the first session that an agent decides."""


class Cycler:
    """BUY when flat, SELL after ``hold`` closes with the position: reads only the account's part of the observation."""

    def __init__(self, hold: int = 3) -> None:
        self._hold = hold

    def raw(self, obs: np.ndarray) -> float:
        held = round(float(obs[-2]) * 50)
        return 2.0 if obs[-4] == 0 else 0.0 if held >= self._hold else 1.0


class Always:
    """The same action for every observation."""

    def __init__(self, action: int) -> None:
        self._action = float(action)

    def raw(self, obs: np.ndarray) -> float:
        return self._action


class Known(Registry):
    """The real registry with a given policy, so that torch is not needed."""

    def __init__(self, home: Home, policy: Any) -> None:
        super().__init__(home)
        self.policy = policy

    def load(self, model_id: str) -> tuple[ModelCard, Any]:
        return self.card(model_id), self.policy


def at(session: date, clock: str) -> datetime:
    """A New York time of day on a session's date."""
    return windows.at(session, time.fromisoformat(clock))


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    lines = [",".join(["date", *frame.columns]), *(",".join([r[0], *map(repr, r[1:])]) for r in to_rows(frame))]
    path.write_text("\n".join(lines) + "\n")


@dataclass
class Life:
    """One home on a virtual clock. ``restart`` makes a new ``node``, as a new process does."""

    home: Home
    frame: pd.DataFrame
    model_id: str
    csv: Path
    policy: Any
    terms: Terms = Terms()
    mode: str = "paper"

    def __post_init__(self) -> None:
        self.store = Store(self.home)
        self.node = self.restart()

    @property
    def sessions(self) -> list[date]:
        return list(self.frame.index.date)

    def restart(self) -> Node:
        """All that was only in memory is lost."""
        node = Node(self.home, calendar())
        node.registry = Known(self.home, self.policy)
        node.open()
        self.node = node
        return node

    def ask(self, kind: str, now: datetime, request_id: str | None = None, **args: Any) -> dict[str, Any]:
        """A request, applied at ``now``; returns its result."""
        of_agent = kind in requests.OF_AN_AGENT
        made = requests.submit(
            self.store, kind, agent_id=AGENT if of_agent else None, args=args, by="test", request_id=request_id, now=now
        )
        AgentManager(self.node).apply_pending(now)
        return requests.outcome(self.store, made) or {}

    def create(self, now: datetime, request_id: str | None = None) -> dict[str, Any]:
        return self.ask(
            "create",
            now,
            request_id,
            model_id=self.model_id,
            mode=self.mode,
            source=f"csv:{self.csv}",
            job_id="tested",
            pace=0.0,
            capital=self.terms.capital,
            **vars(self.terms.limits),
        )

    def check(self, now: datetime) -> PassResult:
        """A scheduler's pass for an agent on real days, the halt latch included."""
        if self.node.latch.status() is not None and emergency_stop.unfinished(self.node):
            emergency_stop.stop(self.node, "", "halt latch", now)
        done, failed = pass_runner.run(self.node, now)
        assert not failed, failed
        return done

    def day(self, t: int) -> PassResult:
        """The morning's and the evening's pass of row ``t``."""
        done = self.check(at(self.sessions[t], "08:00"))
        done.add(self.check(at(self.sessions[t], "16:40")))
        return done

    @property
    def repository(self) -> AgentRepository:
        return self.node.repository(AGENT)

    @property
    def state(self) -> Any:
        return self.repository.state

    @property
    def events(self) -> list[Any]:
        return [event for _, batch in events_of(self.home.agent(AGENT)) for event in batch]

    @property
    def ledger(self) -> list[dict[str, Any]]:
        return agent_ledger.rows(self.events)

    def named(self, kind: str) -> list[Any]:
        """The journal's events of one kind."""
        return [event for event in self.events if type(event).__name__ == kind]


def _card(frame: pd.DataFrame, rows: int) -> dict[str, Any]:
    """The fields of a card of a model trained on the first ``rows`` rows."""
    known, days = frame.iloc[:rows], list(frame.index.date)
    return {
        "symbol": "TEST",
        "scaler": scaler.fit(usual_features(known)[300:]),
        "first_bar": days[0],
        "bars_sha256": bars_sha256(known),
        "train": Span(days[500], days[FIRST - 2], FIRST - 501),
        "test": Span(days[FIRST - 1], days[rows - 1], rows - FIRST + 1),
    }


def real_model(root: Path, frame: pd.DataFrame) -> tuple[Home, str]:
    """A home with a real, untrained PPO model of all of ``frame``, for tests that start processes."""
    from tests.doubles.models import make_zip

    home = Home.resolve(str(root / "home"))
    card, content, _ = make_zip(AgentType.PPO, **_card(frame, len(frame)))
    source = root / "model.zip"
    source.write_bytes(content)
    Registry(home).register(card, source, frame, {})
    store_test(Store(home), card.model_id, Terms())
    return home, card.model_id


def a_life(
    root: Path,
    frame: pd.DataFrame,
    policy: Any,
    *,
    terms: Terms = Terms(),
    mode: str = "paper",
    model_rows: int | None = None,
) -> Life:
    """A home with a model of the first ``model_rows`` rows of ``frame``, and the whole frame as a CSV file."""
    home = Home.resolve(str(root / "home"))
    known = frame.iloc[: model_rows or FIRST]
    zip_bytes = b"no real policy"
    card = make_card(zip_sha256=hashlib.sha256(zip_bytes).hexdigest(), **_card(frame, len(known)))
    source = root / "model.zip"
    source.write_bytes(zip_bytes)
    Registry(home).register(card, source, known, {})
    csv = root / "TEST.csv"
    write_csv(csv, frame)
    life = Life(home, frame, card.model_id, csv, policy, terms, mode)
    store_test(life.store, card.model_id, terms)
    return life


def store_test(store: Store, model_id: str, terms: Terms, job_id: str = "tested") -> None:
    """The stored result of a deployment's test, as the job leaves it."""
    test = {"sharpe_ratio": 2.0, "sessions": 600, "num_trades": 40}
    result = {"model_id": model_id, "terms": terms_document(terms), "test": test, "gate": answer_of()}
    with store.transaction("jobs") as db:
        db.table("jobs").insert({"id": job_id, "state": "done", "result": result})


def deployed(root: Path, frame: pd.DataFrame, policy: Any, **options: Any) -> Life:
    """A life whose agent runs since the evening before row ``FIRST``."""
    life = a_life(root, frame, policy, **options)
    assert life.create(at(life.sessions[FIRST - 1], "20:00"))["status"] == "done"
    return life


def until(condition: Callable[[], bool], life: Life, t: int, last: int = 60) -> int:
    """Run days from row ``t`` on until a condition is true; returns the next row."""
    for row in range(t, t + last):
        life.day(row)
        if condition():
            return row + 1
    raise AssertionError("the condition never became true")


def crash_bar(frame: pd.DataFrame, t: int, factor: float = 0.5) -> pd.DataFrame:
    """The same series with a low at row ``t`` that triggers every stop, and the volume of such a day."""
    changed = frame.copy()
    changed.iloc[t, changed.columns.get_loc("low")] *= factor
    changed.iloc[t, changed.columns.get_loc("volume")] *= 9.0
    return changed
