"""Small model cards and real, untrained SB3 zips for tests."""

import hashlib
import io
from datetime import UTC, date, datetime
from typing import Any

import gymnasium as gym
import numpy as np

from livetrading.adapters.packages import versions
from livetrading.core.card import ModelCard, PolicySpec, Span
from livetrading.core.features import FEATURE_SET, SETS
from livetrading.core.observe import ACCOUNT_FIELDS
from livetrading.core.rules import RULES_VERSION
from livetrading.core.scaler import Scaler
from livetrading.core.types import AgentType

WIDTH = len(SETS[FEATURE_SET]) + len(ACCOUNT_FIELDS)


class Still(gym.Env):
    """An environment of the right shapes that does nothing."""

    def __init__(self, agent_type: AgentType, width: int = WIDTH) -> None:
        self.observation_space = gym.spaces.Box(-5.0, 5.0, (width,), np.float32)
        discrete = agent_type == AgentType.PPO
        self.action_space = gym.spaces.Discrete(3) if discrete else gym.spaces.Box(-1.0, 1.0, (1,))

    def reset(self, *, seed=None, options=None):
        return np.zeros(self.observation_space.shape, np.float32), {}

    def step(self, action):
        return np.zeros(self.observation_space.shape, np.float32), 0.0, False, False, {}


def make_card(**changes: Any) -> ModelCard:
    """A valid card with ``changes``."""
    values: dict[str, Any] = {
        "agent_type": AgentType.PPO,
        "symbol": "INTC",
        "version": "v20251108_162433",
        "first_bar": date(2010, 1, 4),
        "feature_set": FEATURE_SET,
        "features": SETS[FEATURE_SET],
        "rules_version": RULES_VERSION,
        "train": Span(date(2012, 1, 3), date(2018, 12, 31), 1761),
        "test": Span(date(2019, 1, 2), date(2020, 9, 30), 441),
        "source": "sample",
        "source_note": "bundled bars to 2020-09-30",
        "bars_sha256": "a" * 64,
        "seed": 0,
        "timesteps": 50_000,
        "trials": 1,
        "opened": 1,
        "metrics": {
            "test": {
                "sharpe_ratio": 1.1,
                "calmar_ratio": None,
                "total_return_pct": 12.5,
                "max_drawdown_pct": 3.5,
                "num_trades": 40,
            },
            "buy_and_hold": {"sharpe_ratio": 0.1, "total_return_pct": 4.0},
        },
        "packages": versions(),
        "zip_sha256": "b" * 64,
        "created": datetime(2025, 11, 8, 16, 24, 33, tzinfo=UTC),
        "policy": PolicySpec((8, 8)),
        **changes,
    }
    width = len(values["features"])
    values.setdefault("scaler", Scaler((0.1,) * width, (1.0 / 3.0,) * width))
    values.setdefault("model_id", f"{values['agent_type']}_{values['symbol']}_{values['version']}")
    return ModelCard(**values)


def make_zip(agent_type: AgentType, seed: int = 0, **changes: Any) -> tuple[ModelCard, bytes, Any]:
    """A card, the bytes of its zip, and the SB3 model that was saved."""
    import torch
    from stable_baselines3 import PPO, SAC

    activation = "tanh" if agent_type == AgentType.PPO else "relu"
    card = make_card(agent_type=agent_type, policy=PolicySpec((8, 8), activation), **changes)
    env = Still(agent_type, len(card.features) + len(ACCOUNT_FIELDS))
    cls = torch.nn.Tanh if activation == "tanh" else torch.nn.ReLU
    kwargs = {"net_arch": [8, 8], "activation_fn": cls}
    algorithm = PPO if agent_type == AgentType.PPO else SAC
    model = algorithm("MlpPolicy", env, policy_kwargs=kwargs, seed=seed, device="cpu")
    target = io.BytesIO()
    model.save(target)
    content = target.getvalue()
    return make_card(**{**vars(card), "zip_sha256": hashlib.sha256(content).hexdigest()}), content, model
