"""The market as a learning problem: one account (Gymnasium) or n at once (SB3's VecEnv).

Both run the rules of ``core``; given the same actions they make the same fills,
money and observations, to the bit. A step decides at the close of bar t, fills
at the open of t+1 and is rewarded with the log of equity over the last equity
at the close of t+1. Episodes end at the last bar without a closing sale.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv

from ..core import decide, rules
from ..core.errors import BadInput
from ..core.market import Market
from ..core.observe import ACCOUNT_FIELDS, blank, filled_in
from ..core.rules import Account, Basis, Num, Quote
from ..core.types import AgentType, Terms

WORST_RATIO = 1e-6
"""The ratio of equities is at least this, so that the reward of a lost account is bounded."""
# As arrays without a dimension: NumPy converts a Python number anew each time it meets an array.
_WORST_RATIO, _ZERO, _ONE = np.array(WORST_RATIO), np.array(0.0), np.array(1)


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

    def start(self, rng: np.random.Generator, size: int | None = None) -> Any:
        """The first bar of an episode, or of ``size`` episodes."""
        span = min(self.episode or 1, self.last - self.first)
        highest = self.last - span if self.random_start else self.first
        return rng.integers(self.first, highest + 1, size)

    def end(self, start: Any) -> Any:
        """The bar at whose close an episode that began at ``start`` ends."""
        return np.minimum(self.last, start + (self.last if self.episode is None else self.episode))

    @cached_property
    def _sessions(self) -> np.ndarray:
        """``(fields of Basis and Quote, T - 1)``: what bar t says about the decision at its close and the next session.

        One table, because one ``take`` for all of it costs little more than one for each field.
        """
        bars = np.arange(len(self.market) - 1)
        basis = rules.basis(self.market.columns.close[bars], self.market.atr[bars], self.terms.limits)
        return np.array([*basis, *self.market.quote(bars + 1)])

    @cached_property
    def _blank(self) -> np.ndarray:
        return blank(self.market.scaled)

    def view(self, account: Account, t: int | np.ndarray) -> np.ndarray:
        """What the agent sees at the close of bar t: an array of its own."""
        return filled_in(self._blank.take(t, axis=0), account, self.market.columns.close.take(t))

    def step(self, account: Account, t: int | np.ndarray, action: Num) -> tuple[Account, rules.Session, Num]:
        """Decide at the close of t and run session t+1: account, its fills, reward."""
        fields = list(self._sessions.take(t, axis=1))
        basis, quote = Basis(*fields[:4]), Quote(*fields[4:])
        equity, terms = rules.equity_of(account, basis.close), self.terms
        chosen = decide.action_of(self.agent_type, action)
        # The pause at the drawdown limit belongs to an account's whole life; see paused_table.
        plan = decide.plan_of(chosen, account, equity, basis, False, terms.limits, terms.costs)
        after, session = rules.step(account, plan, quote, terms.costs)
        return after, session, np.log(np.maximum(session.equity / equity, _WORST_RATIO))


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
        self._t = int(self.task.start(self.np_random))
        self._end = int(self.task.end(self._t))
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
        self._account = self._fresh = rules.open_account(np.full(n, task.terms.capital))
        self._actions: np.ndarray = np.zeros(n)
        self.last_session: rules.Session | None = None
        self.last_account = self._account

    def _restart(self, which: np.ndarray) -> np.ndarray:
        """New episodes for the accounts ``which``: indexes ``(k,)``. Returns what they see."""
        starts = self.task.start(self._rng, len(which))
        self._t[which], self._end[which] = starts, self.task.end(starts)
        fresh = Account(*(np.asarray(field)[which] for field in self._fresh))
        # Copies: an account that was handed out stays as it was.
        self._account = Account(*(np.array(field) for field in self._account))
        for field, new in zip(self._account, fresh, strict=True):
            np.asarray(field)[which] = new
        return self.task.view(fresh, starts)

    def reset(self) -> np.ndarray:
        self.reset_infos = [{} for _ in range(self.num_envs)]
        return self._restart(np.arange(self.num_envs))

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = np.asarray(actions).reshape(self.num_envs, -1)[:, 0]

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        self._account, session, reward = self.task.step(self._account, self._t, self._actions)
        self._t = self._t + _ONE
        self.last_session, self.last_account = session, self._account
        view = self.task.view(self._account, self._t)
        broke = np.asarray(session.equity <= _ZERO)
        done = broke | (self._t >= self._end)
        infos: list[dict[str, Any]] = [{}] * self.num_envs  # one for all who go on
        if np.count_nonzero(done):
            which = np.flatnonzero(done)
            for i, seen, lost in zip(which.tolist(), view[which], broke[which].tolist(), strict=True):
                infos[i] = {"terminal_observation": seen, "TimeLimit.truncated": not lost}
            view[which] = self._restart(which)
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
