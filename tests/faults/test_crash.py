"""A slice of the crash sweep; ``make faults`` runs all of it."""

import logging
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import crash

SAMPLE = 16


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[crash.Baseline]:
    logging.disable(logging.CRITICAL)
    yield crash.undisturbed(tmp_path_factory.mktemp("life"))
    logging.disable(logging.NOTSET)


def test_the_undisturbed_life_goes_through_everything(base: crash.Baseline) -> None:
    assert set(base.end["answers"].values()) == {"done"}
    assert {key.split(":")[2] for key in base.end["orders"]} == {"entry", "exit", "stop"}
    legs = [fill[0] for row in base.end["ledger"] for fill in row["fills"]]
    assert {"entry", "exit", "stop"} <= set(legs)
    assert base.end["removed"] and base.end["shares"] == base.end["broker"] == 0
    assert len(base.points) > 800


def test_a_kill_at_any_point_changes_nothing_that_becomes_of_the_agent(base: crash.Baseline, tmp_path: Path) -> None:
    # Between the broker's trading of a session with a split or dividend and its booking: the hardest.
    hard = [p for p in base.points if p.what == "after advance" and "check" in base.steps[p.step][0]]
    hard = [p for p in hard if base.steps[p.step][0].split()[1] in ("1", "4", "5", "10", "15")]
    assert len(hard) == 5
    others = random.Random(7).sample(base.points, SAMPLE)
    for point, whole in [*((p, True) for p in hard), *((p, False) for p in others)]:
        ended = crash.after_kill(base, point, tmp_path / "work", whole=whole)
        assert crash.differences(base.end, ended) == [], point


def test_a_second_kill_during_the_recovery_changes_nothing_either(base: crash.Baseline, tmp_path: Path) -> None:
    chance = random.Random(11)
    for point in chance.sample(base.points, 5):
        ended = crash.after_two_kills(base, point, chance.randrange(40), tmp_path / "work", whole=False)
        assert crash.differences(base.end, ended) == [], point
