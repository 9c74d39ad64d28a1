"""Emergency stop: nothing bought after it, everything sold, and "flat" said only when it is true."""

from pathlib import Path

import pytest

from livetrading.adapters.halt import HaltLatch
from livetrading.core.types import AgentStatus, Leg
from livetrading.execution.stopping import emergency_stop
from tests.doubles.lives import AGENT, FIRST, Always, Cycler, Life, at, crash_bar, deployed, until
from tests.doubles.series import generated


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return deployed(tmp_path, generated(1, FIRST + 30), Cycler())


def stop(life: Life, t: int, clock: str) -> dict:
    HaltLatch(life.home).set("test", "test", at(life.sessions[t], clock))
    return life.ask("emergency_stop", at(life.sessions[t], clock))["result"]


def test_a_planned_entry_never_leaves(life: Life) -> None:
    life.check(at(life.sessions[FIRST], "16:40"))
    result = stop(life, FIRST, "20:00")
    assert result["flat"] and result["items"][0]["status"] == "flat" and life.state.orders == ()
    life.day(FIRST + 1)
    assert life.named("Filled") == []


def test_an_entry_at_the_broker_before_the_open_is_withdrawn(life: Life) -> None:
    life.check(at(life.sessions[FIRST], "16:40"))
    life.check(at(life.sessions[FIRST + 1], "08:00"))
    assert stop(life, FIRST + 1, "09:00")["flat"]
    life.check(at(life.sessions[FIRST + 1], "16:40"))
    assert life.named("Filled") == []


def test_an_entry_that_met_its_open_is_sold_at_the_next_and_not_called_flat_before(life: Life) -> None:
    life.check(at(life.sessions[FIRST], "16:40"))
    life.check(at(life.sessions[FIRST + 1], "08:00"))
    assert stop(life, FIRST + 1, "11:00")["items"][0]["status"] == emergency_stop.QUEUED
    life.check(at(life.sessions[FIRST + 1], "16:40"))
    assert [str(o.leg) for o in life.state.orders] == ["exit"] and life.state.status == AgentStatus.STOPPED
    life.check(at(life.sessions[FIRST + 2], "16:40"))
    assert [f.leg for f in life.named("Filled")] == ["entry", "exit"]
    assert stop(life, FIRST + 2, "20:00")["flat"]


@pytest.mark.parametrize("clock", ["20:00", "07:00", "09:25", "11:00", "16:03"])
def test_a_position_is_sold_whatever_the_hour(life: Life, clock: str) -> None:
    t = until(lambda: not life.state.flat, life, FIRST)
    day = t - 1 if clock == "20:00" else t
    assert stop(life, day, clock)["items"][0]["status"] == emergency_stop.QUEUED
    for row in (t, t + 1):
        life.check(at(life.sessions[row], "16:40"))
    assert life.state.idle and life.named("Filled")[-1].leg == "exit"


def test_an_exit_that_waits_for_its_window_goes_now_and_once(life: Life) -> None:
    t = until(lambda: bool(life.state.open_orders(Leg.EXIT)), life, FIRST)
    stop(life, t - 1, "20:00")
    assert [str(o.state) for o in life.state.orders] == ["NEW"]
    life.day(t)
    assert [f.leg for f in life.named("Filled")] == ["entry", "exit"]


def test_an_exit_already_at_the_broker_is_left_to_fill(life: Life) -> None:
    t = until(lambda: bool(life.state.open_orders(Leg.EXIT)), life, FIRST)
    life.check(at(life.sessions[t], "08:00"))
    (before,) = life.state.orders
    stop(life, t, "09:00")
    assert [o.key for o in life.state.orders] == [before.key]


def test_a_stop_that_is_hit_before_the_exit_can_go_ends_it(tmp_path: Path) -> None:
    life = deployed(tmp_path, crash_bar(generated(1, FIRST + 10), FIRST + 2), Always(2))
    life.day(FIRST)
    life.day(FIRST + 1)
    stop(life, FIRST + 2, "11:00")
    life.check(at(life.sessions[FIRST + 2], "16:40"))
    assert [f.leg for f in life.named("Filled")] == ["entry", "stop"] and life.state.idle


