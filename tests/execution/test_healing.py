"""Files that another hand changed while somebody works: images of the journal are made again, shared files set aside."""

import json
import logging
import shutil
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest

from livetrading.core.events import Noted
from livetrading.execution import file_repair
from livetrading.execution.node import Node
from livetrading.execution.state import queries
from livetrading.execution.state.agent_repository import AgentRepository
from tests.doubles.lives import AGENT, FIRST, Cycler, Life, at, deployed, real_model
from tests.doubles.processes import awaited
from tests.doubles.series import generated

from .test_scheduler import Process

SPOILT = {
    "noise": b"\x00\xffnoise" * 30,
    "not tables": b"[]",
    "another position": b'{"agent":{"1":{"current_position":0}}}',
}


@pytest.fixture
def life(tmp_path: Path) -> Life:
    """Twelve sessions lived: two months of history."""
    life = deployed(tmp_path, generated(1, FIRST + 30), Cycler())
    for t in range(FIRST, FIRST + 12):
        life.day(t)
    return life


def said(node: Node) -> str:
    return " ".join(text for _, text in node.news())


@pytest.mark.parametrize("name", ["state.json", "history-2012-01.json", "history-2012-02.json"])
@pytest.mark.parametrize("how", [*SPOILT, "gone", "edited"])
def test_an_image_that_was_changed_is_the_journals_again_within_a_pass(
    life: Life, name: str, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = life.home.agent(AGENT) / name
    before = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(SPOILT.get(how, before.replace(b"2012", b"2013")))
    with caplog.at_level(logging.WARNING):
        file_repair.agents(life.node)
    assert path.read_bytes() == before and life.repository.whole
    assert f"{name} was changed from outside and rebuilt from the journal" in caplog.text and name in said(life.node)
    file_repair.agents(life.node)
    assert said(life.node) == "", "what is right again is told once"
    life.repository.commit([Noted("more")], at(life.sessions[FIRST + 12], "07:00"))
    assert AgentRepository(life.home, AGENT).state == life.state


def test_what_the_holder_writes_itself_is_not_taken_for_another_hand(life: Life) -> None:
    for t in range(FIRST + 12, FIRST + 16):
        life.day(t)
        file_repair.agents(life.node)
    life.restart()
    file_repair.agents(life.node)
    assert said(life.node) == ""


def test_an_image_that_could_not_be_written_follows_without_another_commit(life: Life) -> None:
    state = life.home.agent(AGENT) / "state.json"
    state.unlink()
    state.mkdir()  # nothing can be put in the place of a directory
    life.repository.commit([Noted("more")], at(life.sessions[FIRST + 12], "07:00"))
    file_repair.agents(life.node)
    state.rmdir()
    assert said(life.node) == ""
    file_repair.agents(life.node)
    healed = state.read_bytes()
    life.restart()
    assert healed == state.read_bytes()


def test_a_journal_that_was_changed_with_its_image_stops_the_agent_and_its_position_is_not_known(life: Life) -> None:
    folder = life.home.agent(AGENT)
    content = bytearray((folder / "journal.jsonl").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "journal.jsonl").write_bytes(content)
    (folder / "history-2012-02.json").write_text("{")
    (folder / "state.json").write_text("{")
    file_repair.agents(life.node)
    assert "journal.jsonl line" in life.node.damaged[AGENT]
    shown = queries.agent(life.store, AGENT)
    assert (shown["status"], shown["current_position"]) == ("unreadable", None)
    assert "journal.jsonl line" in shown["warnings"][0] and "rebuilds" not in shown["warnings"][0]


@pytest.mark.parametrize(
    "how", ["its last lines are gone", "all its lines are gone", "an older copy of its folder is back"]
)
@pytest.mark.parametrize("name", ["state.json", "history-2012-02.json"])
def test_a_journal_that_lost_lines_makes_no_image_and_sets_the_agent_apart(
    life: Life, tmp_path: Path, name: str, how: str
) -> None:
    folder, older = life.home.agent(AGENT), tmp_path / "older"
    shutil.copytree(folder, older)
    for t in range(FIRST + 12, FIRST + 14):
        life.day(t)
    journal, before = folder / "journal.jsonl", (folder / "state.json").read_bytes()
    whole = shutil.copyfile(journal, tmp_path / "whole.jsonl")
    if how == "an older copy of its folder is back":
        for path in older.glob("*.json*"):
            shutil.copyfile(path, folder / path.name)
    else:
        kept = -3 if how == "its last lines are gone" else 0
        journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:kept]))
        (folder / name).write_bytes(b"[]")
    file_repair.agents(life.node)
    assert "ends at line" in life.node.damaged[AGENT] and "put the file back from a backup" in life.node.damaged[AGENT]
    assert AGENT not in life.node.repositories
    shown = queries.agent(life.store, AGENT)
    assert "ends at line" in shown["warnings"][0]
    if name == "state.json" or how == "an older copy of its folder is back":
        assert (shown["status"], shown["current_position"]) == ("unreadable", None), (
            "what another hand wrote is no figure"
        )
    else:
        held = json.loads(before)["agent"]["1"]["current_position"]
        assert (shown["status"], shown["current_position"]) == ("blocked", held)
    life.node.open()
    file_repair.agents(life.node)
    assert AGENT in life.node.damaged, "it is not read again by itself"
    life.restart()
    assert "was shown to line" in life.node.damaged[AGENT], "nor by the next process"
    shutil.copyfile(whole, journal)
    life.restart()
    assert life.node.damaged == {} and life.repository.seq == json.loads(before)["agent"]["1"]["seq"]
    assert queries.agent(life.store, AGENT)["status"] == "running"


