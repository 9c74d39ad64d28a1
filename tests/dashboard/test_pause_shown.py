"""Where the drawdown limit paused a test: in the answers of the commands, on the page, in its chart."""

import json
from pathlib import Path
from typing import Any

import pytest

from livetrading.adapters.home import Home
from livetrading.cli.main import main
from livetrading.core import drawdown_pause, limits
from livetrading.core.types import Limits
from livetrading.dashboard import control, figures
from livetrading.dashboard.components.training import deploy as deploy_form

from .conftest import AGENT, model_of
from .test_pages import Open, open_page, text_of

__all__ = ["open_page"]


def run(root: Path, capsys: pytest.CaptureFixture[str], *words: str, as_json: bool = True) -> tuple[Any, str]:
    """A command's answer and what it said on standard error."""
    capsys.readouterr()
    assert main(["--home", str(root), *words, *(["--json"] if as_json else [])]) == 0
    said = capsys.readouterr()
    return json.loads(said.out) if as_json else said.out, said.err


def test_a_deployment_and_its_what_if_say_where_its_own_limit_paused_the_test(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("deploy", model_of(own), "--mode", "replay", "--max-drawdown", "0.02", "--pause-sessions", "none")
    made, said = run(own, capsys, *words)
    found = made["test"]["pause"]
    sentence = drawdown_pause.words(found)
    assert sentence in made["warnings"] and sentence in said
    assert f"The drawdown limit of 2 % paused this test on {found['session']}" in sentence
    assert found["without"]["num_trades"] > made["test"]["num_trades"]
    table, _ = run(own, capsys, "whatif", model_of(own), "--agent", made["agent_id"], as_json=False)
    assert f"as tested: The drawdown limit of 2 % paused this test on {found['session']}" in table


def test_a_test_without_a_pause_says_nothing_of_one(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer, said = run(own, capsys, "backtest", model_of(own), "--start", "2023-06-01", "--end", "2023-07-01")
    assert answer["metrics"]["pause"] is None and "paused" not in said


def before(found: dict[str, Any]) -> dict[str, Any]:
    """The document of a pause as an earlier version stored it."""
    return {key: found[key] for key in ("session", "limit_pct", "sessions_after", "buys_lost", "without")}


def with_test(root: Path, keep: bool, *, short: bool = False) -> None:
    """The model's stored test, changed; without ``keep`` as the first version stored it, ``short`` as a later one."""
    path = root / "models" / model_of(root) / "test.json"
    test = json.loads(path.read_text())
    fall = len(test["equity"]) // 3
    for row in test["equity"][fall:]:
        row[1] = 8_000.0
    if keep:
        without = {**test["metrics"], "total_return_pct": 77.77}
        one = drawdown_pause.span(test["equity"][fall][0], None, len(test["equity"]) - fall, 21)
        test["metrics"]["pause"] = drawdown_pause.document(
            [one], Limits(max_drawdown=0.15, pause_sessions=None), without
        )
        if short:
            test["metrics"]["pause"] = before(test["metrics"]["pause"])
        test["unpaused"] = test["buy_and_hold"]
    else:
        del test["metrics"]["pause"], test["unpaused"]
    path.write_text(json.dumps(test))


@pytest.mark.parametrize(("keep", "short"), [(True, False), (True, True), (False, False)])
def test_the_page_says_it_and_marks_it_on_the_equity(open_page: Open, own: Path, keep: bool, short: bool) -> None:
    with_test(own, keep, short=short)
    at = open_page(own, "training")
    (said,) = [str(w.value) for w in at.warning if "paused this test" in str(w.value)]
    charts = [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]
    equity = next(c for c in charts if any(t.get("name") == "PPO drawdown" for t in c["data"]))
    assert any("entries paused" in note["text"] for note in equity["layout"]["annotations"])
    assert [shape["type"] for shape in equity["layout"]["shapes"]] == ["rect", "line"]
    assert ("21 BUY signals" in said) is keep
    assert any(t.get("name") == "PPO without the limit" for t in equity["data"]) is keep
    assert ("No limit" in text_of(at) and "+77.77%" in text_of(at)) is keep


def test_the_list_of_models_renders_a_pause_of_this_version_and_of_the_one_before(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = own / "models" / model_of(own) / "card.json"
    card = json.loads(path.read_text())
    spans = [drawdown_pause.span("2022-01-03", "2022-02-01", 20, 3), drawdown_pause.span("2022-05-02", None, 9, 0)]
    found = drawdown_pause.document(spans, Limits(pause_sessions=20), None)
    for pause, said in ((found, "paused 2022-01-03 (2 pauses)"), (before(found), "paused 2022-01-03  ")):
        card["metrics"]["test"]["pause"] = pause
        path.write_text(json.dumps(card))
        assert said in run(own, capsys, "models", as_json=False)[0]


def test_a_deployment_with_a_length_says_how_often_and_how_long_it_was_paused_and_what_if_agrees(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("deploy", model_of(own), "--mode", "replay", "--max-drawdown", "0.02", "--pause-sessions", "10")
    made, said = run(own, capsys, *words)
    found = made["test"]["pause"]
    assert found["pause_sessions"] == 10 and found["totals"]["pauses"] == len(found["pauses"]) > 1
    assert f"paused this test {len(found['pauses'])} times, first on {found['session']}, for 10 sessions each" in said
    answer, _ = run(own, capsys, "whatif", model_of(own), "--agent", made["agent_id"])
    tested = answer["scenarios"][0]
    assert (tested["pause"], tested["pause_sessions"]) == (found, 10)


def pause_field(at: Any) -> Any:
    return next(field for field in at.number_input if field.label == "Drawdown pause (sessions)")


@pytest.mark.parametrize(("default", "typed", "option"), [(None, 15, "15"), (None, None, "none"), (20, None, "none")])
def test_the_form_deploys_with_the_length_that_was_typed_or_until_a_person_resumes(
    open_page: Open, traded: Path, monkeypatch: pytest.MonkeyPatch, default: int | None, typed: int | None, option: str
) -> None:
    asked: list[dict[str, Any]] = []

    def deploy(home: Any, model_id: str, options: dict[str, Any], by: str, request_id: str) -> dict[str, Any]:
        asked.append(options)
        return {"agent_id": "PPO_NVDA_001"}

    monkeypatch.setattr(control, "deploy", deploy)
    monkeypatch.setattr(deploy_form, "LIMITS", Limits(pause_sessions=default))
    at = open_page(traded, "training")
    assert (pause_field(at).value, pause_field(at).placeholder) == (default, "until I resume")
    pause_field(at).set_value(typed).run()
    next(box for box in at.checkbox if "practice" in box.label).check().run()
    next(radio for radio in at.radio if radio.label == "Mode").set_value("replay").run()
    next(button for button in at.button if button.label == "Deploy to Live Trading").click().run()
    assert [options["pause-sessions"] for options in asked] == [option]


def test_the_form_deploys_at_the_costs_that_were_typed_and_names_none_that_were_not(
    open_page: Open, traded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def deploy(home: Any, model_id: str, options: dict[str, Any], by: str, request_id: str) -> dict[str, Any]:
        asked.append(options)
        return {"agent_id": "PPO_NVDA_001"}

    monkeypatch.setattr(control, "deploy", deploy)
    at = open_page(traded, "training")
    fields = {field.label: field for field in at.number_input}
    assert fields["Slippage (basis points)"].value == 5 and fields["Commission minimum ($)"].value == 1
    fields["Slippage (basis points)"].set_value(12.5).run()
    next(box for box in at.checkbox if "practice" in box.label).check().run()
    next(radio for radio in at.radio if radio.label == "Mode").set_value("replay").run()
    next(button for button in at.button if button.label == "Deploy to Live Trading").click().run()
    (options,) = asked
    assert options["slippage-bps"] == 12.5 and "commission-minimum" not in options


def test_an_agents_page_names_its_costs_where_they_are_not_the_usual_ones(open_page: Open, own: Path) -> None:
    path = own / "agents" / AGENT / "state.json"
    document = json.loads(path.read_text())
    (doc,) = document["agent"].values()
    assert doc["costs"] == {"slippage_bps": 5.0, "commission_per_share": 0.005, "commission_minimum": 1.0}
    assert "basis points" not in text_of(open_page(own, agent=AGENT))
    doc["costs"] |= {"slippage_bps": 12.5}
    path.write_text(json.dumps(document))
    assert "slippage 12.5 basis points" in text_of(open_page(own, agent=AGENT))


def test_the_agents_page_says_how_long_its_entries_are_still_paused(open_page: Open, own: Path) -> None:
    home = Home(own)
    path = home.agent(AGENT) / "state.json"
    tables = json.loads(path.read_text())
    (doc,) = tables["agent"].values()
    text = limits.words(limits.Pause(1.0, 4).left(Limits(pause_sessions=20)))
    doc |= {"entries_paused": True, "pause_sessions": 20, "pause_sessions_left": 16, "warnings": [text]}
    path.write_text(json.dumps(tables))
    at = open_page(own)
    assert "ntries are paused by the drawdown limit for 16 more sessions or until you resume" in text_of(at)


def test_the_shade_lies_from_the_pause_to_the_end() -> None:
    rows = [[f"2021-03-{day:02d}", 100.0 + day] for day in range(1, 11)]
    figure = figures.equity_figure(rows, pauses=[("2021-03-04", None)])
    rect, line = figure.layout.shapes
    assert (rect.x0, rect.x1, line.x0) == (3, 9, 3)
    assert figures.equity_figure(rows).layout.shapes == ()
    assert figures.equity_figure(rows, pauses=[("1999-01-01", None)]).layout.shapes == ()


def test_each_of_several_pauses_is_shaded_to_its_end_and_the_first_is_named() -> None:
    rows = [[f"2021-03-{day:02d}", 100.0 + day] for day in range(1, 21)]
    figure = figures.equity_figure(rows, pauses=[("2021-03-04", "2021-03-08"), ("2021-03-15", None)])
    assert [(shape.x0, shape.x1) for shape in figure.layout.shapes if shape.type == "rect"] == [(3, 7), (14, 19)]
    assert [note.text for note in figure.layout.annotations] == ["entries paused 2021-03-04"]
