"""One agent on disk: the journal is the truth, everything else follows it."""

import shutil
import tempfile
from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from livetrading.adapters.home import Home
from livetrading.adapters.journal import read_lines
from livetrading.core import agent as agents
from livetrading.core.errors import Damaged, Unavailable
from livetrading.core.events import Noted, StatusChanged
from livetrading.core.types import AgentStatus
from livetrading.execution.state import queries
from livetrading.execution.state.agent_repository import AgentRepository, events_of
from livetrading.execution.state.read_model import ReadModel
from tests.doubles.lives import AGENT, FIRST, Cycler, Life, at, deployed
from tests.doubles.processes import in_child, lift_file_size_limit, limit_file_size
from tests.doubles.series import generated


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Life:
    """Twelve sessions lived over the turn of no year. Do not change it."""
    life = deployed(tmp_path_factory.mktemp("lived"), generated(1, FIRST + 30), Cycler())
    for t in range(FIRST, FIRST + 12):
        life.day(t)
    return life


@pytest.fixture
def life(lived: Life, tmp_path: Path) -> Life:
    root = tmp_path / "home"
    shutil.copytree(lived.home.root, root)
    return Life(type(lived.home)(root), lived.frame, lived.model_id, lived.csv, lived.policy)


def _journal(life: Life) -> Path:
    return life.home.agent(AGENT) / "journal.jsonl"


def test_the_journal_alone_makes_the_state(life: Life) -> None:
    assert agents.fold(life.events) == life.state == AgentRepository(life.home, AGENT).state


def test_what_commits_leave_in_memory_is_what_a_reader_of_the_journal_has(lived: Life) -> None:
    """Each event is folded once when it is committed: state, exposure and bars are those of a fold from the first line."""
    ours, again = lived.repository, AgentRepository(lived.home, AGENT)
    assert ours.state.orders and ours.seq == again.seq
    assert (again.state, again.exposure, list(again.rows)) == (ours.state, ours.exposure, list(ours.rows))


@given(cuts=st.lists(st.integers(1, 9), min_size=1, max_size=30))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_however_events_are_cut_into_commits_the_state_is_their_fold(lived: Life, cuts: list[int]) -> None:
    events, sizes = lived.events, cycle(cuts)
    with tempfile.TemporaryDirectory() as folder:
        repository = AgentRepository(Home.resolve(folder), AGENT)
        moment, done = at(lived.sessions[FIRST], "12:00"), 0
        while done < len(events):
            size = next(sizes)
            after = repository.commit(events[done : done + size], moment)
            done += size
            assert after == repository.state == agents.fold(events[:done])
        again = AgentRepository(Home.resolve(folder), AGENT)
        assert (again.state, again.exposure, list(again.rows)) == (after, repository.exposure, list(repository.rows))


