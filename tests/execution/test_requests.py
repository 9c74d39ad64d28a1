from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from livetrading.adapters import request_ids
from livetrading.adapters.home import Home
from livetrading.adapters.store import Store
from livetrading.core.errors import BadInput, Conflict, NotFound, Unavailable
from livetrading.execution.state import requests
from tests.doubles.processes import FORK, kill, start

NOW = datetime(2024, 6, 3, 20, 40, tzinfo=UTC)
AGENT = "PPO_INTC_001"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Home(tmp_path))


def submit(store: Store, kind: str = "start", **more: Any) -> str:
    agent_id = AGENT if kind in requests.OF_AN_AGENT else None
    return requests.submit(store, kind, **{"agent_id": agent_id, "by": "page", "now": NOW, **more})


def test_a_request_waits_until_it_is_resolved(store: Store) -> None:
    request_id = submit(store)
    [request] = requests.pending(store)
    assert {key: request[key] for key in ("id", "kind", "agent_id", "args", "at", "by")} == {
        "id": request_id,
        "kind": "start",
        "agent_id": AGENT,
        "args": {},
        "at": "2024-06-03T20:40:00Z",
        "by": "page",
    }
    assert requests.outcome(store, request_id) is None
    requests.resolve(store, request_id, "done", "started", {"agent_id": AGENT}, NOW)
    assert requests.pending(store) == []
    outcome = requests.outcome(store, request_id)
    assert outcome is not None
    assert (outcome["status"], outcome["message"], outcome["result"]) == ("done", "started", {"agent_id": AGENT})


def test_requests_are_applied_in_the_order_in_which_they_came(store: Store) -> None:
    ids = [submit(store, kind) for kind in ("create", "start", "emergency_stop", "rearm")]
    requests.resolve(store, ids[1], "refused", "no", {}, NOW)
    assert [request["id"] for request in requests.pending(store)] == [ids[0], *ids[2:]]


def test_a_double_click_is_one_request(store: Store) -> None:
    request_id = request_ids.new()
    for _ in range(2):
        assert submit(store, "create", args={"capital": 10_000.0, "pair": (1, 2)}, request_id=request_id) == request_id
    assert len(requests.pending(store)) == 1
    requests.resolve(store, request_id, "done", "", {}, NOW)
    submit(store, "create", args={"capital": 10_000.0, "pair": (1, 2)}, request_id=request_id)
    assert requests.pending(store) == []


def test_double_clicks_at_once_are_one_request(store: Store) -> None:
    request_id, gate = request_ids.new(), FORK.Event()

    def click() -> None:
        gate.wait(30)
        submit(store, "emergency_stop", request_id=request_id)

    clicks = [start(click) for _ in range(4)]
    gate.set()
    for process in clicks:
        process.join(30)
        assert process.exitcode == 0
    assert len(requests.pending(store)) == 1


def test_one_id_cannot_stand_for_two_things(store: Store) -> None:
    request_id = submit(store)
    for kind, args in (("pause", {}), ("start", {"x": 1})):
        with pytest.raises(Conflict, match=request_id):
            submit(store, kind, args=args, request_id=request_id)


@pytest.mark.parametrize(
    ("kind", "agent_id", "request_id"),
    [
        ("buy", AGENT, None),
        ("", None, None),
        ("start", None, None),
        ("start", "../x", None),
        ("create", AGENT, None),
        ("emergency_stop", AGENT, None),
        ("start", AGENT, ""),
        ("start", AGENT, "a b"),
        ("start", AGENT, "x" * 65),
    ],
)
def test_a_wrong_kind_agent_or_id_is_refused(
    store: Store, kind: str, agent_id: str | None, request_id: str | None
) -> None:
    with pytest.raises(BadInput):
        requests.submit(store, kind, agent_id=agent_id, by="page", request_id=request_id, now=NOW)
    assert requests.pending(store) == []


def test_arguments_that_json_cannot_hold_are_refused(store: Store) -> None:
    with pytest.raises(BadInput, match=r"args\.capital is nan"):
        submit(store, "create", args={"capital": float("nan")})


def test_the_first_word_on_a_request_is_final(store: Store) -> None:
    request_id = submit(store)
    requests.resolve(store, request_id, "done", "first", {}, NOW)
    requests.resolve(store, request_id, "refused", "second", {}, NOW)
    outcome = requests.outcome(store, request_id)
    assert outcome is not None and (outcome["status"], outcome["message"]) == ("done", "first")


def test_an_unknown_request_or_outcome_is_named(store: Store) -> None:
    assert requests.outcome(store, "nothing") is None
    with pytest.raises(NotFound, match="nothing"):
        requests.resolve(store, "nothing", "done", "", {}, NOW)
    with pytest.raises(NotFound, match="nothing"):
        requests.wait(store, "nothing", timeout=60)
    with pytest.raises(BadInput, match="maybe"):
        requests.resolve(store, submit(store), "maybe", "", {}, NOW)


def test_waiting_ends_when_another_process_answers(store: Store) -> None:
    request_id = submit(store)

    def scheduler() -> None:
        requests.resolve(store, request_id, "refused", "no", {}, NOW)

    other = start(scheduler)
    assert requests.wait(store, request_id, timeout=60)["message"] == "no"
    other.join(30)


def test_an_answer_already_there_is_returned_without_waiting(store: Store) -> None:
    request_id = submit(store)
    requests.resolve(store, request_id, "done", "yes", {}, NOW)
    assert requests.wait(store, request_id, timeout=0)["message"] == "yes"


def test_without_a_scheduler_waiting_ends_and_the_request_stays_queued(store: Store) -> None:
    request_id = submit(store)
    with pytest.raises(Unavailable, match=f"{request_id} has no answer .* stays queued"):
        requests.wait(store, request_id, timeout=0.1)
    assert [request["id"] for request in requests.pending(store)] == [request_id]


def test_the_newest_finished_requests_stay_and_no_pending_one_is_dropped(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "KEPT", 5)
    waiting = submit(store)
    ids = [submit(store) for _ in range(12)]
    for i, request_id in enumerate(ids):
        requests.resolve(store, request_id, "done", "", {}, NOW + timedelta(seconds=i))
    assert [i for i, request_id in enumerate(ids) if requests.outcome(store, request_id)] == [7, 8, 9, 10, 11]
    assert [request["id"] for request in requests.pending(store)] == [waiting]


def test_several_processes_lose_no_request_and_a_killed_one_blocks_nobody(store: Store) -> None:
    def work() -> None:
        for _ in range(25):
            submit(store)

    def work_for_ever() -> None:
        while True:
            submit(store, "rearm")

    victim = start(work_for_ever)
    workers = [start(work) for _ in range(3)]
    while not requests.pending(store):
        assert victim.is_alive()
    kill(victim)
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    kinds = [request["kind"] for request in requests.pending(store)]
    assert kinds.count("start") == 75


def test_a_document_written_by_hand_is_not_a_request(store: Store) -> None:
    with store.transaction("requests") as db:
        db.table("requests").insert({"hello": "there"})
    request_id = submit(store)
    requests.resolve(store, request_id, "done", "", {}, NOW)
    assert requests.pending(store) == []
    assert requests.outcome(store, request_id) is not None
