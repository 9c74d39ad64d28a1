"""What each action would have been worth: the rewards of all actions at every bar, not only of the one taken.

A small account does not move the market, so the bars answer for each action alike. What is needed besides is an
account to act with; two canonical ones stand for the classes that matter, flat and long, and the rules of ``core``
carry each of them through one session. With them a policy's advantages can be had without sampling noise (K. Ciosek
and S. Whiteson, "Expected Policy Gradients", 2018: the all-action estimator, here exact).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..core import decide, rules
from ..core.rules import Account
from ..core.types import Action, AgentType
from .environment import Task

FLAT, LONG = 0, 1
STATES, ACTIONS = 2, len(Action)


@dataclass(frozen=True)
class AllActions:
    """One session's outcome of each action, at n decisions of one task or of several, one after the other.

    ``reward`` ``(n, state, action)`` float64 is the log of equity over the last equity, ``long`` of the same shape
    says whether shares are held at the next close. States: 0 flat, 1 long; actions as always, 0 SELL, 1 HOLD, 2 BUY.
    ``last`` ``(n,)`` marks the last decision of each task: nothing leads on from it, and what follows starts flat.
    """

    reward: np.ndarray
    long: np.ndarray
    last: np.ndarray

    def __len__(self) -> int:
        return len(self.last)


def joined(tables: Sequence[AllActions]) -> AllActions:
    """The decisions of all of them, one table after the other."""
    return AllActions(
        np.concatenate([table.reward for table in tables]),
        np.concatenate([table.long for table in tables]),
        np.concatenate([table.last for table in tables]),
    )


def canonical(task: Task, bars: np.ndarray, state: int) -> Account:
    """The account of a class at the close of each of ``bars``, ``(n,)``.

    Flat: the capital in cash. Long: what a BUY at this close would be sized to, held since this session's open at a
    price equal to the close, with the stop of this close; its equity is the capital. A bar that allows no
    purchase gives the flat account for both.
    """
    flat = rules.open_account(np.full(len(bars), task.terms.capital))
    if state == FLAT:
        return flat
    close, atr, limits = task.market.columns.close[bars], task.market.atr[bars], task.terms.limits
    bought = decide.intend(np.full(len(bars), Action.BUY), flat, close, atr, False, limits, task.terms.costs).plan
    held = bought.qty > 0
    return flat._replace(
        cash=flat.cash - bought.qty * close,
        shares=bought.qty,
        entry=np.where(held, close, 0.0),
        stop=bought.stop,
        held=np.where(held, 1.0, 0.0),
    )


def all_actions(task: Task) -> AllActions:
    """The table of a task's decisions, from ``first`` to ``last - 1``. Actions are numbers, whatever the algorithm."""
    by_number = replace(task, agent_type=AgentType.PPO)
    bars = np.arange(task.first, task.last)
    reward = np.empty((len(bars), STATES, ACTIONS))
    long = np.empty(reward.shape, dtype=bool)
    for state in (FLAT, LONG):
        account = canonical(task, bars, state)
        for action in range(ACTIONS):
            after, _, gained = by_number.step(account, bars, np.full(len(bars), action))
            reward[:, state, action], long[:, state, action] = gained, after.shares > 0
    return AllActions(reward, long, np.arange(len(bars)) == len(bars) - 1)
