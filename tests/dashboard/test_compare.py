"""Models compared, on the page and on the command line, from the same figures."""

import json
import time
from pathlib import Path

import pytest

from livetrading.adapters.home import Home
from livetrading.adapters.registry import Registry
from livetrading.cli.main import main
from livetrading.dashboard import commands
from livetrading.dashboard.compare_figures import compare_figure
from livetrading.dashboard.comparing import compared
from tests.doubles.processes import PATIENCE

from .conftest import AGENT, model_of
from .test_pages import Open, open_page, text_of

__all__ = ["open_page"]


@pytest.fixture
def two(own: Path) -> tuple[Path, list[str]]:
    """A home with a second model, made with other settings."""
    first = model_of(own)
    words = ["train", "NVDA", "--agent", "PPO", "--timesteps", "500", "--seeds", "1", "--folds", "0"]
    assert main(["--home", str(own), *words]) == 0
    models = sorted(path.name for path in (own / "models").iterdir() if "_v" in path.name)
    assert len(models) == 2
    return own, [first, next(name for name in models if name != first)]


def test_two_models_are_compared_on_the_page(open_page: Open, two: tuple[Path, list[str]]) -> None:
    home, models = two
    at = open_page(home, "training")
    assert "Sharpe, shared" not in text_of(at)
    at.multiselect(key="compare_models").set_value(models).run()
    said = text_of(at)
    assert not at.exception and "Sharpe, shared" in said and f"{AGENT} (" in said
    assert "Settings that differ" in said and "timesteps" in said
    charts = [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]
    names = [{trace["name"] for trace in chart["data"]} for chart in charts]
    assert any({*models, *(f"{name} drawdown" for name in models)} <= each for each in names)


def test_the_command_answers_in_json_and_opens_no_test(
    two: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    home, models = two
    openings = (home / "openings.json").read_bytes()
    capsys.readouterr()
    assert main(["--home", str(home), "--json", "compare", *models]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [model["model_id"] for model in found["models"]] == models
    assert [a["agent_id"] for a in found["models"][0]["deployed_by"]] == [AGENT]
    assert {row["name"] for row in found["settings"]} >= {"timesteps", "seeds"}
    assert set(found["curves"]) == set(models) and (home / "openings.json").read_bytes() == openings
    assert main(["--home", str(home), "compare", *models]) == 0
    text = capsys.readouterr().out
    assert all(word in text for word in (*models, "±", AGENT, "standard error", "Settings that differ"))


@pytest.mark.parametrize("which", [[0], [0, 0]])
def test_one_model_alone_is_refused(
    two: tuple[Path, list[str]], which: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    home, models = two
    assert main(["--home", str(home), "compare", *(models[i] for i in which)]) == 1
    assert "two models" in capsys.readouterr().err


def test_a_chart_of_tests_of_different_lengths_has_all_sessions_in_order(two: tuple[Path, list[str]]) -> None:
    home, models = two
    curves = compared(Home(home), models)["curves"]
    short = {**curves[models[1]]}
    for name in ("sessions", "equity", "drawdown_pct", "held"):
        short[name] = short[name][-50:]
    figure = compare_figure({models[1]: short, models[0]: curves[models[0]]})
    assert list(figure.layout.xaxis.categoryarray) == curves[models[0]]["sessions"]
    assert len(figure.data) == 6


def test_a_refit_is_started_from_the_page_and_says_what_it_is(open_page: Open, own: Path) -> None:
    first = model_of(own)
    at = open_page(own, "training")
    assert "Later bars: a challenger, or a refit" in [box.label for box in at.expander]
    at.button(key=f"later_refit_{first}").click().run()
    assert not at.exception
    deadline = time.monotonic() + PATIENCE
    while len(Registry(Home(own)).ids()) < 2:
        assert time.monotonic() < deadline, "no refit was made"
        time.sleep(0.2)
    refit = next(name for name in Registry(Home(own)).ids() if name != first)
    at = open_page(own, "training")
    at.selectbox(key="model_choice").set_value(refit).run()
    assert any("the test measured the procedure, not these weights" in box.value for box in at.warning)
    said = text_of(at)
    assert f"Its test measured {first}, trained on 20" in said and "Trained on 20" not in said
    assert f"This is a refit itself: refit {first}, the model that was tested." in said
    assert "Refit on all bars" not in [button.label for button in at.button]


def test_a_challenger_without_newer_bars_ends_in_a_sentence(open_page: Open, own: Path) -> None:
    first = model_of(own)
    at = open_page(own, "training")
    at.button(key=f"later_retrain_{first}").click().run()
    assert not at.exception
    job_id = at.session_state["watched_job"]["id"]
    answer = commands.Command(Home(own), job_id).wait(PATIENCE)
    assert answer.error is not None and "nothing newer" in answer.error
