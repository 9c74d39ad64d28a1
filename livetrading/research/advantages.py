"""Exact values of a stochastic policy on the table of all actions: no sampling, no critic.

With two states a bar (flat, long) and rewards known for every action, a policy's values obey a linear recursion
through time. It is solved by composing its steps in pairs (W. D. Hillis and G. L. Steele, "Data Parallel Algorithms",
1986), so that a whole training part takes a few array operations. What is exact is the table's problem: an account
of canonical size in each state, see ``all_actions``.
"""

from dataclasses import dataclass

import numpy as np

from .all_actions import FLAT, LONG, AllActions


@dataclass(frozen=True)
class Values:
    """Of n decisions, float64, for one policy or for several at once (``...``).

    ``action`` ``(..., n, state, action)``: the discounted reward from here on if this action is taken now and the
    policy followed afterwards. ``state`` ``(..., n, state)``: its mean over the policy's actions. ``visits``
    ``(..., n, state)``: the probability of being there, for an account that starts flat at the first decision."""

    action: np.ndarray
    state: np.ndarray
    visits: np.ndarray

    @property
    def advantage(self) -> np.ndarray:
        """``(..., n, state, action)``: how much better each action is than what the policy does there on average."""
        return self.action - self.state[..., None]


def values(table: AllActions, policy: np.ndarray, gamma: float, bonus: np.ndarray | None = None) -> Values:
    """Of the probabilities ``policy`` ``(..., n, state, action)``, which sum to 1 over the actions.

    After the last decision nothing is earned any more. The gradient of the mean reward of an account that starts flat
    is, for gamma 1, the sum of visits * advantage * the gradient of the probabilities (policy gradient theorem).
    ``bonus`` of the policy's shape is added to the rewards: an entropy that is to be earned, for instance.
    """
    reward = table.reward if bonus is None else table.reward + bonus
    earned = (policy * reward).sum(axis=-1)
    stays_long = (policy * table.long).sum(axis=-1)
    state = _backward(earned, stays_long, table.last, gamma)
    following = np.concatenate([state[..., 1:, :], np.zeros_like(state[..., :1, :])], axis=-2)
    following = np.where(table.last[:, None], 0.0, following)
    after = np.where(table.long, following[..., None, None, LONG], following[..., None, None, FLAT])
    return Values(reward + gamma * after, state, _visits(stays_long, table.last))


def _backward(earned: np.ndarray, long: np.ndarray, last: np.ndarray, gamma: float) -> np.ndarray:
    """``(..., n, 2)``: V_t = earned_t + gamma * P_t V_(t+1), where P_t moves to long with probability ``long``."""
    offset = earned.copy()
    leads = np.where(last, 0.0, gamma)[:, None]
    flat_step, long_step = leads * (1.0 - long), leads * long  # (..., n, state): to flat, to long
    span, count = 1, last.shape[0]
    while span < count:
        later_offset, later_flat, later_long = offset[..., span:, :], flat_step[..., span:, :], long_step[..., span:, :]
        to_flat, to_long = flat_step[..., :-span, :], long_step[..., :-span, :]
        offset[..., :-span, :] += to_flat * later_offset[..., :1] + to_long * later_offset[..., 1:]
        next_flat = to_flat * later_flat[..., :1] + to_long * later_flat[..., 1:]
        next_long = to_flat * later_long[..., :1] + to_long * later_long[..., 1:]
        # A step that has reached the end leads nowhere.
        flat_step = np.concatenate([next_flat, np.zeros_like(flat_step[..., -span:, :])], axis=-2)
        long_step = np.concatenate([next_long, np.zeros_like(long_step[..., -span:, :])], axis=-2)
        span *= 2
    return offset


def _visits(long: np.ndarray, last: np.ndarray) -> np.ndarray:
    """``(..., n, 2)``: p_(t+1) = (1 - p_t) * long from flat + p_t * long from long; 0 at first and after a last."""
    base = np.where(last, 0.0, long[..., FLAT])[..., :-1]
    slope = np.where(last, 0.0, long[..., LONG] - long[..., FLAT])[..., :-1]
    span = 1
    while span < base.shape[-1]:
        # The composition of the steps up to t with the span before them; the first ones are whole already.
        base[..., span:] = base[..., span:] + slope[..., span:] * base[..., :-span]
        slope = np.concatenate([np.zeros_like(slope[..., :span]), slope[..., span:] * slope[..., :-span]], axis=-1)
        span *= 2
    held = np.concatenate([np.zeros_like(long[..., :1, FLAT]), base], axis=-1)
    return np.stack([1.0 - held, held], axis=-1)
