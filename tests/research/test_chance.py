"""Agents without skill trade by the same rules as a model's test, as often and as long."""

import numpy as np
import pytest

from livetrading.core.types import AgentType, Limits, Terms
from livetrading.research import backtest, chance, witnesses
from livetrading.research.scaled import unscaled
from tests.doubles.series import eventful, generated

FRAMES = {"eventful": eventful(3), "wild": generated(4, 800, daily=0.05)}
TERMS = {
    "usual": Terms(),
    "paused often": Terms(
        limits=Limits(max_position=1.0, risk_per_trade=0.2, stop_atr=9.0, max_drawdown=0.05, pause_sessions=7)
    ),
    "paused for good": Terms(
        limits=Limits(max_position=1.0, risk_per_trade=0.2, max_drawdown=0.05, pause_sessions=None)
    ),
}


@pytest.mark.parametrize("terms", TERMS.values(), ids=TERMS)
@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_each_of_many_is_the_backtest_of_its_own_choices_to_the_bit(frame, terms, monkeypatch):
    market, bars = unscaled(frame), range(520, 800)
    model = backtest.run(market, bars, AgentType.PPO, witnesses.RandomAgent(1, 0.2, 0.1).raw, terms)
    many = chance.agents(market, bars, model, terms, count=12, seed=5)
    enter, leave = many.chances
    drawn = np.random.default_rng(5).random((len(bars), 12))
    for i in range(12):
        rows = iter(drawn[:, i])

        def choice(seen, rows=rows):
            value = next(rows)
            if seen[witnesses.IN_POSITION] > 0:
                return 0 if value < leave else 1
            return 2 if value < enter else 1

        alone = backtest.run(market, bars, AgentType.PPO, choice, terms)
        assert many.equity[:, i].tolist() == alone.equity
        assert many.held[:, i].tolist() == alone.held


@pytest.mark.parametrize(
    "policy",
    [witnesses.RandomAgent(1, 0.1, 0.1).raw, witnesses.RandomAgent(2, 0.5, 0.02).raw, witnesses.always_long],
    ids=["half the time", "mostly long", "always long"],
)
@pytest.mark.parametrize("stop_atr", [1.0, 4.0])
def test_they_are_as_long_in_the_market_as_the_model_whatever_its_stop(policy, stop_atr):
    market, bars, terms = unscaled(generated(6, 1500)), range(520, 1500), Terms(limits=Limits(stop_atr=stop_atr))
    model = backtest.run(market, bars, AgentType.PPO, policy, terms)
    found = chance.agents(market, bars, model, terms, count=400).summary(1.0)
    assert found["exposure_pct"] == pytest.approx(100.0 * np.mean(model.held), abs=3.0)
    assert found["sharpe_5"] <= found["sharpe_ratio"] <= found["sharpe_95"]


def test_a_model_that_is_itself_chance_has_any_percentile_and_an_idle_one_none():
    market, bars = unscaled(generated(7, 900)), range(520, 900)
    percentiles = []
    for seed in range(30):
        model = backtest.run(market, bars, AgentType.PPO, witnesses.RandomAgent(seed, 0.1, 0.1).raw, Terms())
        found = chance.agents(market, bars, model, Terms(), count=100, seed=seed)
        percentiles.append(
            found.summary(
                chance.significance.yearly(
                    chance.significance.record(chance.significance.returns_of(model.equity)).ratio
                )
            )["percentile"]
        )
    assert 25.0 < np.mean(percentiles) < 75.0
    idle = backtest.run(market, bars, AgentType.PPO, witnesses.cash, Terms())
    found = chance.agents(market, bars, idle, Terms(), count=10)
    assert found.summary(None)["percentile"] is None and (found.equity == 10_000.0).all()
