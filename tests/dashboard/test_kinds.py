"""Real money, a paper account, simulated fills and replays: told apart wherever figures are shown."""

import json
from pathlib import Path
from typing import Any

import pytest

from livetrading.cli.main import main
from livetrading.dashboard import kinds
from livetrading.dashboard.components.agents import agent_facts, agent_table, board
from livetrading.dashboard.components.shell import emergency

from .conftest import AGENT
from .test_pages import Open, agent, open_page, text_of

__all__ = ["open_page"]

REAL = agent(
    agent_id="PPO_A_001",
    mode="ibkr",
    account="U7654321",
    portfolio_value=50_000.0,
    total_pnl=5_000.0,
    unrealized_pnl=400.0,
    capital=45_000.0,
)
ACCOUNT = agent(agent_id="PPO_A_002", mode="ibkr", account="DU1234567", portfolio_value=20_000.0, unrealized_pnl=-7.0)
PAPER = agent(agent_id="PPO_A_003")
REPLAY = agent(agent_id="PPO_A_004", mode="replay", portfolio_value=1_000_000.0, total_pnl=990_000.0)


@pytest.mark.parametrize(
    ("one", "kind"),
    [
        (REAL, "REAL MONEY"),
        (ACCOUNT, "IBKR paper account"),
        (PAPER, "PAPER"),
        (REPLAY, "REPLAY"),
        (agent(mode="unknown"), "UNREADABLE"),
        (agent(mode="ibkr", account=None), "REAL MONEY"),
        (agent(mode="ibkr", account="F1234567"), "REAL MONEY"),
    ],
)
def test_an_account_that_is_not_known_to_be_paper_is_real_money(one: dict[str, Any], kind: str) -> None:
    assert kinds.kind_of(one) == kind


def test_the_strip_has_one_group_of_sums_for_each_kind_and_none_over_two() -> None:
    strips = board.strips([REPLAY, PAPER, ACCOUNT, REAL, PAPER], True)
    names = ["REAL MONEY", "IBKR PAPER ACCOUNT", "PAPER", "REPLAY"]
    assert [name in strip for name, strip in zip(names, strips, strict=True)] == [True] * 4
    money = ["$50,000.00", "$20,000.00", "$20,020.00", "$1,000,000.00"]
    assert [value in strip for value, strip in zip(money, strips, strict=True)] == [True] * 4
    assert "2 agents" in strips[2] and "1 agent<" in strips[0] and "+$5,000.00" in strips[0]
    assert not any("$1,090,020.00" in strip or "$70,000.00" in strip for strip in strips)


def test_the_emergency_stop_names_what_is_won_or_lost_by_kind() -> None:
    said = emergency.announcement([REAL, PAPER, REPLAY]).replace("\u2060", "").replace("\\", "")
    assert "**3 positions**" in said
    assert "REAL MONEY: 1, unrealised P&L +$400.00; PAPER: 1, unrealised P&L +$10.00; REPLAY: 1" in said
    assert "$420" not in said


def test_card_and_table_name_the_kind() -> None:
    assert "REAL MONEY" in agent_facts.heading(REAL) and "IBKR PAPER ACCOUNT" in agent_facts.heading(ACCOUNT)
    assert list(agent_table.frame_of([REAL, REPLAY])["Money"]) == ["REAL MONEY", "REPLAY"]


def test_without_a_scheduler_nothing_is_called_running() -> None:
    waiting, old = agent(status_text="waiting for the scheduler"), agent(no_bars_since="2024-12-30")
    assert kinds.running_words([waiting, waiting, agent(is_running=False)], False) == "2 waiting for the scheduler"
    assert kinds.running_words([waiting, old], True) == "1 running · 1 without bars"
    assert kinds.running_words([], False) == "0 running"
    assert "WAITING FOR THE SCHEDULER" in agent_facts.heading(waiting) and "RUNNING" not in agent_facts.heading(waiting)
    assert "RUNNING" in agent_facts.heading(agent(status_text="running"))
    assert list(agent_table.frame_of([waiting])["Status"]) == ["waiting for the scheduler"]
    facts = {fact.label: fact for fact in board.totals([waiting], False)}
    assert "Agents running" not in facts and facts["Waiting for the scheduler"].value == "1 / 1"


def test_the_page_shows_real_money_beside_a_replay_and_who_waits(open_page: Open, own: Path) -> None:
    """The replay agent, and the same figures as if they were a real account's."""
    state = json.loads((own / "agents" / AGENT / "state.json").read_text())
    real = next(iter(state["agent"].values()))
    real |= {"agent_id": "PPO_NVDA_002", "mode": "ibkr", "account": "U7654321", "portfolio_value": 123_456.0}
    (own / "agents" / "PPO_NVDA_002").mkdir()
    (own / "agents" / "PPO_NVDA_002" / "state.json").write_text(json.dumps(state))
    at = open_page(own)
    said = text_of(at)
    assert said.index('aria-label="REAL MONEY"') < said.index('aria-label="REPLAY"')
    assert "$123,456.00" in said and "2 agents · 2 waiting for the scheduler" in said
    assert ">RUNNING<" not in said and "Agents running" not in said


def test_the_command_line_says_so_too(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["--home", str(own), "agents"]) == 0
    line = capsys.readouterr().out
    assert f"{AGENT}" in line and "REPLAY" in line and "waiting for the scheduler" in line and "running" not in line
