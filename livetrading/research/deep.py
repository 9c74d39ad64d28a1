"""The deep agents as procedures: an ensemble fitted to a part, in a fold, on the bench or for good."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from stable_baselines3.common.base_class import BaseAlgorithm

from ..adapters.policy import Ensemble, ensemble_of
from ..core.market import Market
from ..core.types import AgentType, Terms
from .environment import Task
from .fitting import HYPERPARAMETERS, Hyperparameters, Teaching, fit, lessons, member_seeds
from .scaled import scaled_by
from .walk_forward import UNWATCHED, Fitted, Watching

LEAST_ALSO = 252
"""Decided sessions below which another symbol is left out of a fold: its scaler would be of less than a year."""


@dataclass(frozen=True)
class Deep:
    """How an ensemble of ``members`` is made: algorithm, steps, and unscaled markets of other symbols to learn from.

    ``hyper``: None for the algorithm's own.
    """

    agent_type: AgentType
    timesteps: int
    members: int
    also: tuple[Market, ...] = ()
    hyper: Hyperparameters | None = None

    def __call__(self, market: Market, part: range, terms: Terms, seed: int, watching: Watching = UNWATCHED) -> Fitted:
        """See ``walk_forward.Procedure``."""
        models = self.models(market, part, terms, member_seeds(seed, self.members), watching.tell, watching.judged)
        return Fitted(self.agent_type, ensemble(self.agent_type, models).raw, {"members": len(models)})

    def models(
        self, market: Market, part: range, terms: Terms, seeds: Sequence[int], watch: Teaching, judged: range = range(0)
    ) -> list[BaseAlgorithm]:
        """One SB3 model a seed, taught by the decisions of ``part`` whose outcome lies in it as well.

        ``market`` is scaled by ``part``. Of other symbols nothing later than the part's last session is used.
        """
        hyper = self.hyper or HYPERPARAMETERS[self.agent_type]
        learned = hyper.learned_by(terms)
        task = self._task(market, part, learned)
        others = [self._task(other, rows, learned) for other, rows in self._others(market.sessions[part.stop - 1])]
        shown = lessons([self._task(market, judged, terms)]) if len(judged) > 1 else None
        return fit(lessons([task, *others], hyper.risk), task, self.timesteps, seeds, watch, shown, hyper)

    def _task(self, market: Market, part: range, terms: Terms) -> Task:
        return Task(market, part.start, part.stop - 1, self.agent_type, terms)

    def _others(self, last: date) -> list[tuple[Market, range]]:
        """Each other market up to that session, scaled by its own rows until then."""
        found = []
        for other in self.also:
            rows = other.decidable(end=last)
            if len(rows) >= LEAST_ALSO:
                found.append((scaled_by(other, rows)[0], rows))
        return found


def ensemble(agent_type: AgentType, models: Sequence[BaseAlgorithm]) -> Ensemble:
    """What the models decide together."""
    return ensemble_of(agent_type, [model.policy for model in models])
