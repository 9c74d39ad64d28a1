"""Models side by side: what is compared is of the same sessions, and what cannot be compared is not."""

from typing import Any

import numpy as np
import pytest

from livetrading.core import metrics
from livetrading.core.types import AgentType
from livetrading.research import comparison
from livetrading.research.comparison import Subject
from tests.doubles.models import make_card

DAYS = [f"2020-{month:02d}-{day:02d}" for month in range(1, 13) for day in range(1, 29)]


def subject(seed: int, start: int = 0, count: int = 200, drift: float = 0.0, **card: Any) -> Subject:
    rng = np.random.default_rng(seed)
    equity = 10_000.0 * np.cumprod(1.0 + drift + 0.01 * rng.standard_normal(count))
    test = {
        "equity": [[day, value] for day, value in zip(DAYS[start : start + count], equity, strict=True)],
        "trades": [{"entry_session": DAYS[start + 3], "exit_session": DAYS[start + 6]}],
        "metrics": metrics.measure(equity, [], [False] * count),
    }
    return Subject(make_card(version=f"v20200101_{seed:06d}", **card), test)


def test_only_shared_sessions_are_compared() -> None:
    found = comparison.compare([subject(1), subject(2, start=50), subject(3, start=100)])
    assert found["common"] == {"start": DAYS[100], "end": DAYS[199], "sessions": 100}
    assert [model["common"]["sessions"] for model in found["models"]] == [100] * 3
    assert [pair["returns"] for pair in found["paired"]] == [149, 99]


def test_tests_of_different_times_are_not_compared() -> None:
    found = comparison.compare([subject(1, count=100), subject(2, start=150, count=100)])
    assert found["common"] is None and found["models"][0]["common"] is None
    assert found["paired"][0]["difference_pct"] is None


def test_a_model_against_itself_differs_by_nothing() -> None:
    found = comparison.compare([subject(1), subject(1)])
    assert found["paired"][0]["difference_pct"] == 0.0 and found["paired"][0]["t"] is None
    assert found["settings"] == []


def test_the_paired_difference_is_the_yearly_mean_with_its_error() -> None:
    first, other = np.array([0.01, 0.0, -0.01, 0.02]), np.array([0.02, 0.01, 0.0, 0.01])
    difference = other - first
    found = comparison.paired(first, other)
    assert found["difference_pct"] == pytest.approx(25_200 * difference.mean())
    assert found["se_pct"] == pytest.approx(25_200 * difference.std(ddof=1) / 2)
    assert found["t"] == pytest.approx(found["difference_pct"] / found["se_pct"])


def test_settings_that_are_the_same_are_left_out() -> None:
    found = comparison.settings([make_card(seed=1), make_card(seed=2, agent_type=AgentType.SAC)])
    assert [(row["name"], row["values"]) for row in found] == [("agent type", ["PPO", "SAC"]), ("seed", [1, 2])]


def test_what_an_older_card_does_not_say_is_no_difference() -> None:
    assert comparison.settings([make_card(), make_card(hyperparameters={"risk": 0.0})]) == []


def test_two_of_three_that_share_sessions_are_compared_all_the_same() -> None:
    found = comparison.compare([subject(1), subject(2, start=50), subject(3, start=250, count=50)])
    assert found["common"] is None
    assert [pair["returns"] for pair in found["paired"]] == [149, 0]


def test_the_sharpe_ratio_stands_in_its_interval() -> None:
    model = comparison.compare([subject(4, drift=0.002), subject(5)])["models"][0]
    low, high = model["sharpe_interval"]
    assert low < model["measures"]["sharpe_ratio"] < high


def test_positions_are_the_stored_ones_or_those_of_the_trades() -> None:
    one = subject(1, count=10)
    assert comparison.held(one.test, DAYS[:10]) == [0, 0, 0, 1, 1, 1, 0, 0, 0, 0]
    assert comparison.held({**one.test, "held": [1] * 10}, DAYS[:10]) == [1] * 10


def test_an_equity_that_never_moves_is_undefined_and_no_error() -> None:
    still = subject(1)
    idle = Subject(still.card, {**still.test, "equity": [[day, 10_000.0] for day in DAYS[:200]]})
    found = comparison.compare([idle, subject(2)])
    assert found["models"][0]["sharpe_interval"] is None and found["models"][0]["common"]["sharpe_ratio"] is None
