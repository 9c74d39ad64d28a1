"""An agent that can never trade is not deployed without a word: command line, REST and form."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from livetrading.adapters.home import Home
from livetrading.adapters.store import Store
from livetrading.cli.main import main
from livetrading.core.errors import Unavailable
from livetrading.dashboard import control
from livetrading.execution.state import bar_check, queries

from .conftest import ROOT, Server, copy_of, model_of, serving
from .test_pages import Open, labels, open_page, text_of

__all__ = ["open_page"]

Call = Callable[..., dict[str, Any]]
NVDA = ROOT / "livetrading" / "samples" / "NVDA.csv"
END = "2023-09-21"
TICK = "I understand: this agent cannot trade until later bars arrive."
GO = "Deploy to Live Trading"


@pytest.fixture
def call(own: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    def run(*words: str, code: int = 0) -> dict[str, Any]:
        capsys.readouterr()
        assert main(["--home", str(own), *words, "--json"]) == code
        return dict(json.loads(capsys.readouterr().out))

    return run


def agents(root: Path) -> list[str]:
    return [a["agent_id"] for a in queries.agents(Store(Home(root)))]


# -- command line -----------------------------------------------------------


def test_the_command_line_warns_of_old_bars_and_the_agent_says_since_when(call: Call, own: Path) -> None:
    made = call("deploy", model_of(own), "--mode", "paper", "--source", "sample")
    assert any(f"end at {END}" in text and "is history" in text for text in made["warnings"])
    shown = next(a for a in call("agents")["agents"] if a["agent_id"] == made["agent_id"])
    assert (shown["status"], shown["is_running"]) == ("running", True)
    assert (shown["status_text"], shown["no_bars_since"]) == (f"no bars since {END}", END)
    assert any("cannot trade" in text for text in shown["warnings"])


def test_a_replay_trades_its_models_own_bars_and_is_not_warned_about(call: Call, own: Path) -> None:
    made = call("deploy", model_of(own), "--mode", "replay")
    assert not any("bars" in text for text in made["warnings"])
    assert (made["bars_until"], made["bars_current"]) == (None, None)


@pytest.mark.parametrize("content", ["this is no CSV\n", "", None])
def test_a_file_that_is_no_csv_is_refused_and_leaves_no_agent(
    call: Call, own: Path, tmp_path: Path, content: str | None
) -> None:
    path, before = tmp_path / "bars.csv", agents(own)
    if content is not None:
        path.write_text(content)
    assert "bars.csv" in call("deploy", model_of(own), "--mode", "paper", "--source", f"csv:{path}", code=1)["error"]
    assert agents(own) == before


def test_bars_that_disagree_with_the_models_are_refused(call: Call, own: Path, tmp_path: Path) -> None:
    other, before = tmp_path / "bars.csv", agents(own)
    shutil.copy(ROOT / "livetrading" / "samples" / "GOOG.csv", other)
    said = call("deploy", model_of(own), "--source", f"csv:{other}", code=1)["error"]
    assert "disagrees with the bars that the model was trained on" in said and agents(own) == before


def test_a_source_that_is_away_refuses_and_says_try_again(
    call: Call, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise Unavailable("Yahoo does not answer for NVDA (time-out); try again later or use csv:PATH.")

    monkeypatch.setattr(bar_check, "ask_once", away)
    answer = call("deploy", model_of(own), "--source", "yahoo", code=1)
    assert "try again later" in answer["error"] and answer["http_status"] == 503
    assert agents(own) == ["PPO_NVDA_001"]


# -- REST -------------------------------------------------------------------


def test_rest_warns_in_its_answer_and_refuses_what_cannot_be_read(traded: Path, tmp_path: Path) -> None:
    with serving(copy_of(traded, tmp_path / "home")) as server:
        made = _posted(server, "sample")
        assert made.status == 200 and any(f"end at {END}" in text for text in made.body["warnings"])
        assert "cannot trade until bars after" in made.body["message"] and "running" not in made.body["message"]
        shown = server.live("GET", "/agents").body["agents"]
        assert [a["status_text"] for a in shown if a["agent_id"] == made.body["agent_id"]] == [f"no bars since {END}"]
        (tmp_path / "bars.csv").write_text("nothing of use")
        refused = _posted(server, f"csv:{tmp_path / 'bars.csv'}")
        assert refused.status == 400 and "bars.csv" in refused.body["error"]


def _posted(server: Server, source: str) -> Any:
    return server.live("POST", "/agents", {"model_id": model_of(server.root), "mode": "paper", "source": source})


# -- the form ---------------------------------------------------------------


def form(open_page: Open, root: Path, source: str | None = None) -> AppTest:
    """The deploy form, practice ticked."""
    at = open_page(root, "training")
    next(box for box in at.checkbox if "practice" in box.label).check().run()
    if source is not None:
        bars(at).set_value(source).run()
    assert not at.exception, at.exception
    return at


def bars(at: AppTest) -> Any:
    return next(field for field in at.text_input if field.label == "Bars")


def tick(at: AppTest) -> Any:
    return next((box for box in at.checkbox if box.label == TICK), None)


def test_the_form_proposes_a_source_that_goes_on_and_for_a_replay_the_models_own(open_page: Open, traded: Path) -> None:
    at = form(open_page, traded)
    assert bars(at).value == "yahoo" and tick(at) is None and GO in labels(at)
    next(radio for radio in at.radio if radio.label == "Mode").set_value("replay").run()
    assert bars(at).value == "sample" and bars(at).disabled and GO in labels(at)


def test_the_form_says_the_age_of_old_bars_and_asks_for_a_tick(
    open_page: Open, traded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def deploy(home: Home, model_id: str, options: dict[str, Any], by: str, request_id: str) -> dict[str, Any]:
        asked.append(options)
        return {"agent_id": "PPO_NVDA_001", "bars_current": False, "bars_until": END}

    monkeypatch.setattr(control, "deploy", deploy)
    at = form(open_page, traded, "sample")
    assert f"end at {END}" in text_of(at) and "is history" in text_of(at)
    assert GO not in labels(at)
    tick(at).check().run()
    next(button for button in at.button if button.label == GO).click().run()
    assert [options["old-bars"] for options in asked] == ["warn"]


def test_the_form_refuses_a_file_that_cannot_be_read(open_page: Open, traded: Path, tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text("no bars")
    at = form(open_page, traded, f"csv:{path}")
    assert any("bars.csv" in str(error.value) for error in at.error) and GO not in labels(at) and tick(at) is None
    shutil.copy(NVDA, path)
    at.run()
    assert tick(at) is not None, "the mended file was read anew"


def test_old_bars_that_only_the_command_sees_are_asked_about_then(
    open_page: Open, traded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def deploy(home: Home, model_id: str, options: dict[str, Any], by: str, request_id: str) -> dict[str, Any]:
        asked.append(dict(options))
        if options["old-bars"] == "refuse":
            raise control.OldBars("The bars of NVDA from yahoo end at 2024-01-02, 500 sessions before the last one.")
        return {"agent_id": "PPO_NVDA_001"}

    monkeypatch.setattr(control, "deploy", deploy)
    at = form(open_page, traded)
    next(button for button in at.button if button.label == GO).click().run()
    assert "end at 2024-01-02" in text_of(at) and GO not in labels(at)
    tick(at).check().run()
    next(button for button in at.button if button.label == GO).click().run()
    assert [options["old-bars"] for options in asked] == ["refuse", "warn"]


def test_the_doctor_finds_such_an_agent_by_the_same_rule(call: Call, own: Path) -> None:
    call("deploy", model_of(own), "--mode", "paper", "--source", "sample")
    checks = {c["name"]: c for c in call("doctor", code=1)["checks"]}
    found = checks["bars of NVDA from sample"]
    assert not found["ok"] and f"end at {END}" in found["detail"] and "is history" in found["cure"]
    assert checks["address"]["ok"]
