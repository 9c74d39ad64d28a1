"""Tries side by side: what is one try, when choosing was luck, and when one of them beats always-long."""

import numpy as np
import pytest

from livetrading.research import trials

DAYS = [f"{year}-{month:02d}-{day:02d}" for year in (2020, 2021) for month in range(1, 13) for day in range(1, 26)]
MARKET = np.random.default_rng(3).normal(0.0, 0.01, len(DAYS))


def equity(returns: np.ndarray) -> list[list]:
    """One close more than there are returns."""
    values = 10_000.0 * np.cumprod(np.concatenate([[1.0], 1.0 + returns]))
    return [list(pair) for pair in zip(["2019-12-31", *DAYS], values, strict=True)]


def noise(count: int, seed: int = 4) -> list[trials.Series]:
    rng = np.random.default_rng(seed)
    return [(f"try {k}", DAYS, np.where(rng.random(len(DAYS)) < 0.5, MARKET, 0.0)) for k in range(count)]


def test_equal_returns_are_one_try_and_tries_of_other_sessions_do_not_count():
    first, second = noise(2)
    found = trials.aligned([first, ("again", DAYS, first[2].copy()), second, ("short", DAYS[:50], first[2][:50])], DAYS)
    assert found.names == ("try 0", "try 1") and found.values.shape == (len(DAYS), 2)


def test_tries_are_compared_in_the_sessions_that_all_have():
    first, second = noise(2)
    found = trials.aligned([first, ("late", DAYS[10:], second[2][10:])], DAYS)
    assert found.sessions == tuple(DAYS[10:]) and np.array_equal(found.values[:, 0], first[2][10:])


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_tries_say_nothing(count):
    assert trials.judged(trials.aligned(noise(count), DAYS), equity(MARKET)) is None


def test_too_few_sessions_say_nothing():
    short = [(name, DAYS[:20], returns[:20]) for name, _, returns in noise(3)]
    assert trials.judged(trials.aligned(short, DAYS[:20]), equity(MARKET)) is None


def test_the_best_of_tries_without_skill_was_overfitted_and_beats_nobody():
    found = trials.judged(trials.aligned(noise(12), DAYS), equity(MARKET))
    assert found["count"] == 12 and found["overfitting"] > 0.2 and found["superior_p_value"] > 0.1
    assert len(found["sharpe_ratios"]) == 12 and "choosing the best is chance" in found["words"]


def test_one_try_with_skill_is_found_in_both_halves_and_beats_always_long():
    planted = ("skill", DAYS, np.where(MARKET > -0.004, MARKET, 0.0) + 0.001)
    found = trials.judged(trials.aligned([*noise(8), planted], DAYS), equity(MARKET))
    assert found["overfitting"] < 0.02 and found["superior_p_value"] < 0.01


def test_always_long_that_is_not_known_or_never_differs_leaves_the_test_of_ability_out():
    tries = trials.aligned(noise(3), DAYS)
    assert trials.superior(tries, []) is None
    assert trials.superior(tries, equity(MARKET)[:100]) is None
    same = trials.Trials(("a", "b"), tuple(DAYS), np.column_stack([MARKET, MARKET]))
    assert trials.superior(same, equity(MARKET)) is None
    assert "always-long" not in trials.judged(tries, [])["words"]
