"""``train --trials``, ``worker`` and ``train --symbols``: the same choice by one process and by many, whatever is killed."""

import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from livetrading.adapters.home import Home
from livetrading.adapters.openings import NAME as OPENINGS
from livetrading.adapters.openings import STUDY
from livetrading.adapters.registry import Registry
from livetrading.adapters.store import Store
from livetrading.cli.main import main
from livetrading.core.card import ModelCard
from livetrading.research import jobs
from livetrading.research.study import catalogue, claims, files, record, versions, worker
from livetrading.research.study.catalogue import Study
from livetrading.research.study.definition import Series
from livetrading.research.study.storage import Storage
from tests.doubles import postgres
from tests.doubles.studies import SMALL, barset, command, definition, kill, working

TRIALS = 6
TRAIN = (
    "train",
    "NVDA",
    "--agent",
    "PPO",
    "--trials",
    str(TRIALS),
    *SMALL,
    "--json",
    "--processes",
    "1",
    "--beat",
    "1",
)
WAIT = 60.0
Answer = dict[str, Any]


def run(capsys: pytest.CaptureFixture[str], root: Path, *words: str, code: int = 0) -> Answer:
    """A command in this process, and its JSON."""
    capsys.readouterr()
    assert main(["--home", str(root), *words]) == code
    answer: Answer = json.loads(capsys.readouterr().out)
    return answer


def until(ready: Callable[[], Any]) -> Any:
    """What ``ready`` returns once it is something."""
    deadline = time.monotonic() + WAIT
    while not (found := ready()):
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.01)
    return found


def card_of(root: Path, answer: Answer) -> ModelCard:
    return Registry(Home.resolve(str(root))).card(answer["model_id"])


def openings(root: Path) -> int:
    return len(Store(Home.resolve(str(root))).read(OPENINGS).get(OPENINGS, {}))


def found_by(study: Study) -> list[Any]:
    return [*record.history(study), {number: found.tolist() for number, found in record.returns(study).items()}]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Answer]:
    """The search of one process."""
    root = tmp_path_factory.mktemp("alone")
    patch = pytest.MonkeyPatch()
    out = io.StringIO()
    patch.setattr("sys.stdout", out)
    try:
        assert main(["--home", str(root), *TRAIN]) == 0
    finally:
        patch.undo()
    return root, json.loads(out.getvalue())


def study_at(url: str, answer: Answer) -> Study:
    return catalogue.find(Storage(url, 1), answer["study"]["name"])


def home_url(root: Path) -> str:
    return f"sqlite:///{root / 'studies' / 'studies.db'}"


def test_the_card_tells_what_was_chosen_of_how_many_and_the_model_trades(alone: tuple[Path, Answer]) -> None:
    root, answer = alone
    card, study = card_of(root, answer), study_at(home_url(root), answer)
    assert card.trials == card.opened == TRIALS, "each trial counts as a look"
    (look,) = Store(Home.resolve(str(root))).read(OPENINGS)[OPENINGS].values()
    assert (look["kind"], look["tries"], look["model_id"]) == (STUDY, TRIALS, card.model_id)
    best = answer["study"]["best"]
    assert best["value"] == max(point["value"] or -99 for point in answer["study"]["history"])
    assert card.hyperparameters["risk"] == round(best["params"]["risk"], 6)
    assert "x".join(map(str, card.policy.net_arch)) == best["params"]["network"]
    assert card.policy.activation == best["params"]["activation"]
    loaded, policy = Registry(Home.resolve(str(root))).load(card.model_id)
    assert loaded == card and policy is not None
    assert all(row.ended for row in claims.rows(study))
    (job,) = jobs.jobs(Store(Home.resolve(str(root))))
    assert job["state"] == jobs.DONE and job["result"]["model_id"] == card.model_id


def test_every_trials_returns_are_kept_in_the_home(alone: tuple[Path, Answer]) -> None:
    root, answer = alone
    kept = files.returns(Home.resolve(str(root)), answer["study"]["name"])
    assert kept.numbers == tuple(range(TRIALS)) and len(kept.sessions) == len(kept.values)
    best = kept.values[:, answer["study"]["best"]["number"]]
    assert 252**0.5 * best.mean() / best.std(ddof=1) == pytest.approx(answer["study"]["best"]["value"], abs=0.5)
    assert kept.complete.values.shape[1] == answer["study"]["complete"]


def test_the_same_command_again_opens_no_test(alone: tuple[Path, Answer], capsys: pytest.CaptureFixture[str]) -> None:
    root, answer = alone
    again = run(capsys, root, *TRAIN)
    assert again["model_id"] == answer["model_id"] and again["study"] == answer["study"]
    assert openings(root) == 1 and len(Registry(Home.resolve(str(root))).ids()) == 1


