"""A challenger: a model made by the procedure of another on later bars, and the declared comparison of the two."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pandas as pd

from ..adapters.openings import CHALLENGE, Openings
from ..adapters.policy import Policy
from ..adapters.registry import check_rules
from ..adapters.store import Store
from ..core import challenge, lineage, market
from ..core.card import ModelCard
from ..core.challenge import Rule
from ..core.errors import BadBars, BadInput, Conflict
from ..core.range_content import content_of
from ..core.significance import returns_of
from ..core.types import Terms
from .comparison import paired
from .evaluation import Evaluation, evaluate
from .fitting import stored
from .training import TrainRequest


def request_of(card: ModelCard) -> TrainRequest:
    """The training that made this model. Raises BadInput where that is not known, Refused for other features or rules."""
    check_rules(card)
    if lineage.kind_of(card) == lineage.IMPORTED:
        raise BadInput(f"{card.model_id} was trained elsewhere: the procedure that made it is not known here.")
    if not card.members:
        raise BadInput(
            f"{card.model_id} was made by the procedure of an earlier version, which is gone: train it anew."
        )
    folds = (card.metrics.get("walk_forward") or {}).get("folds", 0)
    return TrainRequest(
        card.symbol,
        card.agent_type,
        card.timesteps,
        card.seed,
        card.train.start,
        None,
        card.feature_set,
        card.seeds,
        int(folds),
        stored(card),
    )


def declared(card: ModelCard, own: pd.DataFrame, fresh: pd.DataFrame, horizon: int) -> dict[str, Any]:
    """The lineage of a challenger, before it is made. Raises BadInput if the source has no later bar than the model."""
    last, before = fresh.index[-1].date(), own.index[-1].date()
    if last <= before:
        raise BadInput(
            f"The source's bars end at {last} and those of {card.model_id} at {before}: there is nothing newer to"
            " train on."
        )
    rule = Rule(last, horizon)
    return {"kind": lineage.CHALLENGER, "of": card.model_id, "rule": rule.to_dict(card.model_id)}


@dataclass(frozen=True, eq=False)
class Contender:
    """A model and its policy."""

    card: ModelCard
    policy: Policy


@dataclass(frozen=True, eq=False)
class Standing:
    """How the comparison stands: ``sessions`` there are so far; figures only once the horizon is reached."""

    rule: Rule
    sessions: Sequence[date]
    first: Evaluation | None = None
    other: Evaluation | None = None
    difference: dict[str, Any] | None = None

    @property
    def decided(self) -> bool:
        return self.difference is not None

    @property
    def ahead(self) -> bool | None:
        """Whether the challenger is ahead by the rule; None while it is not decided."""
        return None if self.difference is None else challenge.verdict(self.difference)


def standing(
    first: Contender, other: Contender, frame: pd.DataFrame, store: Store, clock: Callable[[], datetime]
) -> Standing:
    """Compare a model with its challenger by the rule on the challenger's card. ``frame``: bars with the horizon.

    Before the horizon is over nothing is run and nothing looked at: to look early and often is to choose by luck.
    """
    if lineage.kind_of(other.card) != lineage.CHALLENGER or lineage.parent_of(other.card) != first.card.model_id:
        raise Conflict(f"{other.card.model_id} is no challenger of {first.card.model_id}.")
    rule = challenge.stored(other.card.lineage)
    later = [day for day in frame.index.date if day > rule.after][: rule.horizon]
    if len(later) < rule.horizon:
        return Standing(rule, later)
    runs = [_run(contender, frame, later, store, clock) for contender in (first, other)]
    difference = paired(returns_of(runs[0].run.equity), returns_of(runs[1].run.equity))
    return Standing(rule, later, runs[0], runs[1], difference)


def _run(
    contender: Contender, frame: pd.DataFrame, days: Sequence[date], store: Store, clock: Callable[[], datetime]
) -> Evaluation:
    """One model over the horizon, from a flat start at the close before it."""
    card = contender.card
    if card.first_bar not in frame.index.date:
        raise BadBars(f"The bars lack {card.first_bar}, from which the features of {card.model_id} are computed.")
    view = market.build(frame.loc[pd.Timestamp(card.first_bar) :], card.scaler, card.features)
    start = view.index(days[0]) - 1
    bars = range(start, view.index(days[-1]) + 1)
    known, content = Openings(store), content_of(view, range(start + 1, bars.stop))
    look = known.record(CHALLENGE, card.symbol, content, now=clock(), model_id=card.model_id, terms=Terms())
    made = evaluate(view, bars, card.agent_type, contender.policy.raw, Terms())
    known.keep(look, made.sessions[1:], returns_of(made.run.equity))
    return made
