"""The read model's types describe what is really shown: every key, and no other."""

from datetime import UTC, datetime
from pathlib import Path
from typing import get_type_hints

import pytest

from livetrading.execution.state import queries, status
from tests.doubles.lives import AGENT, FIRST, Cycler, Life, deployed
from tests.doubles.series import generated


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    found = deployed(tmp_path_factory.mktemp("shown"), generated(1, FIRST + 12), Cycler())
    for t in range(FIRST, FIRST + 6):
        found.day(t)
    return found


def fits(value: object, kind: type) -> None:
    hints = get_type_hints(kind)
    assert isinstance(value, dict)
    assert set(value) - set(hints) <= {"head"}, "head: the journal line of the file, which nobody is shown"
    assert set(kind.__required_keys__) <= set(value)


def test_an_agents_status_has_every_key_of_its_type_and_no_other(life: Life) -> None:
    fits(queries.agent(life.store, AGENT), status.AgentStatus)


def test_the_systems_status_has_every_key_of_its_types(life: Life) -> None:
    shown = queries.system(life.store, datetime.now(UTC))
    fits(shown, status.SystemStatus)
    fits(shown["scheduler"], status.SchedulerStatus)


def test_an_agent_that_cannot_be_read_shows_no_key_that_the_type_does_not_know(life: Life, tmp_path: Path) -> None:
    path = life.home.agent(AGENT) / "state.json"
    before = path.read_bytes()
    path.write_text("{")
    try:
        assert set(queries.agent(life.store, AGENT)) <= set(get_type_hints(status.AgentStatus))
    finally:
        path.write_bytes(before)