@pytest.mark.parametrize("name", ["state.json", "history-2012-01.json", "history-2012-02.json"])
@pytest.mark.parametrize("how", ["gone", "cut", "noise"])
def test_a_visible_file_that_is_lost_or_spoilt_is_rebuilt_to_what_it_was(life: Life, name: str, how: str) -> None:
    path = life.home.agent(AGENT) / name
    before = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(before[: len(before) // 3] if how == "cut" else b"\x00\xffnoise" * 30)
    life.restart()
    assert path.read_bytes() == before


def test_a_history_edited_from_outside_is_rebuilt(life: Life) -> None:
    path = life.home.agent(AGENT) / "history-2012-02.json"
    before = path.read_text()
    path.write_text(before.replace('"qty":90', '"qty":91'))
    assert path.read_text() != before
    life.restart()
    assert path.read_text() == before


def test_the_yearly_files_of_an_earlier_version_give_way_to_the_journals_image(life: Life) -> None:
    folder = life.home.agent(AGENT)
    before, shown = {p.name: p.read_bytes() for p in folder.glob("history-*")}, queries.history(life.store, AGENT)
    for name in before:
        (folder / name).unlink()
    (folder / "history-2012.json").write_text(
        '{"log":{"1":{"at":"2012-01-26T21:30:00Z","text":"of an earlier version"}}}'
    )
    life.restart()
    assert {p.name: p.read_bytes() for p in folder.glob("history-*")} == before
    assert queries.history(life.store, AGENT) == shown


def test_a_state_that_stands_behind_the_journal_is_rebuilt(life: Life) -> None:
    path = life.home.agent(AGENT) / "state.json"
    old = path.read_bytes()
    life.repository.commit([Noted("more")], at(life.sessions[FIRST + 12], "07:00"))
    new = path.read_bytes()
    path.write_bytes(old)
    life.restart()
    assert path.read_bytes() == new != old


def test_lines_lost_from_the_journals_end_are_noticed(life: Life) -> None:
    lines = _journal(life).read_bytes().splitlines(keepends=True)
    _journal(life).write_bytes(b"".join(lines[:-2]))
    life.restart()
    assert "is lost" in life.node.damaged[AGENT] and life.node.active() == []


def test_a_torn_last_line_is_dropped_alone(life: Life) -> None:
    before = life.state
    with _journal(life).open("ab") as file:
        file.write(b'{"at":"2012-02-')
    life.restart()
    assert life.state == before and not _journal(life).read_bytes().endswith(b"-")


def test_a_changed_byte_stops_that_agent_visibly_and_is_named(life: Life) -> None:
    content = bytearray(_journal(life).read_bytes())
    content[len(content) // 2] ^= 1
    _journal(life).write_bytes(content)
    life.restart()
    assert "journal.jsonl line" in life.node.damaged[AGENT]
    shown = queries.agent(life.store, AGENT)
    assert shown["status"] == "blocked" and not shown["is_running"] and "journal.jsonl line" in shown["warnings"][0]


def test_a_journal_put_back_from_a_backup_brings_the_agent_back(life: Life) -> None:
    sound = _journal(life).read_bytes()
    _journal(life).write_bytes(sound[:-400] + b"x" + sound[-399:])
    life.restart()
    _journal(life).write_bytes(sound)
    life.restart()
    assert AGENT in life.node.active() and queries.agent(life.store, AGENT)["status"] == "running"


def test_an_event_that_does_not_fit_writes_nothing(life: Life) -> None:
    from livetrading.core.events import OrderMoved

    lines, before = life.repository.seq, life.state
    with pytest.raises(Damaged, match="is not open"):
        life.repository.commit([OrderMoved("nothing", "NEW")], at(life.sessions[FIRST + 12], "07:00"))
    assert life.repository.seq == lines and life.state == before


def test_a_full_disk_changes_nothing_and_trading_goes_on_when_there_is_room(life: Life) -> None:
    now = at(life.sessions[FIRST + 12], "07:00")

    def full() -> tuple[bool, bool, int]:
        repository = AgentRepository(life.home, AGENT)
        before = repository.state
        limit_file_size(_journal(life).stat().st_size + 5)
        try:
            repository.commit([StatusChanged(AgentStatus.PAUSED, "x" * 200, "test")], now)
            refused = False
        except Unavailable:
            refused = True
        same = repository.state == before
        lift_file_size_limit()
        repository.commit([StatusChanged(AgentStatus.PAUSED, "", "test")], now)
        return refused, same, repository.seq

    refused, same, seq = in_child(full)
    assert refused and same
    assert AgentRepository(life.home, AGENT).seq == seq == life.repository.seq + 1


def test_visible_files_that_could_not_be_written_follow_with_the_next_commit(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    from livetrading.adapters import store

    def full(path: Path, *_: object, **__: object) -> None:
        raise Unavailable(f"{path} cannot be written: the disk is full; free some space and try again.")

    now = at(life.sessions[FIRST + 12], "07:00")
    with monkeypatch.context() as patch:
        patch.setattr(store, "atomic_write", full)
        life.repository.commit([Noted("one")], now)
    life.repository.commit([Noted("two")], now)
    texts = [doc["text"] for doc in queries.history(life.store, AGENT)["log"]]
    assert texts[-2:] == ["one", "two"]


def test_a_history_spoilt_while_the_process_runs_costs_no_event(life: Life) -> None:
    month = life.home.agent(AGENT) / "history-2011-12.json"
    month.write_text("{")
    before = life.repository.seq
    life.repository.commit([Noted("of last month")], at(life.sessions[FIRST - 30], "07:00"))
    assert life.repository.seq == before + 1 and life.state == agents.fold(life.events)
    assert [doc["text"] for doc in life.store.read_docs(month)["log"]] == ["of last month"]


def test_readers_need_no_lock_and_see_whole_lines(life: Life) -> None:
    with _journal(life).open("ab") as file:
        file.write(b"half")
    assert len(list(events_of(life.home.agent(AGENT)))) == len(list(read_lines(_journal(life)))) == life.repository.seq


def test_nothing_is_added_to_what_an_error_cut_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    life = deployed(tmp_path, generated(1, FIRST + 20), Cycler())
    repository, lines = life.repository, life.repository.seq
    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(ReadModel, "add", lambda *_: (_ for _ in ()).throw(RuntimeError("nobody foresaw this")))
        repository.commit([Noted("one")], at(life.sessions[FIRST], "12:00"))
    assert repository.seq == lines + 1, "it is durable, and memory does not know it"
    with pytest.raises(Unavailable, match="read again"):
        repository.commit([Noted("two")], at(life.sessions[FIRST], "12:00"))
    life.node.renew(AGENT)
    assert life.repository is not repository and life.repository.whole
    life.repository.commit([Noted("three")], at(life.sessions[FIRST], "12:01"))
    assert [e.text for e in life.named("Noted")] == ["one", "three"]
