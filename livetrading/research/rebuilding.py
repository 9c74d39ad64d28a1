"""A network of elsewhere as a zip of our own: what is stored was written here, the tensors' values apart.

The zip that came may carry pickles that ``PPO.load`` would run. Nothing of it is kept but numbers that were checked.
"""

import io

from stable_baselines3.common.policies import BasePolicy

from ..core.card import PolicySpec
from ..core.market import Market
from ..core.types import AgentType
from .environment import Task
from .fitting import Hyperparameters, untaught
from .learner import Rates
from .zips import save


def rebuilt(
    agent_type: AgentType, spec: PolicySpec, market: Market, part: range, network: BasePolicy, timesteps: int
) -> bytes:
    """The zip of a new model with the network's tensors; the same bytes for the same tensors.

    ``market`` and ``part`` give the spaces alone. ``PPO.load`` and ``SAC.load`` open it.
    """
    task = Task(market, part.start, part.stop - 1, agent_type)
    model = untaught(task, Hyperparameters(spec, Rates()), 0)
    model.policy.load_state_dict(network.state_dict(), strict=True)
    model.num_timesteps = timesteps
    target = io.BytesIO()
    save(model, target)
    return target.getvalue()
