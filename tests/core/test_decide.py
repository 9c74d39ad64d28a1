"""From an action to an order: the size, its bounds, and the reason of every cut."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livetrading.core import rules
from livetrading.core.decide import Reason, action_of, explain, intend
from livetrading.core.types import Action, AgentType, Costs, Limits
from tests.doubles.oracle import Oracle

LIMITS, COSTS = Limits(), Costs()


def account(cash: float = 10_000.0, shares: float = 0.0) -> rules.Account:
    return rules.Account(*map(np.float64, (cash, shares, 50.0 if shares else 0.0, 45.0 if shares else 0.0, 0.0, cash)))


def wish(action: int, held: rules.Account, close: float = 100.0, atr: float = 2.0, paused: bool = False, limits=LIMITS):
    return intend(action, held, np.float64(close), np.float64(atr), paused, limits, COSTS)


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from([0, 1, 2, 2, 2]),
    st.floats(-500, 200_000),
    st.sampled_from([0, 0, 0, 40]),
    st.floats(0.05, 5_000),
    st.one_of(st.just(0.0), st.floats(1e-4, 0.4)),
    st.booleans(),
    st.floats(0.0005, 0.2),
    st.floats(0.01, 1.0),
)
def test_the_order_is_the_oracles(action, cash, shares, close, share_atr, paused, risk, most):
    oracle = Oracle(1.0, most, risk)
    oracle.cash, oracle.shares = cash, shares
    atr = close * share_atr
    held = account(1.0, shares)._replace(cash=np.float64(cash))
    made = wish(action, held, close, atr, paused, Limits(max_position=most, risk_per_trade=risk))
    qty = oracle.decide(action, close, atr, paused)
    assert (float(held.shares) if made.plan.exit else float(made.plan.qty)) == qty
    if qty and not made.plan.exit:
        assert float(made.plan.stop) == pytest.approx(oracle.order[2], abs=1e-9)
    else:
        assert made.plan.stop == 0


def test_the_default_size_by_hand():
    # risk 2 % of 10,000 over two ATR of 2 USD: 50; half of 10,000 at 100: 50; cash over 106: 94.
    made = wish(Action.BUY, account())
    assert (made.plan.qty, made.plan.stop, made.reason) == (50, 96.0, Reason.ORDERED)


@pytest.mark.parametrize(
    ("close", "atr", "limits", "cash", "qty", "reason"),
    [
        (100.0, 1.0, LIMITS, 10_000.0, 50, Reason.CUT_BY_CAP),
        (100.0, 4.0, LIMITS, 10_000.0, 25, Reason.ORDERED),
        (100.0, 1.0, Limits(max_position=1.0, risk_per_trade=0.2), 10_000.0, 97, Reason.CUT_BY_CASH),
        (100.0, 40.0, LIMITS, 1_000.0, 0, Reason.RISK_BELOW_ONE_SHARE),
        (600.0, 1.0, LIMITS, 1_000.0, 0, Reason.CAP_BELOW_ONE_SHARE),
        (990.0, 5.0, Limits(max_position=1.0, risk_per_trade=0.2), 1_000.0, 0, Reason.NO_CASH),
        (100.0, 0.0, LIMITS, 10_000.0, 0, Reason.NO_ATR),
        (100.0, math.nan, LIMITS, 10_000.0, 0, Reason.NO_ATR),
        (10.0, 5.0, LIMITS, 10_000.0, 0, Reason.NO_STOP),
    ],
)
def test_every_cut_carries_its_reason(close, atr, limits, cash, qty, reason):
    made = wish(Action.BUY, account(cash), close, atr, limits=limits)
    assert (made.plan.qty, made.reason) == (qty, reason)
    assert explain(made.reason) or reason == Reason.ORDERED


@pytest.mark.parametrize(
    ("action", "shares", "paused", "reason", "sells"),
    [
        (Action.HOLD, 0, False, Reason.HOLD, False),
        (Action.HOLD, 5, False, Reason.HOLD, False),
        (Action.SELL, 0, False, Reason.NOTHING_TO_SELL, False),
        (Action.SELL, 5, False, Reason.ORDERED, True),
        (Action.SELL, 5, True, Reason.ORDERED, True),
        (Action.BUY, 5, False, Reason.ALREADY_LONG, False),
        (Action.BUY, 0, True, Reason.DRAWDOWN_PAUSE, False),
    ],
)
def test_long_only_one_position_and_a_pause_forbids_entries_alone(action, shares, paused, reason, sells):
    made = wish(action, account(shares=shares), paused=paused)
    assert (made.reason, bool(made.plan.exit), made.plan.qty) == (reason, sells, 0)


def test_overdrawn_cash_waits():
    made = wish(Action.BUY, account()._replace(cash=np.float64(-3.0)))
    assert made.plan.qty == 0


@pytest.mark.parametrize(
    ("raw", "action"),
    [(-1.0, 0), (-0.34, 0), (-1 / 3, 1), (0.0, 1), (1 / 3, 1), (0.34, 2), (1.0, 2), (0.3333333432674408, 2)],
)
@pytest.mark.parametrize("shape", [float, np.float32, np.float64, lambda x: np.array([x], np.float32)])
def test_sac_thirds_are_the_same_in_training_and_live_whatever_the_type(raw, action, shape):
    given_ = shape(raw)
    if float(np.ravel(given_)[0]) != raw:
        action = 2 if raw > 0 else 0  # float32 lies on the far side of the third
    assert int(np.ravel(action_of(AgentType.SAC, given_))[0]) == action


@pytest.mark.parametrize("raw", [0, 1, 2])
def test_ppo_answers_with_the_action(raw):
    assert action_of(AgentType.PPO, raw) == raw


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_n_decisions_at_once_are_each_one_alone_to_the_bit(seed):
    rng = np.random.default_rng(seed)
    n = 8
    held = rules.Account(
        rng.uniform(0, 20_000, n),
        rng.integers(0, 2, n) * 10.0,
        np.full(n, 9.0),
        np.full(n, 8.0),
        np.zeros(n),
        np.full(n, 20_000.0),
    )
    close, atr = rng.uniform(0.5, 300, n), rng.uniform(-0.1, 20, n)
    action, paused = rng.integers(0, 3, n), rng.random(n) < 0.2
    together = intend(action, held, close, atr, paused, LIMITS, COSTS)
    for i in range(n):
        alone = intend(action[i], rules.Account(*(v[i] for v in held)), close[i], atr[i], paused[i], LIMITS, COSTS)
        assert [float(v[i]) for v in together.plan] == [float(v) for v in alone.plan]
        assert int(together.reason[i]) == int(alone.reason)
