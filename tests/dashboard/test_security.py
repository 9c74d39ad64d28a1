"""Token, origin and bodies: what may come in."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from livetrading.adapters.home import Home
from livetrading.core import deployment
from livetrading.core.errors import BadInput, Unavailable
from livetrading.dashboard import payloads, security
from livetrading.dashboard.security import Unauthorized
from tests.doubles.processes import in_child

HOSTS = ("127.0.0.1", "localhost")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.resolve(str(tmp_path / "home"))


def test_the_token_is_long_stays_the_same_and_is_its_owners_alone(home: Home) -> None:
    token = security.token(home)
    assert len(token) >= 40
    assert security.token(home) == token
    assert stat.S_IMODE((home.root / "api_token").stat().st_mode) == 0o600


def test_a_token_file_that_others_could_read_is_closed_to_them(home: Home) -> None:
    security.token(home)
    (home.root / "api_token").chmod(0o644)
    security.token(home)
    assert stat.S_IMODE((home.root / "api_token").stat().st_mode) == 0o600


def test_a_wide_umask_does_not_open_the_token(home: Home) -> None:
    def made() -> int:
        os.umask(0)
        security.token(home)
        return stat.S_IMODE((home.root / "api_token").stat().st_mode)

    assert in_child(made) == 0o600


def test_makers_at_the_same_time_agree_on_one_token(home: Home) -> None:
    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(lambda _: security.token(home), range(64)))) == 1
    assert [p.name for p in home.root.iterdir() if "api_token" in p.name] == ["api_token"]


def test_an_emptied_token_file_lets_nobody_in(home: Home) -> None:
    (home.root / "api_token").write_text("")
    with pytest.raises(Unavailable, match="delete it"):
        security.token(home)


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic right-token", "right-token", "Bearer ünïcode"]
)
def test_anything_but_the_bearer_token_is_refused(header: str | None) -> None:
    headers = {} if header is None else {"authorization": header}
    with pytest.raises(Unauthorized, match="Bearer"):
        security.check_token(headers, "right-token")


def test_the_right_token_is_let_in_whatever_the_case_of_its_scheme() -> None:
    security.check_token({"authorization": "bearer right-token"}, "right-token")


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://127.0.0.1:9999",
        "http://127.0.0.1.evil.example:8501",
        "null",
        "file://",
        "http://[",
        "127.0.0.1:8501",
    ],
)
def test_a_page_of_another_origin_is_refused(origin: str) -> None:
    with pytest.raises(BadInput, match="another origin"):
        security.check_origin({"origin": origin, "host": "127.0.0.1:8501"}, HOSTS)


def test_a_rebound_host_does_not_make_its_origin_ours() -> None:
    with pytest.raises(BadInput, match="another origin"):
        security.check_origin({"origin": "http://evil.example:8501", "host": "evil.example:8501"}, HOSTS)


@pytest.mark.parametrize("headers", [{}, {"origin": "http://127.0.0.1:8501", "host": "127.0.0.1:8501"}])
def test_programs_and_our_own_pages_may_call(headers: dict[str, str]) -> None:
    security.check_origin(headers, HOSTS)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "model_id"),
        ({"model_id": 5}, "model_id"),
        ({"model_id": "m", "capital": 1}, "capital"),
        ({"model_id": "m", "initial_capital": 0}, "capital"),
        ({"model_id": "m", "initial_capital": "10000"}, "initial_capital"),
        ({"model_id": "m", "initial_capital": True}, "initial_capital"),
        (
            {"model_id": "m", "max_position_pct": 50},
            "max_position_pct is 50; it is a fraction above 0 and at most 1: 0.5 is 50 %",
        ),
        ({"model_id": "m", "risk_per_trade": 0.5}, "risk per trade"),
        ({"model_id": "m", "pause_sessions": 0}, "pause_sessions is 0; it must be a whole number of sessions from 1"),
        ({"model_id": "m", "pause_sessions": -1}, "pause_sessions is -1; it must be a whole number"),
        ({"model_id": "m", "pause_sessions": "20"}, 'pause_sessions is "20"; it must be a whole number'),
        ({"model_id": "m", "pause_sessions": 2.0}, "pause_sessions is 2.0; it must be a whole number"),
        ({"model_id": "m", "pause_sessions": True}, "pause_sessions is true; it must be a whole number"),
        ({"model_id": "m", "pause_sessions": 10**400}, "pause_sessions is 1000"),
        ({"model_id": "m", "slippage_bps": "5"}, 'slippage_bps is "5"; it must be a number'),
        ({"model_id": "m", "slippage_bps": -1}, "slippage in basis points is -1"),
        ({"model_id": "m", "commission_per_share": None}, "commission_per_share is null; it must be a number"),
        ({"model_id": "m", "commission_minimum": 1e9}, "commission minimum is"),
        ({"model_id": "m", "time_frame": "1 min"}, "time_frame"),
        ({"model_id": "m", "mode": "real"}, "mode"),
        ({"model_id": "m", "agent_type": "DQN"}, "agent_type"),
        ({"model_id": "m", "request_id": "../../x"}, "request_id"),
        ({"model_id": "m", "request_id": "short"}, "request_id"),
        ({"model_id": "m", "initial_capital": float("nan")}, "capital"),
        ({"model_id": "m", "source": ""}, "source"),
        ({"model_id": "m", "pace": float("nan")}, "pace is NaN; it must be a number"),
    ],
)
def test_a_wrong_field_of_a_deployment_is_named(body: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        payloads.new_agent(body)


def test_a_deployment_without_wishes_gets_the_defaults_of_the_form() -> None:
    order = payloads.new_agent({"model_id": "PPO_AAPL_v20240101_000000"})
    assert order.options == {
        "capital": 10_000.0,
        "max-position": 0.5,
        "risk-per-trade": 0.02,
        "pause-sessions": deployment.pause_option(deployment.LIMITS.pause_sessions),
        "time-frame": "daily",
        "mode": "paper",
        "source": None,
        "pace": None,
        "confirm": None,
        "late-entry": None,
    }
    assert order.request_id != payloads.new_agent({"model_id": "m"}).request_id


def test_costs_that_are_given_are_options_of_the_command() -> None:
    body = {"model_id": "m", "slippage_bps": 2, "commission_per_share": 0.0, "commission_minimum": 0.35}
    costs = {"slippage-bps": 2.0, "commission-per-share": 0.0, "commission-minimum": 0.35}
    assert costs.items() <= payloads.new_agent(body).options.items()


@pytest.mark.parametrize(("given", "option"), [(20, "20"), (None, "none")])
def test_the_length_of_a_drawdown_pause_is_a_number_or_null(given: int | None, option: str) -> None:
    order = payloads.new_agent({"model_id": "m", "pause_sessions": given})
    assert order.options["pause-sessions"] == option and deployment.pause_sessions(option) == given


def test_type_and_symbol_must_be_the_models() -> None:
    order = payloads.new_agent({"model_id": "m", "agent_type": "SAC", "symbol": "AAPL"})
    payloads.check_match(order, "SAC", "AAPL")
    for kind, symbol in (("PPO", "AAPL"), ("SAC", "NVDA")):
        with pytest.raises(BadInput, match="matches"):
            payloads.check_match(order, kind, symbol)
