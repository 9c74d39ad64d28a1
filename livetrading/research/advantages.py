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
    """Of n decisions, float64. ``action`` ``(n, state, action)``: the discounted reward from here on if this action is
    taken now and the policy followed afterwards. ``state`` ``(n, state)``: its mean over the policy's actions.
    ``visits`` ``(n, state)``: the probability of being there, for an account that starts flat at the first decision."""

    action: np.ndarray
    state: np.ndarray
    visits: np.ndarray

    @property
    def advantage(self) -> np.ndarray:
        """``(n, state, action)``: how much better each action is than what the policy does there on average."""
        return self.action - self.state[..., None]


def values(table: AllActions, policy: np.ndarray, gamma: float) -> Values:
    """Of the probabilities ``policy`` ``(n, state, action)``, which sum to 1 over the actions.

    After the last decision nothing is earned any more. The gradient of the mean reward of an account that starts flat
    is, for gamma 1, the sum of visits * advantage * the gradient of the probabilities (policy gradient theorem).
    """
    earned = (policy * table.reward).sum(axis=-1)
    stays_long = (policy * table.long).sum(axis=-1)
    state = _backward(earned, stays_long, gamma)
    following = np.concatenate([state[1:], np.zeros((1, 2))])
    after = np.where(table.long, following[:, None, None, LONG], following[:, None, None, FLAT])
    return Values(table.reward + gamma * after, state, _visits(stays_long))


def _backward(earned: np.ndarray, long: np.ndarray, gamma: float) -> np.ndarray:
    """``(n, 2)``: V_t = earned_t + gamma * P_t V_(t+1), where P_t moves to long with probability ``long``."""
    offset = earned.copy()
    flat = 1.0 - long
    step = gamma * np.stack([flat, long], axis=-1)  # (n, state, next state)
    span = 1
    while span < len(offset):
        later_offset, later_step = offset[span:], step[span:]
        offset[:-span] += _times(step[:-span], later_offset)
        product = step[:-span, :, :1] * later_step[:, :1, :] + step[:-span, :, 1:] * later_step[:, 1:, :]
        # A step that has reached the end leads nowhere.
        step = np.concatenate([product, np.zeros_like(step[-span:])])
        span *= 2
    return offset


def _times(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """``(n, 2, 2)`` times ``(n, 2)``."""
    return matrix[:, :, 0] * vector[:, :1] + matrix[:, :, 1] * vector[:, 1:]


def _visits(long: np.ndarray) -> np.ndarray:
    """``(n, 2)``: p_(t+1) = (1 - p_t) * long from flat + p_t * long from long, from 0 on."""
    base, slope = long[:-1, FLAT].copy(), long[:-1, LONG] - long[:-1, FLAT]
    span = 1
    while span < len(base):
        # The composition of the steps up to t with the span before them; the first ones are whole already.
        base[span:] = base[span:] + slope[span:] * base[:-span]
        slope = np.concatenate([np.zeros(span), slope[span:] * slope[:-span]])
        span *= 2
    held = np.concatenate([[0.0], base])
    return np.stack([1.0 - held, held], axis=-1)
