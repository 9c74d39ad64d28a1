"""The market as a learning problem: one account (Gymnasium) or n at once (SB3's VecEnv).

Both run the rules of ``core``; given the same actions they make the same fills,
money and observations, to the bit. A step decides at the close of bar t, fills
at the open of t+1 and is rewarded with the log of equity over the last equity
at the close of t+1. Episodes end at the last bar without a closing sale.
"""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv

from ..core import decide, rules
from ..core.errors import BadInput
from ..core.market import Market
from ..core.observe import ACCOUNT_FIELDS, observe
from ..core.rules import Account, Num
from ..core.types import AgentType, Terms

WORST_RATIO = 1e-6
"""The ratio of equities is at least this, so that the reward of a lost account is bounded."""


@dataclass(frozen=True)
class Task:
    """The task of learning: decisions at bars ``first`` to ``last - 1`` of a market.

    ``episode`` bounds an episode's decisions (None: up to ``last``);
    ``random_start`` draws its first bar.
    """

    market: Market
    first: int
    last: int
    agent_type: AgentType
    terms: Terms = Terms()
    episode: int | None = None
    random_start: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.first < self.last < len(self.market):
            raise BadInput(f"bars {self.first} to {self.last} of {len(self.market)} leave no step to learn from.")

    @property
    def observation_space(self) -> spaces.Box:
        shape = (self.market.scaled.shape[1] + len(ACCOUNT_FIELDS),)
        return spaces.Box(-5.0, 5.0, shape, np.float32)

    @property
    def action_space(self) -> spaces.Space:
        if self.agent_type == AgentType.PPO:
            return spaces.Discrete(3)
        return spaces.Box(-1.0, 1.0, (1,), np.float32)

    def start(self, rng: np.random.Generator) -> int:
        """The first bar of an episode."""
        if not self.random_start:
            return self.first
        span = min(self.episode or 1, self.last - self.first)
        return int(rng.integers(self.first, self.last - span + 1))

    def end(self, start: int) -> int:
        """The bar at whose close an episode that began at ``start`` ends."""
        return self.last if self.episode is None else min(self.last, start + self.episode)

    def view(self, account: Account, t: int | np.ndarray) -> np.ndarray:
        """What the agent sees at the close of bar t."""
        return observe(self.market.scaled[t], account, self.market.columns.close[t])

    def step(self, account: Account, t: int | np.ndarray, action: Num) -> tuple[Account, rules.Session, Num]:
        """Decide at the close of t and run session t+1: account, its fills, reward."""
        close, atr = self.market.columns.close[t], self.market.atr[t]
        chosen = decide.action_of(self.agent_type, action)
        # A pause by the drawdown limit waits for a person, so training runs without it.
        intent = decide.intend(chosen, account, close, atr, False, self.terms.limits, self.terms.costs)
        before = rules.equity_of(account, close)
        after, session = rules.step(account, intent.plan, self.market.quote(t + 1), self.terms.costs)
        return after, session, np.log(np.maximum(session.equity / before, WORST_RATIO))


class TradingEnv(gym.Env[np.ndarray, Any]):
    """One account. ``info`` carries the account and the session's fills."""

    metadata = {"render_modes": []}  # noqa: RUF012 - the class variable that gymnasium declares

    def __init__(self, task: Task) -> None:
        self.task = task
        self.observation_space = task.observation_space
        self.action_space = task.action_space
        self._t = self._end = task.first
        self._account = rules.open_account(task.terms.capital)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self._t = self.task.start(self.np_random)
        self._end = self.task.end(self._t)
        self._account = rules.open_account(self.task.terms.capital)
        return self.task.view(self._account, self._t), {"t": self._t}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        value = np.asarray(action).reshape(-1)[0]
        self._account, session, reward = self.task.step(self._account, self._t, value)
        self._t += 1
        broke = bool(session.equity <= 0)
        info = {"t": self._t, "account": self._account, "session": session}
        view = self.task.view(self._account, self._t)
        return view, float(reward), broke, not broke and self._t >= self._end, info


class BatchTradingEnv(VecEnv):
    """n accounts at once, each at its own bar; the arithmetic runs over arrays."""

    render_mode = None

    def __init__(self, task: Task, n: int, seed: int = 0) -> None:
        super().__init__(n, task.observation_space, task.action_space)
        self.task = task
        self._rng = np.random.default_rng(seed)
        self._t = np.zeros(n, dtype=np.int64)
        self._end = np.zeros(n, dtype=np.int64)
        self._account = rules.open_account(np.full(n, task.terms.capital))
        self._actions: np.ndarray = np.zeros(n)
        self.last_session: rules.Session | None = None
        self.last_account = self._account

    def _restart(self, which: np.ndarray) -> None:
        for i in np.flatnonzero(which):
            self._t[i] = self.task.start(self._rng)
            self._end[i] = self.task.end(self._t[i])
        fresh = rules.open_account(np.full(self.num_envs, self.task.terms.capital))
        self._account = Account(*(np.where(which, new, old) for new, old in zip(fresh, self._account, strict=True)))

    def reset(self) -> np.ndarray:
        self._restart(np.ones(self.num_envs, dtype=bool))
        self.reset_infos = [{} for _ in range(self.num_envs)]
        return self.task.view(self._account, self._t)

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = np.asarray(actions).reshape(self.num_envs, -1)[:, 0]

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        self._account, session, reward = self.task.step(self._account, self._t, self._actions)
        self._t = self._t + 1
        self.last_session, self.last_account = session, self._account
        view = self.task.view(self._account, self._t)
        broke = np.asarray(session.equity <= 0)
        done = broke | (self._t >= self._end)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if done.any():
            for i in np.flatnonzero(done):
                infos[i] = {"terminal_observation": view[i], "TimeLimit.truncated": bool(not broke[i])}
            self._restart(done)
            view = np.where(done[:, None], self.task.view(self._account, self._t), view)
        return view, np.asarray(reward, np.float32), done, infos

    def seed(self, seed: int | None = None) -> list[int | None]:
        self._rng = np.random.default_rng(seed)
        return [seed] * self.num_envs

    def close(self) -> None:
        """There is nothing to close."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [getattr(self, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise BadInput("The accounts of a batch share their attributes: build another batch instead.")

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        raise BadInput("The accounts of a batch are not separate objects: use TradingEnv for one.")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False] * len(list(self._get_indices(indices)))
