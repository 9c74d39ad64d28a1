"""One agent's trouble is that agent's: an error that nobody foresaw is logged, said, and everything else goes on."""

import logging
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from livetrading.adapters import logs
from livetrading.adapters.halt import HaltLatch
from livetrading.adapters.journal import Journal
from livetrading.core.errors import Unavailable
from livetrading.core.types import AgentStatus, Leg
from livetrading.execution import pass_runner
from livetrading.execution.agent_manager import AgentManager
from livetrading.execution.node import Node
from livetrading.execution.scheduler import Scheduler
from livetrading.execution.state import queries, requests
from livetrading.execution.state.agent_repository import AgentRepository
from livetrading.execution.state.read_model import ReadModel
from livetrading.execution.stopping import emergency_stop
from tests.doubles import account_days
from tests.doubles.account_life import AccountLife
from tests.doubles.lives import AGENT, FIRST, Cycler, Known, Life, at, deployed
from tests.doubles.series import generated

SECOND, THIRD = "PPO_TEST_002", "PPO_TEST_003"


@pytest.fixture(autouse=True)
def _nothing_was_logged_before() -> Iterator[None]:
    logs.logged.clear()
    yield


@pytest.fixture
def three(tmp_path: Path) -> Life:
    life = deployed(tmp_path, generated(1, FIRST + 20), Cycler(9))
    for name in ("second", "third"):
        life.create(at(life.sessions[FIRST - 1], "20:00"), request_id=name)
    return life


@pytest.fixture
def holding(three: Life) -> Life:
    """All three hold a position with its stop, on the evening of row FIRST + 1."""
    three.check(at(three.sessions[FIRST], "16:40"))
    three.day(FIRST + 1)
    assert all(not three.node.repository(a).state.flat for a in (AGENT, SECOND, THIRD))
    return three


class Raising:
    """A policy that nobody foresaw."""

    def raw(self, obs: object) -> float:
        raise RuntimeError("the network has no answer")


def _on(life: Life, t: int, clock: str) -> datetime:
    return at(life.sessions[FIRST + t], clock)


def _status(life: Life, agent_id: str) -> AgentStatus:
    return life.node.repository(agent_id).state.status


def _stops(life: Life, agent_id: str) -> list[int]:
    """Shares that the agent's working stops cover at its broker."""
    executor = life.node.executor(agent_id)
    found = [executor.broker.find(o.key) for o in executor.repository.state.open_orders(Leg.STOP)]
    return [answer.qty for answer in found if answer is not None and answer.working]


# -- a pass -----------------------------------------------------------------


def test_a_policy_that_raises_blocks_its_agent_and_every_other_one_decides(
    three: Life, caplog: pytest.LogCaptureFixture
) -> None:
    three.node.trader(SECOND).policy = lambda: Raising()
    done, failed = pass_runner.run(three.node, _on(three, 0, "16:40"))
    assert [d["agent_id"] for d in done.decided] == [AGENT, THIRD]
    reason = (
        "an error of the program in its pass: RuntimeError: the network has no answer; its protective stop stays. Look at"
        " the log, then start the agent again"
    )
    assert failed == {SECOND: reason}
    assert (_status(three, SECOND), three.node.repository(SECOND).state.status_reason) == (AgentStatus.BLOCKED, reason)
    (told,) = [r for r in caplog.records if r.exc_info]
    assert SECOND in told.getMessage() and "the network has no answer" in str(told.exc_info[1])
    (held,) = [h for h in pass_runner.document(done, failed)["held"] if h["agent_id"] == SECOND]
    assert held["reason"] == reason


def test_an_agent_that_an_error_blocked_keeps_its_stop_can_be_closed_and_starts_again(holding: Life) -> None:
    holding.node.trader(SECOND).policy = lambda: Raising()
    pass_runner.run(holding.node, _on(holding, 2, "16:40"))
    assert _status(holding, SECOND) == AgentStatus.BLOCKED
    held = holding.node.repository(SECOND).state.book.shares
    for clock in ("16:41", "20:00"):
        assert pass_runner.run(holding.node, _on(holding, 2, clock))[1] == {}, "a blocked agent's passes go on"
        assert _stops(holding, SECOND) == [held]
    _asked(holding, "start", SECOND, _on(holding, 2, "20:10"))
    assert _status(holding, SECOND) == AgentStatus.RUNNING
    closed = _asked(holding, "close", SECOND, _on(holding, 3, "11:00"))
    assert closed["status"] == "done"
    for t in (3, 4):  # a simulated exit fills at the next open
        pass_runner.run(holding.node, _on(holding, t, "16:40"))
    assert holding.node.repository(SECOND).state.flat


