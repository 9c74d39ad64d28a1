"""``retrain``, ``challenge`` and ``refit``: a model's successors say what they are, and nothing is replaced by itself."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from livetrading.adapters.home import Home
from livetrading.adapters.openings import Openings
from livetrading.adapters.registry import Registry
from livetrading.adapters.store import Store
from livetrading.cli.main import main
from livetrading.core import challenge

SAMPLE = pd.read_csv(Path(__file__).resolve().parents[2] / "livetrading" / "samples" / "NVDA.csv")
KNOWN, LATER, HORIZON = 1_500, 1_600, 63
Ask = Callable[..., tuple[int, dict[str, Any]]]


def reach(root: Path, rows: int) -> None:
    """The source's bars end there."""
    SAMPLE.head(rows).to_csv(root / "NVDA.csv", index=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one small model of the first bars of a CSV file. Do not change it."""
    root = tmp_path_factory.mktemp("lifelong")
    reach(root, KNOWN)
    words = ["train", "NVDA", "--agent", "PPO", "--timesteps", "500", "--seeds", "2", "--folds", "0"]
    assert main(["--home", str(root / "home"), *words, "--source", f"csv:{root / 'NVDA.csv'}"]) == 0
    return root


@pytest.fixture
def root(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained / "home", tmp_path / "home", ignore=shutil.ignore_patterns("*.lock"))
    reach(tmp_path, KNOWN)
    return tmp_path


@pytest.fixture
def ask(root: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    def asked(*words: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = main(["--home", str(root / "home"), "--json", *words])
        said = capsys.readouterr()
        assert "Traceback" not in said.err, said.err
        return code, {**json.loads(said.out), "said": said.err}

    return asked


def model_of(root: Path) -> str:
    return Registry(Home(root / "home")).ids()[-1]


def source(root: Path) -> tuple[str, str]:
    return "--source", f"csv:{root / 'NVDA.csv'}"


def looks(root: Path, model_id: str) -> int:
    return Openings(Store(Home(root / "home"))).of_model(model_id).tries


def test_a_challenger_is_made_by_the_same_settings_on_longer_bars(root: Path, ask: Ask) -> None:
    reach(root, LATER)
    first, registry = model_of(root), Registry(Home(root / "home"))
    code, done = ask("retrain", first, *source(root))
    assert code == 0, done
    old, new = registry.card(first), registry.card(done["model_id"])
    for name in ("agent_type", "symbol", "timesteps", "seed", "seeds", "feature_set", "hyperparameters", "policy"):
        assert getattr(old, name) == getattr(new, name), name
    assert [m.seed for m in old.members] == [m.seed for m in new.members]
    assert new.test.end > old.test.end and new.train.start == old.train.start
    assert first in registry.ids(), "the old model is kept"


def test_the_rule_is_told_before_anything_is_made_and_kept_on_the_card(root: Path, ask: Ask) -> None:
    reach(root, LATER)
    first = model_of(root)
    _, done = ask("retrain", first, *source(root))
    card = Registry(Home(root / "home")).card(done["model_id"])
    rule = card.lineage["rule"]
    assert (card.lineage["kind"], card.lineage["of"]) == ("challenger", first)
    assert (rule["horizon"], rule["after"]) == (63, str(SAMPLE.date[LATER - 1])) and rule["sharpe_error"] == 2.0
    assert "Sharpe error of about 2.0" in rule["text"] and "person's act" in rule["text"]
    assert done["said"].startswith(rule["text"])
    listed = next(model for model in ask("models")[1]["models"] if model["model_id"] == card.model_id)
    assert listed["lineage"]["kind"] == "challenger"


def test_before_the_horizon_nothing_is_run_and_nothing_is_counted(root: Path, ask: Ask) -> None:
    reach(root, LATER)
    challenger = ask("retrain", model_of(root), *source(root))[1]["model_id"]
    before = looks(root, challenger)
    reach(root, LATER + HORIZON - 1)
    code, found = ask("challenge", challenger)
    assert (code, found["sessions"], found["decided"], found["ahead"], found["measures"]) == (0, 62, False, None, {})
    assert looks(root, challenger) == before


def test_after_the_horizon_both_are_compared_over_the_declared_sessions(root: Path, ask: Ask) -> None:
    reach(root, LATER)
    first = model_of(root)
    challenger = ask("retrain", first, *source(root))[1]["model_id"]
    reach(root, LATER + HORIZON + 20)
    code, found = ask("challenge", challenger)
    assert code == 0 and found["decided"] and set(found["measures"]) == {first, challenger}
    assert all(measures["sessions"] == HORIZON + 1 for measures in found["measures"].values())
    assert found["difference"]["returns"] == HORIZON and found["ahead"] is challenge.verdict(found["difference"])
    assert {agent["agent_id"] for agent in ask("agents")[1]["agents"]} == set(), "nothing is replaced by itself"


def test_without_newer_bars_there_is_no_challenger(root: Path, ask: Ask) -> None:
    code, answer = ask("retrain", model_of(root), *source(root))
    assert code == 1 and "nothing newer" in answer["error"] and len(Registry(Home(root / "home")).ids()) == 1


@pytest.mark.parametrize("horizon", ["0", "5", "100000"])
def test_a_horizon_that_makes_no_sense_is_refused(root: Path, ask: Ask, horizon: str) -> None:
    reach(root, LATER)
    code, answer = ask("retrain", model_of(root), *source(root), "--horizon", horizon)
    assert code == 1 and horizon in answer["error"]


def test_a_model_that_challenges_none_is_named(root: Path, ask: Ask) -> None:
    code, answer = ask("challenge", model_of(root), *source(root))
    assert code == 1 and "challenges no model" in answer["error"]


def test_a_refit_learns_from_all_bars_and_says_that_its_test_is_the_procedures(
    root: Path, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    first, registry = model_of(root), Registry(Home(root / "home"))
    before = looks(root, first)
    code, done = ask("refit", first)
    assert code == 0, done
    old, (new, _) = registry.card(first), registry.load(done["model_id"])
    assert (done["fitted"]["start"], done["fitted"]["end"]) == (str(old.train.start), str(old.test.end))
    assert done["fitted"]["sessions"] == old.train.sessions + old.test.sessions
    assert new.scaler != old.scaler and new.zip_sha256 != old.zip_sha256 and new.metrics == old.metrics
    assert looks(root, done["model_id"]) == before, "it opened no test"
    said = "the test measured the procedure, not these weights"
    assert said in done["lineage"]
    for words, shown in ((["models"], f"refit of {first}"), (["model", done["model_id"]], said)):
        assert main(["--home", str(root / "home"), *words]) == 0
        assert shown in capsys.readouterr().out
    deployed = ask("deploy", done["model_id"], "--mode", "replay")[1]
    assert any(said in text for text in deployed["warnings"])
    assert deployed["test"]["total_return_pct"] == pytest.approx(old.metrics["test"]["total_return_pct"])


def test_the_gate_does_not_take_a_refits_weights_for_tested(root: Path, ask: Ask) -> None:
    refit = ask("refit", model_of(root))[1]["model_id"]
    found = ask("gate", refit)[1]
    row = next(row for row in found["conditions"] if row["name"] == "tested_weights")
    assert not row["ok"] and not found["real_money"] and found["model_id"] == refit


def test_a_refit_of_a_refit_is_refused_and_names_the_model_that_was_tested(root: Path, ask: Ask) -> None:
    first = model_of(root)
    refit = ask("refit", first)[1]
    assert refit["of"] == first
    code, answer = ask("refit", refit["model_id"])
    assert code == 1 and f"refit {first}, the model that was tested" in answer["error"]
    assert len(Registry(Home(root / "home")).ids()) == 2


def test_the_same_refit_again_answers_with_the_one_that_is_known(root: Path, ask: Ask) -> None:
    first = model_of(root)
    made, again = ask("refit", first)[1], ask("refit", first)[1]
    assert (made["known"], again["known"]) == (False, True)
    assert again["model_id"] == made["model_id"] and len(Registry(Home(root / "home")).ids()) == 2
    reach(root, LATER)
    other = ask("refit", first, *source(root))[1]
    assert not other["known"] and other["model_id"] != made["model_id"], "other bars are another refit"


def test_a_refits_texts_say_whose_training_its_test_measured(
    root: Path, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    first = model_of(root)
    refit, card = ask("refit", first)[1]["model_id"], Registry(Home(root / "home")).card(first)
    assert main(["--home", str(root / "home"), "model", refit]) == 0
    said = capsys.readouterr().out
    assert f"Its test measured {first}, trained on {card.train.start} to {card.train.end}" in said
    assert "Trained on" not in said and "Fitted again on all bars" in said
    assert main(["--home", str(root / "home"), "model", first]) == 0
    assert f"Trained on {card.train.start}" in capsys.readouterr().out


def test_a_model_and_its_refit_have_one_test_and_are_not_compared_by_it(
    root: Path, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    first = model_of(root)
    refit = ask("refit", first)[1]
    found = ask("compare", first, refit["model_id"])[1]
    assert found["paired"][0]["one_test_of"] == first
    fitted = f"{refit['fitted']['start']} to {refit['fitted']['end']}"
    assert {"name": "fitted again on", "values": ["no", fitted]} in found["settings"]
    assert main(["--home", str(root / "home"), "compare", first, refit["model_id"]]) == 0
    said = capsys.readouterr().out
    assert "one and the same test" in said and "luck alone" not in said and fitted in said


def test_a_refit_on_newer_bars_takes_them_all(root: Path, ask: Ask) -> None:
    reach(root, LATER)
    done = ask("refit", model_of(root), *source(root))[1]
    assert done["fitted"]["end"] == str(SAMPLE.date[LATER - 1])


def test_a_refit_on_bars_that_end_before_the_test_is_refused(root: Path, ask: Ask) -> None:
    reach(root, KNOWN - 50)
    code, answer = ask("refit", model_of(root), *source(root))
    assert code == 1 and "before the test" in answer["error"] and len(Registry(Home(root / "home")).ids()) == 1


@pytest.mark.parametrize("word", ["retrain", "refit"])
def test_an_imported_model_has_no_procedure_to_repeat(root: Path, ask: Ask, word: str) -> None:
    first, home = model_of(root), root / "home"
    card = ask("import-model", "--template", first)[1]
    del card["said"]
    (root / "card.json").write_text(json.dumps(card))
    zips = [str(home / "models" / first / name) for name in ("model.zip", "model-2.zip")]
    code, made = ask("import-model", *zips, "--card", str(root / "card.json"))
    assert code == 0, made
    reach(root, LATER)
    code, answer = ask(word, made["model_id"], *source(root))
    assert code == 1 and "trained elsewhere" in answer["error"]


def test_a_backtest_of_a_refit_is_said_to_be_no_test(root: Path, ask: Ask) -> None:
    code, done = ask("backtest", ask("refit", model_of(root))[1]["model_id"])
    assert code == 0 and "not these weights" in done["said"]
