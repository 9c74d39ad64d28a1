"""What the Training page shows of a training: while it runs, when it has ended, and of the model ever after."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from livetrading.adapters.home import Home
from livetrading.adapters.store import Store
from livetrading.core import admission
from livetrading.core.card import ONE_SEED, QUICK_TRY
from livetrading.dashboard import commands, training_figures
from livetrading.dashboard.format import sharpe as sharpe_of
from livetrading.research import jobs
from livetrading.research.progress import Progress

from .conftest import AGENT, model_of
from .test_pages import Open, labels, open_page, text_of

__all__ = ["open_page"]
NOW = datetime.now(UTC)


def stored(root: Path, name: str) -> Any:
    return json.loads((root / "models" / model_of(root) / name).read_text())


def change(root: Path, name: str, changed: Callable[[dict[str, Any]], None]) -> None:
    """A stored document of the model, changed in place."""
    path = root / "models" / model_of(root) / name
    document = json.loads(path.read_text())
    changed(document)
    path.write_text(json.dumps(document))


def charts(at: AppTest) -> list[dict[str, Any]]:
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


def names(chart: dict[str, Any]) -> list[str]:
    return [trace["name"] for trace in chart["data"]]


def point(share: float, members: int = 2) -> dict[str, Any]:
    return {"share": share, "reward": [0.1 + k for k in range(members)], "sharpe": [0.5 - k for k in range(members)]}


@pytest.fixture
def job(traded: Path, tmp_path: Path) -> tuple[Store, str]:
    """A training whose folds are judged, of this process."""
    store = Store(Home.resolve(str(tmp_path)))
    job_id = jobs.start(store, "train", "NVDA", "PPO", 50_000, now=NOW)
    walked = stored(traded, "test.json")["walk_forward"]
    curves = {"fold 1": [point(0.0), point(1.0)], "fold 2": [point(0.0)], "all": []}
    news = Progress("Fitting", 0.8, 40_000, 50_000, 3_000.0, 9.4, curves, walked, (2, 2))
    jobs.update(store, job_id, news, now=NOW)
    return store, job_id


def test_a_running_training_shows_its_curves_and_its_folds_before_the_test(
    open_page: Open, job: tuple[Store, str], traded: Path, tmp_path: Path
) -> None:
    at = open_page(tmp_path, "training")
    said = text_of(at)
    assert "Fitting" in at.progress[0].text and "3,000 steps/s" in said and "fold 1" in said
    reward, sharpe = charts(at)
    assert names(reward) == names(sharpe) == ["fold 1 members", "fold 1", "fold 2"]
    agent = stored(traded, "test.json")["walk_forward"]["agent"]
    for fold in agent["folds"]:
        assert f"{fold['fold'] + 1}: {fold['start'][:7]} – {fold['end'][:7]}" in said
        assert f'data-label="Sharpe">{sharpe_of(fold["sharpe_ratio"])}' in said
    assert "Test Sharpe" not in said


def test_what_ended_shows_its_result_where_the_progress_was(
    open_page: Open, job: tuple[Store, str], traded: Path, tmp_path: Path
) -> None:
    store, job_id = job
    at = open_page(tmp_path, "training")
    metrics = stored(traded, "card.json")["metrics"]
    jobs.finish(store, job_id, {"model_id": "M", **metrics, "warnings": ["Beware of this."]}, now=datetime.now(UTC))
    at.run()
    said = text_of(at)
    assert not at.progress and "Done: M." in said and "Test Sharpe" in said and "Training Sharpe" in said
    assert "Beware of this." in [w.value for w in at.warning] and "Walk-forward" in said and len(charts(at)) == 2


def test_the_advice_for_one_seed_names_the_forms_field_and_no_option_of_the_command(
    open_page: Open, job: tuple[Store, str], traded: Path, tmp_path: Path
) -> None:
    store, job_id = job
    at = open_page(tmp_path, "training")
    metrics = stored(traded, "card.json")["metrics"]
    warned = [f"{ONE_SEED} Train with --seeds 5."]
    jobs.finish(store, job_id, {"model_id": "M", **metrics, "warnings": warned}, now=datetime.now(UTC))
    at.run()
    assert f"{ONE_SEED} Set Seeds to 5 in the form." in [w.value for w in at.warning]
    assert "--seeds" not in text_of(at) and "Seeds" in [field.label for field in at.number_input]


def test_how_often_a_test_was_looked_at_says_when(open_page: Open, own: Path) -> None:
    change(own, "card.json", lambda card: card.update(opened=2))
    said = text_of(open_page(own, "training"))
    assert "at its training the 2nd look at it for NVDA. Trained on 20" in said and "opened 2 times" not in said


def test_a_page_that_was_closed_meanwhile_shows_the_result_for_an_hour(
    open_page: Open, job: tuple[Store, str], traded: Path, tmp_path: Path
) -> None:
    store, job_id = job
    result = {"model_id": "M", **stored(traded, "card.json")["metrics"]}
    jobs.finish(store, job_id, result, now=datetime.now(UTC))
    assert "Test Sharpe" in text_of(open_page(tmp_path, "training"))
    with store.transaction("jobs") as db:
        old = datetime.now(UTC) - timedelta(hours=2)
        db.table("jobs").update({"updated": f"{old:%Y-%m-%dT%H:%M:%SZ}"})
    said = text_of(open_page(tmp_path, "training"))
    assert "Test Sharpe" not in said and "No training is running." in said


def test_only_a_training_that_the_page_can_end_has_a_button_to_cancel_it(
    open_page: Open, job: tuple[Store, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = open_page(tmp_path, "training")
    assert "Cancel training" not in labels(at) and "Ctrl-C there cancels it" in text_of(at)
    asked: list[str] = []
    monkeypatch.setattr(commands, "is_ours", lambda pid, marker: True)
    monkeypatch.setattr(commands, "interrupt", lambda pid, marker: asked.append(marker))
    at.run()
    next(button for button in at.button if button.label == "Cancel training").click().run()
    at.run()
    assert asked == [job[1]] and "Cancelling …" in labels(at)


def test_the_form_asks_for_seeds_folds_and_other_symbols(
    open_page: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(commands, "start", lambda home, words, command_id: started.append(list(words)))
    at = open_page(tmp_path, "training")
    values = {field.label: field.value for field in at.number_input}
    assert (values["Seeds"], values["Folds"]) == (5, 4)
    at.selectbox(key="train_sample").set_value("NVDA").run()
    others = at.multiselect(key="train_also_sample")
    assert "NVDA" not in others.options and "AAPL" in others.options
    others.set_value(["AAPL", "GOOG"])
    at.number_input(key="train_seeds").set_value(3)
    at.number_input(key="train_folds").set_value(0)
    next(button for button in at.button if button.label == "Train").click().run()
    (words,) = started
    given = dict(zip(words[2::2], words[3::2], strict=False))
    assert (given["--seeds"], given["--folds"], given["--also"]) == ("3", "0", "AAPL,GOOG")


def test_a_model_stands_beside_ridge_always_long_its_training_part_and_its_members(
    open_page: Open, traded: Path
) -> None:
    at = open_page(traded, "training")
    said = text_of(at)
    for heading in ("5 members", "Training part", "Ridge", "Always long", "Buy &amp; hold"):
        assert f"<th>{heading}</th>" in said
    assert "5 seeds from seed 0" in said and QUICK_TRY not in said and "members of the ensemble" in said


def test_a_models_walk_forward_has_its_equity_with_the_folds_and_three_tables(open_page: Open, traded: Path) -> None:
    at = open_page(traded, "training")
    equity, walk = [chart for chart in charts(at) if "Ridge" in names(chart)]
    assert {"PPO", "Always long", "Buy and hold", "Random agents, 5 % to 95 %"} <= set(names(equity))
    assert names(walk) == ["PPO", "Ridge", "Always long", "Buy and hold"]
    assert [note["text"] for note in walk["layout"]["annotations"]] == ["fold 1", "fold 2", "fold 3", "fold 4"]
    said = text_of(at)
    assert all(f"PPO by {what}" in said for what in ("fold", "year", "regime"))


def test_a_boundary_stands_where_its_fold_begins() -> None:
    equity = [[f"2021-03-{day:02d}", 100.0 + day] for day in range(1, 11)]
    folds = [{"fold": 0, "start": "2021-03-01"}, {"fold": 1, "start": "2021-03-06"}]
    figure = training_figures.walk_figure({"agent": {"equity": equity, "folds": folds}}, "SAC")
    assert [shape.x0 for shape in figure.layout.shapes] == [0, 5]


def test_a_part_keeps_its_colour_when_others_begin() -> None:
    early = {"fold 1": [], "fold 2": [point(0.1)], "all": []}
    late = {"fold 1": [point(0.1)], "fold 2": [point(0.1)], "all": [point(0.2)]}
    assert training_figures.keys(early)["fold 2"] == training_figures.keys(late)["fold 2"]
    assert list(training_figures.keys(early)) == ["fold 2"]
    assert set(training_figures.keys(late)) == {"fold 1", "fold 2", "whole part"}


def alone(card: dict) -> None:
    """The card of one member."""
    card["members"] = card["members"][:1]
    card["metrics"]["members"]["count"] = 1


def test_a_model_of_one_seed_is_called_a_quick_try_wherever_it_is_shown(open_page: Open, own: Path) -> None:
    change(own, "card.json", alone)
    at = open_page(own, "training")
    said = text_of(at)
    assert f"({QUICK_TRY})" in said  # the view
    assert f'<div class="s ">{QUICK_TRY}</div>' in said  # the form that deploys it
    assert "1: a quick try" in said  # the list
    choice = next(box for box in at.selectbox if box.label == "Model")
    assert QUICK_TRY in choice.options[0]
    assert QUICK_TRY in text_of(open_page(own, agent=AGENT))  # its agent


def test_symbols_that_were_learned_from_as_well_are_named(open_page: Open, own: Path) -> None:
    def also(card: dict[str, Any]) -> None:
        card["also"] = [
            {"symbol": "AAPL", "source": "sample", "bars_sha256": card["bars_sha256"], "span": dict(card["train"])}
        ]

    change(own, "card.json", also)
    assert "Learned from AAPL as well." in text_of(open_page(own, "training"))


def test_a_model_that_never_trades_has_an_undefined_sharpe_ratio_and_its_form_says_why(
    open_page: Open, own: Path
) -> None:
    def idle(test: dict[str, Any]) -> None:
        test.update(sharpe_ratio=None, sharpe_se=None, num_trades=0, exposure_pct=0.0, total_return_pct=0.0)

    change(own, "card.json", lambda card: idle(card["metrics"]["test"]))
    change(own, "test.json", lambda test: idle(test["metrics"]))
    at = open_page(own, "training")
    sentence = admission.never_traded({"sharpe_ratio": None, "num_trades": 0, "exposure_pct": 0.0})
    assert sentence is not None and "never trades in its test" in sentence
    warned = [str(w.value) for w in at.warning if sentence in str(w.value)]
    assert warned == [sentence, f"{sentence} {admission.warning(None)}"]  # the view, the form
    assert "Sharpe undefined" in next(box for box in at.selectbox if box.label == "Model").options[0]
    assert "Deploy to Live Trading" not in labels(at)


def test_a_model_of_before_is_shown_without_what_its_card_lacks(open_page: Open, own: Path) -> None:
    def before(document: dict[str, Any]) -> None:
        for key in ("members", "also", "train", "witnesses", "walk_forward"):
            if key != "train" or "metrics" in document.get("train", {}):
                document.pop(key, None)

    def card(document: dict[str, Any]) -> None:
        for key in ("members", "also"):
            document.pop(key)
        document["metrics"] = {key: document["metrics"][key] for key in ("test", "buy_and_hold")}

    change(own, "card.json", card)
    change(own, "test.json", before)
    at = open_page(own, "training")
    said = text_of(at)
    assert "<th>Measure</th><th>PPO</th><th>Buy &amp; hold</th>" in said and "Sharpe ratio" in said
    assert QUICK_TRY not in said and "PPO by fold" not in said and not at.error
    assert [tab.label for tab in at.tabs][:3] == ["Equity and drawdown", "Trades on candles", "Trade list"]
