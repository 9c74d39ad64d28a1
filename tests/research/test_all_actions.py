"""The rewards of all actions are those of the rules, to the bit."""

import numpy as np
import pytest

from livetrading.core import market, rules, scaler
from livetrading.core.features import compute
from livetrading.core.types import Action, AgentType, Limits, Terms
from livetrading.research.all_actions import ACTIONS, FLAT, LONG, all_actions, canonical
from livetrading.research.environment import Task
from tests.doubles.series import eventful

FRAME = eventful(11)
MARKET = market.build(FRAME, scaler.fit(compute(FRAME)[500:]))
WIDE = Limits(max_position=1.0, risk_per_trade=0.2, stop_atr=0.5)


def task(**changes) -> Task:
    return Task(**{"market": MARKET, "first": 500, "last": len(MARKET) - 1, "agent_type": AgentType.PPO, **changes})


@pytest.mark.parametrize("limits", [Limits(), WIDE])
def test_each_reward_is_the_reward_of_one_account_to_the_bit(limits):
    """Bar by bar with plain floats, over splits, reverse splits and dividends."""
    made = task(terms=Terms(25_000.0, limits))
    table = all_actions(made)
    assert table.reward.shape == table.long.shape == (len(table), 2, ACTIONS)
    for row, t in enumerate(range(made.first, made.last)):
        for state in (FLAT, LONG):
            together = canonical(made, np.array([t]), state)
            alone = rules.Account(*(field[0] for field in together))
            for action in Action:
                after, _, reward = made.step(alone, t, int(action))
                assert table.reward[row, state, action].tobytes() == np.float64(reward).tobytes()
                assert table.long[row, state, action] == bool(after.shares > 0)


def test_what_changes_nothing_is_worth_the_same():
    """SELL and HOLD of a flat account earn nothing; HOLD and BUY of a held one are the same."""
    table = all_actions(task())
    assert (table.reward[:, FLAT, [Action.SELL, Action.HOLD]] == 0.0).all()
    assert (table.reward[:, LONG, Action.HOLD] == table.reward[:, LONG, Action.BUY]).all()
    assert not table.long[:, LONG, Action.SELL].any() and not table.long[:, FLAT, Action.HOLD].any()


def test_the_long_account_is_worth_the_capital_and_the_share_that_a_purchase_takes():
    made = task()
    bars = np.arange(made.first, made.last)
    account = canonical(made, bars, LONG)
    close = MARKET.columns.close[bars]
    assert np.allclose(rules.equity_of(account, close), 10_000.0, rtol=1e-12, atol=0.0)
    assert (account.shares > 0).mean() > 0.5 and (account.shares * close <= 5_000.0).all()


def test_the_table_does_not_depend_on_the_algorithm():
    assert all_actions(task()).reward.tobytes() == all_actions(task(agent_type=AgentType.SAC)).reward.tobytes()
