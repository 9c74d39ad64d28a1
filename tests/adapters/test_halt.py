import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from livetrading.adapters.halt import Halt, HaltLatch
from livetrading.adapters.home import Home
from livetrading.core.errors import Unavailable
from tests.doubles.processes import FORK, in_child, kill, limit_file_size, start

NOW = datetime(2024, 6, 3, 20, 40, tzinfo=UTC)


@pytest.fixture
def latch(tmp_path: Path) -> HaltLatch:
    return HaltLatch(Home(tmp_path))


def test_a_set_latch_is_seen_by_every_process_until_a_person_clears_it(latch: HaltLatch, tmp_path: Path) -> None:
    assert latch.status() is None
    halt = latch.set("test", "page", NOW)
    assert halt == Halt("test", "page", NOW)
    assert in_child(lambda: HaltLatch(Home(tmp_path)).status()) == halt
    assert latch.clear("anna", NOW) == halt
    assert latch.status() is None


def test_the_first_halt_keeps_its_reason(latch: HaltLatch) -> None:
    latch.set("first", "page", NOW)
    assert latch.set("second", "cli", NOW).reason == "first"
    assert latch.status() == Halt("first", "page", NOW)


def test_of_many_halts_at_once_exactly_one_is_kept(latch: HaltLatch, tmp_path: Path) -> None:
    gate = FORK.Event()

    def halt(i: int) -> None:
        gate.wait(30)
        latch.set(f"reason {i}", "page", NOW)

    processes = [start(halt, i) for i in range(6)]
    gate.set()
    for process in processes:
        process.join(30)
        assert process.exitcode == 0
    kept = latch.status()
    assert kept is not None and kept.reason.startswith("reason ")
    assert [path.name for path in tmp_path.iterdir()] == ["halt.json"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b'{"reason":"x","by":"y","at":"never"}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"reason":"x","by":"y","at":"0001-01-01T00:00:00+14:00"}',
    ],
)
def test_an_unreadable_latch_means_halted(latch: HaltLatch, content: bytes) -> None:
    latch.path.write_bytes(content)
    halt = latch.status()
    assert halt is not None and halt.reason.startswith("unreadable")


def test_a_latch_that_is_a_directory_or_leads_nowhere_or_a_home_that_is_gone_means_halted(tmp_path: Path) -> None:
    (tmp_path / "a" / "halt.json").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "halt.json").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    for home in ("a", "b", "gone", "file"):
        halt = HaltLatch(Home(tmp_path / home)).status()
        assert halt is not None and halt.reason.startswith("unreadable"), home


def test_a_full_disk_still_halts(latch: HaltLatch) -> None:
    def body() -> Halt:
        limit_file_size(0)
        return latch.set("test", "page", NOW)

    assert in_child(body).reason.startswith("unreadable")
    assert latch.status() is not None


def test_where_nothing_can_be_written_the_caller_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match=r"halt\.json cannot be written"):
        HaltLatch(Home(tmp_path / "file")).set("test", "page", NOW)


def test_each_clearing_is_on_record(latch: HaltLatch) -> None:
    for reason in ("one", "two"):
        latch.set(reason, "page", NOW)
        latch.clear("anna", NOW)
    lines = [json.loads(line) for line in latch.log.read_text().splitlines()]
    assert [line["reason"] for line in lines] == ["one", "two"]
    assert lines[0] == {
        "at": "2024-06-03T20:40:00Z",
        "by": "page",
        "cleared_at": "2024-06-03T20:40:00Z",
        "cleared_by": "anna",
        "reason": "one",
    }


def test_clearing_an_unset_latch_records_nothing(latch: HaltLatch) -> None:
    assert latch.clear("anna", NOW) is None
    assert not latch.log.exists()


def test_an_unreadable_latch_can_be_cleared(latch: HaltLatch) -> None:
    latch.path.write_bytes(b"")
    assert latch.clear("anna", NOW) is not None
    assert latch.status() is None


def test_a_clearing_that_cannot_be_recorded_leaves_it_halted(latch: HaltLatch) -> None:
    latch.set("test", "page", NOW)
    latch.log.mkdir()
    with pytest.raises(Unavailable):
        latch.clear("anna", NOW)
    assert latch.status() == Halt("test", "page", NOW)


def test_a_process_killed_while_setting_leaves_no_latch_or_a_whole_one(latch: HaltLatch) -> None:
    def for_ever() -> None:
        while True:
            latch.set("test", "page", NOW)
            os.unlink(latch.path)

    for _ in range(10):
        process = start(for_ever)
        while not latch.path.exists():
            pass
        kill(process)
        assert latch.status() in (None, Halt("test", "page", NOW))
        latch.path.unlink(missing_ok=True)
