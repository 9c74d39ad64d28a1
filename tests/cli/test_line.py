"""The whole line by its commands: train, test, replay, deploy, check, stop, verify."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from livetrading.adapters.calendar import calendar
from livetrading.adapters.stamps import stamp
from livetrading.cli.main import main
from livetrading.core import windows
from livetrading.core.types import PAUSE_SESSIONS, Costs
from livetrading.execution.trading.replay import MORNING

Call = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home with a model of the bundled NVDA bars, trained by the command itself."""
    home = tmp_path_factory.mktemp("home")
    assert main(["--home", str(home), "train", "NVDA", "--agent", "PPO", "--timesteps", "2000", "--seed", "3"]) == 0
    return home, next(p.name for p in (home / "models").iterdir() if p.name.startswith("PPO_NVDA_v"))


@pytest.fixture
def call(trained: tuple[Path, str], capsys: pytest.CaptureFixture[str]) -> Call:
    def run(*words: str, code: int = 0) -> dict[str, Any]:
        capsys.readouterr()
        assert main(["--home", str(trained[0]), *words, "--json"]) == code
        return dict(json.loads(capsys.readouterr().out))

    return run


def test_a_replay_through_the_whole_shell_equals_the_backtest(
    call: Call, trained: tuple[Path, str], tmp_path: Path
) -> None:
    span = ["--start", "2021-06-01", "--end", "2021-12-01"]
    alone = call("backtest", trained[1], *span, "--ledger", str(tmp_path / "a"))
    shell = call("replay", trained[1], *span, "--ledger", str(tmp_path / "b"))
    assert shell["differences"] == []
    assert alone["fills"] > 0
    for name in ("ledger_sha256", "sessions", "fills", "orders", "trades", "final_equity"):
        assert alone[name] == shell[name], name
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_test_range_is_the_default_and_its_figures_are_the_cards(call: Call, trained: tuple[Path, str]) -> None:
    card, alone = call("model", trained[1]), call("backtest", trained[1])
    assert (alone["start"], alone["end"]) == (card["test"]["start"], card["test"]["end"])
    assert alone["sessions"] == card["test"]["sessions"] >= 126
    assert {**alone["metrics"], "start": alone["start"], "end": alone["end"]} == card["metrics"]["test"]


def test_a_paper_agent_checked_day_by_day_does_what_its_models_backtest_does(
    call: Call, trained: tuple[Path, str], tmp_path: Path
) -> None:
    """Each morning sends, each evening books and decides; the ledger is the backtest's prefix."""
    agent = call("deploy", trained[1], "--mode", "paper", "--source", "sample")["agent_id"]
    known = calendar()
    days = known.sessions(date(2023, 6, 1), date(2023, 8, 15))
    sent = 0
    for day in days:
        sent += len(call("check", "--now", stamp(windows.at(day, MORNING)))["sent"]) if day != days[0] else 0
        done = call("check", "--now", stamp(known.close_at(day) + timedelta(minutes=40)))
        assert [d["session"] for d in done["decided"]] == [day.isoformat()]
    really = call("ledger", agent, "--ledger", str(tmp_path / "really"))
    alone = call(
        "backtest", trained[1], "--start", str(days[0]), "--end", str(days[-1]), "--ledger", str(tmp_path / "alone")
    )
    assert sent > 0 and alone["fills"] > 0
    assert (tmp_path / "really").read_bytes() == (tmp_path / "alone").read_bytes()
    assert really["ledger_sha256"] == alone["ledger_sha256"]
    again = call("check", "--now", stamp(known.close_at(days[-1]) + timedelta(minutes=50)))
    assert again["due"] == again["decided"] == again["planned"] == []
    assert call("check", "--now", "2023-06-20T21:00:00Z")["due"] == []
    (mine,) = [a for a in call("agents")["agents"] if a["agent_id"] == agent]
    call("emergency-stop", code=1 if mine["current_position"] else 0)  # a paper exit waits for the next open
    stopped = call("agents")["agents"]
    assert [a["status"] for a in stopped if a["agent_id"] == agent] == ["stopped"]
    call("rearm")
    assert call("verify")["problems"] == []


def test_bars_too_old_are_held_with_the_reason_and_decide_nothing(call: Call, trained: tuple[Path, str]) -> None:
    agent = call("deploy", trained[1], "--mode", "paper", "--source", "sample")["agent_id"]
    done = call("check", "--now", "2026-11-20T21:40:00Z")
    mine = [h for h in done["held"] if h["agent_id"] == agent]
    assert [h["session"] for h in mine] == ["2026-11-20"]
    assert "2023-09-21" in mine[0]["reason"] and "2026-11-20" in mine[0]["reason"]
    assert not [d for d in done["decided"] if d["agent_id"] == agent]


def test_a_model_below_the_gate_is_warned_about_and_never_offered_real_money(
    call: Call, trained: tuple[Path, str]
) -> None:
    made = call("deploy", trained[1], "--mode", "replay")
    if made["test"]["sharpe_ratio"] <= 1.5:
        assert made["warning"].startswith("Sharpe Ratio too low (")
        assert made["warning"].endswith("). Recommended: > 1.5 for live trading.")
    assert "error" in call("deploy", trained[1], "--mode", "ibkr", code=1)


