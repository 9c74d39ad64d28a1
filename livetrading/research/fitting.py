"""PPO and SAC by Stable-Baselines3, with hyperparameters for one symbol's daily bars.

PPO: Schulman et al., "Proximal Policy Optimization Algorithms" (2017). SAC:
Haarnoja et al., "Soft Actor-Critic Algorithms and Applications" (2018). The
values were chosen on walk-forward folds inside the training part of the
bundled symbols; no test part was used.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from ..core.card import PolicySpec
from ..core.types import AgentType
from .environment import BatchTradingEnv, Task

REPORT_SECONDS = 0.2
ACTIVATIONS = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}

Steps = Callable[[int, float], None]
"""Called with the steps done and the seconds since the start."""


@dataclass(frozen=True)
class Hyperparameters:
    """Hyperparameters of one algorithm. ``episode`` is a year of decisions.

    ``reward_scale`` multiplies the rewards, daily log returns, while learning.
    """

    policy: PolicySpec
    n_envs: int
    episode: int
    reward_scale: float
    algorithm: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without the network, which has its own field in the card."""
        plain = asdict(self)
        return {**plain.pop("algorithm"), **{k: v for k, v in plain.items() if k != "policy"}}


HYPERPARAMETERS = {
    AgentType.PPO: Hyperparameters(
        policy=PolicySpec((64, 64), "tanh"),
        n_envs=16,
        episode=252,
        reward_scale=1.0,
        algorithm={
            "learning_rate": 3e-4,
            "n_steps": 128,
            "batch_size": 256,
            "n_epochs": 10,
            "gamma": 0.99,
            "gae_lambda": 0.95,
            "ent_coef": 0.01,
        },
    ),
    AgentType.SAC: Hyperparameters(
        policy=PolicySpec((64, 64), "relu"),
        n_envs=8,
        episode=252,
        # SAC adds an entropy of order 1 to the reward. Beside it, log returns that are not
        # scaled up are too small, and the agent learns to hold for ever.
        reward_scale=100.0,
        algorithm={
            "learning_rate": 1e-3,
            "batch_size": 256,
            "buffer_size": 100_000,
            "gamma": 0.95,
            "ent_coef": "auto_0.1",
            "train_freq": 1,
            "gradient_steps": 2,
            "learning_starts": 500,
        },
    ),
}


def fit(task: Task, timesteps: int, seed: int, on_steps: Steps) -> BaseAlgorithm:
    """The model after at least ``timesteps`` steps; the same for the same seed and machine."""
    torch.set_num_threads(1)
    hyper = HYPERPARAMETERS[task.agent_type]
    env = _Scaled(BatchTradingEnv(task, hyper.n_envs, seed), hyper.reward_scale)
    build = _ppo if task.agent_type == AgentType.PPO else _sac
    model = build(env, hyper, timesteps, seed)
    model.learn(timesteps, callback=_Report(on_steps))
    return model


def _ppo(env: VecEnv, hyper: Hyperparameters, timesteps: int, seed: int) -> PPO:
    """Rollouts are shortened so that a whole number of them gives about ``timesteps``."""
    chosen = dict(hyper.algorithm)
    rollouts = -(-timesteps // (chosen["n_steps"] * env.num_envs))
    chosen["n_steps"] = max(2, -(-timesteps // (rollouts * env.num_envs)))
    size = chosen["n_steps"] * env.num_envs
    # The largest divisor of the rollout up to the batch size: all minibatches are full.
    chosen["batch_size"] = max(b for b in range(1, chosen["batch_size"] + 1) if size % b == 0)
    return PPO("MlpPolicy", env, **chosen, **_common(hyper, seed))


def _sac(env: VecEnv, hyper: Hyperparameters, timesteps: int, seed: int) -> SAC:
    chosen = dict(hyper.algorithm)
    chosen["learning_starts"] = min(chosen["learning_starts"], timesteps // 4)
    return SAC("MlpPolicy", env, **chosen, **_common(hyper, seed))


def _common(hyper: Hyperparameters, seed: int) -> dict[str, Any]:
    network = {"net_arch": list(hyper.policy.net_arch), "activation_fn": ACTIVATIONS[hyper.policy.activation]}
    return {"policy_kwargs": network, "seed": seed, "device": "cpu"}


class _Scaled(VecEnvWrapper):
    """Rewards times a constant; nothing else changes."""

    def __init__(self, env: VecEnv, scale: float) -> None:
        super().__init__(env)
        self._scale = np.float32(scale)

    def reset(self) -> np.ndarray:
        return np.asarray(self.venv.reset())

    def step_wait(self) -> VecEnvStepReturn:
        observations, rewards, dones, infos = self.venv.step_wait()
        return observations, rewards * self._scale, dones, infos


class _Report(BaseCallback):
    """Reports the steps done, a few times a second."""

    def __init__(self, on_steps: Steps) -> None:
        super().__init__()
        self._on_steps = on_steps
        self._start = self._last = time.monotonic()

    def _on_step(self) -> bool:
        now = time.monotonic()
        if now - self._last >= REPORT_SECONDS:
            self._last = now
            self._on_steps(self.num_timesteps, now - self._start)
        return True
