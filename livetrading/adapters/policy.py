"""Stable-Baselines3 networks, alone or several as one, one observation at a time, without unpickling.

The network is built from the model card, and only tensors are read from the zip:
``torch.load(weights_only=True)`` reads ``policy.pth`` with torch's own
restricted reader. The zip's ``data``, pickles that ``PPO.load`` would run, is
never opened. torch is imported when a policy is built and not before.
"""

import io
import pickle
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
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


def load_policy(card: ModelCard, contents: Sequence[bytes]) -> Policy:
    """The policy of a card and the bytes of its SB3 zips, one a member. Damaged if they do not fit."""
    import torch

    torch.set_num_threads(1)
    try:
        networks = networks_of(card.model_id, card.agent_type, len(card.features), card.policy, contents)
    except BadInput as error:
        raise Damaged(f"{error}: train it again.") from error
    if card.members:
        return ensemble_of(card.agent_type, networks)
    return policy_of(card.agent_type, networks[0])


def networks_of(
    name: str, agent_type: AgentType, features: int, spec: PolicySpec, contents: Sequence[bytes]
) -> "list[BasePolicy]":
    """SB3's networks with the tensors of each zip of the model ``name``. BadInput if these are not the networks'."""
    return [_network(name, agent_type, features, spec, content) for content in contents]


def _network(name: str, agent_type: AgentType, features: int, spec: PolicySpec, content: bytes) -> "BasePolicy":
    import torch

    network = build(agent_type, features + len(ACCOUNT_FIELDS), spec)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            tensors = archive.read("policy.pth")
        state = torch.load(io.BytesIO(tensors), map_location="cpu", weights_only=True)
        network.load_state_dict(state, strict=True)
    # RuntimeError and TypeError: tensors of another shape, or no tensors at all.
    except (zipfile.BadZipFile, KeyError, RuntimeError, TypeError, pickle.UnpicklingError, EOFError) as error:
        raise BadInput(
            f"The zip of {name} does not hold the tensors that its card describes ({type(error).__name__})"
        ) from error
    if not all(bool(torch.isfinite(tensor).all()) for tensor in network.state_dict().values()):
        raise BadInput(f"The zip of {name} holds a weight that is no finite number")
    return network


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


def ensemble_of(agent_type: AgentType, networks: "Sequence[BasePolicy]") -> "Ensemble":
    """SB3's networks of equal form as one policy, in their order."""
    actors = [_actor(agent_type, network) for network in networks]
    weights = [np.stack([actor[k][0] for actor in actors]) for k in range(len(actors[0]))]
    biases = [np.stack([actor[k][1] for actor in actors]) for k in range(len(actors[0]))]
    return Ensemble(agent_type, tuple(weights), tuple(biases), _activation(agent_type, networks[0]))


def actor_layers(agent_type: AgentType, network: Any) -> tuple[list[Any], list[Any]]:
    """Where SB3 keeps the linear layers that decide: the hidden ones, and the outputs (PPO: logits; SAC: mean and
    logarithm of the deviation)."""
    import torch

    hidden, heads = (
        (network.mlp_extractor.policy_net, [network.action_net])
        if agent_type == AgentType.PPO
        else (network.actor.latent_pi, [network.actor.mu, network.actor.log_std])
    )
    return [layer for layer in hidden if isinstance(layer, torch.nn.Linear)], heads


def _actor(agent_type: AgentType, network: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weights ``(in, out)`` and biases of the hidden layers and of the output that is acted on."""
    hidden, heads = actor_layers(agent_type, network)
    return [(_float64(layer.weight).T.copy(), _float64(layer.bias)) for layer in [*hidden, heads[0]]]


def _activation(agent_type: AgentType, network: Any) -> str:
    hidden = network.mlp_extractor.policy_net if agent_type == AgentType.PPO else network.actor.latent_pi
    return type(hidden[1]).__name__.lower()


def _float64(tensor: Any) -> np.ndarray:
    values: np.ndarray = tensor.detach().numpy().astype(np.float64)
    return values


@dataclass(frozen=True, eq=False)
class Ensemble:
    """What several networks decide together: the mean of their probabilities (PPO) or of their actions (SAC).

    Float64, one observation at a time, sums in a fixed order: the same bits in the test, in a replay and live.
    ``weights`` are arrays ``(member, in, out)``, ``biases`` ``(member, out)``, hidden layers first.
    """

    agent_type: AgentType
    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]
    activation: str

    @property
    def members(self) -> "tuple[Ensemble, ...]":
        """Each member as an ensemble of its own."""
        return tuple(
            replace(
                self,
                weights=tuple(layer[k : k + 1] for layer in self.weights),
                biases=tuple(layer[k : k + 1] for layer in self.biases),
            )
            for k in range(len(self.weights[0]))
        )

    def outputs(self, obs: np.ndarray) -> np.ndarray:
        """``(member, 3)`` probabilities of SELL, HOLD and BUY, or ``(member, 1)`` actions in [-1, 1].

        Raises BadInput for another shape or a number that is not finite.
        """
        check_observation(obs, self.weights[0].shape[1])
        below = np.broadcast_to(obs.astype(np.float64), (len(self.weights[0]), len(obs)))
        # einsum adds in one order, whatever the number of threads; a matrix product need not.
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            below = np.einsum("mi,mio->mo", below, weight) + bias
            below = np.tanh(below) if self.activation == "tanh" else np.maximum(below, 0.0)
        above = np.einsum("mi,mio->mo", below, self.weights[-1]) + self.biases[-1]
        if self.agent_type == AgentType.SAC:
            return np.tanh(above)
        grown = np.exp(above - above.max(axis=1, keepdims=True))
        shares: np.ndarray = grown / grown.sum(axis=1, keepdims=True)
        return shares

    def raw(self, obs: np.ndarray) -> int | float:
        """See ``Policy``; of equal probabilities the first action counts."""
        total = np.add.accumulate(self.outputs(obs), axis=0)[-1] / len(self.weights[0])
        return int(total.argmax()) if self.agent_type == AgentType.PPO else float(total[0])


def check_observation(obs: np.ndarray, width: int) -> None:
    """Raises BadInput unless it is ``(width,)`` float32 and finite."""
    if obs.shape != (width,) or obs.dtype != np.float32 or not np.isfinite(obs).all():
        raise BadInput(
            f"an observation of shape {obs.shape} and type {obs.dtype} does not fit the policy: "
            f"give {width} finite float32 numbers."
        )


class _Single:
    """Passes one observation as a batch of one, the shape that SB3 uses."""

    def __init__(self, network: Any) -> None:
        import torch

        self._torch = torch
        self._network = network
        self._shape = network.observation_space.shape

    def _batch(self, obs: np.ndarray) -> Any:
        check_observation(obs, self._shape[0])
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