@pytest.mark.parametrize("how", ["its files are gone", "it cannot be built"])
def test_without_its_model_an_agent_is_still_protected_and_can_be_closed(
    holding: Life, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    now = _on(holding, 2, "08:00")
    if how == "its files are gone":
        shutil.rmtree(holding.home.model(holding.model_id))
    else:
        monkeypatch.setattr(holding.node, "build_trader", lambda repository: 1 / 0)
    held = holding.node.repository(SECOND).state.book.shares
    executor = holding.node.executor(SECOND)
    executor.cancel(executor.repository.state.open_orders(Leg.STOP)[0].key, "by hand", now)
    holding.node.forget(SECOND)
    assert _stops(holding, SECOND) == []
    done, failed = pass_runner.run(holding.node, now)
    assert SECOND in failed and _status(holding, SECOND) == AgentStatus.BLOCKED
    assert _stops(holding, SECOND) == [held]
    assert any(a["agent_id"] == SECOND and "placed again" in a["text"] for a in done.alarms)
    assert _asked(holding, "close", SECOND, _on(holding, 2, "08:05"))["result"]["outcome"] == "exit queued"
    assert [o.at_broker for o in holding.node.repository(SECOND).state.open_orders(Leg.EXIT)] == [True]


def test_an_agent_that_fails_in_every_pass_never_keeps_the_others_from_theirs(
    holding: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = type(holding.node.executor(SECOND).broker).find

    def broken(self: Any, ref: str) -> Any:
        if ref.startswith(SECOND):
            raise KeyError(ref)
        return find(self, ref)

    monkeypatch.setattr(type(holding.node.executor(SECOND).broker), "find", broken)
    for t in range(2, 6):
        for clock in ("08:00", "16:40"):
            failed = pass_runner.run(holding.node, _on(holding, t, clock))[1]
            assert list(failed) == [SECOND]
    assert holding.node.repository(THIRD).state.settled == holding.sessions[FIRST + 5].isoformat()


def test_an_agent_that_cannot_be_blocked_either_is_blocked_when_it_can(
    three: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = Journal.append

    def full(self: Journal, *rest: Any) -> Any:
        if SECOND in str(self.path):
            raise Unavailable("the disk is full; free some space and try again.")
        return append(self, *rest)

    three.node.trader(SECOND).policy = lambda: Raising()
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", full)
        done, failed = pass_runner.run(three.node, _on(three, 0, "16:40"))
    assert len(done.decided) == 2 and SECOND in failed and _status(three, SECOND) == AgentStatus.RUNNING
    three.node.trader(SECOND).policy = lambda: Raising()
    pass_runner.run(three.node, _on(three, 0, "16:41"))
    assert _status(three, SECOND) == AgentStatus.BLOCKED


def test_what_became_durable_before_an_error_is_not_done_twice(three: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is behind the journal then: the agent is read again."""
    add = ReadModel.add

    def broken(self: ReadModel, before: Any, event: Any, after: Any, at: str) -> None:
        if after.agent.agent_id == SECOND and type(event).__name__ == "Decided":
            monkeypatch.setattr(ReadModel, "add", add)
            raise RuntimeError("between journal and memory")
        add(self, before, event, after, at)

    monkeypatch.setattr(ReadModel, "add", broken)
    done, failed = pass_runner.run(three.node, _on(three, 0, "16:40"))
    assert list(failed) == [SECOND] and len(done.decided) == 2
    state = three.node.repository(SECOND).state
    assert state == AgentRepository(three.home, SECOND).state and state.status == AgentStatus.BLOCKED
    assert state.settled == three.sessions[FIRST].isoformat()
    _asked(three, "start", SECOND, _on(three, 0, "17:00"))
    again, _ = pass_runner.run(three.node, _on(three, 0, "17:01"))
    assert again.decided == []


def test_bars_that_end_in_an_unforeseen_error_hold_the_session_and_block_nobody(holding: Life) -> None:
    class Broken:
        name = "broken"

        def daily(self, symbol: str, *, now: datetime) -> Any:
            raise UnicodeError("label empty or too long")

    holding.node.trader(SECOND).source = Broken()
    done, failed = pass_runner.run(holding.node, _on(holding, 2, "16:40"))
    assert failed == {} and _status(holding, SECOND) == AgentStatus.RUNNING
    (held,) = [h for h in done.held if h["agent_id"] == SECOND]
    assert "UnicodeError: label empty or too long" in held["reason"] and "the log" in held["reason"]


# -- requests ---------------------------------------------------------------


def _asked(life: Life, kind: str, agent_id: str | None, now: datetime, **args: Any) -> dict[str, Any]:
    made = requests.submit(life.store, kind, agent_id=agent_id, args=args, by="test", now=now)
    AgentManager(life.node).apply_pending(now)
    return requests.outcome(life.store, made) or {}


@pytest.mark.parametrize(
    "kind", ["start", "pause", "close", "remove", "adopt", "ignore", "create", "emergency_stop", "rearm"]
)
def test_a_request_that_raises_anything_is_answered_and_the_next_one_is_served(
    three: Life, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    now = _on(three, 0, "12:00")
    target = "_done_before" if kind in ("close", "remove") else kind
    owner: Any = AgentManager
    if kind in ("emergency_stop", "rearm"):
        owner, target = emergency_stop, {"emergency_stop": "stop"}.get(kind, kind)
    elif kind in ("adopt", "ignore"):
        from livetrading.execution import account_requests as owner

        target = "resolve"
    of = SECOND if kind in requests.OF_AN_AGENT else None
    first = requests.submit(three.store, kind, agent_id=of, by="test", now=now)
    monkeypatch.setattr(owner, target, lambda *_, **__: 1 / 0)
    behind = (
        requests.submit(three.store, "start", agent_id=THIRD, by="test", now=now)
        if kind == "start"
        else requests.submit(three.store, "pause" if kind != "pause" else "start", agent_id=THIRD, by="test", now=now)
    )
    assert AgentManager(three.node).apply_pending(now) == 2
    told = requests.outcome(three.store, first) or {}
    assert (told["status"], told["result"]) == ("refused", {"error_type": "Unforeseen"})
    assert "ZeroDivisionError" in told["message"] and "log" in told["message"]
    assert requests.outcome(three.store, behind) is not None and requests.pending(three.store) == []


def test_an_answer_that_cannot_be_stored_does_not_come_back_for_ever(
    three: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AgentManager, "pause", lambda *_: ("paused", {"value": float("nan")}))
    told = _asked(three, "pause", SECOND, _on(three, 0, "12:00"))
    assert told["status"] == "refused" and "nan" in told["message"] and requests.pending(three.store) == []


@pytest.mark.parametrize(
    "written",
    [
        {"kind": "dance", "agent_id": SECOND, "args": {}, "by": "hand"},
        {"kind": "pause"},
        {"kind": ["pause"], "agent_id": SECOND},
        {"kind": "start", "agent_id": {"a": 1}, "args": {}, "by": "hand"},
    ],
)
def test_a_request_written_by_hand_is_answered_whatever_it_holds_and_removes_nobody(
    three: Life, written: dict[str, Any]
) -> None:
    with three.store.transaction("requests") as db:
        db.table("requests").insert({"id": "by-hand", "status": "pending", "message": "", "result": {}, **written})
    AgentManager(three.node).apply_pending(_on(three, 0, "12:00"))
    assert (requests.outcome(three.store, "by-hand") or {})["status"] == "refused"
    assert three.node.active() == [AGENT, SECOND, THIRD]


def test_an_emergency_stop_of_one_agent_that_fails_stops_the_others(
    holding: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    flatten = emergency_stop.flatten

    def broken(hand: emergency_stop.StopContext, *rest: Any) -> str:
        if hand.repository.agent_id == SECOND:
            raise RuntimeError("nobody foresaw this")
        return flatten(hand, *rest)

    monkeypatch.setattr(emergency_stop, "flatten", broken)
    told = _asked(holding, "emergency_stop", None, _on(holding, 2, "11:00"), reason="a test")
    items = {item["agent_id"]: item for item in told["result"]["items"]}
    assert {a: item["status"] for a, item in items.items()} == {
        AGENT: "exit queued",
        SECOND: "failed",
        THIRD: "exit queued",
    }
    assert "RuntimeError: nobody foresaw this" in items[SECOND]["error"] and told["result"]["flat"] is False
    monkeypatch.setattr(emergency_stop, "flatten", flatten)
    emergency_stop.stop(holding.node, "", "halt latch", _on(holding, 2, "11:01"))
    assert holding.node.repository(SECOND).state.open_orders(Leg.EXIT), "it is gone on with"


# -- the process ------------------------------------------------------------


@pytest.fixture
def scheduler(three: Life) -> Scheduler:
    made = Scheduler(three.home, clock=lambda: _on(three, 0, "16:40"))
    made.node.beside, made.node.registry = False, Known(three.home, three.policy)
    made.attempt(made.read_agents)
    return made


def test_an_error_in_any_turn_ends_that_turn_and_is_told_once(
    scheduler: Scheduler, caplog: pytest.LogCaptureFixture
) -> None:
    def turn() -> None:
        raise UnicodeError("label empty or too long")

    for _ in range(5):
        scheduler.attempt(turn)
    (alarm,) = queries.system(scheduler.node.store, scheduler.clock())["alarms"]
    assert "UnicodeError: label empty or too long" in alarm["text"] and "log" in alarm["text"]
    assert len([r for r in caplog.records if r.exc_info]) == 1


def test_an_agents_error_is_an_alarm_and_the_latch_is_looked_at_whatever_a_request_does(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler.node.trader(SECOND).policy = lambda: Raising()
    scheduler.attempt(scheduler.trade)
    alarms = queries.system(scheduler.node.store, scheduler.clock())["alarms"]
    assert [(a["agent_id"], "RuntimeError" in a["text"]) for a in alarms] == [(SECOND, True)]
    HaltLatch(scheduler.home).set("a test", "test", scheduler.clock())
    monkeypatch.setattr(AgentManager, "apply_pending", lambda *_: 1 / 0)
    scheduler.attempt(scheduler.answer_requests)
    assert {scheduler.node.repository(a).state.status for a in scheduler.node.active()} == {AgentStatus.STOPPED}


def test_an_agent_that_could_not_be_read_is_read_again_and_one_that_is_damaged_is_not(
    three: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    from livetrading.execution import node as nodes

    def too_many(home: Any, agent_id: str) -> AgentRepository:
        if agent_id == SECOND:
            raise OSError(24, "too many open files")
        return AgentRepository(home, agent_id)

    monkeypatch.setattr(nodes, "OPEN_AGAIN_SECONDS", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(nodes, "AgentRepository", too_many)
        node = Node(three.home, three.node.calendar)
        node.open()
        assert node.active() == [AGENT, THIRD] and "too many open files" in node.damaged[SECOND]
        assert queries.agent(three.store, SECOND)["status"] == "blocked"
    journal = three.home.agent(THIRD) / "journal.jsonl"
    node.set_apart(THIRD, nodes.Damaged("changed"))
    node.open()
    assert node.active() == [AGENT, SECOND] and list(node.damaged) == [THIRD] and journal.exists()
    assert queries.agent(three.store, SECOND)["status"] == "running"


def test_directories_that_are_no_agents_and_files_of_any_shape_hide_no_agent(three: Life) -> None:
    (three.home.agents / "a copy of my agent").mkdir()
    (three.home.agents / ".DS_Store").write_text("")
    (three.home.agents / "PPO_FILE_001").write_text("")
    state = three.home.agent(SECOND) / "state.json"
    for content in (
        "[]",
        '{"agent": {"1": {}}}',
        '{"agent": {"1": {"agent_id": "x", "mode": "paper", "status": "running", "cash": "much"}}}',
    ):
        state.write_text(content)
        shown = {a["agent_id"]: a for a in queries.agents(three.store)}
        assert list(shown) == [AGENT, SECOND, THIRD] and shown[AGENT]["status"] == "running"
        assert shown[SECOND]["status"] == "unreadable" and "state.json" in shown[SECOND]["status_reason"]
    three.restart()
    assert three.node.active() == [AGENT, SECOND, THIRD]


def test_a_replay_that_fails_lets_the_others_live_on(tmp_path: Path) -> None:
    life = deployed(tmp_path, generated(1, FIRST + 20), Cycler(), mode="replay", model_rows=FIRST + 20)
    life.create(at(life.sessions[FIRST - 1], "20:00"), request_id="second")
    made = Scheduler(life.home, clock=lambda: at(life.sessions[FIRST], "16:40"))
    made.node.registry = Known(life.home, life.policy)
    made.attempt(made.read_agents)
    made.node.trader(AGENT).policy = lambda: Raising()
    for _ in range(3):
        made.attempt(made.step_replays)
    assert made.node.repository(AGENT).state.status == AgentStatus.BLOCKED
    assert made.node.repository(SECOND).state.settled is not None


def test_an_alarm_that_cannot_be_written_costs_nothing_but_itself(
    scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(type(scheduler.node.store), "transaction", lambda *_: 1 / 0)
    with caplog.at_level(logging.ERROR):
        scheduler.alarm(AGENT, "something")
    assert "could not be shown" in caplog.text


def test_figures_of_an_account_that_cannot_be_read_hide_neither_its_state_nor_the_comparison(
    life: AccountLife, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    account_days.deployed(life)
    made = Scheduler(life.home, clock=lambda: life.now)
    made.node = life.node
    monkeypatch.setattr(type(life.link), "account", lambda self: float("n/a"))
    for _ in range(3):
        made.next_account = 0.0
        made.attempt(made.check_account)
    system = life.store.read("system")
    (told,) = system["broker"].values()
    assert (told["ready"], told["net_liquidation"], told["account"]) == (True, None, life.link.health().account)
    assert any("ValueError" in a["text"] for a in system["alarms"].values())
    assert pass_runner.run(life.node, at(life.sessions[FIRST], "16:40"))[1] == {}
