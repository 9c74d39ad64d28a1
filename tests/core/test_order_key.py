"""The key of an order has one grammar."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livetrading.core.errors import BadInput
from livetrading.core.order_key import OrderKey
from livetrading.core.types import Leg

AGENTS = st.from_regex(r"(PPO|SAC)_[A-Z]{1,5}_[0-9]{3}", fullmatch=True)


@given(st.builds(OrderKey, AGENTS, st.dates().map(str), st.sampled_from(Leg), st.integers(0, 999)))
def test_a_key_that_is_written_is_read_again(key: OrderKey) -> None:
    assert OrderKey.parse(str(key)) == key == OrderKey.of(str(key))
    assert OrderKey.owner(str(key)) == key.agent_id and str(key) == f"{key.series}:{key.n}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PPO_TNA_001",
        "by hand",
        "PPO_TNA_001:2024-06-03:entry",
        "PPO_TNA_001:2024-06-03:hold:1",
        ":2024-06-03:entry:1",
        "PPO_TNA_001:20240603:entry:1",
        "PPO_TNA_001:2024-06-31:entry:1",
        "PPO_TNA_001:2024-06-03:entry:x",
        "PPO_TNA_001:2024-06-03:entry:-1",
        "PPO_TNA_001:2024-06-03:entry:1:2",
    ],
)
def test_any_other_text_is_no_key_and_belongs_to_no_agent(text: str) -> None:
    assert OrderKey.parse(text) is None and OrderKey.owner(text) == ""
    with pytest.raises(BadInput):
        OrderKey.of(text)


def test_a_wrong_key_cannot_be_made() -> None:
    for agent_id, bar, n in (
        ("", "2024-06-03", 1),
        ("A:B", "2024-06-03", 1),
        ("A", "today", 1),
        ("A", "2024-06-03", -1),
    ):
        with pytest.raises(BadInput):
            OrderKey(agent_id, bar, Leg.EXIT, n)
