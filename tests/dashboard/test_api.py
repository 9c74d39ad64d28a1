"""REST over real HTTP against the real server process and a real scheduler."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from livetrading import __version__
from livetrading.adapters.home import Home
from livetrading.adapters.locks import SchedulerLock
from livetrading.adapters.settings import load

from .conftest import AGENT, Server, copy_of, model_of, serving, until

ROUTES = [
    ("GET", "/agents"),
    ("POST", "/agents"),
    ("POST", f"/agents/{AGENT}/start"),
    ("POST", f"/agents/{AGENT}/stop"),
    ("DELETE", f"/agents/{AGENT}"),
    ("POST", f"/agents/{AGENT}/position/close"),
    ("POST", "/emergency-stop"),
    ("POST", "/scheduler/start"),
    ("GET", "/health"),
    ("POST", f"/agents/{AGENT}/adopt"),
    ("POST", f"/agents/{AGENT}/ignore"),
    ("POST", f"/agents/{AGENT}/confirm-cash"),
]


@pytest.fixture(scope="module")
def server(traded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """No scheduler runs here. Tests leave it as they found it."""
    with serving(copy_of(traded, tmp_path_factory.mktemp("api") / "home")) as running:
        yield running


def error(answer: Any, status: int) -> str:
    assert (answer.status, answer.body["status"]) == (status, "error"), answer
    return str(answer.body["error"])


def test_agents_are_listed_with_every_field_and_their_number(server: Server) -> None:
    answer = server.live("GET", "/agents")
    assert (answer.status, answer.body["status"], answer.body["count"]) == (200, "success", 1)
    (agent,) = answer.body["agents"]
    assert set(agent) >= {
        "agent_id",
        "agent_type",
        "symbol",
        "mode",
        "status",
        "is_running",
        "current_position",
        "entry_price",
        "stop_price",
        "current_price",
        "price_time",
        "portfolio_value",
        "cash",
        "total_pnl",
        "total_pnl_pct",
        "realized_pnl",
        "unrealized_pnl",
        "num_trades",
        "last_check",
        "next_check",
        "last_decision",
        "warnings",
    }
    assert agent["agent_id"] == AGENT and agent["current_position"] > 0


def test_health_tells_scheduler_halt_and_version(server: Server) -> None:
    body = server.live("GET", "/health").body
    assert (body["version"], body["halted"], body["scheduler"]["alive"]) == (__version__, False, False)
    assert body["broker"] is None


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("token", [None, "wrong"])
def test_no_route_answers_without_the_token(server: Server, method: str, path: str, token: str | None) -> None:
    answer = server.live(method, path, token=token)
    assert "Bearer" in error(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_no_route_answers_a_page_of_another_origin(server: Server, method: str, path: str) -> None:
    assert "another origin" in error(server.live(method, path, Origin="https://evil.example"), 400)


@pytest.mark.parametrize("path", ["/api/live/agents", "/", "/_stcore/health"])
def test_a_foreign_host_is_refused_everywhere(server: Server, path: str) -> None:
    """DNS rebinding: the browser believes that our port belongs to another name."""
    assert server.call("GET", path, Host=f"evil.example:{server.port}").status == 400


def test_the_dashboards_own_origin_may_call(server: Server) -> None:
    assert server.live("GET", "/health", Origin=server.url).status == 200


def test_only_this_machine_can_reach_the_port(server: Server) -> None:
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.2", server.port)) != 0


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nothing"), ("PUT", "/agents"), ("GET", "/emergency-stop"), ("GET", ""), ("GET", "/agents/../../x")],
)
def test_an_unknown_route_is_said_to_be_unknown(server: Server, method: str, path: str) -> None:
    answer = server.live(method, path)
    assert answer.status in (400, 404) and "<html" not in str(answer.body).lower()


@pytest.mark.parametrize(("method", "path"), [r for r in ROUTES if AGENT in r[1]])
def test_an_agent_that_is_not_there_is_404_and_a_name_that_is_none_400(server: Server, method: str, path: str) -> None:
    assert "PPO_AAPL_777" in error(server.live(method, path.replace(AGENT, "PPO_AAPL_777")), 404)
    error(server.live(method, path.replace(AGENT, "no_agent")), 400)


@pytest.mark.parametrize(("method", "path"), [r for r in ROUTES if AGENT in r[1]])
def test_without_a_scheduler_a_request_is_refused_and_not_left_lying(server: Server, method: str, path: str) -> None:
    assert "python -m livetrading scheduler" in error(server.live(method, path), 503)
    assert "pending" not in (server.root / "requests.json").read_text()


@pytest.mark.parametrize("body", [b"{", b"[]", b"5", b"\xff\xfe", b'{"a":' * 5000])
def test_a_body_that_is_no_object_is_refused(server: Server, body: bytes) -> None:
    assert "JSON" in error(server.live("POST", "/agents", body), 400)


def test_a_body_without_end_is_cut_off(server: Server) -> None:
    assert "64 KiB" in error(server.live("POST", "/agents", b'{"model_id": "' + b"x" * 100_000 + b'"}'), 400)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"model_id": "PPO_AAPL_v20200101_000000"}, 404, "models"),
        ({"model_id": "../../etc"}, 400, "model id"),
        ({"agent_type": "SAC"}, 400, "SAC"),
        ({"symbol": "AAPL"}, 400, "AAPL"),
        ({"initial_capital": 10**400}, 400, "initial_capital is 1000"),
        ({"initial_capital": -1}, 400, "capital"),
        ({"mode": "ibkr", "late_entry": "never"}, 400, "late_entry"),
        ({"mode": "ibkr", "confirm": 5}, 400, "confirm"),
        ({"max_position_pct": 1.5}, 400, "at most 1"),
        ({"pause_sessions": 0}, 400, "or null: until you resume"),
        ({"colour": "red"}, 400, "colour"),
    ],
)
def test_a_deployment_that_cannot_be_is_refused_before_anything_starts(
    server: Server, body: dict[str, Any], status: int, said: str
) -> None:
    commands = len(list(server.root.glob("commands/*")))
    assert said in error(server.live("POST", "/agents", {"model_id": model_of(server.root), **body}), status)
    assert len(list(server.root.glob("commands/*"))) == commands


@pytest.mark.parametrize("check_time", ["16:14", "09:30", "24:00", "half past four", "4:30"])
def test_a_check_before_the_delayed_bars_are_complete_is_refused(server: Server, check_time: str) -> None:
    answer = server.live("POST", "/scheduler/start", {"check_time": check_time})
    assert "check_time" in error(answer, answer.status) and answer.status in (400, 409)
    assert SchedulerLock(Home(server.root)).holder() is None


def test_the_token_is_nowhere_in_pages_and_logs(server: Server) -> None:
    for path in ("/", "/training", "/_stcore/health", "/_stcore/host-config"):
        assert server.token not in str(server.call("GET", path))
    server.live("GET", "/agents", token="x" + server.token)
    assert server.token not in server.log.read_text()
    for log in (server.root / "logs").glob("*"):
        assert server.token not in log.read_text()


def test_every_answer_forbids_frames_and_other_hosts(server: Server) -> None:
    for path in ("/", "/api/live/health"):
        headers = server.call("GET", path).headers
        assert headers["x-frame-options"] == "DENY"
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "http" not in headers["content-security-policy"]


def test_an_agents_whole_life_over_rest(own: Path) -> None:
    """Scheduler, deployment, pause, start, refusals, emergency stop: each answer is true."""
    with serving(own) as server:
        _starting_twice_starts_one_scheduler(server)
        agent = _one_deployment_for_one_request_id(server)
        _pause_and_start(server, agent)
        _shares_forbid_removal_until_closed(server)
        _emergency_stop_is_flat_and_halts(server, agent)


def _starting_twice_starts_one_scheduler(server: Server) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: server.live("POST", "/scheduler/start", {"check_time": "16:45"}), range(4)))
    assert [a.status for a in answers] == [200] * 4, answers
    assert len({a.body["pid"] for a in answers}) == 1
    assert load(Home(server.root)).check_delay_minutes == 45
    until(lambda: server.live("GET", "/health").body["scheduler"]["alive"])
    assert "another check time" in error(server.live("POST", "/scheduler/start", {"check_time": "17:00"}), 409)


def _one_deployment_for_one_request_id(server: Server) -> str:
    body = {
        "model_id": model_of(server.root),
        "agent_type": "PPO",
        "symbol": "NVDA",
        "initial_capital": 5000,
        "max_position_pct": 0.25,
        "risk_per_trade": 0.01,
        "pause_sessions": 15,
        "mode": "paper",
        "request_id": "deploy-me-once",
    }
    first, second = (server.live("POST", "/agents", body) for _ in range(2))
    assert (first.status, first.body["status"]) == (second.status, second.body["status"]) == (200, "success"), first
    assert first.body["agent_id"] == second.body["agent_id"] == "PPO_NVDA_002"
    agents = {a["agent_id"]: a for a in server.live("GET", "/agents").body["agents"]}
    assert set(agents) == {AGENT, "PPO_NVDA_002"}
    assert agents["PPO_NVDA_002"]["pause_sessions"] == 15
    assert agents["PPO_NVDA_002"]["cash"] == 5000 and agents["PPO_NVDA_002"]["is_running"]
    return "PPO_NVDA_002"


def _pause_and_start(server: Server, agent: str) -> None:
    for path, running in (("stop", False), ("stop", False), ("start", True)):
        answer = server.live("POST", f"/agents/{agent}/{path}")
        assert (answer.status, answer.body["status"]) == (200, "success") and answer.body["message"], answer
        assert {a["agent_id"]: a["is_running"] for a in server.live("GET", "/agents").body["agents"]}[agent] is running


def _shares_forbid_removal_until_closed(server: Server) -> None:
    assert "close the position first" in error(server.live("DELETE", f"/agents/{AGENT}"), 409)
    assert server.live("POST", f"/agents/{AGENT}/stop").status == 200  # or it might buy again at once
    assert server.live("POST", f"/agents/{AGENT}/position/close").status == 200
    assert "nothing to close" in error(server.live("POST", f"/agents/{AGENT}/position/close"), 409)
    assert server.live("DELETE", f"/agents/{AGENT}").status == 200
    error(server.live("DELETE", f"/agents/{AGENT}"), 404)


def _emergency_stop_is_flat_and_halts(server: Server, agent: str) -> None:
    answer = server.live("POST", "/emergency-stop", {"reason": "a test of the stop"})
    assert (answer.status, answer.body["flat"]) == (200, True), answer
    assert [item["agent_id"] for item in answer.body["items"]] == [agent]
    health = server.live("GET", "/health").body
    assert health["halted"] and (health["halt"]["reason"], health["halt"]["by"]) == ("a test of the stop", "REST")
    assert "re-arm" in error(server.live("POST", f"/agents/{agent}/start"), 409)