def test_a_study_that_was_killed_in_a_trial_goes_on(
    alone: tuple[Path, Answer], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, first = alone
    process = command(tmp_path, *TRAIN)
    try:
        until((tmp_path / "studies" / "studies.db").exists)
        storage = until(lambda: Storage(home_url(tmp_path), 1))
        study = catalogue.find(storage, until(lambda: next(iter(catalogue.open_names(storage)), None)))
        until(lambda: process.pid in working(study, claims.rows(study)) and claims.rows(study)[0].ended)
    finally:
        kill(process)
    assert not all(row.ended for row in claims.rows(study))
    again = run(capsys, tmp_path, *TRAIN)
    assert again["study"]["history"] == first["study"]["history"]
    assert card_of(tmp_path, again).members == card_of(alone[0], first).members
    assert len(record.history(study)) == len(claims.rows(study)) == TRIALS


@pytest.fixture
def server() -> Iterator[str]:
    if why := postgres.missing():
        pytest.skip(why)
    with postgres.server() as url:
        yield url


def test_three_workers_two_of_them_killed_find_what_one_process_finds(
    alone: tuple[Path, Answer], server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, single = alone
    name = single["study"]["name"]
    beside = ("--storage", server, "--study", name)
    workers = [command(tmp_path / str(k), "worker", *beside, "--beat", "1", "--wait", str(WAIT)) for k in range(3)]
    try:
        storage = Storage(server, 1)
        study = catalogue.begin(storage, name, study_at(home_url(alone[0]), single).definition, _bars(alone[0], single))
        left = {process.pid: process for process in workers}
        for _ in range(2):
            victim = until(lambda: next((pid for pid in working(study, claims.rows(study)) if pid in left), None))
            kill(left.pop(victim))
        (survivor,) = left.values()
        said, _ = survivor.communicate(timeout=WAIT)
        assert survivor.returncode == 0, said
    finally:
        for process in workers:
            process.kill()
            process.wait(30)
    assert all(row.ended for row in claims.rows(study)) and len(claims.rows(study)) == TRIALS
    assert found_by(study) == found_by(study_at(home_url(alone[0]), single))
    chosen = run(capsys, tmp_path / "home", *TRAIN, *beside)
    assert chosen["study"]["best"] == single["study"]["best"]
    assert card_of(tmp_path / "home", chosen).members == card_of(alone[0], single).members
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert postgres.PASSWORD.encode() not in written and postgres.PASSWORD not in said + json.dumps(chosen)


def _bars(root: Path, answer: Answer) -> Any:
    return study_at(home_url(root), answer).series()


def test_workers_of_one_storage_work_on_all_its_studies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The trials of both are done by a worker; the training only chooses."""
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    storage = Storage(url, 1)
    for symbol in ("NVDA", "AAPL"):
        wanted = definition(symbol=symbol, bars=Series.of(barset(symbol)), trials=2)
        catalogue.begin(storage, f"of-{symbol}", wanted, [barset(symbol)])
    answer = run(capsys, tmp_path / "home", "worker", "--storage", url, "--json")
    assert answer["trials"] == 4 and answer["studies"] == {"of-NVDA": 2, "of-AAPL": 2}
    assert catalogue.open_names(storage) == []
    assert run(capsys, tmp_path / "home", "worker", "--storage", url, "--wait", "0", "--json")["trials"] == 0


def test_a_worker_leaves_out_studies_of_other_versions_and_refuses_if_there_is_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    storage, ours = Storage(url, 1), dict(versions.ours())
    monkeypatch.setattr(versions, "ours", lambda: {**ours, "numpy": "0.1"})
    catalogue.begin(storage, "theirs", definition(trials=2), [barset()])
    monkeypatch.setattr(versions, "ours", lambda: ours)
    refused = run(capsys, tmp_path / "home", "worker", "--storage", url, "--json", code=1)
    assert refused["error_type"] == "Refused" and "in place of 0.1" in refused["error"]
    catalogue.begin(storage, "ours", definition(trials=1), [barset()])
    assert run(capsys, tmp_path / "home", "worker", "--storage", url, "--json")["studies"] == {"ours": 1}
    states = {
        name: {row.state.name for row in claims.rows(catalogue.find(storage, name))} for name in ("ours", "theirs")
    }
    assert states == {"ours": {"COMPLETE"}, "theirs": {"WAITING"}}


def test_each_symbol_of_a_file_is_trained_once_and_fails_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "symbols.txt").write_text("# two of three\nNVDA\n\nAAPL  # the second\nNOSUCH\n")
    words = ("train", "--symbols", str(tmp_path / "symbols.txt"), "--agent", "PPO", "--source", "sample", *SMALL)
    answer = run(capsys, tmp_path / "home", *words, "--folds", "0", "--json", code=1)
    rows = {row["symbol"]: row for row in answer["symbols"]}
    assert (answer["trained"], answer["known"], answer["failed"]) == (2, 0, 1)
    assert list(rows) == ["NVDA", "AAPL", "NOSUCH"] and "NOSUCH" in rows["NOSUCH"]["error"]
    again = run(capsys, tmp_path / "home", *words, "--folds", "0", "--json", code=1)
    assert (again["trained"], again["known"]) == (0, 2)
    assert {row["symbol"]: row.get("model_id") for row in again["symbols"]} == {
        name: row.get("model_id") for name, row in rows.items()
    }
    assert len(Registry(Home.resolve(str(tmp_path / "home"))).ids()) == 2


def test_one_fold_is_enough_for_a_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("train", "NVDA", "--agent", "PPO", "--trials", "2", "--generation", "2", "--processes", "1", *SMALL)
    answer = run(capsys, tmp_path, *words, "--folds", "1", "--json")
    assert answer["study"]["trials"] == card_of(tmp_path, answer).trials == 2
    assert answer["walk_forward"]["folds"] == 1 and answer["study"]["best"]["value"] is not None
    assert run(capsys, tmp_path, "report", answer["model_id"], "--json")["trials"]


def test_symbols_are_studied_in_the_same_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "symbols.txt").write_text("NVDA\n")
    words = ("--symbols", str(tmp_path / "symbols.txt"), "--agent", "any", "--trials", "2", "--study", "s", *SMALL)
    answer = run(capsys, tmp_path / "home", "train", *words, "--processes", "1", "--json")
    (row,) = answer["symbols"]
    assert row["study"] == "s-NVDA" and card_of(tmp_path / "home", row).trials == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("NVDA", "--agent", "PPO", "--trials", "0"), "trials is 0"),
        (("NVDA", "--agent", "PPO", "--trials", "-3"), "trials is -3"),
        (("NVDA", "--agent", "any"), "add --trials"),
        (("--agent", "PPO"), "one symbol, or a file"),
        (("NVDA", "--symbols", "x", "--agent", "PPO"), "one symbol, or a file"),
        (("--symbols", "/no/such/file", "--agent", "PPO"), "cannot be read"),
        (("NVDA", "--agent", "PPO", "--study", "x"), "belongs to a study"),
        (("NVDA", "--agent", "PPO", "--storage", "sqlite:///x"), "belongs to a study"),
        (("NVDA", "--agent", "PPO", "--trials", "2", "--storage", "postgresql://u:hid-77@127.0.0.1:1/d"), "not answer"),
        (("NVDA", "--agent", "PPO", "--trials", "2", "--study", "a/b"), "cannot name a study"),
        (("NVDA", "--agent", "PPO", "--trials", "2", "--processes", "0"), "processes is 0"),
        (("NVDA", "--agent", "PPO", "--trials", "2", "--folds", "0"), "folds is 0"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    words: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = run(capsys, tmp_path, "train", *words, "--json", code=1)
    assert said in answer["error"] and "hid-77" not in answer["error"] and "\n" not in answer["error"]
    assert Registry(Home.resolve(str(tmp_path))).ids() == [] and openings(tmp_path) == 0


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://keeper:pa@hid-77@127.0.0.1:1/studies", "write @ in the password as %40"),
        ("postgresql://keeper:pa/hid-77@127.0.0.1:1/studies", "/ as %2F"),
        ("sqlite:///{}/no/such/dir/x.db", "There is no folder"),
    ],
)
@pytest.mark.parametrize("given", ["option", "environment"])
def test_a_storage_that_cannot_be_used_is_refused_before_any_job(
    url: str, said: str, given: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = url.format(tmp_path)
    words = ("train", "NVDA", "--agent", "PPO", "--trials", "2")
    if given == "environment":
        monkeypatch.setenv("LIVETRADING_STORAGE", url)
    else:
        words += ("--storage", url)
    (tmp_path / "symbols.txt").write_text("NVDA\nAAPL\n")
    many = ("train", "--symbols", str(tmp_path / "symbols.txt"), *words[2:])
    for asked in (words, many, ("worker", *words[6:])):
        answer = run(capsys, tmp_path / "home", *asked, "--json", code=1)
        assert said in answer["error"] and "hid-77" not in str(answer) and "keeper" not in str(answer)
    assert jobs.jobs(Store(Home.resolve(str(tmp_path / "home")))) == []
    assert not (tmp_path / "no").exists()
    assert all(b"hid-77" not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_worker_needs_a_storage_with_a_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--storage" in run(capsys, tmp_path, "worker", "--json", code=1)["error"]
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    assert "no study in" in run(capsys, tmp_path, "worker", "--storage", url, "--wait", "0", "--json", code=1)["error"]


def test_an_interrupted_trial_is_free_at_once(tmp_path: Path) -> None:
    storage = Storage(f"sqlite:///{tmp_path / 'studies.db'}", 1)
    study = catalogue.begin(storage, "s", definition(), [barset()])

    def interrupt(news: Any) -> None:
        if news.what[0] == "taught":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        worker.work(worker.Bench(study), interrupt)
    assert {row.state.name for row in claims.rows(study)} == {"WAITING"}
