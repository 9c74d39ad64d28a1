"""A pass over all agents: one agent's trouble is its own, and a given time is the time of everything."""

from pathlib import Path

import pytest

from livetrading.adapters.stamps import stamp
from livetrading.core.types import AgentStatus
from livetrading.execution import pass_runner
from livetrading.execution.state.agent_repository import events_of
from tests.doubles.lives import AGENT, FIRST, Cycler, Life, at, deployed
from tests.doubles.series import generated

SECOND = "PPO_TEST_002"


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return deployed(tmp_path, generated(1, FIRST + 20), Cycler())


@pytest.fixture
def two(life: Life) -> Life:
    life.create(at(life.sessions[FIRST - 1], "20:00"), request_id="second")
    return life


def test_an_earlier_time_becomes_the_deployment_date(life: Life) -> None:
    now = at(life.sessions[FIRST - 10], "16:40")
    done, failed = pass_runner.check_as_of(life.node, now)
    assert failed == {} and [d["session"] for d in done.decided] == [life.sessions[FIRST - 10].isoformat()]
    assert (life.state.deployed_at, life.state.first_session) == (stamp(now), life.sessions[FIRST - 10].isoformat())


def test_the_given_time_is_the_time_of_everything_recorded(life: Life) -> None:
    now = at(life.sessions[FIRST - 10], "16:40")
    pass_runner.check_as_of(life.node, now)
    times = [line for line, _ in events_of(life.home.agent(AGENT))]
    assert times[1:] == [now] * (len(times) - 1)


def test_an_agent_that_cannot_begin_earlier_keeps_no_other_from_it(two: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    from livetrading.execution.state.agent_repository import AgentRepository

    commit, now = AgentRepository.commit, at(two.sessions[FIRST - 10], "16:40")

    def broken(self: AgentRepository, events: list, at: object) -> object:
        if self.agent_id == AGENT and type(events[0]).__name__ == "Deployed":
            raise RuntimeError("nobody foresaw this")
        return commit(self, events, at)

    monkeypatch.setattr(AgentRepository, "commit", broken)
    done, failed = pass_runner.check_as_of(two.node, now)
    assert list(failed) == [AGENT] and [d["agent_id"] for d in done.decided] == [SECOND]
    assert [h["reason"] for h in pass_runner.document(done, failed)["held"]] == [failed[AGENT]]


def test_before_the_last_decision_nothing_is_due(life: Life) -> None:
    pass_runner.check_as_of(life.node, at(life.sessions[FIRST - 10], "16:40"))
    done, _ = pass_runner.check_as_of(life.node, at(life.sessions[FIRST - 20], "16:40"))
    assert (done.due, done.decided, done.held, done.missed) == ([], [], [], [])


def test_the_next_times_send_book_and_decide(life: Life) -> None:
    pass_runner.check_as_of(life.node, at(life.sessions[FIRST - 10], "16:40"))
    morning, _ = pass_runner.check_as_of(life.node, at(life.sessions[FIRST - 9], "08:00"))
    evening, _ = pass_runner.check_as_of(life.node, at(life.sessions[FIRST - 9], "16:40"))
    assert len(morning.sent) == 1 and len(evening.decided) == 1 and not life.state.flat


def test_a_pass_says_exactly_six_things(life: Life) -> None:
    document = pass_runner.document(*pass_runner.run(life.node, at(life.sessions[FIRST], "16:40")))
    assert sorted(document) == ["decided", "due", "held", "missed", "planned", "sent"]
    assert all(entry["agent_id"] == AGENT for entries in document.values() for entry in entries)


def test_one_agents_trouble_blocks_it_alone(two: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    from livetrading.core.errors import Damaged

    build = two.node.build_trader

    def broken(repository):  # type: ignore[no-untyped-def]
        if repository.agent_id == AGENT:
            raise Damaged("the bars of its model changed: train it again.")
        return build(repository)

    monkeypatch.setattr(two.node, "build_trader", broken)
    now = at(two.sessions[FIRST], "16:40")
    assert pass_runner.wanted(two.node, now)
    done, failed = pass_runner.run(two.node, now)
    assert list(failed) == [AGENT] and [d["agent_id"] for d in done.decided] == [SECOND]
    assert two.state.status == AgentStatus.BLOCKED and "train it again" in two.state.status_reason


def test_what_is_only_unavailable_blocks_nobody(two: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    from livetrading.adapters.journal import Journal
    from livetrading.core.errors import Unavailable

    def full(*_: object) -> None:
        raise Unavailable("the disk is full; free some space and try again.")

    now = at(two.sessions[FIRST], "16:40")
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", full)
        assert len(pass_runner.run(two.node, now)[1]) == 2
    assert two.state.status == AgentStatus.RUNNING
    assert len(pass_runner.run(two.node, now)[0].decided) == 2, "trading goes on when there is room"


def test_an_agent_removed_between_two_others_is_no_trouble(two: Life) -> None:
    now = at(two.sessions[FIRST - 1], "20:30")

    def between() -> bool:
        if SECOND in two.node.active():
            from livetrading.execution.agent_manager import AgentManager
            from livetrading.execution.state import requests

            requests.submit(two.store, "remove", agent_id=SECOND, by="test", now=now)
            AgentManager(two.node).apply_pending(now)
        return True

    assert pass_runner.run(two.node, now, between)[1] == {} and two.node.active() == [AGENT]


def test_each_agent_of_a_long_pass_has_its_own_time(two: Life) -> None:
    times = iter([at(two.sessions[FIRST + 1], "09:19"), at(two.sessions[FIRST + 1], "09:21")])
    two.check(at(two.sessions[FIRST], "16:40"))
    done, _ = pass_runner.run(two.node, at(two.sessions[FIRST + 1], "09:19"), clock=lambda: next(times))
    assert [s["agent_id"] for s in done.sent] == [AGENT], "the second came after its window"


def test_nothing_is_wanted_of_agents_that_wait(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[object] = []
    monkeypatch.setattr(life.node, "build_trader", built.append)
    assert not pass_runner.wanted(life.node, at(life.sessions[FIRST - 1], "20:30"))
    assert built == []
