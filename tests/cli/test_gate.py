"""``gate`` and what counts as a look: every command that shows a test's result, and none that does not."""

import json
from pathlib import Path

import pytest

from livetrading.adapters.home import Home
from livetrading.adapters.openings import Openings
from livetrading.adapters.registry import Registry
from livetrading.adapters.store import Store
from livetrading.cli.main import main
from livetrading.core.bars import to_rows
from livetrading.execution.state.agent_repository import AgentRepository


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("gate")
    assert call(root, "train", "AAPL", "--agent", "PPO", "--seeds", "1", "--folds", "0", "--timesteps", "500") == 0
    return root


@pytest.fixture
def home(trained: Path, tmp_path: Path) -> Path:
    import shutil

    return Path(shutil.copytree(trained, tmp_path / "home"))


def call(root: Path, *words: str) -> int:
    return main(["--home", str(root), *words])


def asked(root: Path, capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    capsys.readouterr()
    code = call(root, *words, "--json")
    answer = json.loads(capsys.readouterr().out)
    assert code == 0, answer
    return answer


def model_in(root: Path) -> str:
    return Registry(Home.resolve(str(root))).ids()[0]


def looks(root: Path) -> int:
    home = Home.resolve(str(root))
    return Openings(Store(home)).of_model(model_in(root)).tries


def test_the_gate_answers_every_condition_with_its_number_and_deploys_nothing(home, capsys):
    answer = asked(home, capsys, "gate", model_in(home))
    assert answer["real_money"] is False
    assert [set(row) >= {"name", "value", "needed", "ok"} for row in answer["conditions"]] == [True] * 6
    assert answer["openings"]["count"] == 1 and len(answer["openings"]["list"]) == 1
    assert set(answer["baselines"]) >= {"cash", "buy_and_hold", "always_long", "ridge"}
    assert 0.0 <= answer["deflated_sharpe"] <= 1.0
    assert not list((home / "agents").iterdir())
    assert looks(home) == 1, "asking with the terms of the training shows nothing new"


def test_each_look_counts_one_and_a_question_that_was_asked_before_counts_none(home, capsys):
    name = model_in(home)
    steps = [
        (("backtest", name), 1),
        (("backtest", name), 1),
        (("whatif", name), 1),
        (("gate", name, "--capital", "20000"), 1),
        (("gate", name, "--capital", "20000"), 0),
        (("deploy", name, "--capital", "20000"), 0),
        (("deploy", name, "--stop-atr", "3"), 1),
        (("deploy", name), 0),
        (("backtest", name, "--end", "2015-12-31", "--start", "2015-01-02"), 0),
        (("train", "AAPL", "--agent", "PPO", "--seeds", "1", "--folds", "0", "--timesteps", "500"), 1),
        (("models",), 0),
        (("model", name), 0),
    ]
    count = looks(home)
    for words, more in steps:
        asked(home, capsys, *words)
        count += more
        assert looks(home) == count, words
    answer = asked(home, capsys, "gate", name)
    assert answer["openings"]["count"] == count
    assert 1.0 <= answer["openings"]["n_effective"] < count


def test_the_same_bars_as_a_csv_under_another_name_and_scale_are_the_same_test(home, capsys, tmp_path):
    frame = Registry(Home.resolve(str(home))).bars(model_in(home)).copy()
    frame[["open", "high", "low", "close", "dividend"]] *= 2.0
    lines = [",".join([row[0], *map(repr, row[1:])]) for row in to_rows(frame)]
    path = tmp_path / "other.csv"
    path.write_text("\n".join(["date,open,high,low,close,volume,dividend,split", *lines]) + "\n")
    answer = asked(
        home, capsys, "train", "ZZZ", "--agent", "PPO", "--seeds", "1", "--folds", "0", "--timesteps", "500",
        "--source", f"csv:{path}",
    )  # fmt: skip
    assert Registry(Home.resolve(str(home))).card(answer["model_id"]).opened == 2
    assert asked(home, capsys, "gate", answer["model_id"])["openings"]["count"] == 2


def test_the_lookahead_check_is_kept_with_the_model_and_read_by_the_gate(home, capsys):
    name = model_in(home)
    assert asked(home, capsys, "verify", "--lookahead", name, "--sessions", "2")["problems"] == []
    conditions = {row["name"]: row for row in asked(home, capsys, "gate", name)["conditions"]}
    assert conditions["no_lookahead"]["ok"] is True


def test_an_agent_remembers_the_gate_and_shows_it(home, capsys):
    answer = asked(home, capsys, "deploy", model_in(home))
    assert any("Real money would also need" in text for text in answer["warnings"])
    agent = asked(home, capsys, "agents")["agents"][0]
    assert agent["gate"]["asked"] is False and agent["gate"]["count"] == 1
    kept = AgentRepository(Home.resolve(str(home)), agent["agent_id"]).state.agent.gate
    assert [row["name"] for row in kept["conditions"]][:2] == ["sharpe_ratio", "sessions"]


def test_a_model_that_does_not_exist_is_one_sentence(home, capsys):
    assert call(home, "gate", "PPO_AAPL_v20000101_000000") == 1
    assert "There is no model" in capsys.readouterr().err


@pytest.mark.parametrize(
    "found", ['{"problems": 0, "zip_sha256": "SHA"}', '{"zip_sha256": "SHA"}', '{"problems": [], "zip_sha256": "x"}']
)
def test_a_lookahead_result_of_another_form_or_model_counts_as_not_checked(home, capsys, found):
    name = model_in(home)
    sha = Registry(Home.resolve(str(home))).card(name).zip_sha256
    (home / "models" / name / "lookahead.json").write_text(found.replace("SHA", sha))
    conditions = {row["name"]: row for row in asked(home, capsys, "gate", name)["conditions"]}
    assert (conditions["no_lookahead"]["value"], conditions["no_lookahead"]["ok"]) == (None, False)
