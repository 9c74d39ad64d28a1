"""A whole fitting procedure run in every fold of a training part, and judged by the pure rules.

Each fold scales the features by its own rows, fits, and is evaluated on sessions that it has not seen, from a flat
start with the full capital and one observation at a time. The judged equity of all folds is chained into one history.
Folds run in processes of their own, one thread each; nothing depends on how many there are.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, Protocol

import numpy as np

from ..core import metrics
from ..core.errors import BadInput
from ..core.market import Market
from ..core.types import AgentType, Terms
from .backtest import RawPolicy
from .breakdown import by_regime, by_year, regimes
from .evaluation import Evaluation, evaluate
from .folds import Fold
from .scaled import scaled_by

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Fitted:
    """What a procedure found: a policy, how its output is read, and what else is worth keeping (JSON-ready)."""

    agent_type: AgentType
    raw: RawPolicy
    notes: dict[str, Any]


class Procedure(Protocol):
    """How a policy is made of a training part. A module-level function or a frozen dataclass: it goes to a process."""

    def __call__(self, market: Market, part: range, terms: Terms, seed: int) -> Fitted:
        """``market`` is scaled by ``part``; of later rows nothing may be used."""
        ...


@dataclass(frozen=True)
class FoldRun:
    """One fold's outcome; ``regimes`` has one number a session, see ``breakdown``."""

    fold: Fold
    evaluation: Evaluation
    regimes: list[int]
    notes: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        span = {"start": self.evaluation.sessions[0], "end": self.evaluation.sessions[-1]}
        return {
            "fold": self.fold.number,
            "fit_sessions": len(self.fold.fit),
            **span,
            **self.evaluation.measures,
            "notes": self.notes,
        }


@dataclass(frozen=True)
class WalkForward:
    """All folds, and their equity as one history: ``sessions`` and ``equity`` have one entry a judged close."""

    folds: tuple[FoldRun, ...]
    sessions: list[str]
    equity: list[float]
    measures: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, for a report."""
        numbers = [number for run in self.folds for number in run.regimes]
        return {
            "measures": self.measures,
            "folds": [run.to_dict() for run in self.folds],
            "years": by_year(self.sessions, self.equity),
            "regimes": by_regime(numbers, self.equity),
            "equity": [list(pair) for pair in zip(self.sessions, self.equity, strict=True)],
        }


@dataclass(frozen=True)
class _Work:
    """One fold's task, as it goes to a process."""

    market: Market
    fold: Fold
    procedure: Procedure
    terms: Terms
    seed: int

    def run(self) -> FoldRun:
        scaled, _ = scaled_by(self.market, self.fold.fit)
        fitted = self.procedure(scaled, self.fold.fit, self.terms, self.seed)
        found = evaluate(scaled, self.fold.validation, fitted.agent_type, fitted.raw, self.terms)
        return FoldRun(self.fold, found, regimes(scaled, self.fold.fit, self.fold.validation), fitted.notes)


def walk_forward(
    market: Market, folds: Sequence[Fold], procedure: Procedure, terms: Terms, seed: int = 0, processes: int = 1
) -> WalkForward:
    """Fit and judge in each fold of an unscaled market; with one process in this one.

    Each fold's seed is spawned from ``seed``. Raises BadInput for a market without variance.
    """
    if not folds:
        raise BadInput("There is no fold to walk: give at least one.")
    spawned = np.random.SeedSequence(seed).spawn(max(fold.number for fold in folds) + 1)
    work = [_Work(market, fold, procedure, terms, int(spawned[fold.number].generate_state(1)[0])) for fold in folds]
    for item in work:
        _check_variance(item)
    if processes <= 1 or len(work) == 1:
        return stitched([item.run() for item in work], terms.capital)
    with _single_threaded(), ProcessPoolExecutor(min(processes, len(work)), get_context("spawn")) as pool:
        return stitched(list(pool.map(_Work.run, work)), terms.capital)


def stitched(runs: Sequence[FoldRun], capital: float) -> WalkForward:
    """The folds one after the other: each begins flat with what the one before it ended with.

    A position at a fold's last close is valued there and not sold.
    """
    sessions: list[str] = []
    equity: list[float] = []
    for run in runs:
        scale = (equity[-1] if equity else capital) / capital
        equity += [scale * value for value in run.evaluation.run.equity]
        sessions += run.evaluation.sessions
    trades = [trade for run in runs for trade in run.evaluation.run.trades]
    held = [held for run in runs for held in run.evaluation.run.held]
    return WalkForward(tuple(runs), sessions, equity, metrics.measure(equity, trades, held))


def _check_variance(work: _Work) -> None:
    close = work.market.columns.close[work.fold.fit.start : work.fold.fit.stop]
    if (close == close[0]).all():
        raise BadInput(
            f"The close never moves in the {len(close)} sessions from {work.market.sessions[work.fold.fit.start]} on: "
            "there is nothing to learn from; choose another symbol or a wider range."
        )


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Processes started here compute in one thread: what they find does not depend on the cores."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
