"""The gate's answer to a test: who beats luck and always-long, and that idle, short and lost runs never do."""

import math

import numpy as np
import pytest

from livetrading.adapters.openings import Count
from livetrading.core import significance
from livetrading.core.errors import Damaged
from livetrading.research import gate, skill

CHECKED = {"problems": []}
RNG = np.random.default_rng(5)
MARKET = RNG.normal(0.0, 0.012, 1149)


def equity(returns: np.ndarray) -> list[float]:
    return (10_000.0 * np.cumprod(np.concatenate([[1.0], 1.0 + returns]))).tolist()


def a_test(returns: np.ndarray, long: np.ndarray = MARKET, trades: int = 60) -> gate.Test:
    found = significance.record(returns)
    ratio = None if found is None else significance.yearly(found.ratio)
    measures = {"sharpe_ratio": ratio, "sessions": len(returns) + 1, "num_trades": trades}
    return gate.Test(measures, [], equity(returns), equity(long))


def looks(tries: int) -> Count:
    return _Tries((), float(tries), tries)


class _Tries(Count):
    """So many looks, none of them listed."""

    def __init__(self, openings, effective, tries):
        super().__init__(openings, effective)
        object.__setattr__(self, "_tries", tries)

    @property
    def tries(self) -> int:
        return self._tries


def unmet(answer: dict) -> list[str]:
    return [row["name"] for row in answer["conditions"] if not row["ok"]]


SKILL = np.where(np.random.default_rng(6).random(1149) < 0.5 + 4.0 * MARKET, MARKET, 0.0)
"""A policy that is in the market more often before it rises."""


def test_skill_opens_the_gate_and_so_many_tries_close_it():
    good = a_test(SKILL + 0.0006)
    assert gate.answer(good, looks(20), CHECKED)["real_money"]
    closed = gate.answer(good, looks(2_000_000), CHECKED)
    assert not closed["real_money"] and "beats_always_long" in unmet(closed)


def test_being_long_in_a_market_that_rises_is_no_skill():
    rising = MARKET + 0.0018
    answer = gate.answer(a_test(rising, rising), looks(1), CHECKED)
    assert unmet(answer) == ["beats_always_long"]
    assert next(row["value"] for row in answer["conditions"] if row["name"] == "beats_always_long") == 1.0


def test_less_of_the_same_is_no_skill():
    """Half the exposure of always-long has the same ratio."""
    rising = MARKET + 0.0018
    assert unmet(gate.answer(a_test(rising / 2.0, rising), looks(1), CHECKED)) == ["beats_always_long"]


@pytest.mark.parametrize(
    ("returns", "first"),
    [
        (np.zeros(1149), "sharpe_ratio"),
        (np.concatenate([[-1.0], np.zeros(1148)]), "sharpe_ratio"),
        (np.full(1149, np.nan), "sharpe_ratio"),
        (SKILL[:400] + 0.002, "sessions"),
    ],
    ids=["idle", "lost", "not a number", "short"],
)
def test_what_is_idle_lost_not_a_number_or_short_closes_the_gate_with_numbers_in_json(returns, first):
    test = a_test(returns, MARKET[: len(returns)])
    answer = gate.answer(test, looks(1), CHECKED)
    assert not answer["real_money"] and first in unmet(answer)
    values = [answer["deflated_sharpe"], answer["p_value"], answer["minimum_track_record"]]
    assert all(value is None or math.isfinite(value) for value in values)
    assert "Real money: no" in answer["words"]
    if len(returns) < 499:
        assert "too few to call any Sharpe ratio good" in answer["words"]


def test_an_unmeasured_or_failed_lookahead_check_closes_the_gate():
    good = a_test(SKILL + 0.0006)
    assert unmet(gate.answer(good, looks(1), None)) == ["no_lookahead"]
    assert unmet(gate.answer(good, looks(1), {"problems": [{"what": "x"}]})) == ["no_lookahead"]


def test_a_test_of_before_without_always_long_is_closed_and_not_an_error():
    old = gate.Test({"sharpe_ratio": 3.0, "sessions": 600, "num_trades": 30}, [], equity(SKILL[:599] + 0.001), [])
    assert unmet(gate.answer(old, looks(1), CHECKED)) == ["beats_always_long"]


def test_equal_returns_give_equal_p_values_and_intervals():
    assert skill.p_value(SKILL, MARKET, 3) == skill.p_value(SKILL.copy(), MARKET.copy(), 3)
    assert skill.sharpe_interval(SKILL) == skill.sharpe_interval(SKILL.copy())


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    rng, truth = np.random.default_rng(8), 1.0
    inside = 0
    for _ in range(120):
        low, high = skill.sharpe_interval(rng.normal(truth / 252**0.5 * 0.01, 0.01, 500), resamples=299)
        inside += low <= truth <= high
    assert inside >= 104  # 95 % of 120 are 114; 104 and fewer have a probability below 1 in 5,000


def test_without_skill_small_p_values_are_as_rare_as_they_say():
    rng, found = np.random.default_rng(9), []
    for _ in range(120):
        market = rng.normal(0.0003, 0.01, 500)
        found.append(skill.p_value(np.where(rng.random(500) < 0.5, market, 0.0), market))
    assert sum(p <= 0.05 for p in found) <= 14  # expected 6; 15 and more have a probability below 1 in 500
    assert 0.3 < float(np.median(found)) < 0.75


def test_the_lucky_of_a_hundred_are_the_larger_of_the_two_counts():
    test = a_test(SKILL + 0.0002)
    by_formula = gate.lucky(test, 5)
    crowd = {"agents": 1000, "percentile": 90.0}
    by_crowd = gate.lucky(gate.Test(test.measures, [], test.equity, test.always_long, crowd), 5)
    assert by_crowd == round(100 * (1 - 0.9**5)) and by_crowd > by_formula
    alone = gate.Test(test.measures, [], test.equity, test.always_long, {"agents": 1000, "percentile": 100.0})
    assert gate.lucky(alone, 5) == max(by_formula, round(100 * (1 - 0.999**5)))


@pytest.mark.parametrize(
    "document",
    [{}, {"equity": []}, {"equity": 5}, {"equity": [[1]]}, {"equity": [["2020-01-02", 1.0]]}, {"equity": [["x", 1.0]], "metrics": {}, "chance": 3}],
    ids=["nothing", "empty", "a number", "no pairs", "no measures", "no chance"],
)  # fmt: skip
def test_a_stored_test_of_another_form_is_damage_in_one_sentence(document):
    with pytest.raises(Damaged, match="train it again"):
        gate.stored(document)
