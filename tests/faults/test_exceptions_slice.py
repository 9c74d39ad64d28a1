"""A slice of the sweep of exceptions; ``make faults`` runs all of it."""

import logging
from collections.abc import Iterator

import pytest

from tests.faults import exceptions


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("livetrading")
    logger.propagate = False
    yield
    logger.propagate = True


@pytest.mark.parametrize(("story", "trials"), [("passes", 12), ("requests", 12), ("replays", 6)])
def test_an_exception_that_nobody_foresaw_is_its_agents_alone(story: str, trials: int) -> None:
    counts, wrongs = exceptions.run([story], trials)
    assert wrongs == []
    assert counts["struck"] == trials and counts["places"] > 500


def test_in_a_shared_account_too() -> None:
    places, lives, wrongs = exceptions._in_account(2)
    assert wrongs == [] and lives == 2 and places > 1000
