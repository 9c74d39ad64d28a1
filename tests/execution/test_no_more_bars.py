"""A paper position whose source has no further bars: no exit can fill, so removing the agent ends it."""

from datetime import datetime
from pathlib import Path

import pytest

from livetrading.core.events import Noted
from livetrading.core.types import AgentStatus
from livetrading.execution.state import bar_check, queries
from livetrading.execution.state.agent_repository import events_of
from livetrading.execution.verification import audit
from tests.doubles.lives import AGENT, FIRST, Cycler, Life, at, deployed, until, write_csv
from tests.doubles.series import generated
from tests.execution.test_agent_manager import again

FRAME = generated(1, FIRST + 20)


@pytest.fixture
def holding(tmp_path: Path) -> tuple[Life, int]:
    """An agent that holds shares after session ``t``, the last one that its file has a bar of."""
    life = deployed(tmp_path, FRAME, Cycler())
    t = until(lambda: not life.state.flat, life, FIRST) - 1
    write_csv(life.csv, FRAME.iloc[: t + 1])
    return life, t


def missed(life: Life, t: int, sessions: int) -> datetime:
    """Live on until so many sessions after ``t`` had no bar; the time then."""
    for ahead in range(1, sessions + 1):
        life.check(at(life.sessions[t + ahead], "16:40"))
    now = at(life.sessions[t + sessions + 1], "10:00")
    life.check(now)
    return now


def test_one_session_without_a_bar_still_refuses_to_remove_what_is_held(holding: tuple[Life, int]) -> None:
    life, t = holding
    answer = life.ask("remove", missed(life, t, 1))
    assert answer["status"] == "refused" and "close the position first" in answer["message"]


def test_an_agent_that_gets_no_more_bars_is_removed_with_its_shares_valued_at_the_last_close(
    holding: tuple[Life, int],
) -> None:
    life, t = holding
    now = missed(life, t, bar_check.NO_BARS_AFTER)
    found = audit(life.home)["problems"]
    before, day = life.state.book, life.sessions[t].isoformat()
    answer = life.ask("remove", now)
    assert answer["status"] == "done", answer
    directory = life.node.repositories[AGENT].directory
    said = [e.text for _, events in events_of(directory) for e in events if isinstance(e, Noted)][-1]
    for text in (answer["message"], said):
        assert (
            f"{before.shares} TEST" in text
            and day in text
            and f"{before.close:,.2f} USD" in text
            and "not sold" in text
        )
    left = life.node.repositories[AGENT].state
    assert left.status == AgentStatus.REMOVED and left.orders == ()
    assert (left.book.shares, left.book.equity) == (before.shares, before.equity)
    assert audit(life.home)["problems"] == found


def test_a_close_that_no_bar_fills_says_so_and_does_not_stand_in_the_way(holding: tuple[Life, int]) -> None:
    life, t = holding
    now = missed(life, t, bar_check.NO_BARS_AFTER)
    answer = life.ask("close", now)
    assert answer["result"]["outcome"] == "exit queued" and "remove" in answer["message"]
    assert life.ask("remove", now, request_id="r")["status"] == "done"
    left = life.node.repositories[AGENT].state
    assert left.status == AgentStatus.REMOVED and left.orders == ()
    assert again(life, "r", now)["status"] == "done"


def test_after_the_emergency_stop_such_an_agent_can_be_removed_and_everything_is_flat(
    holding: tuple[Life, int],
) -> None:
    life, t = holding
    now = missed(life, t, bar_check.NO_BARS_AFTER)
    assert not life.ask("emergency_stop", now)["result"]["flat"]
    assert life.ask("remove", now)["status"] == "done"
    assert life.ask("emergency_stop", now, request_id="again")["result"]["flat"]


def test_bars_that_come_again_put_the_refusal_back(holding: tuple[Life, int]) -> None:
    life, t = holding
    missed(life, t, bar_check.NO_BARS_AFTER)
    assert bar_check.ended(queries.agent(life.store, AGENT)) == life.sessions[t].isoformat()
    write_csv(life.csv, FRAME)
    now = at(life.sessions[t + bar_check.NO_BARS_AFTER + 1], "16:40")
    life.check(now)
    if not life.state.flat:
        assert life.ask("remove", now)["status"] == "refused"
    assert bar_check.ended(queries.agent(life.store, AGENT)) is None
