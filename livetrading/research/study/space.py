"""What a study chooses among, and the settings that a trial's parameters stand for.

Every parameter belongs to what is learned or learned from; how a policy is judged is no choice (``core.types.Terms``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from ...core.card import PolicySpec
from ...core.features import FEATURE_SET, PRICE_SET
from ...core.types import AgentType
from ..fitting import HYPERPARAMETERS, Hyperparameters

NETWORKS: dict[str, tuple[int, ...]] = {"32x32": (32, 32), "64x64": (64, 64), "128x64": (128, 64)}
FEATURES = {"all": FEATURE_SET, "price": PRICE_SET}
Params = dict[str, Any]
_ROUNDED = 6
"""Digits: what a card says is what was tried, and short enough to read."""


@dataclass(frozen=True)
class Choice:
    """The settings of one trial."""

    agent_type: AgentType
    feature_set: str
    hyper: Hyperparameters


def distributions(agents: Sequence[str], features: Sequence[str]) -> dict[str, BaseDistribution]:
    """The parameters by name; ``agents`` and ``features`` bound what may be chosen of these two."""
    return {
        "agent": CategoricalDistribution(tuple(agents)),
        "features": CategoricalDistribution(tuple(features)),
        "network": CategoricalDistribution(tuple(NETWORKS)),
        "activation": CategoricalDistribution(("tanh", "relu")),
        "learning_rate": FloatDistribution(1e-3, 1e-2, log=True),
        "weight_decay": FloatDistribution(0.5, 20.0, log=True),
        "noise": FloatDistribution(0.0, 0.8),
        "entropy": FloatDistribution(1e-3, 0.1, log=True),
        "gamma": FloatDistribution(0.5, 0.98),
        "risk": FloatDistribution(0.0, 5.0),
        "cost_multiple": FloatDistribution(0.5, 3.0),
        "pauses": CategoricalDistribution((True, False)),
    }


def usual(agents: Sequence[str], features: Sequence[str]) -> Params:
    """The parameters of a training without a study: the first trial of each, so that none chooses less."""
    hyper = HYPERPARAMETERS[AgentType(agents[0])]
    rates, network = hyper.rates, {widths: name for name, widths in NETWORKS.items()}
    return {
        "agent": agents[0],
        "features": features[0],
        "network": network[hyper.policy.net_arch],
        "activation": hyper.policy.activation,
        "learning_rate": rates.learning_rate,
        "weight_decay": rates.weight_decay,
        "noise": rates.noise,
        "entropy": rates.entropy,
        "gamma": rates.gamma,
        "risk": hyper.risk,
        "cost_multiple": hyper.cost_multiple,
        "pauses": hyper.pauses,
    }


def choice(params: Mapping[str, Any]) -> Choice:
    """The settings that a trial's parameters stand for."""
    agent_type = AgentType(params["agent"])
    numbers = {name: round(value, _ROUNDED) for name, value in params.items() if isinstance(value, float)}
    rates = replace(
        HYPERPARAMETERS[agent_type].rates,
        learning_rate=numbers["learning_rate"],
        weight_decay=numbers["weight_decay"],
        noise=numbers["noise"],
        entropy=numbers["entropy"],
        gamma=numbers["gamma"],
    )
    policy = PolicySpec(NETWORKS[params["network"]], params["activation"])
    hyper = Hyperparameters(policy, rates, numbers["risk"], numbers["cost_multiple"], bool(params["pauses"]))
    return Choice(agent_type, FEATURES[params["features"]], hyper)
