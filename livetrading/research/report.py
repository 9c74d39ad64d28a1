"""What a training found: its test and training part, the folds, the witnesses and each member alone."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..adapters.policy import Ensemble
from ..core import admission
from ..core.card import ONE_SEED
from ..core.market import Market
from ..core.types import AgentType, Terms
from . import chance, witnesses
from .chance import Chance
from .evaluation import Evaluation, evaluate
from .ridge import fit_ridge
from .walk_forward import WalkForward

Doc = dict[str, Any]
RANGED = (
    "sharpe_ratio",
    "total_return_pct",
    "max_drawdown_pct",
    "win_rate_pct",
    "profit_factor",
    "num_trades",
    "exposure_pct",
)
"""Measures whose range over the members is told."""


@dataclass(frozen=True)
class Report:
    """``test`` and ``train`` are the ensemble's; ``others`` the witnesses' tests and ``members`` each member's own test;
    ``chance`` are agents without skill, ``terms`` those of all of them; ``walked`` the walk-forward of the agent and its
    witnesses by name, empty without folds."""

    test: Evaluation
    train: Evaluation
    others: dict[str, Evaluation]
    members: Sequence[Evaluation]
    walked: dict[str, WalkForward]
    chance: Chance
    terms: Terms = Terms()

    def summary(self) -> Doc:
        """The measures, for a card and for ``train --json``: ``test`` and ``buy_and_hold``, then what stands beside."""
        folds = next(iter(self.walked.values())).folds if self.walked else ()
        return {
            **self.test.summary(),
            "terms": {"capital": self.terms.capital, **asdict(self.terms.limits)},
            "train": self.train.measures,
            "witnesses": {name: found.measures for name, found in self.others.items()},
            "chance": self._lucky(),
            "members": {"count": len(self.members), "range": ranges([found.measures for found in self.members])},
            "walk_forward": {
                "folds": len(folds),
                "measures": {name: walk.measures for name, walk in self.walked.items()},
            }
            if self.walked
            else None,
        }

    def document(self) -> Doc:
        """The whole, as the registry stores it, for charts and tables."""
        return {
            **self.test.document(),
            "train": {"metrics": self.train.measures, "equity": _pairs(self.train)},
            "witnesses": {
                name: {"metrics": found.measures, "equity": _pairs(found)} for name, found in self.others.items()
            },
            "chance": {"summary": self._lucky(), "band": self.chance.band()},
            "members": [found.measures for found in self.members],
            "walk_forward": {name: walk.to_dict() for name, walk in self.walked.items()},
        }

    def _lucky(self) -> Doc:
        return self.chance.summary(self.test.measures["sharpe_ratio"])

    def warnings(self) -> list[str]:
        """What a reader must not overlook, in sentences."""
        found = []
        if idle := admission.never_traded(self.test.measures):
            found.append(idle)
        if len(self.members) == 1:
            found.append(f"{ONE_SEED} Train with --seeds 5.")
        if not self.walked:
            found.append("There were no folds: nothing but the test says how the model does on bars it has not seen.")
        return found


def judged(
    market: Market,
    train: range,
    test: range,
    agent_type: AgentType,
    policy: Ensemble,
    walked: dict[str, WalkForward],
    terms: Terms = Terms(),
) -> Report:
    """Opens the test. ``market`` is scaled by ``train``."""
    ridge = fit_ridge(market, train)
    plain = {"ridge": ridge.raw, "always_long": witnesses.always_long, "cash": witnesses.cash}
    alone = policy.members if len(policy.members) > 1 else ()
    whole = evaluate(market, test, agent_type, policy.raw, terms)
    return Report(
        test=whole,
        train=evaluate(market, train, agent_type, policy.raw, terms),
        others={name: evaluate(market, test, AgentType.PPO, raw, terms) for name, raw in plain.items()},
        members=[evaluate(market, test, agent_type, member.raw, terms) for member in alone] or [whole],
        walked=walked,
        chance=chance.agents(market, test, whole.run, terms),
        terms=terms,
    )


def ranges(measures: Sequence[Doc]) -> Doc:
    """The smallest and the largest of each measure, None where no member has it."""
    found: Doc = {}
    for key in RANGED:
        known = [values[key] for values in measures if values.get(key) is not None]
        found[key] = [min(known), max(known)] if known else None
    return found


def _pairs(found: Evaluation) -> list[list[Any]]:
    return [list(pair) for pair in zip(found.sessions, found.run.equity, strict=True)]
