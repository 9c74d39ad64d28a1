"""``bars diff`` and ``bars accept`` with a real model and a CSV file that is corrected late."""

import json
from pathlib import Path

import pytest

from livetrading.adapters.calendar import calendar
from livetrading.adapters.home import Home
from livetrading.adapters.store import Store
from livetrading.cli.main import main
from livetrading.execution.agent_manager import AgentManager
from livetrading.execution.node import Node
from livetrading.execution.state import requests
from tests.doubles.lives import AGENT, FIRST, at, real_model, write_csv
from tests.doubles.series import generated

DAYS = 6
FRAME = generated(3, FIRST + 30)
MODEL_ROWS = FIRST + 10


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An agent that has decided ``DAYS`` sessions after its model's bars."""
    home, model_id = real_model(tmp_path, FRAME.iloc[:MODEL_ROWS])
    write_csv(tmp_path / "bars.csv", FRAME)
    node, now = Node(home, calendar()), at(FRAME.index[MODEL_ROWS - 1].date(), "20:00")
    args = {"model_id": model_id, "mode": "paper", "job_id": "tested", "source": f"csv:{tmp_path / 'bars.csv'}"}
    requests.submit(Store(home), "create", args=args, by="test", now=now)
    AgentManager(node).apply_pending(now)
    for t in range(MODEL_ROWS, MODEL_ROWS + DAYS):
        node.trader(AGENT).run(at(FRAME.index[t].date(), "16:40"))
    return home


def corrected(home: Home, row: int) -> None:
    changed = FRAME.copy()
    changed.iloc[row, changed.columns.get_loc("dividend")] = 0.3
    write_csv(home.root.parent / "bars.csv", changed)


def asked(home: Home, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict, str]:
    capsys.readouterr()
    code = main(["--home", str(home.root), "--json", *words])
    said = capsys.readouterr()
    return code, json.loads(said.out), said.err


def test_a_late_dividend_is_shown_accepted_and_verified(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    corrected(home, FIRST + 3)
    code, shown, _ = asked(home, capsys, "bars", "diff", AGENT)
    assert (code, shown["differ"], shown["decisions_checked"]) == (0, True, DAYS)
    day = FRAME.index[FIRST + 3].date().isoformat()
    assert shown["changes"] == [{"session": day, "column": "dividend", "booked": 0.0, "now": 0.3}]
    code, done, _ = asked(home, capsys, "bars", "accept", AGENT)
    assert (code, done["status"], done["corrected_values"]) == (0, "done", 1)
    assert asked(home, capsys, "bars", "diff", AGENT)[1]["differ"] is False
    code, found, _ = asked(home, capsys, "verify")
    assert (code, found["problems"], found["decisions_repeated"]) == (0, [], DAYS)


def test_a_correction_that_is_none_is_one_sentence_and_exit_1(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    code, answer, said = asked(home, capsys, "bars", "accept", AGENT)
    assert code == 1 and "no correction" in answer["error"] and said.strip().splitlines() == [answer["error"]]


def test_the_text_names_date_column_and_both_values(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    corrected(home, FIRST + 3)
    assert main(["--home", str(home.root), "bars", "diff", AGENT]) == 0
    text = capsys.readouterr().out
    assert f"{FRAME.index[FIRST + 3]:%Y-%m-%d}  dividend" in text and "0 booked, 0.3 now" in text
    assert f"bars accept {AGENT}" in text


@pytest.mark.parametrize("words", [["bars", "diff", "PPO_TEST_009"], ["bars", "accept", "PPO_TEST_009"]])
def test_an_agent_that_does_not_exist_is_named(home: Home, capsys: pytest.CaptureFixture[str], words: list) -> None:
    code, answer, _ = asked(home, capsys, *words)
    assert code == 1 and "PPO_TEST_009" in answer["error"]


def test_a_doubtful_correction_is_accepted_only_by_its_word_and_the_answer_repeats_the_doubt(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    changed, row = FRAME.copy(), MODEL_ROWS + 2
    changed.iloc[row, :4] *= 10
    write_csv(home.root.parent / "bars.csv", changed)
    code, shown, _ = asked(home, capsys, "bars", "diff", AGENT)
    (doubt,) = shown["doubts"]
    assert code == 0 and main(["--home", str(home.root), "bars", "diff", AGENT]) == 0
    assert f"bars accept {AGENT} --doubtful" in capsys.readouterr().out
    code, answer, said = asked(home, capsys, "bars", "accept", AGENT)
    assert code == 1 and doubt in answer["error"] and "--doubtful" in answer["error"]
    assert len(said.strip().splitlines()) == 1
    assert asked(home, capsys, "bars", "diff", AGENT)[1]["differ"] is True, "nothing was booked"
    code, done, _ = asked(home, capsys, "bars", "accept", AGENT, "--doubtful")
    assert (code, done["doubts"]) == (0, [doubt]) and doubt in done["message"]
    assert asked(home, capsys, "verify")[1]["problems"] == []


def test_a_split_that_the_price_does_not_show_is_doubtful(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    changed = FRAME.copy()
    changed.iloc[FIRST - 40, changed.columns.get_loc("split")] = 2.0
    write_csv(home.root.parent / "bars.csv", changed)
    code, answer, _ = asked(home, capsys, "bars", "accept", AGENT)
    assert code == 1 and "does not show" in answer["error"] and "--doubtful" in answer["error"]
