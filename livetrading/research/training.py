"""From bars to a registered model: split, walk the folds, fit, test once, register."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm

from ..adapters.bars.base import BarSet
from ..adapters.openings import STUDY, TRAIN, Openings
from ..adapters.packages import versions
from ..adapters.registry import Registry
from ..adapters.store import Store
from ..core.card import MOST_MEMBERS, Also, Member, ModelCard, Span, check_symbol
from ..core.errors import BadInput
from ..core.features import FEATURE_SET, SETS
from ..core.market import Market
from ..core.range_content import content_of
from ..core.rules import RULES_VERSION
from ..core.scaler import Scaler
from ..core.significance import returns_of
from ..core.types import WARMUP_BARS, AgentType, Terms
from ..core.wording import counted
from .deep import Deep, ensemble
from .fitting import HYPERPARAMETERS, STEPS_AN_UPDATE, Hyperparameters, member_seeds
from .folds import FOLDS, Fold, expanding
from .progress import Listener
from .report import Report, judged
from .scaled import scaled_by, unscaled
from .training_progress import TrainingProgress
from .walk_forward import WalkForward, bought_and_held, check_variance, walk_forwards
from .witnesses import procedures
from .zips import saved

TRAIN_SHARE = 0.8
MIN_TRAIN, MIN_TEST = 504, 126
MAX_TIMESTEPS = 100_000_000
MEMBERS = 5
MOST_FOLDS = 20


@dataclass(frozen=True)
class TrainRequest:
    """What to train. ``start`` and ``end`` bound the decided sessions, ``feature_set`` names the model's features.

    ``seeds`` members are made of seeds spawned from ``seed``; ``folds`` 0 leaves the walk-forward out. ``hyper``: None
    for the algorithm's own.
    """

    symbol: str
    agent_type: AgentType
    timesteps: int = 50_000
    seed: int = 0
    start: date | None = None
    end: date | None = None
    feature_set: str = FEATURE_SET
    seeds: int = MEMBERS
    folds: int = FOLDS
    hyper: Hyperparameters | None = None

    @property
    def hyperparameters(self) -> Hyperparameters:
        return self.hyper or HYPERPARAMETERS[self.agent_type]

    def __post_init__(self) -> None:
        if self.feature_set not in SETS:
            raise BadInput(f"There is no feature set {self.feature_set!r}; choose {' or '.join(SETS)}.")
        if not 1 <= self.timesteps <= MAX_TIMESTEPS:
            raise BadInput(f"timesteps is {self.timesteps}; it must be from 1 to {MAX_TIMESTEPS}.")
        if not 0 <= self.seed < 2**32:
            raise BadInput(f"seed is {self.seed}; it must be from 0 to {2**32 - 1}.")
        if not 1 <= self.seeds <= MOST_MEMBERS:
            raise BadInput(f"seeds is {self.seeds}; it must be from 1 to {MOST_MEMBERS}, one member a seed.")
        if not 0 <= self.folds <= MOST_FOLDS:
            raise BadInput(f"folds is {self.folds}; it must be from 1 to {MOST_FOLDS}, or 0 to train without folds.")
        if self.start and self.end and self.start > self.end:
            raise BadInput(f"start {self.start} is after end {self.end}; give an earlier start or a later end.")


@dataclass(frozen=True)
class Trained:
    """A registered model and what was measured. ``seconds`` is the time that it took."""

    card: ModelCard
    report: Report
    seconds: float
    notices: tuple[str, ...] = ()
    """What must not be overlooked in the request and in the bars."""

    def to_dict(self) -> dict[str, Any]:
        warnings = [*self.report.warnings(), *self.notices]
        return {"model_id": self.card.model_id, **self.card.metrics, "warnings": warnings, "seconds": self.seconds}


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


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a training has before it learns. ``market`` is scaled by the training part, ``raw`` is not scaled."""

    request: TrainRequest
    barset: BarSet
    raw: Market
    market: Market
    parts: Parts
    scaler: Scaler
    folds: tuple[Fold, ...]
    also: tuple["AlsoMarket", ...]

    @property
    def procedure(self) -> Deep:
        request = self.request
        others = tuple(other.market for other in self.also)
        return Deep(request.agent_type, request.timesteps, request.seeds, others, request.hyperparameters)

    @property
    def notices(self) -> tuple[str, ...]:
        """What must not be overlooked, in sentences."""
        steps = self.request.timesteps
        few = (
            f"{counted(steps, 'step')} are less than the {STEPS_AN_UPDATE} of one update: the model has learned next to"
            " nothing. Train with the default of 50,000."
        )
        doubts = [f"{self.request.symbol}: {self.barset.question}"] if self.barset.question else []
        return (*([few] if steps < STEPS_AN_UPDATE else []), *doubts)


@dataclass(frozen=True, eq=False)
class AlsoMarket:
    """Another symbol's unscaled market, and how the card names it."""

    market: Market
    named: Also


def prepare(request: TrainRequest, barset: BarSet, also: Sequence[BarSet] = ()) -> Prepared:
    """All that can be refused is refused here, before anything is learned or written. Raises BadInput or BadBars."""
    raw = unscaled(barset.frame, SETS[request.feature_set])
    decidable = raw.decidable(request.start, request.end)
    bounds = f" from {request.start or 'its first bar'} to {request.end or 'its last'}"
    parts = split(decidable, request.symbol + bounds)
    check_variance(raw, parts.train)
    folds = expanding(parts.train, request.folds) if request.folds else ()
    market, scaler = scaled_by(raw, parts.train)
    last = market.sessions[parts.train.stop - 1]
    others = tuple(prepare_also(request, other, last) for other in also)
    return Prepared(request, barset, raw, market, parts, scaler, folds, others)


