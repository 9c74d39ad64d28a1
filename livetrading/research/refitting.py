"""The procedure of a tested model, fitted again on all bars: more to learn from, and no test of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from stable_baselines3.common.base_class import BaseAlgorithm

from ..adapters.bars.base import BarSet
from ..adapters.packages import versions
from ..adapters.registry import Registry
from ..core import lineage
from ..core.bars import bars_sha256
from ..core.card import Also, Member, ModelCard
from ..core.errors import BadInput
from ..core.features import SETS
from ..core.frozen import replace
from ..core.scaler import Scaler
from ..core.types import Terms
from .challenger import request_of
from .deep import Deep
from .progress import Listener
from .scaled import scaled_by, unscaled
from .training import prepare_also
from .training_progress import TrainingProgress
from .walk_forward import check_variance
from .zips import saved


@dataclass(frozen=True)
class Refitted:
    """The refit's card. ``known``: it was made before, and nothing was fitted now."""

    card: ModelCard
    known: bool


def check(card: ModelCard) -> None:
    """BadInput for a refit: its own weights were tested by nothing, so there is no procedure of a test to repeat."""
    if lineage.kind_of(card) == lineage.REFIT:
        raise BadInput(
            f"{card.model_id} is a refit itself: refit {lineage.parent_of(card)}, the model that was tested."
        )


def refit(
    card: ModelCard,
    barset: BarSet,
    *,
    registry: Registry,
    clock: Callable[[], datetime],
    progress: Listener,
    also: tuple[BarSet, ...] = (),
) -> Refitted:
    """Fit and register, or find the refit of this model on the same bars. Its test is the one of ``card``: it measured
    the procedure.

    No test is opened. On failure nothing is left. Raises BadInput for a refit, or if the bars end before that test does.
    """
    check(card)
    request = request_of(card)
    raw = unscaled(barset.frame, SETS[request.feature_set])
    rows = raw.decidable(request.start)
    if not len(rows) or raw.sessions[-1] < card.test.end:
        raise BadInput(f"The bars end at {raw.sessions[-1]}, before the test of {card.model_id} at {card.test.end}.")
    check_variance(raw, rows)
    market, scaler = scaled_by(raw, rows)
    others = tuple(prepare_also(request, other, market.sessions[rows.stop - 1]) for other in also)
    named = tuple(other.named for other in others)
    if known := _known(registry, card, bars_sha256(barset.frame), named):
        return Refitted(known, True)
    learned = tuple(other.market for other in others)
    procedure = Deep(request.agent_type, request.timesteps, request.seeds, learned, request.hyper)
    shown = TrainingProgress(request.timesteps, [], progress)
    seeds = [member.seed for member in card.members]
    models = procedure.models(market, rows, Terms(), seeds, shown.fitting)
    fitted = {
        "start": market.sessions[rows.start].isoformat(),
        "end": market.sessions[rows.stop - 1].isoformat(),
        "sessions": len(rows),
    }
    draft = _Draft(card, barset, scaler, fitted, named)
    made = _register(registry, draft, models, registry.test(card.model_id), clock)
    shown.done()
    return Refitted(made, False)


def _known(registry: Registry, card: ModelCard, digest: str, also: tuple[Also, ...]) -> ModelCard | None:
    """The newest refit of the same model on the same bars."""
    for made in registry.list():
        own = lineage.kind_of(made) == lineage.REFIT and lineage.parent_of(made) == card.model_id
        if own and (made.bars_sha256, made.also, made.rules_version) == (digest, also, card.rules_version):
            return made
    return None


@dataclass(frozen=True)
class _Draft:
    """What a refit changes of the card that it comes from."""

    card: ModelCard
    barset: BarSet
    scaler: Scaler
    fitted: dict[str, Any]
    also: tuple[Also, ...]

    @property
    def frame(self) -> pd.DataFrame:
        return self.barset.frame

    def made(self, model_id: str, digests: list[str], created: datetime) -> ModelCard:
        card = self.card
        members = tuple(Member(old.seed, digest) for old, digest in zip(card.members, digests, strict=True))
        return replace(
            card,
            model_id=model_id,
            version=model_id.removeprefix(f"{card.agent_type}_{card.symbol}_"),
            first_bar=self.frame.index[0].date(),
            scaler=self.scaler,
            source=self.barset.source,
            source_note=self.barset.note,
            bars_sha256=bars_sha256(self.frame),
            packages=versions(),
            zip_sha256=digests[0],
            created=created,
            members=members,
            also=self.also,
            lineage={"kind": lineage.REFIT, "of": lineage.tested_model(card), "fitted": self.fitted},
        )


def _register(
    registry: Registry, draft: _Draft, models: list[BaseAlgorithm], test: dict[str, Any], clock: Callable[[], datetime]
) -> ModelCard:
    card = draft.card
    with registry.scratch() as folder:
        paths, digests = saved(models, folder)
        return registry.register_new(
            lambda model_id, now: draft.made(model_id, digests, now),
            card.agent_type,
            card.symbol,
            paths,
            draft.frame,
            test,
            clock,
        )
