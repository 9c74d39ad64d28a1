"""``verify``: finds what is wrong, tells it from what the next start mends, and changes nothing."""

import json
import shutil
from pathlib import Path

import pytest

from livetrading.adapters.calendar import calendar
from livetrading.adapters.store import Store
from livetrading.core.events import FeeAdjusted, FillCorrected
from livetrading.execution import verification
from livetrading.execution.agent_manager import AgentManager
from livetrading.execution.node import Node
from livetrading.execution.state import requests
from livetrading.execution.trading import replay
from tests.doubles.lives import AGENT, FIRST, at, real_model
from tests.doubles.series import generated


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which a real model has lived through forty sessions. Do not change it."""
    frame = generated(3, FIRST + 60)
    home, model_id = real_model(tmp_path_factory.mktemp("audit"), frame)
    node, now = Node(home, calendar()), at(frame.index[-1].date(), "20:00")
    args = {"model_id": model_id, "mode": "replay", "job_id": "tested"}
    requests.submit(Store(home), "create", args=args, by="test", now=now)
    AgentManager(node).apply_pending(now)
    for _ in range(40):
        replay.advance(node.trader(AGENT))
    return home.root


@pytest.fixture
def root(traded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(traded, tmp_path / "home"))


def _audit(root: Path) -> dict:
    from livetrading.adapters.home import Home

    return verification.audit(Home(root))


def _texts(found: list[dict]) -> str:
    return " | ".join(f["text"] for f in found)


def test_a_sound_home_has_no_problems_and_every_decision_is_made_again(root: Path) -> None:
    found = _audit(root)
    assert (found["problems"], found["pending"]) == ([], [])
    assert found["decisions_repeated"] == 40 and found["agents"] == 1


def test_it_changes_nothing(root: Path) -> None:
    before = {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}
    _audit(root)
    assert {p: p.read_bytes() for p in root.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("name", ["state.json", "history-2012-02.json", "paper.json"])
@pytest.mark.parametrize("content", ["{", "garbage", "[]", '{"agent": 5}'])
def test_a_file_that_was_changed_from_outside_is_a_problem_though_a_start_rebuilds_it(
    root: Path, name: str, content: str
) -> None:
    (root / "agents" / AGENT / name).write_text(content)
    found = _audit(root)
    assert name in _texts(found["problems"]) and "start the scheduler" in _texts(found["problems"])
    assert found["decisions_repeated"] == 40, "the rest is looked at all the same"


def test_files_that_are_missing_or_behind_are_pending_and_no_problem(root: Path) -> None:
    state = root / "agents" / AGENT / "state.json"
    behind = json.loads(state.read_text())
    behind["agent"]["1"]["seq"] -= 1
    state.write_text(json.dumps(behind))
    assert (_texts(_audit(root)["problems"]), "state.json is at" in _texts(_audit(root)["pending"])) == ("", True)
    state.unlink()
    assert (_texts(_audit(root)["problems"]), "state.json is at" in _texts(_audit(root)["pending"])) == ("", True)


def test_an_agent_that_cannot_be_looked_at_hides_no_other(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(root / "agents" / AGENT, root / "agents" / "PPO_TEST_000")
    (root / "agents" / "a copy by hand").mkdir()
    whole = verification.events_of

    def broken(directory: Path) -> object:
        if directory.name == "PPO_TEST_000":
            raise RuntimeError("nobody foresaw this")
        return whole(directory)

    monkeypatch.setattr(verification, "events_of", broken)
    found = _audit(root)
    assert [p["agent_id"] for p in found["problems"]] == ["PPO_TEST_000"]
    assert "RuntimeError: nobody foresaw this" in _texts(found["problems"])
    assert found["decisions_repeated"] == 40


def test_a_torn_last_line_is_pending(root: Path) -> None:
    with (root / "agents" / AGENT / "journal.jsonl").open("ab") as file:
        file.write(b'{"at"')
    assert "unfinished last line" in _texts(_audit(root)["pending"])


def test_a_changed_journal_is_a_problem_that_names_the_line(root: Path) -> None:
    journal = root / "agents" / AGENT / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"action":1', b'"action":2', 1))
    assert "line" in _texts(_audit(root)["problems"])


def test_lost_lines_are_a_problem(root: Path) -> None:
    journal = root / "agents" / AGENT / "journal.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
    assert "was shown to line" in _texts(_audit(root)["problems"])


def test_a_model_whose_file_changed_is_a_problem(root: Path) -> None:
    zip_path = next((root / "models").glob("*_v*/*.zip"))
    zip_path.write_bytes(zip_path.read_bytes() + b"x")
    assert "not the file that its card describes" in _texts(_audit(root)["problems"])


def test_a_spoilt_shared_file_is_a_problem(root: Path) -> None:
    (root / "requests.json").write_text("[")
    assert "requests.json" in _texts(_audit(root)["problems"])


def test_decisions_made_between_corrections_come_out_again_as_they_were_made(tmp_path: Path) -> None:
    """The peak that an agent decides on is the one that was known then, also by the rule of an earlier version."""
    home, model_id = real_model(tmp_path, generated(3, FIRST + 60))
    node, now = Node(home, calendar()), at(generated(3, FIRST + 60).index[-1].date(), "20:00")
    requests.submit(
        Store(home), "create", args={"model_id": model_id, "mode": "replay", "job_id": "tested"}, by="test", now=now
    )
    AgentManager(node).apply_pending(now)
    corrected = 0
    for n in range(40):
        replay.advance(node.trader(AGENT))
        repository = node.trader(AGENT).repository
        fills = list(repository.state.book.fills.values())
        if fills and n % 4 == 3:
            fill, latest = fills[0].fill, fills[-1].fill
            repository.commit(
                [
                    FillCorrected(fill.exec_id, fill.price * 1.01, fill.fee, [fill.exec_id], peaks=n % 8 == 3),
                    FillCorrected(latest.exec_id, latest.price * 0.98, latest.fee, [latest.exec_id], peaks=n % 8 == 3),
                    FeeAdjusted(fill.exec_id, "", 0.25, peaks=n % 8 == 3),
                ],
                now,
            )
            corrected += 1
    found = _audit(home.root)
    assert corrected > 4 and found["problems"] == [] and found["decisions_repeated"] == 40