def test_a_double_click_is_one_stop(life: Life) -> None:
    t = until(lambda: not life.state.flat, life, FIRST)
    stop(life, t - 1, "20:00")
    orders, seq = life.state.orders, life.repository.seq
    stop(life, t - 1, "20:01")
    assert (life.state.orders, life.repository.seq) == (orders, seq)


def test_a_latch_set_by_anyone_stops_without_a_request(life: Life) -> None:
    t = until(lambda: not life.state.flat, life, FIRST)
    HaltLatch(life.home).set("pulled", "a page", at(life.sessions[t - 1], "20:00"))
    life.check(at(life.sessions[t - 1], "20:01"))
    assert life.state.status == AgentStatus.STOPPED and life.state.open_orders(Leg.EXIT)
    assert not emergency_stop.unfinished(life.node)


def test_an_unreadable_latch_counts_as_halted(life: Life) -> None:
    life.check(at(life.sessions[FIRST], "16:40"))
    (life.home.root / "halt.json").write_text("{")
    assert life.check(at(life.sessions[FIRST + 1], "08:00")).sent == []
    assert life.state.status == AgentStatus.STOPPED


def test_re_arming_is_an_act_of_its_own_and_leaves_the_agents_stopped(life: Life) -> None:
    stop(life, FIRST, "08:00")
    refused = life.ask("start", at(life.sessions[FIRST], "08:01"))
    assert refused["status"] == "refused" and "re-arm" in refused["message"]
    assert life.ask("rearm", at(life.sessions[FIRST], "08:02"))["result"] == {"rearmed": True}
    assert life.state.status == AgentStatus.STOPPED and "test" in (life.home.root / "halts.log").read_text()
    assert life.ask("start", at(life.sessions[FIRST], "08:03"))["status"] == "done"


def test_nothing_is_deployed_under_the_latch(life: Life) -> None:
    stop(life, FIRST, "08:00")
    answer = life.create(at(life.sessions[FIRST], "08:01"), request_id="second")
    assert answer["status"] == "refused" and "re-arm" in answer["message"]


def test_a_damaged_agent_is_named_and_the_others_are_flattened(tmp_path: Path) -> None:
    life = deployed(tmp_path, generated(1, FIRST + 30), Cycler())
    life.create(at(life.sessions[FIRST - 1], "20:00"), request_id="second")
    t = until(lambda: not life.state.flat, life, FIRST)
    journal = life.home.agent("PPO_TEST_002") / "journal.jsonl"
    journal.write_bytes(b"x" + journal.read_bytes())
    life.restart()
    items = {i["agent_id"]: i for i in stop(life, t - 1, "20:00")["items"]}
    assert items[AGENT]["status"] == emergency_stop.QUEUED
    assert items["PPO_TEST_002"]["status"] == "failed" and "line 1" in items["PPO_TEST_002"]["error"]


def test_a_position_is_sold_even_if_its_model_is_damaged(life: Life) -> None:
    t = until(lambda: not life.state.flat, life, FIRST)
    (life.home.model(life.model_id) / "card.json").write_text("{")
    life.restart()
    assert stop(life, t - 1, "20:00")["items"][0]["status"] == emergency_stop.QUEUED
    assert [(str(o.leg), str(o.state)) for o in life.state.orders] == [("exit", "NEW")]


def test_a_replay_agent_is_flat_after_one_more_bar_of_its_history(tmp_path: Path) -> None:
    from livetrading.execution.trading import replay

    life = deployed(tmp_path, generated(1, FIRST + 30), Cycler(), mode="replay", model_rows=FIRST + 30)
    trader = life.node.trader(AGENT)
    while life.state.flat:
        replay.advance(trader)
    booked = life.state.booked
    result = life.ask("emergency_stop", at(life.sessions[FIRST + 29], "20:00"))["result"]
    assert (
        result["flat"]
        and life.state.booked == trader.calendar.next_session(type(life.sessions[0]).fromisoformat(booked)).isoformat()
    )
