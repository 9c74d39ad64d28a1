"""The gate between a model's test and an account at a broker."""

from typing import Any

import pytest

from livetrading.core.admission import admit, refusal, sharpe_words, shortcomings
from livetrading.core.errors import BadInput, Refused
from livetrading.core.types import Mode

ACCOUNT = "an Interactive Brokers account"
GOOD: dict[str, Any] = {"sharpe_ratio": 1.72, "sharpe_se": 0.551, "sessions": 500, "num_trades": 20}


def test_a_test_that_is_good_and_long_enough_opens_an_account() -> None:
    assert admit(Mode.BROKER, GOOD) is None
    assert refusal(GOOD, ACCOUNT) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sharpe_ratio": 1.5}, "Sharpe ratio is 1.50 ± 0.55 and must be above 1.5"),
        ({"sharpe_ratio": None}, "Sharpe ratio is undefined and must be above 1.5"),
        ({"sessions": 499}, "499 sessions and needs at least 500"),
        ({"num_trades": 19}, "19 closed trades and needs at least 20"),
    ],
)
def test_each_shortcoming_refuses_an_account_and_says_what_to_do(change: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match="in mode paper") as said:
        admit(Mode.BROKER, GOOD | change)
    assert words in str(said.value) and "train another" in str(said.value)
    assert str(said.value).count(". ") == 0


def test_a_short_test_is_told_to_be_longer_and_a_weak_one_is_not() -> None:
    assert "longer range" in str(refusal(GOOD | {"sessions": 499}, ACCOUNT))
    assert "longer range" not in str(refusal(GOOD | {"sharpe_ratio": 1.0}, ACCOUNT))
    assert len(shortcomings({"sharpe_ratio": 0.1, "sessions": 1, "num_trades": 0})) == 3


@pytest.mark.parametrize("mode", [Mode.PAPER, Mode.REPLAY])
def test_practice_is_open_to_every_model_with_a_warning_where_it_is_weak(mode: Mode) -> None:
    assert admit(mode, {"sharpe_ratio": 3.0}) is None
    said = admit(mode, {"sharpe_ratio": 0.8})
    assert said == "Sharpe Ratio too low (0.80). Recommended: > 1.5 for live trading."


@pytest.mark.parametrize("missing", ["sharpe_ratio", "sessions", "num_trades"])
def test_a_test_without_what_the_gate_reads_is_no_test(missing: str) -> None:
    with pytest.raises(BadInput, match="deploy again"):
        admit(Mode.BROKER, {k: v for k, v in GOOD.items() if k != missing})


def test_the_ratio_is_shown_with_its_standard_error() -> None:
    assert sharpe_words(GOOD) == "1.72 ± 0.55"
    assert sharpe_words({"sharpe_ratio": None, "sharpe_se": None}) == "undefined"
