"""Requests: each applied once, also when a crash asks for it again; none can bring the process down."""

from pathlib import Path
from typing import Any

import pytest

from livetrading.adapters import settings
from livetrading.core.types import AgentStatus, Leg, Terms
from livetrading.execution import account_requests
from livetrading.execution.agent_manager import HANDLERS, AgentManager
from livetrading.execution.state import requests
from tests.doubles.lives import AGENT, FIRST, Cycler, Life, a_life, at, deployed, store_test, until
from tests.doubles.processes import free_port
from tests.doubles.series import generated


@pytest.fixture
def new(tmp_path: Path) -> Life:
    return a_life(tmp_path, generated(1, FIRST + 20), Cycler())


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return deployed(tmp_path, generated(1, FIRST + 20), Cycler())


def eve(life: Life) -> Any:
    return at(life.sessions[FIRST - 1], "20:00")


def again(life: Life, request_id: str, now: Any) -> dict[str, Any]:
    """A crash took the answer: the request is pending once more."""
    with life.store.transaction("requests") as db:
        db.table("requests").update({"status": "pending"}, lambda doc: doc["id"] == request_id)
    life.restart()
    AgentManager(life.node).apply_pending(now)
    return requests.outcome(life.store, request_id) or {}


def test_a_new_agent_runs_and_its_first_session_is_the_next_to_complete(new: Life) -> None:
    assert new.create(eve(new))["result"] == {"agent_id": AGENT}
    assert new.state.status == AgentStatus.RUNNING
    assert new.state.first_session == new.sessions[FIRST].isoformat()
    assert new.state.book.cash == new.state.book.capital == 10_000.0


def test_one_request_creates_one_agent_also_after_a_crash(new: Life) -> None:
    new.create(eve(new), request_id="form")
    assert again(new, "form", eve(new))["result"] == {"agent_id": AGENT}
    assert new.node.active() == [AGENT]


def test_agents_of_a_model_are_counted(new: Life) -> None:
    made = [new.create(eve(new), request_id=f"r{n}")["result"]["agent_id"] for n in range(3)]
    assert made == ["PPO_TEST_001", "PPO_TEST_002", "PPO_TEST_003"]


def test_a_creation_that_never_became_durable_leaves_its_number_free(new: Life) -> None:
    directory = new.home.agent(AGENT)
    directory.mkdir(parents=True)
    (directory / "journal.jsonl").write_bytes(b'{"at":"2012-')
    new.restart()
    assert new.create(eve(new))["result"] == {"agent_id": AGENT}


@pytest.mark.parametrize(
    ("args", "word"),
    [
        ({"model_id": "PPO_NONE_v20240101_000000"}, "no model"),
        ({"capital": -5}, "capital"),
        ({"capital": "much"}, "number"),
        ({"max_position": 1.5}, "max position"),
        ({"risk_per_trade": 0.3}, "risk per trade"),
        ({"mode": "real"}, "mode"),
        ({"symbol": "AAPL"}, "AAPL"),
        ({"agent_type": "SAC"}, "SAC"),
        ({"pace": "slow"}, "pace"),
        ({"time_frame": "1m"}, "time frame"),
        ({"job_id": "other"}, "test"),
        ({"capital": 5_000.0}, "test"),
        ({"costs": 3}, "number"),
        ({"costs": {"slip_bps": "x"}}, "number"),
    ],
)
def test_what_cannot_be_deployed_is_refused_in_one_sentence_and_leaves_nothing(
    new: Life, args: dict[str, Any], word: str
) -> None:
    given = {"model_id": new.model_id, "mode": "paper", "source": f"csv:{new.csv}", "job_id": "tested", **args}
    answer = new.ask("create", eve(new), **given)
    assert answer["status"] == "refused" and word in answer["message"]
    assert new.node.active() == [] and list(new.home.agents.iterdir()) == []


def test_a_job_without_its_result_refuses_and_does_not_come_back_for_ever(new: Life) -> None:
    with new.store.transaction("jobs") as db:
        db.table("jobs").insert({"id": "odd", "state": "done", "result": None})
    answer = new.ask("create", eve(new), model_id=new.model_id, job_id="odd")
    assert answer["status"] == "refused" and requests.pending(new.store) == []


def test_no_account_is_deployed_to_while_its_broker_does_not_answer(new: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_requests, "ANSWER_SECONDS", 0.3)
    settings.save(new.home, "ibkr_port", free_port())
    store_test(new.store, new.model_id, Terms(), "again")
    answer = new.ask("create", eve(new), model_id=new.model_id, mode="ibkr", job_id="again", source=f"csv:{new.csv}")
    assert answer["status"] == "refused" and new.node.active() == []
    assert "Interactive Brokers cannot be used now" in answer["message"]
    new.node.close()


def test_pause_withdraws_the_entry_and_keeps_position_and_stop(life: Life) -> None:
    life.check(at(life.sessions[FIRST], "16:40"))
    life.ask("pause", at(life.sessions[FIRST], "20:00"))
    assert life.state.status == AgentStatus.PAUSED and life.state.orders == ()
    life.ask("start", at(life.sessions[FIRST], "20:01"))
    t = until(lambda: not life.state.flat, life, FIRST + 1)
    life.ask("pause", at(life.sessions[t - 1], "20:00"))
    life.day(t)
    assert not life.state.flat and [str(o.leg) for o in life.state.orders] == ["stop"]
    assert [h.reason for h in life.named("Held")][-1] == "the agent is paused"


