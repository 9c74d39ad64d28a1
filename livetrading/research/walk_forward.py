"""A whole fitting procedure run in every fold of a training part, and judged by the pure rules.

Each fold scales the features by its own rows, fits, and is evaluated on sessions that it has not seen, from a flat
start with the full capital and one observation at a time. The judged equity of all folds is chained into one history.
Folds run in processes of their own, one thread each; nothing depends on how many there are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from ..core import metrics
from ..core.errors import BadInput
from ..core.market import Market
from ..core.types import AgentType, Terms
from .backtest import RawPolicy
from .breakdown import by_regime, by_year, regimes
from .crew import Tell, each
from .evaluation import Evaluation, evaluate
from .folds import Fold
from .scaled import scaled_by


@dataclass(frozen=True)
class Fitted:
    """What a procedure found: a policy, how its output is read, and what else is worth keeping (JSON-ready)."""

    agent_type: AgentType
    raw: RawPolicy
    notes: dict[str, Any]


def unheard(news: Any) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class Watching:
    """Who watches a fit: on the sessions ``judged`` it may be looked at, and never learned from; ``tell`` takes news."""

    judged: range = range(0)
    tell: Tell = unheard


UNWATCHED = Watching()


class Procedure(Protocol):
    """How a policy is made of a training part. A module-level function or a frozen dataclass: it goes to a process."""

    def __call__(self, market: Market, part: range, terms: Terms, seed: int, watching: Watching = UNWATCHED) -> Fitted:
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
class FoldNews:
    """What a procedure tells of its fit in a fold; ``told`` is None when the fold is judged."""

    fold: int
    procedure: str
    told: Any


@dataclass(frozen=True)
class _Work:
    """One fold's task, as it goes to a process."""

    market: Market
    fold: Fold
    procedures: Mapping[str, Procedure]
    terms: Terms
    seed: int


def _judged(work: _Work, tell: Tell) -> dict[str, FoldRun]:
    """Every procedure in the fold."""
    scaled, _ = scaled_by(work.market, work.fold.fit)
    numbers = regimes(scaled, work.fold.fit, work.fold.validation)
    found = {}
    for name, procedure in work.procedures.items():
        watching = Watching(work.fold.validation, _Named(work.fold.number, name, tell))
        fitted = procedure(scaled, work.fold.fit, work.terms, work.seed, watching)
        judged = evaluate(scaled, work.fold.validation, fitted.agent_type, fitted.raw, work.terms)
        found[name] = FoldRun(work.fold, judged, numbers, fitted.notes)
        tell(FoldNews(work.fold.number, name, None))
    return found


@dataclass(frozen=True)
class _Named:
    fold: int
    procedure: str
    tell: Tell

    def __call__(self, told: Any) -> None:
        self.tell(FoldNews(self.fold, self.procedure, told))


def walk_forward(
    market: Market, folds: Sequence[Fold], procedure: Procedure, terms: Terms, seed: int = 0, processes: int = 1
) -> WalkForward:
    """Fit and judge in each fold of an unscaled market; with one process in this one.

    Each fold's seed is spawned from ``seed``. Raises BadInput for a market without variance.
    """
    return walk_forwards(market, folds, {"": procedure}, terms, seed, processes)[""]


def walk_forwards(
    market: Market,
    folds: Sequence[Fold],
    procedures: Mapping[str, Procedure],
    terms: Terms,
    seed: int = 0,
    processes: int = 1,
    listener: Callable[[FoldNews], None] = unheard,
) -> dict[str, WalkForward]:
    """As ``walk_forward``, of several procedures by name on the same folds; a fold is one process's work."""
    if not folds:
        raise BadInput("There is no fold to walk: give at least one.")
    seeds = fold_seeds(seed, folds)
    work = [_Work(market, fold, procedures, terms, seeds[fold.number]) for fold in folds]
    for item in work:
        check_variance(market, item.fold.fit, item.fold.number)
    # The latest fold takes longest, so it begins first.
    runs = each(_judged, work[::-1], processes, listener)[::-1]
    return {name: stitched([run[name] for run in runs], terms.capital) for name in procedures}


def fold_seeds(seed: int, folds: Sequence[Fold]) -> list[int]:
    """The seed of each fold by its number, spawned from one."""
    spawned = np.random.SeedSequence(seed).spawn(max(fold.number for fold in folds) + 1)
    return [int(child.generate_state(1)[0]) for child in spawned]


def chained(equities: Sequence[Sequence[float]], capital: float) -> list[float]:
    """Equities that each begin with ``capital``, as one history: each begins with what the one before it ended with."""
    found: list[float] = []
    for equity in equities:
        scale = (found[-1] if found else capital) / capital
        found += [scale * value for value in equity]
    return found


def stitched(runs: Sequence[FoldRun], capital: float) -> WalkForward:
    """The folds one after the other: each begins flat with what the one before it ended with.

    A position at a fold's last close is valued there and not sold.
    """
    sessions = [session for run in runs for session in run.evaluation.sessions]
    equity = chained([run.evaluation.run.equity for run in runs], capital)
    trades = [trade for run in runs for trade in run.evaluation.run.trades]
    held = [held for run in runs for held in run.evaluation.run.held]
    return WalkForward(tuple(runs), sessions, equity, metrics.measure(equity, trades, held))


def bought_and_held(walked: WalkForward, capital: float) -> WalkForward:
    """Buying and holding in the same folds, bought anew in each."""
    runs = []
    for run in walked.folds:
        found = run.evaluation
        held = [False] + [True] * (len(found.hold) - 1)
        same = replace(found.run, rows=[], equity=found.hold, held=held, trades=[], pauses=())
        runs.append(replace(run, evaluation=replace(found, run=same, measures=found.hold_measures), notes={}))
    return stitched(runs, capital)


def check_variance(market: Market, part: range, fold: int | None = None) -> None:
    """Raises BadInput if the close never moves in a part, which is what ``fold``, counted from 0, learns from."""
    close = market.columns.close[part.start : part.stop]
    if (close == close[0]).all():
        whose, cure = ("", "") if fold is None else (f" of fold {fold + 1}", ", or train without folds: --folds 0")
        raise BadInput(
            f"The close never moves in the {len(close)} sessions{whose} from {market.sessions[part.start]} on: "
            f"there is nothing to learn from; choose another symbol or a wider range{cure}."
        )
