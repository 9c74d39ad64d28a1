"""PPO and SAC members for one symbol's daily bars: built, taught and handed back as Stable-Baselines3 models.

``learner`` says how they learn. The values here were chosen on planted series and on walk-forward folds inside
training parts (docs/TRAINING.md has the table of what was tried); no test part was used.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.base_class import BaseAlgorithm

from ..core.card import ModelCard, PolicySpec
from ..core.errors import BadInput
from ..core.types import AgentType, Limits, Terms
from .all_actions import AllActions, all_actions, joined
from .environment import Task, TradingEnv
from .evaluation import NO_LIMIT
from .learner import Rates, Taught, learn
from .members import Members

ACTIVATIONS = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}
STEPS_AN_UPDATE = 500
"""How many ``timesteps`` one gradient step over all bars counts for: 50,000 steps are 100 of them."""


@dataclass(frozen=True)
class Hyperparameters:
    """Hyperparameters of one algorithm; ``rates.updates`` follows from the number of steps.

    The rest is about what is learned from, never about how a policy is judged. ``risk``: reward r counts as
    r - risk / 2 * r^2 (mean-variance utility; G. Ritter, "Machine Learning for Trading", 2017). ``cost_multiple``:
    trades cost so many times as much; ``pauses``: whether the drawdown limit pauses entries.
    """

    policy: PolicySpec
    rates: Rates
    risk: float = 0.0
    cost_multiple: float = 1.0
    pauses: bool = True

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without the network, which has its own field in the card."""
        rates = {k: v for k, v in asdict(self.rates).items() if k not in ("updates", "limits")}
        return {**rates, "risk": self.risk, "cost_multiple": self.cost_multiple, "pauses": self.pauses}

    def learned_by(self, terms: Terms) -> Terms:
        """The terms of the accounts that a policy learns by, which will be judged by ``terms``."""
        costs = replace(terms.costs, multiple=terms.costs.multiple * self.cost_multiple)
        limits = terms.limits if self.pauses else replace(terms.limits, max_drawdown=NO_LIMIT)
        return replace(terms, costs=costs, limits=limits)

    def of(self, timesteps: int, limits: Limits) -> Rates:
        """The rates of a fit of so many steps by accounts with these limits."""
        return replace(self.rates, updates=-(-timesteps // STEPS_AN_UPDATE), limits=limits)


HYPERPARAMETERS = {
    AgentType.PPO: Hyperparameters(PolicySpec((64, 64), "tanh"), Rates()),
    AgentType.SAC: Hyperparameters(PolicySpec((64, 64), "tanh"), Rates()),
}


def stored(card: ModelCard) -> Hyperparameters:
    """Those that a model of this version's procedures was made with. What its card does not say yet is the default;
    BadInput if it says what is not known here."""
    usual = HYPERPARAMETERS[card.agent_type]
    known = usual.to_dict()
    if unknown := sorted(set(card.hyperparameters) - set(known)):
        raise BadInput(
            f"{card.model_id} was made with {', '.join(unknown)}, which a training of this version does not know: train it"
            " anew."
        )
    values = {**known, **card.hyperparameters}
    own = {name: values.pop(name) for name in ("risk", "cost_multiple", "pauses")}
    return Hyperparameters(card.policy, replace(usual.rates, **values), **own)


@dataclass(frozen=True, eq=False)
class Lessons:
    """What is learned from: scaled rows of decisions ``(n, features)`` float32, and what every action was worth there."""

    features: np.ndarray
    table: AllActions


def lessons(tasks: Sequence[Task], risk: float = 0.0) -> Lessons:
    """Of the decisions of one task or of several symbols'; each market is scaled by its own rows already.

    ``risk``: see ``Hyperparameters``.
    """
    rows = [task.market.scaled[task.first : task.last] for task in tasks]
    table = joined([all_actions(task) for task in tasks])
    if risk:
        table = replace(table, reward=table.reward - risk / 2.0 * np.square(table.reward))
    return Lessons(np.concatenate(rows).astype(np.float32), table)


def member_seeds(seed: int, count: int) -> tuple[int, ...]:
    """Seeds of an ensemble's members, spawned from one: two ensembles' members have none in common.

    NumPy's SeedSequence: https://numpy.org/doc/stable/reference/random/parallel.html
    """
    return tuple(int(child.generate_state(1)[0]) for child in np.random.SeedSequence(seed).spawn(count))


Teaching = Callable[[Taught], None]
"""Called after each valuation of the members."""


def fit(
    given: Lessons,
    task: Task,
    timesteps: int,
    seeds: Sequence[int],
    watch: Teaching = lambda taught: None,
    validation: Lessons | None = None,
    hyper: Hyperparameters | None = None,
) -> list[BaseAlgorithm]:
    """One model a seed, taught together; the same for the same seeds and machine.

    ``task`` gives the spaces and the algorithm. On ``validation`` the members are only watched. ``hyper``: None for
    the algorithm's own.
    """
    torch.set_num_threads(1)
    hyper = hyper or HYPERPARAMETERS[task.agent_type]
    models = [untaught(task, hyper, seed) for seed in seeds]
    members = Members(task.agent_type, models, hyper.policy.activation)
    shown = None if validation is None else (validation.features, validation.table)
    learn(members, given.features, given.table, hyper.of(timesteps, task.terms.limits), seeds, watch, shown)
    for model in models:
        model.num_timesteps = timesteps
    return models


def untaught(task: Task, hyper: Hyperparameters, seed: int) -> BaseAlgorithm:
    """SB3's model with its own initial weights; those of its critic stay as they are, nothing asks them."""
    network = {"net_arch": list(hyper.policy.net_arch), "activation_fn": ACTIVATIONS[hyper.policy.activation]}
    common: dict[str, Any] = {"policy_kwargs": network, "seed": seed, "device": "cpu"}
    rates = hyper.rates
    env = TradingEnv(task)
    if task.agent_type == AgentType.PPO:
        return PPO(
            "MlpPolicy",
            env,
            n_steps=64,
            batch_size=64,
            learning_rate=rates.learning_rate,
            n_epochs=rates.epochs,
            gamma=rates.gamma,
            clip_range=rates.clip,
            ent_coef=rates.entropy,
            **common,
        )
    return SAC("MlpPolicy", env, buffer_size=1, learning_rate=rates.learning_rate, gamma=rates.gamma, **common)
