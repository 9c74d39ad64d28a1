"""What stands on the bench: each makes a policy of a training part, by the name that the tables use."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from livetrading.core.market import Market
from livetrading.core.types import AgentType, Terms
from livetrading.research import witnesses
from livetrading.research.walk_forward import Fitted

ALGORITHMS = {"ppo": AgentType.PPO, "sac": AgentType.SAC}
CHANCE = (0.1, 0.1)
"""A random agent's probabilities of BUY and SELL: it holds half of the time, ten sessions at once."""


@dataclass(frozen=True)
class Size:
    """Of a deep agent's fit."""

    timesteps: int
    members: int


def fitted(name: str, market: Market, part: range, terms: Terms, seed: int, how: Size) -> Fitted:
    """The policy of a procedure of that name; KeyError for a name that there is not."""
    if name in ALGORITHMS:
        return _deep(ALGORITHMS[name], market, part, terms, seed, how)
    if name in OWN:
        return OWN[name](market, part, seed)
    return witnesses.procedures()[name](market, part, terms, seed)


def _tree(market: Market, part: range, seed: int) -> Fitted:
    from .tree import fit_tree

    found = fit_tree(market, part)
    return Fitted(AgentType.PPO, found.raw, {"rounds": found.rounds})


def _random(market: Market, part: range, seed: int) -> Fitted:
    return Fitted(AgentType.PPO, witnesses.RandomAgent(seed, *CHANCE).raw, {})


OWN: dict[str, Callable[[Market, range, int], Fitted]] = {"tree": _tree, "random": _random}
"""What the product does not have."""
PLAIN = (*witnesses.procedures(), *OWN)


def _deep(agent_type: AgentType, market: Market, part: range, terms: Terms, seed: int, how: Size) -> Fitted:
    """As ``research.training`` fits: an ensemble, from the same seeds."""
    from livetrading.research.deep import Deep

    return Deep(agent_type, how.timesteps, how.members)(market, part, terms, seed)


def settings_hash(name: str, how: Size) -> str:
    """What a stored result of this procedure depends on: other settings, another hash."""
    known: dict[str, Any] = {"procedure": name, "numpy": np.__version__.split(".")[0]}
    if name in ALGORITHMS:
        from livetrading.research.fitting import HYPERPARAMETERS

        settings = HYPERPARAMETERS[ALGORITHMS[name]]
        known |= {
            "timesteps": how.timesteps,
            "members": how.members,
            **settings.to_dict(),
            "network": [list(settings.policy.net_arch), settings.policy.activation],
        }
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]
