"""From bars to a registered model: split, scale, fit, test once, register."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm

from ..adapters.bars.base import BarSet
from ..adapters.openings import count_opening
from ..adapters.packages import versions
from ..adapters.policy import policy_of
from ..adapters.registry import Registry, sha256
from ..adapters.store import Store
from ..core.card import ModelCard, Span
from ..core.errors import BadInput, Conflict
from ..core.features import FEATURE_SET, SETS
from ..core.market import Market
from ..core.rules import RULES_VERSION
from ..core.scaler import Scaler
from ..core.types import WARMUP_BARS, AgentType, Terms
from .environment import Task
from .evaluation import Evaluation, evaluate
from .fitting import HYPERPARAMETERS, fit
from .progress import Listener, Progress
from .scaled import scaled_by, unscaled

TRAIN_SHARE = 0.8
MIN_TRAIN, MIN_TEST = 504, 126
MAX_TIMESTEPS = 100_000_000
FIT_SHARE = 0.95
"""Share of the work that is fitting, for the progress bar."""


@dataclass(frozen=True)
class TrainRequest:
    """What to train. ``start`` and ``end`` bound the decided sessions, ``feature_set`` names the model's features."""

    symbol: str
    agent_type: AgentType
    timesteps: int = 50_000
    seed: int = 0
    start: date | None = None
    end: date | None = None
    feature_set: str = FEATURE_SET

    def __post_init__(self) -> None:
        if self.feature_set not in SETS:
            raise BadInput(f"There is no feature set {self.feature_set!r}; choose {' or '.join(SETS)}.")
        if not 1 <= self.timesteps <= MAX_TIMESTEPS:
            raise BadInput(f"timesteps is {self.timesteps}; it must be from 1 to {MAX_TIMESTEPS}.")
        if not 0 <= self.seed < 2**32:
            raise BadInput(f"seed is {self.seed}; it must be from 0 to {2**32 - 1}.")
        if self.start and self.end and self.start > self.end:
            raise BadInput(f"start {self.start} is after end {self.end}; give an earlier start or a later end.")


@dataclass(frozen=True)
class Trained:
    """A registered model and its test. ``seconds`` is the time that it took."""

    card: ModelCard
    evaluation: Evaluation
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        return {"model_id": self.card.model_id, **self.card.metrics, "seconds": self.seconds}


@dataclass(frozen=True)
class Parts:
    """Indexes of the decided sessions: first the training part, then the test."""

    train: range
    test: range


def split(decidable: range, what: str) -> Parts:
    """The first floor(0.8 N) decidable bars train, the rest test.

    BadInput if that leaves fewer than 504 and 126.
    """
    cut = decidable.start + int(TRAIN_SHARE * len(decidable))
    parts = Parts(range(decidable.start, cut), range(cut, decidable.stop))
    if len(parts.train) < MIN_TRAIN or len(parts.test) < MIN_TEST:
        raise BadInput(
            f"{what} has {len(decidable)} sessions that can be decided, after {WARMUP_BARS} bars of "
            f"warm-up: {len(parts.train)} to train on ({MIN_TRAIN} needed) and {len(parts.test)} to test "
            f"on ({MIN_TEST} needed); choose a wider range or a symbol with a longer history."
        )
    return parts


def train(
    request: TrainRequest,
    barset: BarSet,
    *,
    registry: Registry,
    store: Store,
    clock: Callable[[], datetime],
    progress: Listener,
) -> Trained:
    """Fits a model, tests it once and registers it; on failure nothing is left.

    ``clock`` gives aware times for the record; the model does not depend on them.
    """
    began = time.monotonic()
    market, parts, scaler = prepare(request, barset)
    task = Task(
        market,
        parts.train.start,
        parts.train.stop - 1,
        request.agent_type,
        episode=HYPERPARAMETERS[request.agent_type].episode,
        random_start=True,
    )
    report = _ProgressCallback(request.timesteps, progress)
    model = fit(task, request.timesteps, request.seed, report.fitting)
    report.stage("Testing", FIT_SHARE)
    first, last = market.sessions[parts.test.start], market.sessions[parts.test.stop - 1]
    opened = count_opening(store, request.symbol, first, last, now=clock())
    policy = policy_of(request.agent_type, model.policy)
    evaluation = evaluate(market, parts.test, request.agent_type, policy.raw, Terms())
    draft = _Draft(request, barset, market.sessions, parts, scaler, evaluation, opened)
    card = _register(registry, draft, model, clock)
    report.stage("Done", 1.0)
    return Trained(card, evaluation, round(time.monotonic() - began, 3))