def test_every_limit_that_is_given_is_the_agents(call: Call, trained: tuple[Path, str]) -> None:
    limits = {"--max-position": "0.4", "--risk-per-trade": "0.01", "--max-drawdown": "0.1", "--stop-atr": "3"}
    limits |= {"--pause-sessions": "20"}
    made = call("deploy", trained[1], "--capital", "25000", *[word for pair in limits.items() for word in pair])
    journal = (trained[0] / "agents" / made["agent_id"] / "journal.jsonl").read_text().splitlines()[0]
    terms = json.loads(journal)["events"][0]["config"]["terms"]
    assert terms["capital"] == 25_000
    given = {"max_position": 0.4, "risk_per_trade": 0.01, "max_drawdown": 0.1, "stop_atr": 3.0, "pause_sessions": 20}
    assert terms["limits"] == given
    (shown,) = [a for a in call("agents")["agents"] if a["agent_id"] == made["agent_id"]]
    assert (shown["pause_sessions"], shown["pause_sessions_left"], shown["pause_ends"]) == (20, None, None)
    call("remove", made["agent_id"])


COSTS = ("--slippage-bps", "30", "--commission-per-share", "0.02", "--commission-minimum", "2")


def test_the_costs_that_are_given_are_the_agents_in_its_test_its_journal_and_its_what_if(
    call: Call, trained: tuple[Path, str]
) -> None:
    usual, made = call("deploy", trained[1]), call("deploy", trained[1], *COSTS)
    journal = (trained[0] / "agents" / made["agent_id"] / "journal.jsonl").read_text().splitlines()[0]
    costs = json.loads(journal)["events"][0]["config"]["terms"]["costs"]
    assert Costs(**costs) == Costs(30.0, 0.02, 2.0)
    assert made["test"]["final_equity"] < usual["test"]["final_equity"]
    shown = {a["agent_id"]: a["costs"] for a in call("agents")["agents"]}
    assert shown[made["agent_id"]] == {"slippage_bps": 30, "commission_per_share": 0.02, "commission_minimum": 2}
    assert shown[usual["agent_id"]] == Costs().named
    (row, *_) = call("whatif", trained[1], "--agent", made["agent_id"])["scenarios"]
    assert row["final_equity"] == made["test"]["final_equity"] and row["slippage_bps"] == 30
    (row, *_) = call("whatif", trained[1], "--agent", made["agent_id"], "--slippage-bps", "5")["scenarios"]
    assert (row["slippage_bps"], row["commission_minimum"]) == (5, 2)
    for agent in (usual, made):
        call("remove", agent["agent_id"])


def test_backtest_and_replay_agree_at_costs_that_are_given(call: Call, trained: tuple[Path, str]) -> None:
    span = ["--start", "2021-06-01", "--end", "2021-12-01"]
    plain, tested = call("backtest", trained[1], *span), call("backtest", trained[1], *span, *COSTS)
    assert tested["final_equity"] < plain["final_equity"]
    replayed = call("replay", trained[1], *span, *COSTS)
    assert replayed["differences"] == [] and replayed["ledger_sha256"] == tested["ledger_sha256"]


@pytest.mark.parametrize("words", [("--slippage-bps", "-1"), ("--commission-minimum", "nan")])
def test_costs_out_of_bounds_are_one_sentence(call: Call, trained: tuple[Path, str], words: tuple[str, ...]) -> None:
    for command in ("deploy", "whatif", "backtest"):
        assert "it must be at least 0" in call(command, trained[1], *words, code=1)["error"]


@pytest.mark.parametrize("words", [(), ("--pause-sessions", "none")])
def test_a_deployment_pauses_until_a_person_resumes_if_that_is_the_default_or_asked_for(
    call: Call, trained: tuple[Path, str], words: tuple[str, ...]
) -> None:
    made = call("deploy", trained[1], "--mode", "replay", *words)
    (shown,) = [a for a in call("agents")["agents"] if a["agent_id"] == made["agent_id"]]
    assert shown["pause_sessions"] == (None if words else PAUSE_SESSIONS)
    call("remove", made["agent_id"])


def test_a_removed_agent_is_gone_and_its_number_is_not_used_again(call: Call, trained: tuple[Path, str]) -> None:
    first = call("deploy", trained[1])["agent_id"]
    call("remove", first)
    assert first not in [a["agent_id"] for a in call("agents")["agents"]]
    assert call("deploy", trained[1])["agent_id"] > first
    assert "error" in call("start", first, code=1)


def test_an_agent_that_holds_shares_when_its_bars_end_is_removed_with_them(
    call: Call, trained: tuple[Path, str]
) -> None:
    agent, known = call("deploy", trained[1], "--mode", "paper", "--source", "sample")["agent_id"], calendar()

    def held() -> int:
        return next(int(a["current_position"]) for a in call("agents")["agents"] if a["agent_id"] == agent)

    for day in reversed(known.sessions(date(2023, 8, 1), date(2023, 9, 20))):  # the last that ends in a position
        if held():
            break
        call("remove", agent)
        agent = call("deploy", trained[1], "--mode", "paper", "--source", "sample")["agent_id"]
        for now in (known.close_at(day) + timedelta(minutes=40), windows.at(known.next_session(day), MORNING)):
            call("check", "--now", stamp(now))
        call("check", "--now", stamp(known.close_at(known.next_session(day)) + timedelta(minutes=40)))
    shares = held()
    assert shares > 0 and "close the position first" in call("remove", agent, code=1)["error"]
    call("check", "--now", "2023-10-02T21:00:00Z")
    assert held() == shares
    said = call("remove", agent)["message"]
    assert f"{shares} NVDA" in said and "2023-09-21" in said and "not sold" in said
    assert agent not in [a["agent_id"] for a in call("agents")["agents"]]
    assert call("verify")["problems"] == []
