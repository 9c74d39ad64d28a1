"""The ridge: the textbook's regression, blind to what comes later, and in need of no thread."""

from dataclasses import replace

import numpy as np
import pytest

from livetrading.core.errors import BadInput
from livetrading.core.market import Market
from livetrading.core.types import AgentType, Terms
from livetrading.research.evaluation import evaluate
from livetrading.research.ridge import PENALTIES, fit_ridge, next_returns
from livetrading.research.scaled import scaled_by, unscaled
from tests.doubles.series import eventful, generated

PART = range(500, 1_300)
MARKET = scaled_by(unscaled(generated(3, 1_500)), PART)[0]


def test_it_is_the_textbooks_solution():
    """Augmented least squares by an independent solver, with a column of ones that no penalty touches."""
    found = fit_ridge(MARKET, PART, penalty=25.0)
    x, y = MARKET.scaled[500:1_299], next_returns(MARKET)[500:1_299]
    width = x.shape[1]
    rows = np.block([[np.ones((len(x), 1)), x], [np.zeros((width, 1)), 5.0 * np.eye(width)]])
    truth = np.linalg.lstsq(rows, np.concatenate([y, np.zeros(width)]), rcond=None)[0]
    assert np.allclose([found.intercept, *found.weights], truth, rtol=1e-9, atol=1e-15)


def test_the_next_return_is_what_a_share_gains_over_splits_and_dividends():
    market = unscaled(eventful(5))
    gains, bars = next_returns(market), market.columns
    for t in range(len(market) - 1):
        worth = bars.split[t + 1] * (bars.close[t + 1] + bars.dividend[t + 1])
        assert gains[t] == worth / bars.close[t] - 1.0
    assert np.isnan(gains[-1]) and np.abs(gains[:-1]).max() < 0.2  # no split shows


def test_nothing_after_its_part_matters():
    """Bars from the part's end on are garbage: the same weights to the bit."""
    columns = MARKET.columns
    close = columns.close.copy()
    close[PART.stop :] *= 7.0
    scaled = MARKET.scaled.copy()
    scaled[PART.stop - 1 :] = np.nan
    other = replace(MARKET, columns=columns._replace(close=close), scaled=scaled)
    assert fit_ridge(other, PART) == fit_ridge(MARKET, PART)


def test_the_penalty_is_that_of_the_smallest_error_on_the_folds():
    found = fit_ridge(MARKET, PART)
    assert found.errors is not None and found.penalty == PENALTIES[int(np.argmin(found.errors))]


def test_noise_gets_a_large_penalty_and_a_planted_line_a_small_one():
    rng = np.random.default_rng(0)
    gain = 0.004 * MARKET.scaled[:, 0] + rng.normal(0.0, 0.01, len(MARKET))
    close = 50.0 * np.cumprod(1.0 + np.nan_to_num(np.concatenate([[0.0], gain[:-1]])))
    planted = _priced(MARKET, close)
    noise = _priced(MARKET, 50.0 * np.cumprod(1.0 + rng.normal(0.0, 0.01, len(MARKET))))
    assert fit_ridge(planted, PART).penalty < fit_ridge(noise, PART).penalty
    assert fit_ridge(planted, PART).weights[0] == pytest.approx(0.004, rel=0.25)


def _priced(market: Market, close: np.ndarray) -> Market:
    flat = np.zeros(len(close))
    return replace(market, columns=market.columns._replace(close=close, dividend=flat, split=flat + 1.0))


def test_it_buys_on_a_positive_forecast_and_sells_otherwise():
    found = fit_ridge(MARKET, PART, penalty=10.0)
    tail = np.zeros(4, np.float32)
    for t in range(500, 1_500):
        row = MARKET.scaled[t].astype("<f4")
        assert found.raw(np.concatenate([row, tail])) == (2 if found.forecast(row) > 0.0 else 0)


def test_it_runs_under_the_rules_like_any_policy():
    run = evaluate(MARKET, range(1_300, 1_500), AgentType.PPO, fit_ridge(MARKET, PART).raw, Terms())
    assert len(run.sessions) == 200


def test_a_part_of_a_few_sessions_is_refused():
    with pytest.raises(BadInput, match="wider range"):
        fit_ridge(MARKET, range(500, 515))