def prepare(request: TrainRequest, barset: BarSet) -> tuple[Market, Parts, Scaler]:
    """The market scaled by its training rows, and its parts. Raises BadInput or BadBars."""
    market = unscaled(barset.frame, SETS[request.feature_set])
    decidable = market.decidable(request.start, request.end)
    bounds = f" from {request.start or 'its first bar'} to {request.end or 'its last'}"
    parts = split(decidable, request.symbol + bounds)
    scaled, scaler = scaled_by(market, parts.train)
    return scaled, parts, scaler


@dataclass(frozen=True)
class _Draft:
    """A card without its model id and zip hash."""

    request: TrainRequest
    barset: BarSet
    sessions: Sequence[date]
    parts: Parts
    scaler: Scaler
    evaluation: Evaluation
    opened: int

    def card(self, model_id: str, zip_sha256: str, created: datetime) -> ModelCard:
        hyper = HYPERPARAMETERS[self.request.agent_type]
        return ModelCard(
            model_id=model_id,
            agent_type=self.request.agent_type,
            symbol=self.request.symbol,
            version=model_id.removeprefix(f"{self.request.agent_type}_{self.request.symbol}_"),
            first_bar=self.sessions[0],
            feature_set=self.request.feature_set,
            features=SETS[self.request.feature_set],
            scaler=self.scaler,
            rules_version=RULES_VERSION,
            train=self._span(self.parts.train),
            test=self._span(self.parts.test),
            source=self.barset.source,
            source_note=self.barset.note,
            bars_sha256=self.barset.sha256,
            seed=self.request.seed,
            timesteps=self.request.timesteps,
            trials=1,
            opened=self.opened,
            metrics=self.evaluation.summary(),
            packages=versions(),
            zip_sha256=zip_sha256,
            created=created,
            policy=hyper.policy,
            hyperparameters=hyper.to_dict(),
        )

    def _span(self, bars: range) -> Span:
        return Span(self.sessions[bars.start], self.sessions[bars.stop - 1], len(bars))


def _register(registry: Registry, draft: _Draft, model: BaseAlgorithm, clock: Callable[[], datetime]) -> ModelCard:
    """Saves and registers under the first free id; another process may take one meanwhile."""
    with registry.scratch() as folder:
        path = folder / "model.zip"
        model.save(path)
        digest = sha256(path.read_bytes())
        while True:
            now = clock()
            model_id = registry.new_model_id(draft.request.agent_type, draft.request.symbol, now)
            card = draft.card(model_id, digest, now)
            try:
                registry.register(card, path, draft.barset.frame, draft.evaluation.document())
            except Conflict:
                continue
            return card


class _ProgressCallback:
    """Turns steps into Progress."""

    def __init__(self, total: int, listener: Listener) -> None:
        self._total, self._listener = total, listener
        self._rate = 0.0
        listener(Progress("Training", 0.0, 0, total))

    def fitting(self, steps: int, seconds: float) -> None:
        done = min(steps, self._total)
        self._rate = steps / seconds if seconds > 0 else 0.0
        left = (self._total - done) / self._rate if self._rate > 0 else None
        share = FIT_SHARE * done / self._total
        self._listener(Progress("Training", share, done, self._total, self._rate, left))

    def stage(self, name: str, share: float) -> None:
        left = 0.0 if share >= 1.0 else None
        self._listener(Progress(name, share, self._total, self._total, self._rate, left))
