"""The gate between a model's test and money: who is refused, who is warned, and what an agent remembers."""

from typing import Any

import pytest

from livetrading.core.admission import admit, needed, refusal, remembered, sharpe_words
from livetrading.core.errors import BadInput, Refused
from livetrading.core.real_money import Evidence, conditions
from livetrading.core.types import Mode
from tests.doubles.gates import answer_of

ACCOUNT = "an Interactive Brokers account"
GOOD: dict[str, Any] = {"sharpe_ratio": 1.72, "sharpe_se": 0.551, "sessions": 500, "num_trades": 20}
PROOF: dict[str, Any] = {
    "sharpe": 1.72,
    "sessions": 500,
    "round_trips": 20,
    "deflated": 0.95,
    "p_value": 0.05 / 4,
    "tries": 4,
    "lookahead": True,
}


def test_a_test_that_meets_every_condition_opens_real_money() -> None:
    gate = answer_of(Evidence(**PROOF))
    assert gate["real_money"] and refusal(gate, ACCOUNT) is None and needed(gate) is None
    assert admit(Mode.BROKER, GOOD, gate, True) is None


@pytest.mark.parametrize(
    ("change", "name", "words"),
    [
        ({"sharpe": 1.5}, "sharpe_ratio", "Sharpe ratio 1.50, above 1.5"),
        ({"sharpe": None}, "sharpe_ratio", "Sharpe ratio undefined, above 1.5"),
        ({"sessions": 499}, "sessions", "test sessions 499, at least 500"),
        ({"round_trips": 19}, "round_trips", "closed trades 19, at least 20"),
        ({"deflated": 0.9499}, "deflated_sharpe", "the best of 4 tries 0.950, at least 0.95"),
        ({"deflated": None}, "deflated_sharpe", "the best of 4 tries undefined, at least 0.95"),
        ({"p_value": 0.0126}, "beats_always_long", "for 4 tries 0.0504, at most 0.05"),
        ({"p_value": None}, "beats_always_long", "undefined, at most 0.05"),
        ({"tries": 5}, "beats_always_long", "for 5 tries 0.0625, at most 0.05"),
        ({"lookahead": None}, "no_lookahead", "not measured"),
        ({"lookahead": False}, "no_lookahead", "no"),
        ({"same_weights": False}, "tested_weights", "the tested weights are those that trade: no"),
    ],
)
def test_each_condition_alone_refuses_real_money_and_says_its_number(
    change: dict[str, Any], name: str, words: str
) -> None:
    found = Evidence(**PROOF | change)
    assert [condition.name for condition in conditions(found) if not condition.ok] == [name]
    gate = answer_of(found)
    with pytest.raises(Refused, match="paper account") as said:
        admit(Mode.BROKER, GOOD, gate, True, ACCOUNT)
    assert words in str(said.value) and str(said.value).count(". ") == 0
    assert words in str(needed(gate))


@pytest.mark.parametrize("mode", [Mode.PAPER, Mode.REPLAY, Mode.BROKER])
def test_practice_is_open_to_every_model_with_a_warning_where_it_is_weak(mode: Mode) -> None:
    closed = answer_of(Evidence(**PROOF | {"deflated": 0.1}))
    assert admit(mode, GOOD | {"sharpe_ratio": 3.0}, closed) is None
    said = admit(mode, GOOD | {"sharpe_ratio": 0.8}, closed)
    assert said == "Sharpe Ratio too low (0.80). Recommended: > 1.5 for live trading."


@pytest.mark.parametrize("missing", ["sharpe_ratio", "sessions", "num_trades"])
def test_a_test_without_what_the_gate_reads_is_no_test(missing: str) -> None:
    with pytest.raises(BadInput, match="deploy again"):
        admit(Mode.BROKER, {k: v for k, v in GOOD.items() if k != missing})


def test_real_money_without_an_answer_of_the_gate_is_refused() -> None:
    with pytest.raises(BadInput, match="deploy again"):
        admit(Mode.BROKER, GOOD, None, True)


def test_an_agent_remembers_what_the_gate_said_and_whether_it_had_to_pass() -> None:
    gate = answer_of(Evidence(**PROOF | {"sessions": 20}))
    kept = remembered(gate, False)
    assert kept == {"asked": False, "real_money": False, "conditions": gate["conditions"], "count": 4}


def test_the_ratio_is_shown_with_its_standard_error() -> None:
    assert sharpe_words(GOOD) == "1.72 ± 0.55"
    assert sharpe_words({"sharpe_ratio": None, "sharpe_se": None}) == "undefined"
