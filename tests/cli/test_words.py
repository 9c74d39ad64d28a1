"""Options stand before or after the command, and whatever goes wrong is one sentence, as JSON where that was asked for."""

import json
from pathlib import Path
from typing import Any

import pytest

from livetrading.adapters import logs
from livetrading.adapters.home import Home
from livetrading.adapters.registry import Registry
from livetrading.adapters.stamps import stamp
from livetrading.cli import main as entry
from livetrading.cli import models
from livetrading.cli.main import main
from livetrading.core.errors import LivetradingError
from livetrading.dashboard import commands, control
from tests.core.test_errors import ALL
from tests.doubles.lives import FIRST, Cycler, at, deployed
from tests.doubles.models import make_card
from tests.doubles.series import generated

Capsys = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    "words",
    [
        ["--json", "--home", "{}", "agents"],
        ["--home", "{}", "--json", "agents"],
        ["--json", "agents", "--home", "{}"],
        ["--home", "{}", "agents", "--json"],
        ["agents", "--json", "--home", "{}"],
        ["--json", "--home", "{}", "agents", "--json"],
        ["--home={}", "--json", "agents"],
    ],
)
def test_json_and_home_may_stand_before_or_after_the_command(
    tmp_path: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setenv("LIVETRADING_HOME", str(tmp_path / "another"))
    assert main([word.format(tmp_path / "home") for word in words]) == 0
    assert json.loads(capsys.readouterr().out) == {"agents": [], "count": 0}
    assert (tmp_path / "home" / "agents").is_dir() and not (tmp_path / "another").exists()


@pytest.mark.parametrize(
    "words",
    [["-h"], ["--json", "-h"], ["agents", "-h"], ["--json", "agents", "--help"], ["--home", "x", "deploy", "-h"]],
)
def test_help_is_help_in_any_place(capsys: Capsys, words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0 and "usage: python -m livetrading" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ["--json", "frobnicate"],
        ["frobnicate", "--json"],
        ["--json", "deploy"],
        ["train", "AAPL", "--json"],
        ["agents", "--json", "--colour"],
        ["--json", "deploy", "M", "--capital", "much"],
    ],
)
def test_usage_is_told_as_json_too(capsys: Capsys, words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert (ended.value.code, told["http_status"], told["error_type"]) == (2, 400, "BadInput")
    assert said.err.strip().endswith(told["error"]) and "usage:" in said.err


def test_an_error_of_the_program_is_a_sentence_and_the_log_holds_its_traceback(
    tmp_path: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.logged.clear()
    monkeypatch.setattr(models, "models", lambda *_: 1 / 0)
    assert main(["--home", str(tmp_path), "--json", "models"]) == 1
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert (told["error_type"], told["http_status"]) == ("Unforeseen", 500)
    assert said.err.strip() == told["error"] and "ZeroDivisionError" in told["error"]
    assert "Traceback" in (tmp_path / "logs" / "livetrading.log").read_text()


def test_an_answer_that_json_cannot_hold_is_an_error_and_no_half_answer(
    tmp_path: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "models", lambda *_: {"value": float("nan")})
    assert main(["--home", str(tmp_path), "--json", "models"]) == 1
    assert json.loads(capsys.readouterr().out)["http_status"] == 500


@pytest.mark.parametrize("kind", ALL)
def test_every_error_of_a_command_comes_back_to_pages_and_rest_as_itself(
    tmp_path: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch, kind: type[LivetradingError]
) -> None:
    def refuse(*_: Any) -> None:
        raise kind("why")

    monkeypatch.setattr(models, "models", refuse)
    assert main(["--home", str(tmp_path), "models", "--json"]) == 1
    values = json.loads(capsys.readouterr().out)
    with pytest.raises(LivetradingError, match="why") as back:
        control.result_of(commands.Answer(values, values["error"]))
    assert type(back.value) is kind and values["http_status"] == kind.http_status


@pytest.mark.parametrize(
    ("answer", "status"), [(commands.Answer({"items": []}, "not flat"), 409), (commands.Answer({}, "Killed"), 500)]
)
def test_a_command_that_names_no_kind_found_something_wrong_and_one_without_an_answer_died(
    answer: commands.Answer, status: int
) -> None:
    with pytest.raises(LivetradingError) as back:
        control.result_of(answer)
    assert back.value.http_status == status


def test_check_lists_an_agent_that_an_error_blocked_under_held_and_ends_well(
    tmp_path: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = deployed(tmp_path, generated(1, FIRST + 20), Cycler())
    life.create(at(life.sessions[FIRST - 1], "20:00"), request_id="second")

    class Once:
        def raw(self, obs: Any) -> float:
            monkeypatch.setattr(Registry, "load", lambda self, model_id: (self.card(model_id), Cycler()))
            raise RuntimeError("the network has no answer")

    monkeypatch.setattr(Registry, "load", lambda self, model_id: (self.card(model_id), Once()))
    words = ["--home", str(life.home.root), "--json", "check", "--now", stamp(at(life.sessions[FIRST], "16:40"))]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert [d["agent_id"] for d in told["decided"]] == ["PPO_TEST_002"]
    (held,) = told["held"]
    assert held["agent_id"] == "PPO_TEST_001" and "RuntimeError: the network has no answer" in held["reason"]
    assert main(words) == 0
    (held,) = json.loads(capsys.readouterr().out)["held"]
    assert held["agent_id"] == "PPO_TEST_001" and "the agent is blocked: an error of the program" in held["reason"]


# -- models -------------------------------------------------------------------


def _written(home: Home, version: str, change: Any) -> str:
    card = make_card(version=version)
    folder = home.model(card.model_id)
    folder.mkdir(parents=True)
    values = json.loads(json.dumps(card.to_dict()))
    content = change(values)
    (folder / "card.json").write_text(content if isinstance(content, str) else json.dumps(values))
    return card.model_id


SHAPES: dict[str, Any] = {
    "without a measure": lambda card: card["metrics"]["test"].pop("sharpe_ratio"),
    "without the other measure": lambda card: card["metrics"]["buy_and_hold"].pop("total_return_pct"),
    "a text as a measure": lambda card: card["metrics"]["test"].update(num_trades="many"),
    "NaN as a measure": lambda card: card["metrics"]["test"].update(sharpe_ratio=float("nan")),
    "infinite": lambda card: '{"seed": 1e999}',
    "without metrics": lambda card: card.pop("metrics"),
    "metrics as a list": lambda card: card.update(metrics=[1]),
    "a list as a name": lambda card: card.update(model_id=["x"]),
    "a number as a date": lambda card: card.update(created=5),
    "of another version": lambda card: card.update(colour="red"),
    "nothing": lambda card: "",
    "no JSON": lambda card: "{'a': 1}",
    "a list": lambda card: "[]",
    "deep": lambda card: "[" * 100_000,
    "an enormous number": lambda card: card["metrics"]["test"].update(total_return_pct=10**400),
}


@pytest.mark.parametrize("json_too", [False, True])
def test_models_whose_cards_have_any_shape_are_named_and_hide_no_other(
    tmp_path: Path, capsys: Capsys, json_too: bool
) -> None:
    home = Home.resolve(str(tmp_path))
    sound = _written(home, "v20250101_000000", lambda card: None)
    odd = {_written(home, f"v20250102_0000{n:02d}", change): name for n, (name, change) in enumerate(SHAPES.items())}
    assert main(["--home", str(tmp_path), "models", *(["--json"] if json_too else [])]) == 0
    said = capsys.readouterr().out
    if json_too:
        told = json.loads(said)
        assert [m["model_id"] for m in told["models"]] == [sound]
        assert {odd[model_id] for model_id in told["damaged"]} == set(SHAPES)
        assert all("train it again" in why for why in told["damaged"].values())
    else:
        assert sound in said and all(model_id in said for model_id in odd)


def test_a_model_without_a_measure_that_lists_show_still_trades(tmp_path: Path) -> None:
    home = Home.resolve(str(tmp_path))
    model_id = _written(home, "v20250101_000000", lambda card: card["metrics"]["test"].pop("sharpe_ratio"))
    assert Registry(home).list() == [] and Registry(home).card(model_id).model_id == model_id


def test_the_parser_gives_no_command_json_by_default() -> None:
    assert not any(action.dest == "json" and action.default is False for action in entry.parser()._actions)
