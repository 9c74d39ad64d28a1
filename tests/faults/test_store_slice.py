"""The store sweep in small: kills, damage, cost and a disk without room."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from livetrading.adapters import store
from livetrading.adapters.home import Home
from livetrading.adapters.jsonio import dump
from livetrading.core.errors import Unavailable
from livetrading.core.types import Terms
from livetrading.execution import pass_runner, replay_run
from livetrading.execution.state.agent_repository import AgentRepository
from livetrading.execution.state.read_model import OPEN_MONTHS, ReadModel, history_files
from tests.doubles.lives import FIRST, at
from tests.doubles.models import make_card
from tests.doubles.processes import in_child, lift_file_size_limit, limit_file_size
from tests.faults import store_damage, store_room
from tests.faults.store_contention import Contention


def test_four_processes_killed_at_random_lose_no_acknowledged_update_and_no_reader_sees_half_a_file(
    tmp_path: Path,
) -> None:
    done = Contention(tmp_path, 1_000, kill_every=0.05).run()
    assert done.wrong == []
    assert done.transactions() >= 1_000 and done.kills > 3 and done.reads > 100


def test_files_that_a_journal_knows_are_rebuilt_from_it_and_said(tmp_path: Path) -> None:
    life, counts = store_damage.a_home(tmp_path, 6), store_damage.Counts()
    store_damage.tinydb_files(life, counts, 2)
    assert counts.wrong == []
    assert {kind.split()[0] for kind in counts.tried} >= {"state", "history", "paper", "requests", "jobs"}


def test_a_torn_last_line_is_lost_alone_and_any_other_edit_stops_that_agent(tmp_path: Path) -> None:
    life, counts = store_damage.a_home(tmp_path, 6), store_damage.Counts()
    store_damage.journals(life, counts, edits=10, cuts=4)
    assert counts.wrong == []
    assert min(counts.tried.values()) >= 4


def test_a_commit_late_in_a_month_and_after_a_year_encodes_no_more_than_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Measured by what is encoded, not by the clock; the sweep measures the time after ten years."""
    encoded: list[int] = []

    def counted(*args: Any, **kwargs: Any) -> bytes:
        data = dump(*args, **kwargs)
        encoded.append(len(data))
        return data

    days = store_room.calendar().sessions(date(2020, 1, 2), store_room.LAST_DAY)
    repository = replay_run.begin(Home.resolve(str(tmp_path)), make_card(symbol="TEST"), Terms(), days[0])
    monkeypatch.setattr(store, "dump", counted)
    spent = []
    for day in days:
        store_room.live(repository, day)
        spent.append(sum(encoded))
        encoded.clear()
    assert max(spent[-20:]) < 1.1 * max(spent[:20])


def test_a_start_holds_a_few_months_of_a_long_history_and_still_finds_a_spoilt_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = store_room.calendar().sessions(date(2020, 1, 2), store_room.LAST_DAY)
    home = Home.resolve(str(tmp_path))
    repository = replay_run.begin(home, make_card(symbol="TEST"), Terms(), days[0])
    for day in days:
        store_room.live(repository, day)
    files = {path: path.read_bytes() for path in history_files(repository.directory)}
    held, settle = [], ReadModel.settle

    def counted(self: ReadModel) -> None:
        held.append(len(self._changed))
        settle(self)

    monkeypatch.setattr(ReadModel, "settle", counted)
    AgentRepository(home, repository.agent_id)
    assert len(files) == 10 and held.pop() <= OPEN_MONTHS + 1
    spoilt = list(files)[2]
    spoilt.write_bytes(files[spoilt].replace(b'"qty":0', b'"qty":1', 1))
    AgentRepository(home, repository.agent_id)
    assert {path: path.read_bytes() for path in history_files(repository.directory)} == files


def test_a_full_disk_refuses_a_pass_before_anything_changes_and_trading_goes_on_when_there_is_room(
    tmp_path: Path,
) -> None:
    calm, life = store_room.a_life(tmp_path / "calm", 6), store_room.a_life(tmp_path / "full", 6)

    def body() -> tuple[list[str], list[str]]:
        refused, wrong = [], []
        for t in range(FIRST, FIRST + 6):
            for clock, again in (("08:00", "08:10"), ("16:40", "17:00")):
                journal = life.repository.directory / "journal.jsonl"
                before, content = life.state, journal.read_bytes()
                limit_file_size(len(content) + 40)
                _, failed = pass_runner.run(life.node, at(life.sessions[t], clock))
                lift_file_size_limit()
                refused += failed.values()
                if life.state != before or journal.read_bytes() != content:
                    wrong.append(f"row {t}, {clock}: something changed")
                life.check(at(life.sessions[t], again))
        return refused, [*wrong, *([] if life.ledger == expected else ["the ledgers differ"])]

    for t in range(FIRST, FIRST + 6):
        calm.day(t)
    expected = calm.ledger
    refused, wrong = in_child(body)
    assert wrong == []
    assert len(refused) >= 8 and all("may not grow" in why for why in refused)


def test_a_request_on_a_full_disk_is_refused_and_the_file_stands(tmp_path: Path) -> None:
    life = store_room.a_life(tmp_path, 3)
    before = life.store.path("requests").read_bytes()

    def body() -> str:
        limit_file_size(len(before) // 2)
        try:
            life.ask("pause", at(life.sessions[FIRST], "12:00"))
        except Unavailable as error:
            return str(error)
        return ""

    assert "may not grow" in in_child(body)
    assert life.store.path("requests").read_bytes() == before
    assert life.ask("pause", at(life.sessions[FIRST], "12:00"))["status"] == "done"