def prepare_also(request: TrainRequest, barset: BarSet, last: date) -> AlsoMarket:
    """Another symbol to learn from up to ``last``. Raises BadInput where that is not possible."""
    symbol = check_symbol(barset.symbol)
    if symbol == request.symbol:
        raise BadInput(f"{symbol} is what is trained: name other symbols to learn from as well.")
    market = unscaled(barset.frame, SETS[request.feature_set])
    rows = market.decidable(end=last)
    if len(rows) < MIN_TRAIN:
        raise BadInput(
            f"{symbol} has {len(rows)} sessions that can be decided up to {last}, where the training of "
            f"{request.symbol} ends; {MIN_TRAIN} are needed to learn from it as well."
        )
    check_variance(market, rows)
    span = Span(market.sessions[rows.start], market.sessions[rows.stop - 1], len(rows))
    return AlsoMarket(market, Also(symbol, barset.source, barset.sha256, span))


def train(
    request: TrainRequest,
    barset: BarSet,
    *,
    registry: Registry,
    store: Store,
    clock: Callable[[], datetime],
    progress: Listener,
    also: Sequence[BarSet] = (),
    processes: int | None = None,
    tries: int = 1,
    lineage: Mapping[str, Any] | None = None,
) -> Trained:
    """Walks the folds, fits, tests once and registers; on failure nothing is left.

    ``lineage`` goes on the card (``core.lineage``).
    ``also``: bars of other symbols to learn from. ``tries``: how many trials a study made before these settings were
    chosen, itself included; they count as looks at the test. ``clock`` gives aware times for the record; the model depends
    neither on them nor on the number of processes (None: one a core).
    """
    began = time.monotonic()
    ready = prepare(request, barset, also)
    shown = TrainingProgress(request.timesteps, [fold.number for fold in ready.folds], progress)
    walked = _walk(ready, shown, processes or os.cpu_count() or 1)
    shown.walked(walked)
    seeds = member_seeds(request.seed, request.seeds)
    models = ready.procedure.models(ready.market, ready.parts.train, Terms(), seeds, shown.fitting)
    shown.testing()
    openings, content = Openings(store), content_of(ready.market, ready.parts.test)
    opening = openings.record(
        STUDY if tries > 1 else TRAIN, request.symbol, content, now=clock(), terms=Terms(), tries=tries
    )
    opened = openings.of(request.symbol, content).tries
    policy = ensemble(request.agent_type, models)
    report = judged(ready.market, ready.parts.train, ready.parts.test, request.agent_type, policy, walked)
    card = _register(registry, _Draft(ready, seeds, report, opened, tries, dict(lineage or {})), models, clock)
    openings.keep(opening, report.test.sessions[1:], returns_of(report.test.run.equity), card.model_id)
    shown.done()
    return Trained(card, report, round(time.monotonic() - began, 3), ready.notices)


def _walk(ready: Prepared, shown: TrainingProgress, processes: int) -> dict[str, WalkForward]:
    """The ensemble and its witnesses over the folds, by name; empty without folds."""
    if not ready.folds:
        return {}
    wanted = {"agent": ready.procedure, **procedures()}
    request = ready.request
    walked = walk_forwards(ready.raw, ready.folds, wanted, Terms(), request.seed, processes, shown.fold)
    return {**walked, "buy_and_hold": bought_and_held(walked["agent"], Terms().capital)}


@dataclass(frozen=True)
class _Draft:
    """A card without its model id and hashes."""

    ready: Prepared
    seeds: Sequence[int]
    report: Report
    opened: int
    tries: int
    lineage: dict[str, Any]

    def card(self, model_id: str, digests: Sequence[str], created: datetime) -> ModelCard:
        ready, request = self.ready, self.ready.request
        hyper = request.hyperparameters
        return ModelCard(
            model_id=model_id,
            agent_type=request.agent_type,
            symbol=request.symbol,
            version=model_id.removeprefix(f"{request.agent_type}_{request.symbol}_"),
            first_bar=ready.market.sessions[0],
            feature_set=request.feature_set,
            features=SETS[request.feature_set],
            scaler=ready.scaler,
            rules_version=RULES_VERSION,
            train=self._span(ready.parts.train),
            test=self._span(ready.parts.test),
            source=ready.barset.source,
            source_note=ready.barset.note,
            bars_sha256=ready.barset.sha256,
            seed=request.seed,
            timesteps=request.timesteps,
            trials=self.tries,
            opened=self.opened,
            metrics=self.report.summary(),
            packages=versions(),
            zip_sha256=digests[0],
            created=created,
            policy=hyper.policy,
            hyperparameters=hyper.to_dict(),
            members=tuple(Member(seed, digest) for seed, digest in zip(self.seeds, digests, strict=True)),
            also=tuple(other.named for other in ready.also),
            lineage=self.lineage,
        )

    def _span(self, bars: range) -> Span:
        sessions = self.ready.market.sessions
        return Span(sessions[bars.start], sessions[bars.stop - 1], len(bars))


def _register(
    registry: Registry, draft: _Draft, models: Sequence[BaseAlgorithm], clock: Callable[[], datetime]
) -> ModelCard:
    ready = draft.ready
    with registry.scratch() as folder:
        paths, digests = saved(models, folder)
        return registry.register_new(
            lambda model_id, now: draft.card(model_id, digests, now),
            ready.request.agent_type,
            ready.request.symbol,
            paths,
            ready.barset.frame,
            draft.report.document(),
            clock,
        )
