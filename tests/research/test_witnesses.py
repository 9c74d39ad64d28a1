"""Witnesses: cash keeps its capital, always-long re-enters, chance is the same for the same bars."""

import numpy as np

from livetrading.core.types import AgentType, Terms
from livetrading.research import witnesses
from livetrading.research.evaluation import evaluate
from livetrading.research.scaled import scaled_by, unscaled
from tests.doubles.series import generated

BARS = range(500, 1_400)
MARKET = scaled_by(unscaled(generated(4, 1_400)), BARS)[0]


def ran(policy):
    return evaluate(MARKET, BARS, AgentType.PPO, policy, Terms()).run


def test_cash_earns_and_loses_nothing():
    assert set(ran(witnesses.cash).equity) == {10_000.0}


def test_always_long_is_long_unless_it_was_stopped_out_or_paused():
    run = ran(witnesses.always_long)
    stop = run.paused or len(run.held)
    assert np.mean(run.held[1:stop]) > 0.9


def test_a_random_agent_does_the_same_on_the_same_bars_and_another_with_another_seed():
    agent = witnesses.RandomAgent(1, 0.1, 0.1)
    assert ran(agent.raw).rows == ran(agent.raw).rows
    assert ran(agent.raw).equity != ran(witnesses.RandomAgent(2, 0.1, 0.1).raw).equity


def test_a_random_agent_can_be_as_busy_as_another():
    """Exposure and entries near those of the run that it follows; both before a pause."""
    like = ran(witnesses.RandomAgent(1, 0.05, 0.15).raw)
    agents = [ran(witnesses.as_busy_as(like, seed).raw) for seed in range(2, 12)]
    assert abs(np.mean([np.mean(run.held) for run in agents]) - np.mean(like.held)) < 0.12
    assert 0.5 < np.mean([len(run.trades) for run in agents]) / len(like.trades) < 1.7
