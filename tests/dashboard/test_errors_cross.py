"""Three doors, one answer: an error comes back from a request as itself, to the command line, to pages and to REST."""

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from livetrading.adapters import logs, request_ids
from livetrading.adapters.bars.background import StillFetching
from livetrading.adapters.brokers.ibkr.config import Denied
from livetrading.adapters.halt import HaltLatch
from livetrading.adapters.home import Home
from livetrading.adapters.locks import SchedulerLock
from livetrading.adapters.store import Store
from livetrading.cli import acting
from livetrading.core.errors import BadInput, Conflict, LivetradingError, NotFound, Unavailable, Unforeseen
from livetrading.dashboard import api, commands, control, security
from livetrading.execution.agent_manager import AgentManager
from livetrading.execution.state import requests
from tests.core.test_errors import ALL

from .conftest import until

AGENT = "PPO_INTC_001"
STORED: list[tuple[Exception, type[LivetradingError]]] = [
    *((kind("why"), kind) for kind in ALL),
    (Denied("positions", 321, "why"), Unavailable),
    (StillFetching("why"), Unavailable),
    (RuntimeError("why"), Unforeseen),
]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    logs.logged.clear()
    return Home.resolve(str(tmp_path / "home"))


def _refusing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def apply(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(AgentManager, "apply", apply)


@pytest.mark.parametrize(("error", "kind"), STORED)
def test_the_command_line_gets_it_back_as_itself(
    home: Home, monkeypatch: pytest.MonkeyPatch, error: Exception, kind: type[LivetradingError]
) -> None:
    _refusing(monkeypatch, error)
    with pytest.raises(LivetradingError, match="why") as back:
        acting.act(home, "pause", agent_id=AGENT)
    assert type(back.value) is kind


@pytest.mark.parametrize(("error", "kind"), STORED)
def test_pages_and_rest_get_it_back_as_itself_with_its_status(
    home: Home, monkeypatch: pytest.MonkeyPatch, error: Exception, kind: type[LivetradingError]
) -> None:
    _refusing(monkeypatch, error)
    with SchedulerLock(home).acquire("scheduler"):
        answering = threading.Thread(target=_answer, args=(home,))
        answering.start()
        with pytest.raises(LivetradingError, match="why") as back:
            control.request(home, "pause", AGENT, "test", request_ids.new())
        answering.join()
    assert type(back.value) is kind
    status, body = _rest(home, back.value)
    assert (status, body["status"]) == (kind.http_status, "error") and "why" in body["error"]


def _answer(home: Home) -> None:
    store = Store(home)
    until(lambda: requests.pending(store))
    AgentManager(acting.new_node(home)).apply_pending(datetime.now(UTC))


def _rest(home: Home, error: Exception, answer: Any = None) -> tuple[int, dict[str, Any]]:
    """What a route answers whose work raises this."""

    def work(*_: Any) -> dict[str, Any]:
        if answer is not None:
            return dict(answer)
        raise error

    endpoint = api.endpoint(work, home, ["127.0.0.1"], ThreadPoolExecutor(1))
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/live/agents",
        "path_params": {},
        "query_string": b"",
        "scheme": "http",
        "headers": [(b"authorization", b"Bearer " + security.token(home).encode())],
        "server": ("127.0.0.1", 8501),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    response = asyncio.run(endpoint(Request(scope, receive)))
    return response.status_code, json.loads(response.body)


def test_a_route_that_nobody_foresaw_answers_500_in_a_sentence_and_logs_why(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    status, body = _rest(home, KeyError("capital"))
    assert (status, body["status"]) == (500, "error") and "KeyError: 'capital'" in body["error"]
    assert [r for r in caplog.records if r.exc_info and "POST /api/live/agents" in r.getMessage()]


def test_an_answer_that_json_cannot_hold_is_500_and_json(home: Home) -> None:
    status, body = _rest(home, RuntimeError(), {"cash": float("nan")})
    assert (status, body["status"]) == (500, "error")


# -- an id used again -------------------------------------------------------------


def test_the_same_id_with_another_body_is_a_conflict_and_not_the_first_ones_answer(home: Home) -> None:
    def deployed(**options: Any) -> None:
        control.deploy(home, "PPO_AAPL_v20200101_000000", options, "REST", "one-request")

    for _ in range(2):
        with pytest.raises(NotFound, match="models"):
            deployed(capital=5_000.0)
    with pytest.raises(Conflict, match="one-request.* another body"):
        deployed(capital=50_000.0)
    assert len(list((home.root / "commands").glob("*.out"))) == 1


def test_a_command_of_an_earlier_version_has_no_mark_and_keeps_its_answer(home: Home) -> None:
    first = commands.run(home, ["agents"], 60, "before-marks")
    (home.root / "commands" / "before-marks.words").unlink()
    assert commands.run(home, ["agents"], 60, "before-marks") == first


def test_no_argument_of_a_command_is_left_in_its_mark(home: Home) -> None:
    commands.run(home, ["model", "PPO_AAPL_v20200101_000000", "--home", str(home.root)], 60, "secret-words")
    (mark,) = (home.root / "commands").glob("*.words")
    assert "PPO_AAPL" not in mark.read_text()


def test_an_emergency_stop_under_an_id_that_was_used_is_a_conflict_and_stops_all_the_same(home: Home) -> None:
    assert control.emergency_stop(home, "the first", "REST", "one-request")["flat"] is True
    assert control.emergency_stop(home, "the first", "REST", "one-request")["flat"] is True
    HaltLatch(home).clear("test", datetime.now(UTC))
    with pytest.raises(Conflict, match="halted all the same"):
        control.emergency_stop(home, "another", "REST", "one-request")
    halt = HaltLatch(home).status()
    assert halt is not None and halt.reason == "another"

    def ended() -> bool:
        others = [p for p in (home.root / "commands").glob("*.out") if not p.name.startswith("stop-")]
        return len(others) == 1 and b'"flat": true' in others[0].read_bytes()

    until(ended)


@pytest.mark.parametrize(("kind", "args"), [("pause", {}), ("start", {"x": 1})])
def test_a_request_id_used_for_something_else_is_a_conflict(home: Home, kind: str, args: dict[str, Any]) -> None:
    store, now = Store(home), datetime.now(UTC)
    requests.submit(store, "start", agent_id=AGENT, by="test", request_id="one-request", now=now)
    with pytest.raises(Conflict):
        requests.submit(store, kind, agent_id=AGENT, args=args, by="test", request_id="one-request", now=now)


def test_a_conflict_is_never_mistaken_for_bad_input() -> None:
    assert issubclass(commands.OtherArguments, Conflict) and not issubclass(commands.OtherArguments, BadInput)