def test_close_sells_at_the_next_open_and_the_agent_goes_on(life: Life) -> None:
    t = until(lambda: not life.state.flat, life, FIRST)
    answer = life.ask("close", at(life.sessions[t - 1], "20:00"))
    assert answer["result"]["outcome"] == "exit queued" and life.state.status == AgentStatus.RUNNING
    life.day(t)
    assert [f.leg for f in life.named("Filled")] == ["entry", "exit"]


def test_a_close_that_was_done_before_a_crash_is_answered_as_done_and_not_done_again(life: Life) -> None:
    t = until(lambda: not life.state.flat, life, FIRST)
    life.ask("close", at(life.sessions[t - 1], "20:00"), request_id="c")
    orders = life.state.orders
    assert again(life, "c", at(life.sessions[t - 1], "20:01"))["status"] == "done" and life.state.orders == orders
    life.check(at(life.sessions[t], "16:30"))
    life.ask("pause", at(life.sessions[t], "20:00"))
    assert life.state.idle
    assert again(life, "c", at(life.sessions[t], "20:01"))["status"] == "done" and life.state.idle


def test_a_close_of_an_entry_that_met_its_open_sells_it_again(life: Life) -> None:
    life.check(at(life.sessions[FIRST], "16:40"))
    life.check(at(life.sessions[FIRST + 1], "08:00"))
    assert life.ask("close", at(life.sessions[FIRST + 1], "11:00"))["result"]["outcome"] == "exit queued"
    life.check(at(life.sessions[FIRST + 1], "16:40"))
    assert life.state.open_orders(Leg.EXIT) and life.state.status == AgentStatus.RUNNING
    life.check(at(life.sessions[FIRST + 2], "16:40"))
    assert [f.leg for f in life.named("Filled")] == ["entry", "exit"]


def test_closing_nothing_is_refused(life: Life) -> None:
    answer = life.ask("close", eve(life))
    assert answer["status"] == "refused" and "nothing to close" in answer["message"]


def test_remove_is_refused_while_shares_are_held_and_keeps_the_journal(life: Life) -> None:
    t = until(lambda: not life.state.flat, life, FIRST)
    refused = life.ask("remove", at(life.sessions[t - 1], "20:00"))
    assert refused["status"] == "refused" and "close the position" in refused["message"]
    life.ask("close", at(life.sessions[t - 1], "20:01"))
    life.ask("pause", at(life.sessions[t - 1], "20:02"))
    life.day(t)
    assert life.ask("remove", at(life.sessions[t], "20:00"), request_id="r")["status"] == "done"
    assert life.node.active() == [] and (life.home.agent(AGENT) / "journal.jsonl").exists()
    assert again(life, "r", at(life.sessions[t], "20:01"))["status"] == "done"
    assert life.ask("remove", at(life.sessions[t], "20:02"))["result"]["error_type"] == "NotFound"


def test_a_removed_agents_number_is_not_used_again(life: Life) -> None:
    life.ask("remove", eve(life))
    assert life.create(eve(life), request_id="next")["result"] == {"agent_id": "PPO_TEST_002"}


def test_an_agent_whose_model_changed_does_not_start(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    from livetrading.core.errors import Refused

    def load(model_id: str) -> Any:
        raise Refused("the model was trained under other rules: train it again.")

    life.ask("pause", eve(life))
    monkeypatch.setattr(life.node.registry, "load", load)
    assert life.ask("start", eve(life))["status"] == "refused" and life.state.status == AgentStatus.PAUSED


def test_a_spoilt_paper_account_is_rebuilt_from_the_journal_and_trading_goes_on(life: Life) -> None:
    t = until(lambda: not life.state.flat, life, FIRST)
    path = life.home.agent(AGENT) / "paper.json"
    sound = path.read_text()
    for spoilt in (sound[: len(sound) // 2], None):
        path.write_text(spoilt) if spoilt is not None else path.unlink()
        life.restart()
        broker = life.node.trader(AGENT).broker
        assert broker.position() == life.state.book.shares and broker.traded() == life.state.booked
        (stop,) = life.state.open_orders(Leg.STOP)
        found = broker.find(stop.key)
        assert found is not None and (found.qty, found.stop_price) == (stop.qty, stop.stop_price)
        assert "rebuilt" in life.node.notices[0][1]
    life.day(t)
    assert life.state.status == AgentStatus.RUNNING and life.state.booked == life.sessions[t].isoformat()


def test_a_close_that_meets_a_session_traded_but_not_booked_is_not_lost(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    from livetrading.adapters.journal import Journal
    from livetrading.execution import pass_runner

    class Killed(BaseException):
        """The process ends here."""

    def dies(*_: Any) -> None:
        raise Killed

    t = until(lambda: not life.state.flat, life, FIRST)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Journal, "append", dies)
        pass_runner.run(life.node, at(life.sessions[t], "16:40"))
    life.restart()
    assert life.node.trader(AGENT).broker.traded() > life.state.booked
    assert life.ask("close", at(life.sessions[t], "16:41"))["result"]["outcome"] == "exit queued"
    life.check(at(life.sessions[t], "16:42"))
    life.day(t + 1)
    assert [f.leg for f in life.named("Filled")] == ["entry", "exit"]


def test_every_kind_of_request_has_a_handler_and_no_other_has_one() -> None:
    assert set(HANDLERS) == set(requests.KINDS)
