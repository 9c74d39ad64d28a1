"""Stable-Baselines3 networks, one observation at a time, without unpickling.

The network is built from the model card, and only tensors are read from the zip:
``torch.load(weights_only=True)`` reads ``policy.pth`` with torch's own
restricted reader. The zip's ``data``, pickles that ``PPO.load`` would run, is
never opened. torch is imported when a policy is built and not before.
"""

import io
import pickle
import zipfile
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..core.card import ModelCard, PolicySpec
from ..core.errors import BadInput, Damaged
from ..core.observe import ACCOUNT_FIELDS, CLIP
from ..core.types import AgentType

if TYPE_CHECKING:
    from stable_baselines3.common.policies import BasePolicy


class Policy(Protocol):
    """A trained network; ``core.decide.action_of`` says what its output means."""

    def raw(self, obs: np.ndarray) -> int | float:
        """The deterministic output for one float32 observation of shape (n,).

        PPO: 0, 1 or 2. SAC: a float in [-1, 1]. Raises BadInput for another
        shape or a number that is not finite.
        """
        ...


def load_policy(card: ModelCard, content: bytes) -> Policy:
    """The policy of a card and the bytes of its SB3 zip. Damaged if they do not fit."""
    import torch

    torch.set_num_threads(1)
    network = build(card.agent_type, len(card.features) + len(ACCOUNT_FIELDS), card.policy)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            tensors = archive.read("policy.pth")
        state = torch.load(io.BytesIO(tensors), map_location="cpu", weights_only=True)
        network.load_state_dict(state, strict=True)
    # RuntimeError and TypeError: tensors of another shape, or no tensors at all.
    except (zipfile.BadZipFile, KeyError, RuntimeError, TypeError, pickle.UnpicklingError, EOFError) as error:
        raise Damaged(
            f"The zip of {card.model_id} does not hold the tensors that its card describes "
            f"({type(error).__name__}): train it again."
        ) from error
    return policy_of(card.agent_type, network)


def build(agent_type: AgentType, width: int, spec: PolicySpec) -> "BasePolicy":
    """SB3's untrained network for observations of ``width`` float32 numbers.

    Does not change the state of torch's random numbers.
    """
    import torch
    from gymnasium import spaces

    activation = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}[spec.activation]
    observations = spaces.Box(-CLIP, CLIP, (width,), np.float32)
    layers = list(spec.net_arch)
    with torch.random.fork_rng(devices=[]):
        if agent_type == AgentType.PPO:
            from stable_baselines3.ppo.policies import MlpPolicy as PpoNetwork

            three = spaces.Discrete(3)
            return PpoNetwork(observations, three, lambda _: 0.0, net_arch=layers, activation_fn=activation)
        from stable_baselines3.sac.policies import MlpPolicy as SacNetwork

        target = spaces.Box(-1.0, 1.0, (1,), np.float32)
        return SacNetwork(observations, target, lambda _: 0.0, net_arch=layers, activation_fn=activation)


def policy_of(agent_type: AgentType, network: "BasePolicy") -> Policy:
    """SB3's network as a Policy, with the same output bits as its ``predict(deterministic=True)``."""
    network.set_training_mode(False)
    return _Ppo(network) if agent_type == AgentType.PPO else _Sac(network)


class _Single:
    """Passes one observation as a batch of one, the shape that SB3 uses."""

    def __init__(self, network: Any) -> None:
        import torch

        self._torch = torch
        self._network = network
        self._shape = network.observation_space.shape

    def _batch(self, obs: np.ndarray) -> Any:
        if obs.shape != self._shape or obs.dtype != np.float32 or not np.isfinite(obs).all():
            raise BadInput(
                f"an observation of shape {obs.shape} and type {obs.dtype} does not fit the policy: "
                f"give {self._shape[0]} finite float32 numbers."
            )
        return self._torch.from_numpy(obs.reshape(1, -1).copy())


class _Ppo(_Single):
    def raw(self, obs: np.ndarray) -> int:
        torch, network = self._torch, self._network
        with torch.inference_mode():
            logits = network.action_net(network.mlp_extractor.policy_net(self._batch(obs)))
            # The steps of torch's Categorical, whose mode SB3 takes: two logits
            # that differ in the last bit can have equal probabilities.
            logits = logits - logits.logsumexp(dim=-1, keepdim=True)
            return int(torch.nn.functional.softmax(logits, dim=-1).argmax(dim=-1))


class _Sac(_Single):
    def raw(self, obs: np.ndarray) -> float:
        torch, network = self._torch, self._network
        with torch.inference_mode():
            actor = network.actor
            squashed = torch.tanh(actor.mu(actor.latent_pi(self._batch(obs))))
            return float(network.unscale_action(squashed.numpy()).item())
