"""Measures agree with a second library, and are None where they have no meaning."""

import json
import math
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livetrading.core.errors import BadInput
from livetrading.core.metrics import TRADES_NOTE, drawdown, measure
from livetrading.core.trades import Trade

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import empyrical

KEYS = {
    "sharpe_ratio", "sharpe_se", "sortino_ratio", "calmar_ratio", "total_return_pct", "cagr_pct",
    "max_drawdown_pct", "volatility_pct", "win_rate_pct", "profit_factor", "num_trades",
    "exposure_pct", "sessions", "final_equity",
}  # fmt: skip


def trade(pnl: float) -> Trade:
    return Trade("2024-01-02", 100.0, "2024-01-09", 100.0 + pnl / 10, 10, "exit", 2.0, pnl, pnl / 10)


def walk(seed: int, sessions: int = 700, drift: float = 0.0004) -> np.ndarray:
    """Equity with flat stretches, as an agent's is."""
    rng = np.random.default_rng(seed)
    returns = rng.normal(drift, 0.012, sessions - 1) * (rng.random(sessions - 1) < 0.6)
    return 10_000.0 * np.cumprod(np.concatenate([[1.0], 1.0 + returns]))


def close(value: float | None, witness: float) -> bool:
    return value == pytest.approx(witness, rel=1e-9, abs=1e-9)


@pytest.fixture(params=[(1, 700, 0.0004), (2, 130, -0.002), (3, 2500, 0.001), (4, 3, 0.0)])
def equity(request: pytest.FixtureRequest) -> np.ndarray:
    return walk(*request.param)


@pytest.fixture
def returns(equity: np.ndarray) -> pd.Series:
    return pd.Series(equity[1:] / equity[:-1] - 1.0)


def test_sharpe_agrees_at_252_sessions_sample_deviation_and_no_risk_free_rate(equity, returns):
    witness = empyrical.sharpe_ratio(returns, risk_free=0, annualization=252)
    assert close(measure(equity, [], [False] * len(equity))["sharpe_ratio"], witness)


def test_sortino_agrees_at_252_sessions_target_zero_and_all_returns_in_the_denominator(equity, returns):
    witness = empyrical.sortino_ratio(returns, required_return=0, annualization=252)
    assert close(measure(equity, [], [False] * len(equity))["sortino_ratio"], witness)


def test_calmar_agrees_as_cagr_over_the_largest_drawdown(equity, returns):
    witness = empyrical.calmar_ratio(returns, annualization=252)
    assert close(measure(equity, [], [False] * len(equity))["calmar_ratio"], witness)


def test_returns_drawdown_and_volatility_agree(equity, returns):
    """252 sessions a year, N - 1 returns as years, sample deviation, drawdown positive here."""
    mine = measure(equity, [], [False] * len(equity))
    assert close(mine["total_return_pct"], 100 * empyrical.cum_returns_final(returns))
    assert close(mine["cagr_pct"], 100 * empyrical.annual_return(returns, annualization=252))
    assert close(mine["max_drawdown_pct"], -100 * empyrical.max_drawdown(returns))
    assert close(mine["volatility_pct"], 100 * empyrical.annual_volatility(returns, annualization=252))


def test_the_standard_error_is_that_of_independent_returns():
    """Lo 2002, scaled to the year: 1 over the root of the years, for a small ratio."""
    value = measure(walk(5, 253), [], [False] * 253)
    daily = value["sharpe_ratio"] / math.sqrt(252)
    assert value["sharpe_se"] == pytest.approx(math.sqrt((1 + 0.5 * daily**2) / 252) * math.sqrt(252))
    assert value["sharpe_se"] == pytest.approx(1.0, abs=0.05)


def test_the_standard_error_is_the_spread_of_the_ratio_over_many_samples():
    rng = np.random.default_rng(8)
    runs = [
        measure(np.cumprod(np.concatenate([[1.0], 1.0 + rng.normal(0.0005, 0.01, 500)])), [], [False] * 501)
        for _ in range(400)
    ]
    spread = np.std([run["sharpe_ratio"] for run in runs])
    assert spread == pytest.approx(np.mean([run["sharpe_se"] for run in runs]), rel=0.15)


def test_a_hand_computed_case():
    held = [False, True, True, False]
    value = measure([100.0, 110.0, 99.0, 103.95], [trade(30.0), trade(-10.0), trade(0.0), trade(5.0)], held)
    # returns +10 %, -10 %, +5 %
    assert value["sharpe_ratio"] == pytest.approx(math.sqrt(252) * (0.05 / 3) / math.sqrt(0.0325 / 3), rel=1e-9)
    assert value["sortino_ratio"] == pytest.approx(math.sqrt(252) * (0.05 / 3) / math.sqrt(0.01 / 3), rel=1e-9)
    assert value["max_drawdown_pct"] == pytest.approx(10.0)
    assert value["cagr_pct"] == pytest.approx(100 * (1.0395**84 - 1))
    assert value["win_rate_pct"] == 50.0 and value["profit_factor"] == 3.5 and value["num_trades"] == 4
    assert value["exposure_pct"] == 50.0 and value["sessions"] == 4 and value["final_equity"] == 103.95


