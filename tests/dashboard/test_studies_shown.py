"""The Training page shows the studies of its home: the history of the objective and what mattered."""

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from livetrading.adapters.home import Home
from livetrading.dashboard import study_figures
from livetrading.research.study import files

from .test_pages import Open, open_page, text_of

__all__ = ["open_page"]


def summary(name: str, updated: str = "2025-11-08T16:24:33Z", **changes: Any) -> dict[str, Any]:
    """Of a study of four trials, one of them given up."""
    values, bests = [0.4, 0.9, None, 0.7], [0.4, 0.9, 0.9, 0.9]
    history = [
        {"number": k, "state": "PRUNED" if value is None else "COMPLETE", "value": value, "best": best}
        for k, (value, best) in enumerate(zip(values, bests, strict=True))
    ]
    usual = {
        "name": name,
        "storage": "postgresql+psycopg://u:***@h/d",
        "symbol": "NVDA",
        "agent": "PPO",
        "trials": 6,
        "ended": 4,
        "complete": 3,
        "pruned": 1,
        "failed": 0,
        "best": {"number": 1, "value": 0.9, "params": {"gamma": 0.91234, "network": "64x64"}},
        "history": history,
        "importance": {"gamma": 0.75, "learning_rate": 0.25},
        "result": None,
        "updated": updated,
    }
    return {**usual, **changes}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.resolve(str(tmp_path))


def charts(at: AppTest) -> list[Any]:
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


def test_a_home_without_studies_shows_no_section(open_page: Open, home: Home) -> None:
    at = open_page(home.root, "training")
    assert "Studies" not in text_of(at) and charts(at) == []


def test_a_study_shows_its_trials_its_history_and_what_mattered(open_page: Open, home: Home) -> None:
    files.write_summary(home, "mine", summary("mine"))
    at = open_page(home.root, "training")
    said = text_of(at)
    assert "4 / 6" in said and "3 complete, 1 given up, 0 failed" in said and "0.90" in said
    assert "gamma 0.912" in said and "none yet" in said
    history, importance = charts(at)
    assert [trace["name"] for trace in history["data"]] == ["Best so far", "Trial", study_figures.GIVEN_UP]
    assert importance["data"][0]["y"] == ["learning rate", "gamma"]


def test_a_study_that_ended_names_its_model_and_a_young_one_says_nothing_about_settings(
    open_page: Open, home: Home
) -> None:
    ended = summary("old", result={"model_id": "PPO_NVDA_v20251108_162433", "test": {"sharpe_ratio": 0.65}})
    files.write_summary(home, "old", ended)
    assert "PPO_NVDA_v20251108_162433" in text_of(open_page(home.root, "training"))
    young = summary("young", "2025-11-09T16:24:33Z", history=[], importance={}, best=None, ended=0)
    files.write_summary(home, "young", young)
    at = open_page(home.root, "training")
    assert "Too few trials" in text_of(at) and at.selectbox(key="study_choice").value == "young"


def test_a_summary_that_cannot_be_read_hides_no_other(open_page: Open, home: Home) -> None:
    for name in ("sound", "torn", "other"):
        files.write_summary(home, name, summary(name))
    (home.studies / "torn" / files.SUMMARY).write_text("{")
    (home.studies / "other" / files.SUMMARY).write_text('{"name": "other"}')
    assert [study["name"] for study in files.summaries(home)] == ["sound"]
    at = open_page(home.root, "training")
    assert at.selectbox(key="study_choice").options == ["sound: PPO on NVDA, 4 of 6 trials"]
