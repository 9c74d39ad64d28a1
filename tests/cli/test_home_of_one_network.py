"""A home of the version whose models were one network: its model decides as it did, its agent trades on."""

import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from livetrading.cli.main import main
from tests.doubles.series import sample

FIXTURE = Path(__file__).parent.parent / "fixtures" / "home-one-network"
MODEL, AGENT = "PPO_NVDA_v20261128_100149", "PPO_NVDA_001"
Call = Callable[..., dict[str, Any]]


@pytest.fixture
def call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    home = tmp_path / "home"
    shutil.copytree(FIXTURE, home)

    def run(*words: str, code: int = 0) -> dict[str, Any]:
        capsys.readouterr()
        assert main(["--home", str(home), *words, "--json"]) == code
        return json.loads(capsys.readouterr().out)

    return run


def test_its_model_decides_and_trades_as_it_did(call: Call, tmp_path: Path) -> None:
    expected = json.loads((FIXTURE / "backtest.json").read_text())
    assert [model["model_id"] for model in call("models")["models"]] == [MODEL]
    call("backtest", MODEL, "--ledger", str(tmp_path / "ledger"))
    rows = [json.loads(line) for line in (tmp_path / "ledger").read_text().splitlines()]
    assert "".join(str(row["action"]) for row in rows) == expected["actions"]
    assert [[row["bar"], *fill] for row in rows for fill in row["fills"]] == expected["fills"]
    assert rows[-1]["equity"] == expected["final_equity"]


def test_the_whole_live_system_repeats_it(call: Call) -> None:
    assert call("replay", MODEL)["differences"] == []


def test_its_agent_trades_on_and_its_pause_still_waits_for_a_person(call: Call, tmp_path: Path) -> None:
    (before,) = call("agents")["agents"]
    assert (before["agent_id"], before["current_position"], before["pause_sessions"]) == (AGENT, 11, None)
    later = [day.date() for day in sample("NVDA").index if date(2018, 3, 13) < day.date() <= date(2018, 5, 1)]
    for day in later:
        call("check", "--now", f"{day}T13:15:00Z")
        (decided,) = call("check", "--now", f"{day}T21:40:00Z")["decided"]
        assert (decided["agent_id"], decided["session"]) == (AGENT, day.isoformat())
    really = call("ledger", AGENT, "--ledger", str(tmp_path / "really"))
    assert really["sessions"] == 9 + len(later) and really["fills"] > 1
    assert call("verify")["problems"] == []


def test_a_pause_without_a_length_is_what_the_stored_terms_mean(call: Call) -> None:
    assert "pause_sessions" not in (FIXTURE / "agents" / AGENT / "journal.jsonl").read_text()
    made = call("deploy", MODEL, "--mode", "replay", "--pause-sessions", "none")
    shown = {agent["agent_id"]: agent["pause_sessions"] for agent in call("agents")["agents"]}
    assert shown == {AGENT: None, made["agent_id"]: None}