def test_drawdown_is_positive_and_measured_from_the_peak_so_far():
    assert drawdown([100.0, 120.0, 90.0, 130.0, 117.0]) == pytest.approx([0.0, 0.0, 0.25, 0.0, 0.1])
    assert drawdown([]).shape == (0,)
    assert drawdown([-1.0, 10.0, -5.0]) == pytest.approx([0.0, 0.0, 1.5])


def test_a_flat_equity_has_no_ratios():
    for level in (10_000.0, 0.1, 1e9 / 3):
        value = measure([level] * 300, [], [False] * 300)
        assert {value[k] for k in ("sharpe_ratio", "sharpe_se", "sortino_ratio", "calmar_ratio")} == {None}
        assert value["total_return_pct"] == value["max_drawdown_pct"] == value["volatility_pct"] == 0.0


def test_growth_without_deviation_has_no_sharpe_in_spite_of_rounding():
    equity = [10_000.0 * 1.001**t for t in range(500)]
    assert np.std(np.diff(equity) / equity[:-1]) > 0  # rounding alone
    value = measure(equity, [], [True] * 500)
    assert value["sharpe_ratio"] is None and value["sortino_ratio"] is None and value["calmar_ratio"] is None
    assert value["cagr_pct"] == pytest.approx(100 * (1.001**252 - 1))


@pytest.mark.parametrize("equity", [[], [100.0], [100.0, 101.0]])
def test_fewer_than_two_returns_have_no_ratios(equity: list[float]):
    value = measure(equity, [], [True] * len(equity))
    assert value["sharpe_ratio"] is value["sharpe_se"] is value["sortino_ratio"] is value["volatility_pct"] is None
    assert value["sessions"] == len(equity) and set(value) == KEYS


def test_no_trades_no_losses_and_no_wins():
    def of(*results: float) -> tuple:
        value = measure([1.0, 1.0], [trade(r) for r in results], [False] * 2)
        return value["num_trades"], value["win_rate_pct"], value["profit_factor"]

    assert of() == (0, None, None)
    assert of(5.0, 1.0) == (2, 100.0, None)
    assert of(-5.0) == (1, 0.0, 0.0)
    assert of(0.0) == (1, 0.0, None)


def test_a_win_is_net_of_fees():
    """Sold for more than it cost, and yet a loss: 2 USD of fees on a gain of 1."""
    lost = Trade("2024-01-02", 100.0, "2024-01-03", 100.1, 10, "exit", 2.0, -1.0, -0.1)
    assert measure([1.0, 1.0], [lost], [False] * 2)["win_rate_pct"] == 0.0


@pytest.mark.parametrize("equity", [[100.0, 50.0, 0.0], [100.0, 20.0, -5.0], [100.0, 0.0, 10.0], [0.0, 5.0, 6.0]])
def test_a_ruin_has_numbers_or_none_and_never_infinity(equity: list[float]):
    value = measure(equity, [], [True] * 3)
    json.dumps(value, allow_nan=False)
    if equity[-1] <= 0 or equity[0] <= 0:
        assert value["cagr_pct"] is None and value["calmar_ratio"] is None
    if equity[0] == 100.0:
        assert value["max_drawdown_pct"] >= 95.0 or equity[1] == 0.0


def test_an_equity_that_is_not_finite_is_an_error():
    with pytest.raises(BadInput, match="close 1 is not finite"):
        measure([1.0, float("nan"), 2.0], [], [False] * 3)


def test_another_number_of_marks_than_closes_is_an_error():
    with pytest.raises(BadInput, match="2 closes and 3 marks"):
        measure([1.0, 2.0], [], [False] * 3)


@settings(max_examples=150, deadline=None)
@given(
    equity=st.lists(st.floats(-1e12, 1e12, allow_subnormal=False), max_size=30),
    results=st.lists(st.floats(-1e9, 1e9), max_size=10),
)
def test_any_equity_gives_plain_json_without_a_warning(equity: list[float], results: list[float]):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value = measure(equity, [trade(r) for r in results], [e > 0 for e in equity])
    assert set(value) == KEYS and json.loads(json.dumps(value, allow_nan=False)) == value
    assert value["max_drawdown_pct"] is None or value["max_drawdown_pct"] >= 0.0
    assert value["exposure_pct"] is None or 0.0 <= value["exposure_pct"] <= 100.0


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), factor=st.sampled_from([0.125, 2.0, 1024.0]))
def test_measures_do_not_depend_on_the_capital(seed: int, factor: float):
    equity = walk(seed, 120)
    once, scaled = (measure(e, [], [False] * 120) for e in (equity, equity * factor))
    assert once | {"final_equity": None} == scaled | {"final_equity": None}


def test_a_trade_that_only_its_dividend_made_profitable_is_no_win_but_a_gain() -> None:
    """Win rate and profit factor leave dividends out, and say so; the equity has them."""
    lost = Trade("2024-01-02", 100.0, "2024-01-04", 99.0, 10, "exit", 2.0, -12.0, -1.2)
    measured = measure([10_000.0, 10_000.0, 10_008.0], [lost], [True, True, False])  # 20 USD of dividend
    assert (measured["win_rate_pct"], measured["profit_factor"]) == (0.0, 0.0)
    assert measured["total_return_pct"] == pytest.approx(0.08)
    assert "without dividends" in TRADES_NOTE
