"""What a Sharpe ratio is worth: our formulas equal a second library's, and mean what their sentences say."""

import math

import numpy as np
import purgedcv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livetrading.core import significance
from livetrading.core.errors import BadInput

SERIES = st.builds(
    lambda seed, count, drift, heavy: drift + 0.01 * np.random.default_rng(seed).standard_t(3 + heavy, count),
    st.integers(0, 10_000),
    st.integers(30, 1500),
    st.floats(-0.002, 0.003),
    st.integers(0, 20),
)


@given(SERIES, st.floats(-0.05, 0.05), st.integers(1, 500))
@settings(max_examples=60, deadline=None)
def test_probabilistic_deflated_and_track_record_equal_a_second_librarys(returns, benchmark, tries):
    own = significance.record(returns)
    assert own is not None
    # Theirs corrects moments for a small sample another way; the formulas are compared on the same moments.
    other = purgedcv.deflated_sharpe_ratio_full(returns, 2, 1e-4)
    assert (own.ratio, own.skew, own.kurtosis) == pytest.approx(
        (other.observed_sr, other.skew, other.kurt), rel=0.3, abs=0.15 + 20.0 / len(returns)
    )
    found = significance.Record(other.observed_sr, other.skew, other.kurt, len(returns))
    assert significance.probabilistic(found, benchmark) == pytest.approx(
        purgedcv.probabilistic_sharpe_ratio(returns, benchmark), abs=1e-9
    )
    theirs = purgedcv.deflated_sharpe_ratio(returns, tries, 1.0 / (len(returns) - 1)) if tries > 1 else None
    ours = significance.deflated(found, tries)
    assert ours == (pytest.approx(theirs, abs=1e-7) if theirs is not None else significance.probabilistic(found))
    needed = purgedcv.min_track_record_length(found.ratio, benchmark, 0.05, found.skew, found.kurtosis)
    assert significance.minimum_track_record(found, benchmark) == (needed if math.isfinite(needed) else None)


@pytest.mark.parametrize("seed", range(3))
def test_overfitting_by_cscv_equals_a_second_librarys(seed):
    returns = np.random.default_rng(seed).normal(0.0003, 0.01, (800, 12))
    returns[:, 3] += 0.0005 * seed
    theirs = purgedcv.probability_of_backtest_overfitting(returns.T, n_splits=16).pbo
    assert significance.overfitting(returns) == pytest.approx(theirs, abs=0.01)


def test_noise_is_overfitted_in_half_of_the_splits_and_one_good_trial_in_none():
    noise = np.random.default_rng(1).normal(0, 0.01, (2000, 20))
    assert 0.25 < significance.overfitting(noise) < 0.75
    noise[:, 7] += 0.004
    assert significance.overfitting(noise) == 0.0


@given(SERIES, st.integers(1, 300))
@settings(max_examples=40, deadline=None)
def test_more_tries_never_make_the_evidence_stronger(returns, tries):
    found = significance.record(returns)
    assert significance.deflated(found, tries + 1) <= significance.deflated(found, tries)
    assert significance.as_good_by_luck(found, tries + 1) >= significance.as_good_by_luck(found, tries)


def test_the_best_of_twenty_lucky_tries_over_1150_sessions_shows_0_89_and_1_66_is_needed():
    assert significance.yearly(significance.luck(1150, 20)) == pytest.approx(0.89, abs=0.005)
    rng = np.random.default_rng(2)
    best = [max(rng.normal(0, 1 / math.sqrt(1149), 20)) for _ in range(4000)]
    assert significance.luck(1150, 20) == pytest.approx(np.mean(best), rel=0.02)
    needed = significance.Record(1.66 / math.sqrt(252), 0.0, 3.0, 1150)
    assert significance.deflated(needed, 20) == pytest.approx(0.95, abs=0.002)


def test_of_agents_without_skill_as_many_look_so_good_as_is_said():
    rng, tries, count = np.random.default_rng(3), 5, 500
    returns = rng.normal(0, 0.01, (4000 * tries, count))
    ratios = returns.mean(1) / returns.std(1, ddof=1)
    best = ratios.reshape(-1, tries).max(1)
    seen = significance.Record(1.5 / math.sqrt(252), 0.0, 3.0, count)
    assert significance.as_good_by_luck(seen, tries) == pytest.approx((best >= seen.ratio).mean(), abs=0.01)


@pytest.mark.parametrize(
    "returns", [[], [0.01], [0.01, 0.02], [0.01] * 50, [0.0] * 600, [0.01, math.nan, 0.02], [0.01, math.inf, 0.02]]
)
def test_what_is_undefined_is_none_and_never_a_number(returns):
    found = significance.record(returns)
    assert found is None
    assert significance.deflated(found, 3) is None and significance.probabilistic(found) is None
    assert significance.minimum_track_record(found) is None and significance.as_good_by_luck(found, 3) is None


def test_a_lost_account_has_no_returns():
    assert len(significance.returns_of([100.0, 50.0, 0.0, 10.0])) == 0
    assert len(significance.returns_of([100.0, math.nan])) == 0 and len(significance.returns_of([])) == 0
    np.testing.assert_allclose(significance.returns_of([100.0, 110.0, 99.0]), [0.1, -0.1])


def test_equal_tries_are_one_and_independent_ones_are_all():
    assert significance.effective_tries(np.eye(7)) == 7.0
    assert significance.effective_tries(np.ones((7, 7))) == 1.0
    assert significance.effective_tries(np.zeros((0, 0))) == 0.0


def test_too_little_for_cscv_is_refused_in_a_sentence():
    with pytest.raises(BadInput, match="2 trials are needed"):
        significance.overfitting(np.zeros((100, 1)))
    with pytest.raises(BadInput, match="20 sessions of 3 trials"):
        significance.overfitting(np.zeros((20, 3)))
