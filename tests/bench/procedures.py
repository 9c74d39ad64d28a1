"""What stands on the bench: each makes a policy of a training part, by the name that the tables use."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from livetrading.core.market import Market
from livetrading.core.types import AgentType, Terms
from livetrading.research import witnesses
from livetrading.research.ridge import fit_ridge
from livetrading.research.walk_forward import Fitted

ALGORITHMS = {"ppo": AgentType.PPO, "sac": AgentType.SAC}
CHANCE = (0.1, 0.1)
"""A random agent's probabilities of BUY and SELL: it holds half of the time, ten sessions at once."""


def fitted(name: str, market: Market, part: range, terms: Terms, seed: int, timesteps: int) -> Fitted:
    """The policy of a procedure of that name; KeyError for a name that there is not."""
    if name in ALGORITHMS:
        return _deep(ALGORITHMS[name], market, part, terms, seed, timesteps)
    return PLAIN[name](market, part, seed)


def _ridge(market: Market, part: range, seed: int) -> Fitted:
    found = fit_ridge(market, part)
    return Fitted(AgentType.PPO, found.raw, {"penalty": found.penalty})


def _tree(market: Market, part: range, seed: int) -> Fitted:
    from .tree import fit_tree

    found = fit_tree(market, part)
    return Fitted(AgentType.PPO, found.raw, {"rounds": found.rounds})


def _always_long(market: Market, part: range, seed: int) -> Fitted:
    return Fitted(AgentType.PPO, witnesses.always_long, {})


def _cash(market: Market, part: range, seed: int) -> Fitted:
    return Fitted(AgentType.PPO, witnesses.cash, {})


def _random(market: Market, part: range, seed: int) -> Fitted:
    return Fitted(AgentType.PPO, witnesses.RandomAgent(seed, *CHANCE).raw, {})


PLAIN: dict[str, Callable[[Market, range, int], Fitted]] = {
    "ridge": _ridge,
    "tree": _tree,
    "always_long": _always_long,
    "cash": _cash,
    "random": _random,
}


def _deep(agent_type: AgentType, market: Market, part: range, terms: Terms, seed: int, timesteps: int) -> Fitted:
    """As ``research.training`` fits today: one member, the settings of ``research.fitting``."""
    from livetrading.adapters.policy import policy_of
    from livetrading.research.environment import Task
    from livetrading.research.fitting import HYPERPARAMETERS, fit

    task = Task(
        market, part.start, part.stop - 1, agent_type, terms, HYPERPARAMETERS[agent_type].episode, random_start=True
    )
    model = fit(task, timesteps, seed, lambda steps, seconds: None)
    return Fitted(agent_type, policy_of(agent_type, model.policy).raw, {"explained_variance": _explained(model)})


def _explained(model: Any) -> float | None:
    """Of the last rollout, as Stable-Baselines3 logs it; None without a value network."""
    buffer = getattr(model, "rollout_buffer", None)
    if buffer is None:
        return None
    from stable_baselines3.common.utils import explained_variance

    return float(explained_variance(buffer.values.flatten(), buffer.returns.flatten()))


def settings_hash(name: str, timesteps: int) -> str:
    """What a stored result of this procedure depends on: other settings, another hash."""
    known: dict[str, Any] = {"procedure": name, "numpy": np.__version__.split(".")[0]}
    if name in ALGORITHMS:
        from livetrading.research.fitting import HYPERPARAMETERS

        settings = HYPERPARAMETERS[ALGORITHMS[name]]
        known |= {
            "timesteps": timesteps,
            **settings.to_dict(),
            "network": [list(settings.policy.net_arch), settings.policy.activation],
        }
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]
