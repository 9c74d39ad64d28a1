"""The drawdown limit in training is the rule of the test, on the life that a member leads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livetrading.core import limits
from livetrading.core.types import Action, Limits
from livetrading.research.all_actions import FLAT, LONG, AllActions
from livetrading.research.paused_table import paused_bars, with_pauses


def table(seed: int, n: int, ends: int = 1) -> AllActions:
    """Rewards of a wild symbol: held shares move by 5 % a session."""
    rng = np.random.default_rng(seed)
    moves = rng.normal(-0.002, 0.05, n)
    reward, long = np.zeros((n, 2, 3)), np.zeros((n, 2, 3), dtype=bool)
    reward[:, FLAT, Action.BUY] = reward[:, LONG, Action.HOLD] = reward[:, LONG, Action.BUY] = moves
    long[:, FLAT, Action.BUY] = long[:, LONG, Action.HOLD] = long[:, LONG, Action.BUY] = rng.random(n) < 0.9
    return AllActions(reward, long, (np.arange(n) + 1) % (n // ends) == 0)


def policy(seed: int, n: int) -> np.ndarray:
    return np.random.default_rng(seed + 1).dirichlet([1.0, 1.0, 1.0], (n, 2))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30), st.sampled_from([0.03, 0.15, 0.9]), st.integers(1, 3))
def test_it_pauses_where_the_rule_would_close_by_close(seed, count, fall, ends):
    made, chances, terms = table(seed, 240, ends), policy(seed, 240), Limits(max_drawdown=fall, pause_sessions=count)
    state, equity, pause, expected = FLAT, 1.0, limits.Pause(1.0), []
    for t in range(240):
        pause = pause.marked(equity) if not pause.on else pause
        pause, _ = limits.at_close(pause, equity, terms)
        expected.append(pause.on)
        pause = pause.decided()
        action = int(chances[t, state].argmax())
        if expected[-1] and state == FLAT and action == Action.BUY:
            action = Action.HOLD
        equity *= np.exp(made.reward[t, state, action])
        state = LONG if made.long[t, state, action] else FLAT
        if made.last[t]:
            state, equity, pause = FLAT, 1.0, limits.Pause(1.0)
    assert paused_bars(made, chances, terms).tolist() == expected


def test_a_paused_bar_teaches_a_flat_account_nothing_and_a_held_one_all():
    made, chances = table(3, 240), policy(3, 240)
    found = with_pauses(made, chances[None], Limits(max_drawdown=0.1, pause_sessions=20))
    paused = paused_bars(made, chances, Limits(max_drawdown=0.1, pause_sessions=20))
    assert 0 < paused.sum() < 240
    assert (found.reward[0, paused, FLAT] == 0.0).all() and not found.long[0, paused, FLAT].any()
    assert (found.reward[0, :, LONG] == made.reward[:, LONG]).all()
    assert (found.reward[0, ~paused] == made.reward[~paused]).all()


@pytest.mark.parametrize("terms", [Limits(pause_sessions=None), Limits(max_drawdown=1.0, pause_sessions=5)])
def test_without_a_length_or_a_drawdown_nothing_is_paused(terms):
    made = table(3, 240)
    assert with_pauses(made, policy(3, 240)[None], terms) is made
