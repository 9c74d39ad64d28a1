"""What a training says on the command line: its folds before its test, then the test beside its witnesses."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from livetrading.adapters.home import Home
from livetrading.adapters.registry import Registry
from livetrading.cli import report_text
from livetrading.cli.main import main
from livetrading.core import admission
from livetrading.research.progress import Progress, TerminalProgress, line

TRAIN = ("train", "NVDA", "--agent", "PPO", "--timesteps", "600", "--folds", "2")


def run(root: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[str, str]:
    """A command's standard output and error."""
    capsys.readouterr()
    assert main(["--home", str(root), *words]) == 0
    said = capsys.readouterr()
    return said.out, said.err


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One training of two seeds and one of one seed, in words; the second learns from another symbol as well."""
    root = tmp_path_factory.mktemp("told")
    found: dict[str, Any] = {"root": root}
    patch = pytest.MonkeyPatch()
    for name, more in (("two", ("--seeds", "2")), ("one", ("--seeds", "1", "--also", "AAPL", "--json"))):
        out, err = io.StringIO(), io.StringIO()
        patch.setattr("sys.stdout", out)
        patch.setattr("sys.stderr", err)
        try:
            assert main(["--home", str(root), *TRAIN, *more]) == 0
        finally:
            patch.undo()
        found[name] = (out.getvalue(), err.getvalue())
    return found


def test_the_folds_are_on_standard_error_before_the_test_is_opened(told: dict[str, Any]) -> None:
    out, err = told["two"]
    assert "Walk-forward" not in out
    table, test = err.index("Walk-forward, "), err.index("Testing ")
    assert err.index("Folds 0/2 [") < table < test
    for name in (
        "PPO  ",
        "Ridge",
        "Always long",
        "Buy and hold",
        "Cash",
        "PPO by fold",
        "PPO by year",
        "PPO by regime",
    ):
        assert table < err.index(name) < test, name
    assert "undefined      0.00%      0.00%       0" in err  # cash
    assert all(f"\nfold {n}  " in err for n in (1, 2)) and "While they learned" in err


def test_the_test_stands_beside_witnesses_members_and_training_part(told: dict[str, Any]) -> None:
    out, _ = told["two"]
    (card,) = [card for card in Registry(Home(told["root"])).list() if card.seeds == 2]
    assert card.model_id in out and admission.sharpe_words(card.metrics["test"]) in out
    for text in (
        "lowest of its 2 members",
        "highest of its 2 members",
        "Ridge",
        "Always long",
        "Buy and hold",
        "Cash",
        "PPO in its training part",
        "Gap: a Sharpe ratio of",
    ):
        assert text in out, text


def test_json_is_the_whole_answer_and_no_table_stands_beside_it(told: dict[str, Any]) -> None:
    out, err = told["one"]
    answer = json.loads(out)
    assert {"model_id", "test", "buy_and_hold", "train", "witnesses", "members", "walk_forward", "warnings"} <= set(
        answer
    )
    assert "text" not in answer and "Walk-forward" not in err


def test_models_say_how_many_seeds_they_have_and_which_is_a_quick_try(
    told: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    root = told["root"]
    lines = run(root, capsys, "models")[0].splitlines()
    assert [line.endswith("  2 seeds") or "  2 seeds  " in line for line in lines].count(True) == 1
    assert sum("one seed: a quick try" in line for line in lines) == 1
    single = next(card for card in Registry(Home(root)).list() if card.is_quick_try)
    shown = run(root, capsys, "model", single.model_id)[0]
    assert (
        "one seed: a quick try" in shown and "learned from AAPL as well" in shown and "Walk-forward, 2 folds" in shown
    )
    assert "history, not a quote" in shown and "chosen with hindsight" in shown
    document = json.loads(run(root, capsys, "model", single.model_id, "--json")[0])
    assert document == single.to_dict()


def test_the_training_range_of_a_listed_model_stays_a_range(
    told: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    for model in json.loads(run(told["root"], capsys, "models", "--json")[0])["models"]:
        assert set(model["train"]) == {"start", "end", "sessions"}
        assert "sharpe_ratio" in model["test"] and "sharpe_ratio" in model["train_metrics"]


def test_a_report_of_before_is_told_without_what_it_lacks() -> None:
    measures = {"sharpe_ratio": 1.1, "total_return_pct": 5.0, "max_drawdown_pct": 2.0, "num_trades": 9}
    text = report_text.test({"test": measures, "buy_and_hold": {**measures, "sharpe_ratio": None}}, "SAC")
    assert [line.split()[0] for line in text.splitlines()] == ["Test", "SAC", "Buy"]
    assert "undefined" in text.splitlines()[2]


def test_a_deployment_whose_test_never_trades_says_so(told: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """With one dollar no share can be bought."""
    model = Registry(Home(told["root"])).list()[0].model_id
    out, err = run(told["root"], capsys, "deploy", model, "--mode", "replay", "--capital", "1", "--json")
    answer = json.loads(out)
    assert answer["test"]["sharpe_ratio"] is None
    assert answer["warning"] == "Sharpe Ratio too low (undefined). Recommended: > 1.5 for live trading."
    assert admission.never_traded(answer["test"]) in answer["warnings"] and "never trades in its test" in err


class Narrow(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_that_is_wider_than_the_terminal_is_fitted_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that wraps could not be overwritten."""
    monkeypatch.setattr("livetrading.research.progress._columns", lambda stream: 80)
    out = Narrow()
    step = Progress("Folds", 0.5, 125_000, 250_000, 12_345.0, 185.0, folds=(2, 4))
    TerminalProgress(out)(step)
    drawn = out.getvalue().strip("\r")
    assert len(line(step)) > 79 >= len(drawn)
    assert drawn.startswith("Folds 2/4 [###") and drawn.endswith("3 min 05 s left")
