"""Where the drawdown limit paused a test: in the answers of the commands, on the page, in its chart."""

import json
from pathlib import Path
from typing import Any

import pytest

from livetrading.cli.main import main
from livetrading.core import drawdown_pause
from livetrading.core.types import Limits
from livetrading.dashboard import figures

from .conftest import model_of
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
    words = ("deploy", model_of(own), "--mode", "replay", "--max-drawdown", "0.02")
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


def with_test(root: Path, keep: bool) -> None:
    """The model's stored test, changed; without ``keep`` as an earlier version stored it."""
    path = root / "models" / model_of(root) / "test.json"
    test = json.loads(path.read_text())
    fall = len(test["equity"]) // 3
    for row in test["equity"][fall:]:
        row[1] = 8_000.0
    if keep:
        without = {**test["metrics"], "total_return_pct": 77.77}
        one = drawdown_pause.span(test["equity"][fall][0], None, len(test["equity"]) - fall, 21)
        test["metrics"]["pause"] = drawdown_pause.document([one], Limits(max_drawdown=0.15), without)
        test["unpaused"] = test["buy_and_hold"]
    else:
        del test["metrics"]["pause"], test["unpaused"]
    path.write_text(json.dumps(test))


@pytest.mark.parametrize("keep", [True, False])
def test_the_page_says_it_and_marks_it_on_the_equity(open_page: Open, own: Path, keep: bool) -> None:
    with_test(own, keep)
    at = open_page(own, "training")
    (said,) = [str(w.value) for w in at.warning if "paused this test" in str(w.value)]
    charts = [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]
    equity = next(c for c in charts if any(t.get("name") == "PPO drawdown" for t in c["data"]))
    assert any("entries paused" in note["text"] for note in equity["layout"]["annotations"])
    assert [shape["type"] for shape in equity["layout"]["shapes"]] == ["rect", "line"]
    assert ("21 BUY signals" in said) is keep
    assert any(t.get("name") == "PPO without the limit" for t in equity["data"]) is keep
    assert ("No limit" in text_of(at) and "+77.77%" in text_of(at)) is keep


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
