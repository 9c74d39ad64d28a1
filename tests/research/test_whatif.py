"""What if: the same decisions' machinery, other circumstances."""

import json

import pytest

from livetrading.core import market, scaler
from livetrading.core.types import AgentType, Costs, Limits, Terms
from livetrading.research import backtest
from livetrading.research.whatif import OPEN_SHIFT_ATR, report, scenarios
from tests.doubles.probes import Probe
from tests.doubles.series import eventful, usual_features

FRAME = eventful(31)
MARKET = market.build(FRAME, scaler.fit(usual_features(FRAME)[400:500]))
BARS = range(500, 800)
TERMS = Terms(50_000.0, Limits(max_drawdown=1.0))


def always(action: int):
    return lambda _: action


def test_rows_are_json_and_name_their_terms():
    own = Terms(7_000.0, Limits(max_position=0.25))
    rows = report(MARKET, BARS, AgentType.PPO, Probe().raw, scenarios(TERMS, {"PPO_TEST_001": own}))
    assert len(json.loads(json.dumps(rows, allow_nan=False))) == 5
    assert [row["cost_multiple"] for row in rows] == [1, 0, 2, 1, 1]
    assert rows[3]["open_shift_atr"] == OPEN_SHIFT_ATR == 0.05
    assert (rows[4]["capital"], rows[4]["max_position"]) == (7_000.0, 0.25)


def test_double_costs_of_an_agents_own_costs_are_its_own_doubled():
    made = scenarios(Terms(costs=Costs(multiple=1.5)), {})
    assert [s.terms.costs.multiple for s in made] == [1.5, 0.0, 3.0, 1.5]


@pytest.mark.parametrize("action", [0, 1, 2])
def test_no_shift_is_the_test_itself(action):
    one = backtest.run(MARKET, BARS, AgentType.PPO, always(action), TERMS)
    two = backtest.run(MARKET, BARS, AgentType.PPO, always(action), TERMS, 0.0)
    assert one == two


def test_a_shifted_open_is_a_twentieth_of_the_decisions_atr_against_us():
    plain = backtest.run(MARKET, BARS, AgentType.PPO, always(2), TERMS)
    moved = backtest.run(MARKET, BARS, AgentType.PPO, always(2), TERMS, OPEN_SHIFT_ATR)
    assert MARKET.columns.split[501] == 1.0
    first, shifted = plain.rows[1]["fills"][0], moved.rows[1]["fills"][0]
    assert shifted[1] == first[1]
    assert shifted[2] - first[2] == pytest.approx(OPEN_SHIFT_ATR * MARKET.atr[500] * 1.0005, rel=1e-9)


def test_an_exit_sells_at_the_worse_open():
    def run(shift: float):
        answers = iter([2, 1, 0, *[1] * 297])
        loose = Terms(50_000.0, Limits(stop_atr=20.0, risk_per_trade=0.2))
        return backtest.run(MARKET, BARS, AgentType.PPO, lambda _: next(answers), loose, shift)

    plain, moved = run(0.0), run(OPEN_SHIFT_ATR)
    assert [f[0] for row in plain.rows for f in row["fills"]] == ["entry", "exit"]
    sold, worse = (done.rows[3]["fills"][0][2] for done in (plain, moved))
    shift = OPEN_SHIFT_ATR * MARKET.atr[502] / MARKET.columns.split[503]
    assert sold - worse == pytest.approx(shift * 0.9995, rel=1e-9)
    assert moved.equity[-1] < plain.equity[-1]
