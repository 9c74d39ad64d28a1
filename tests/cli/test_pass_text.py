"""``check`` without ``--json`` says in lines what a pass did."""

import json
from pathlib import Path

import pytest

from livetrading.cli import pass_text
from livetrading.cli.main import main

NOTHING = {"due": [], "decided": [], "planned": [], "sent": [], "held": [], "missed": []}


def test_each_event_of_a_pass_is_a_line() -> None:
    agent = {"agent_id": "PPO_AAPL_001", "session": "2024-06-03"}
    order = {"agent_id": "PPO_AAPL_001", "key": "PPO_AAPL_001:2024-06-03:entry:1", "leg": "entry", "qty": 12}
    text = pass_text.text_of(
        {
            "due": [agent, agent],
            "decided": [{**agent, "action": 2, "qty": 12, "reason": "the model buys"}],
            "planned": [{**order, "side": "BUY"}],
            "sent": [order],
            "held": [{"agent_id": "SAC_AAPL_001", "reason": "no bars"}],
            "missed": [{**agent, "reason": "too late"}],
        }
    )
    assert text.splitlines() == [
        "2 sessions were due.",
        "PPO_AAPL_001 decided session 2024-06-03: BUY 12 (the model buys)",
        "PPO_AAPL_001 planned to BUY 12 as order PPO_AAPL_001:2024-06-03:entry:1",
        "PPO_AAPL_001 sent order PPO_AAPL_001:2024-06-03:entry:1 for 12",
        "PPO_AAPL_001 missed session 2024-06-03: too late",
        "SAC_AAPL_001 could not decide anything: no bars",
    ]


def test_a_check_is_text_for_people_and_json_where_it_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--home", str(tmp_path), "check"]) == 0
    assert capsys.readouterr().out.strip() == "No session was due."
    assert main(["--home", str(tmp_path), "check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == NOTHING
