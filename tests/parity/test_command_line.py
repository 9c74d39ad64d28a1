"""What a person can prove with one command each, on a model of their own."""

import json
from datetime import datetime

import pytest

from livetrading.adapters.bars.history import HistorySource
from livetrading.adapters.calendar import calendar
from livetrading.adapters.home import Home
from livetrading.cli.main import main
from livetrading.core.bars import COLUMNS
from livetrading.core.types import AgentType, Terms
from livetrading.execution import replay_run
from livetrading.execution.state.agent_repository import AgentRepository
from tests.doubles.series import eventful, sample
from tests.parity import stage

LAST = "2018-02-28"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def run(home, capsys):
    """A command's exit code and its one JSON object."""

    def command(*words: str) -> tuple[int, dict]:
        capsys.readouterr()
        code = main([*words, "--home", str(home), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return command


@pytest.fixture(scope="module")
def model(home) -> str:
    assert (
        main(
            [
                "train",
                "NVDA",
                "--agent",
                "PPO",
                "--source",
                "sample",
                "--timesteps",
                "1000",
                "--seed",
                "1",
                "--end",
                LAST,
                "--home",
                str(home),
            ]
        )
        == 0
    )
    return next((home / "models").glob("PPO_NVDA_v*")).name


def csv_of(frame, path) -> str:
    table = frame[COLUMNS].copy()
    table.index = table.index.strftime("%Y-%m-%d")
    table.to_csv(path, index_label="date")
    return f"csv:{path}"


def test_replay_and_backtest_of_a_model_have_one_fingerprint(run, model):
    start, end = "2017-11-15", "2018-01-12"
    _, rules = run("backtest", model, "--start", start, "--end", end)
    code, shell = run("replay", model, "--start", start, "--end", end)
    assert code == 0 and shell["differences"] == []
    assert shell["ledger_sha256"] == rules["ledger_sha256"] and shell["fills"] == rules["fills"] > 0


def test_what_an_agent_really_did_is_the_prefix_of_its_models_backtest(run, model, tmp_path):
    _, made = run("deploy", model, "--mode", "paper", "--source", "sample")
    sessions = calendar().sessions(datetime(2017, 11, 15).date(), datetime(2017, 12, 6).date())
    for session in sessions:
        for clock in ("14:00:00", "22:00:00"):
            assert run("check", "--now", f"{session}T{clock}Z")[0] == 0
    real, ours = tmp_path / "real.jsonl", tmp_path / "rules.jsonl"
    _, did = run("ledger", made["agent_id"], "--ledger", str(real))
    run("backtest", model, "--start", did["start"], "--end", LAST, "--ledger", str(ours))
    assert did["sessions"] >= len(sessions) and did["fills"] > 0
    assert ours.read_text().startswith(real.read_text())
    assert run("verify")[1]["problems"] == []


def test_a_source_that_tells_another_story_is_refused_by_backtest_and_replay(run, model, tmp_path):
    whole = sample("NVDA").loc[:"2018-06-29"]
    honest = csv_of(whole, tmp_path / "same.csv")
    assert run("backtest", model, "--source", honest, "--start", "2018-05-01", "--end", "2018-05-31")[0] == 0
    other = whole.copy()
    other.loc["2016-03-04", ["open", "high", "low", "close"]] *= 1.001
    spec = csv_of(other, tmp_path / "other.csv")
    for command in ("backtest", "replay"):
        code, answer = run(command, model, "--source", spec)
        assert code == 1 and "disagrees" in answer["error"] and "2016-03-04" in answer["error"]


def test_a_source_that_cannot_be_compared_with_the_models_bars_is_refused(run, model, tmp_path):
    later = csv_of(sample("AAPL").loc["2023-09-25":], tmp_path / "later.csv")
    for command in ("backtest", "replay"):
        code, answer = run(command, model, "--source", later)
        assert code == 1 and "overlaps" in answer["error"] and "2023-09-21" in answer["error"]


def test_a_source_that_tells_another_story_holds_the_live_agent_with_the_reason(tmp_path):
    story = stage.probed(eventful(16, 560), range(500, 560), AgentType.PPO)
    home = Home.resolve(str(tmp_path))
    repository = replay_run.begin(home, story.card, story.terms, story.first)
    trader = replay_run.trader_of(home, repository, story.card, story.frame, story.policy())
    other = story.frame.copy()
    other.iloc[123, :4] *= 1.001
    trader.source = HistorySource(other)
    done = trader.run(calendar().close_at(story.first) + trader.delay)
    assert not done.decided and "disagrees" in done.held[0]["reason"]
    assert story.frame.index[123].date().isoformat() in done.held[0]["reason"]
    assert AgentRepository(home, repository.agent_id).state.held.reason == done.held[0]["reason"]
    trader.source = HistorySource(story.frame)
    assert trader.run(calendar().close_at(story.first) + trader.delay).decided


def test_verify_lookahead_finds_nothing_in_a_model_of_this_package(run, model):
    code, answer = run("verify", "--lookahead", model, "--sessions", "9")
    assert code == 0 and answer["problems"] == []
    assert answer["sessions"] >= 6 and answer["fills"] > 0 and answer["features"] == 14


def test_verify_lookahead_needs_a_model_that_exists(run):
    code, answer = run("verify", "--lookahead", "PPO_NVDA_v20000101_000000")
    assert code == 1 and "no model" in answer["error"]
    code, answer = run("verify", "--lookahead", "PPO_NVDA_v20000101_000000", "--sessions", "0")
    assert code == 1 and "--sessions is 0" in answer["error"]


def test_what_if_shows_costs_opens_and_the_agents_own_terms(run, model):
    _, made = run("deploy", model, "--mode", "paper", "--capital", "50000", "--risk-per-trade", "0.01")
    _, test = run("backtest", model)
    code, answer = run("whatif", model)
    rows = {row["scenario"]: row for row in answer["scenarios"]}
    assert code == 0 and rows["as tested"]["final_equity"] == test["final_equity"]
    assert rows["no costs"]["fees"] == 0 < rows["as tested"]["fees"] < rows["costs twice as high"]["fees"]
    own = rows[f"{made['agent_id']}'s capital and limits"]
    assert (own["capital"], own["risk_per_trade"]) == (50_000.0, 0.01)
    _, alone = run("whatif", model, "--agent", made["agent_id"])
    assert alone["scenarios"][0]["final_equity"] == own["final_equity"]
    assert run("whatif", model, "--agent", "PPO_NVDA_999")[0] == 1
    assert Terms().capital == rows["as tested"]["capital"]