def test_a_file_that_the_journal_does_not_tell_of_and_that_is_gone_is_healed_once(life: Life) -> None:
    stray = life.home.agent(AGENT) / "history-2031-01.json"
    stray.write_bytes((life.home.agent(AGENT) / "history-2012-01.json").read_bytes())
    life.restart()
    assert life.repository.whole
    stray.unlink()
    file_repair.agents(life.node)
    assert stray.name in said(life.node)
    file_repair.agents(life.node)
    assert said(life.node) == ""


def test_healing_gives_a_sign_of_life_and_lets_other_work_through_after_each_agent(life: Life) -> None:
    names = [AGENT, "PPO_TEST_002", "PPO_TEST_003"]
    for name in names[1:]:
        shutil.copytree(life.home.agent(AGENT), life.home.agent(name))
    life.node.open()
    file_repair.agents(life.node)
    beats, turns = [], []
    life.node.pulse = lambda: beats.append(1)

    def spoil() -> None:
        for name in names:
            (life.home.agent(name) / "state.json").write_text("garbage")

    def healed() -> int:
        return sum((life.home.agent(name) / "state.json").read_text() != "garbage" for name in names)

    spoil()
    file_repair.agents(life.node, lambda: turns.append(healed()) is None)
    assert turns == [1, 2, 3] and len(beats) >= 3
    spoil()
    file_repair.agents(life.node, lambda: False)
    assert healed() == 1, "who is asked to end ends"
    file_repair.agents(life.node, lambda: life.node.repositories.clear() is None)
    assert healed() == 2, "an agent that was set apart meanwhile is left alone"


def test_the_scheduler_heals_state_and_jobs_while_it_runs_and_says_what_it_did(tmp_path: Path) -> None:
    home, model_id = real_model(tmp_path, generated(1, FIRST + 40))
    process = Process(home).ready()
    try:
        assert process.ask("create", model_id=model_id, mode="replay", job_id="tested", pace=3600.0)["status"] == "done"
        awaited(lambda: queries.agent(process.store, AGENT)["settled"], "a decision")
        state, jobs = home.agent(AGENT) / "state.json", process.store.path("jobs")
        before = state.read_bytes()
        state.write_text("garbage")
        jobs.write_text("garbage")
        awaited(lambda: state.read_bytes() == before, "the state")
        awaited(lambda: process.store.read("jobs") == {} if not jobs.exists() else False, "the jobs")

        def alarms() -> list[str]:
            return [alarm["text"] for alarm in queries.system(process.store, datetime.now(UTC))["alarms"]]

        awaited(lambda: len(alarms()) >= 2, "two alarms")
        told = alarms()
        assert any("state.json was changed from outside and rebuilt from the journal" in text for text in told)
        (moved,) = [text for text in told if "jobs.json" in text]
        aside = next(path for path in home.root.glob("jobs.json.damaged-*") if not path.name.endswith(".lock"))
        assert aside.read_text() == "garbage" and aside.name in moved and "models and agents are elsewhere" in moved
        log = (home.root / "logs" / "livetrading.log").read_text()
        assert "rebuilt from the journal" in log and aside.name in log
    finally:
        process.end(signal.SIGTERM)
