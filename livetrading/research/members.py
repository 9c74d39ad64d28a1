"""The networks of several members as one: their weights stacked, so that one matrix product serves them all.

Each member begins and ends as an ordinary Stable-Baselines3 model. Of its actor the plain layers are taken, stacked,
learned and put back. A member's probabilities of SELL, HOLD and BUY are exact for both algorithms: PPO's softmax, and
for SAC the probability that the squashed Gaussian falls into each third of [-1, 1].
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from torch import Tensor

from ..adapters.policy import actor_layers
from ..core.decide import SAC_THRESHOLD
from ..core.observe import ACCOUNT_FIELDS
from ..core.types import AgentType

IN_POSITION = ACCOUNT_FIELDS.index("in_position")
EDGE = math.atanh(SAC_THRESHOLD)
"""Where SAC's thirds meet, before the tanh."""
LOG_STD = (-5.0, 2.0)
RAREST = 1e-7
"""No probability counts as smaller, so that its logarithm stays finite in float32."""


class Members:
    """Stacked actors of equal form: each weight ``(member, in, out)``, each bias ``(member, 1, out)``, float32."""

    def __init__(self, agent_type: AgentType, models: Sequence[BaseAlgorithm], activation: str) -> None:
        self.agent_type = agent_type
        self._models = models
        # In place: what a layer adds up is not needed any more, and memory is what a step waits for.
        self._activation = {"tanh": torch.tanh_, "relu": torch.relu_}[activation]
        actors = [_layers(agent_type, model) for model in models]
        self._hidden = len(actor_layers(agent_type, models[0].policy)[0])
        self.weights = [_stacked([actor[k].weight.T for actor in actors]) for k in range(len(actors[0]))]
        with torch.no_grad():
            for field in range(len(ACCOUNT_FIELDS)):
                if field != IN_POSITION:
                    self.weights[0][:, field - len(ACCOUNT_FIELDS)] = 0.0
        self.biases = [_stacked([actor[k].bias[None] for actor in actors]) for k in range(len(actors[0]))]

    @property
    def parameters(self) -> list[Tensor]:
        return [*self.weights, *self.biases]

    def log_probabilities(self, features: Tensor) -> Tensor:
        """``(member, n, features)`` or ``(n, features)`` -> ``(member, n, state, action)``, states flat and long.

        Of the account the members see whether shares are held, and zeros for the rest.
        """
        width = features.shape[-1]
        first = self.weights[0]
        flat = torch.matmul(features, first[:, :width]) + self.biases[0]
        held = first[:, width + IN_POSITION]
        both = flat[:, :, None] + torch.stack([torch.zeros_like(held), held], dim=1)[:, None]  # (member, n, state, out)
        below = self._activation(both.flatten(1, 2))
        for weight, bias in zip(self.weights[1 : self._hidden], self.biases[1 : self._hidden], strict=True):
            below = self._activation(torch.baddbmm(bias, below, weight))
        heads = [torch.baddbmm(self.biases[k], below, self.weights[k]) for k in range(self._hidden, len(self.weights))]
        found = torch.log_softmax(heads[0], dim=-1) if self.agent_type == AgentType.PPO else thirds(*heads)
        return found.unflatten(1, (-1, 2))

    def put_back(self) -> None:
        """Writes the weights into the members' models."""
        with torch.no_grad():
            for number, model in enumerate(self._models):
                for k, layer in enumerate(_layers(self.agent_type, model)):
                    layer.weight.copy_(self.weights[k][number].T)
                    layer.bias.copy_(self.biases[k][number, 0])


def thirds(mean: Tensor, log_std: Tensor) -> Tensor:
    """``(..., 1)`` each -> ``(..., 3)``: the logarithms of the probabilities that tanh of the Gaussian is SELL, HOLD, BUY."""
    spread = torch.exp(torch.clamp(log_std, *LOG_STD))
    sell = torch.special.ndtr((-EDGE - mean) / spread)
    buy = torch.special.ndtr((mean - EDGE) / spread)
    chances = torch.cat([sell, 1.0 - sell - buy, buy], dim=-1).clamp_min(RAREST)
    return torch.log(chances / chances.sum(dim=-1, keepdim=True))


def _layers(agent_type: AgentType, model: BaseAlgorithm) -> list[Any]:
    hidden, heads = actor_layers(agent_type, model.policy)
    return [*hidden, *heads]


def _stacked(parts: list[Tensor]) -> Tensor:
    return torch.stack([part.detach().clone() for part in parts]).requires_grad_()
