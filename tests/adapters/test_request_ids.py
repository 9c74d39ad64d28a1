"""One rule for the ids of requests, commands and jobs."""

import pytest

from livetrading.adapters import request_ids
from livetrading.adapters.request_ids import CALLER, COMMAND, REQUEST, Rule


@pytest.mark.parametrize("rule", [REQUEST, COMMAND, CALLER])
def test_an_id_that_is_made_is_taken_everywhere_also_with_a_commands_prefix(rule: Rule) -> None:
    made = request_ids.new()
    assert rule.allows(made) and made != request_ids.new() and COMMAND.allows(f"deploy-{made}")
    assert COMMAND.allows(f"deploy-{'x' * CALLER.most}")


@pytest.mark.parametrize("rule", [REQUEST, COMMAND, CALLER])
def test_bounds_hold_and_no_id_names_another_file_or_option(rule: Rule) -> None:
    assert rule.allows("a" * rule.least) and rule.allows("a" * rule.most)
    for wrong in (
        "a" * (rule.least - 1),
        "a" * (rule.most + 1),
        "../../../etc",
        "abcdefgh/i",
        "abcdefgh i",
        "abcdefghé",
        "abcdefgh\n",
        None,
        12345678,
    ):
        assert not rule.allows(wrong)
