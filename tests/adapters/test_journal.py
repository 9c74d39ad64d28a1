import hashlib
import json
import math
import os
import shutil
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from livetrading.adapters.chain import GENESIS
from livetrading.adapters.journal import Journal, read_lines
from livetrading.core.errors import BadInput, Conflict, Damaged, Unavailable
from tests.doubles.processes import in_child, kill, lift_file_size_limit, limit_file_size, start

NOW = datetime(2024, 6, 3, 20, 40, tzinfo=UTC)
FAST = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('abc"\\é', max_size=4), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agents" / "PPO_INTC_001" / "journal.jsonl"


def event(i: int) -> dict[str, Any]:
    return {"kind": "fill", "exec_id": f"x{i}", "price": 100.1 + i, "qty": i}


def written(path: Path, count: int) -> bytes:
    path.unlink(missing_ok=True)
    journal = Journal.open(path)
    for i in range(count):
        journal.append([event(i), {"kind": "mark"}], NOW)
    return path.read_bytes()


def test_what_was_appended_is_read_back_in_order(path: Path) -> None:
    journal = Journal.open(path)
    assert list(journal.lines()) == [] and journal.seq == 0
    lines = [journal.append([event(i), event(-i)], NOW + timedelta(microseconds=i)) for i in range(5)]
    assert list(Journal.open(path).lines()) == list(read_lines(path)) == lines
    assert [line.seq for line in lines] == [1, 2, 3, 4, 5]
    assert (journal.seq, journal.head) == (5, lines[-1].hash)


def test_a_line_is_canonical_json_whose_hash_anyone_can_compute(path: Path) -> None:
    written(path, 2)
    previous = GENESIS
    for number, raw in enumerate(path.read_text().splitlines(), 1):
        fields = json.loads(raw)
        assert raw == json.dumps(fields, sort_keys=True, separators=(",", ":"))
        digest = fields.pop("hash")
        body = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        assert digest == hashlib.sha256(body.encode()).hexdigest()
        assert (fields["seq"], fields["prev"], fields["at"]) == (number, previous, "2024-06-03T20:40:00Z")
        previous = digest


def test_times_are_stored_in_utc_and_a_time_without_zone_is_refused(path: Path) -> None:
    journal = Journal.open(path)
    line = journal.append([event(1)], datetime(2024, 6, 3, 16, 40, tzinfo=timezone(timedelta(hours=-4))))
    assert line.at == NOW and b'"at":"2024-06-03T20:40:00Z"' in path.read_bytes()
    with pytest.raises(BadInput, match="no zone"):
        journal.append([event(1)], datetime(2024, 6, 3))


@FAST
@given(events=st.lists(st.dictionaries(st.text("abc", max_size=3), VALUES), min_size=1, max_size=4))
def test_every_json_value_reads_back_exactly(path: Path, events: list[dict[str, Any]]) -> None:
    journal = Journal.open(path)
    line = journal.append(events, NOW)
    *_, last = read_lines(path)
    assert last == line
    assert last.events == events
    # as text too, which tells 1 from 1.0 and from True, and -0.0 from 0.0
    assert json.dumps(last.events, sort_keys=True) == json.dumps(events, sort_keys=True)


@pytest.mark.parametrize(
    "bad",
    [math.nan, math.inf, -math.inf, [1, {"x": math.nan}], b"bytes", {1: 2}, 2**64, "\ud800", {1, 2}, NOW, object()],
)
def test_what_json_cannot_hold_is_refused_and_nothing_is_written(path: Path, bad: Any) -> None:
    journal = Journal.open(path)
    journal.append([event(1)], NOW)
    before = path.read_bytes()
    with pytest.raises(BadInput):
        journal.append([{"value": bad}], NOW)
    assert path.read_bytes() == before
    journal.append([event(2)], NOW)


def test_a_refused_value_is_named_by_its_place(path: Path) -> None:
    with pytest.raises(BadInput, match=r"events\[0\]\.fills\[1\]\.price is nan"):
        Journal.open(path).append([{"fills": [{}, {"price": math.nan}]}], NOW)


@pytest.mark.parametrize("events", [[], ["text"], [None]])
def test_a_line_without_an_event_is_refused(path: Path, events: list[Any]) -> None:
    with pytest.raises(BadInput, match="at least one event"):
        Journal.open(path).append(events, NOW)
    assert not path.exists()


def test_a_journal_cut_at_any_byte_loses_its_last_line_alone(path: Path) -> None:
    whole = written(path, 3)
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    lines = list(read_lines(path))
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        survive = sum(end <= cut for end in ends)
        assert list(read_lines(path)) == lines[:survive]
        journal = Journal.open(path)
        torn = cut - max([0, *(end for end in ends if end <= cut)])
        assert (journal.seq, journal.torn) == (survive, torn)
        assert path.stat().st_size == cut, "reading changes nothing"


@FAST
@given(data=st.data())
def test_after_a_cut_the_journal_goes_on_from_the_lines_before(path: Path, data: st.DataObject) -> None:
    whole = written(path, 3)
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    journal = Journal.open(path)
    torn = journal.torn
    if torn:
        with pytest.raises(Damaged, match="unfinished line"):
            journal.append([event(9)], NOW)
    assert journal.recover() == torn
    assert journal.recover() == 0
    journal.append([event(9)], NOW)
    assert [line.events[0]["qty"] for line in Journal.open(path).lines()] == [*range(journal.seq - 1), 9]


@FAST
@given(data=st.data())
def test_any_edited_byte_is_found_and_its_line_named(path: Path, data: st.DataObject) -> None:
    whole = bytearray(written(path, 3))
    at = data.draw(st.integers(0, len(whole) - 1))
    number = bytes(whole[:at]).count(b"\n") + 1
    whole[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]))
    path.write_bytes(whole)
    read = []
    with pytest.raises(Damaged, match=rf"{path} line {number} .*backup"):
        for line in read_lines(path):
            read.append(line.seq)
    assert read == list(range(1, number))
    with pytest.raises(Damaged, match=f"line {number} "):
        Journal.open(path)
    assert path.read_bytes() == bytes(whole), "nothing is silently reset"


@pytest.mark.parametrize(
    ("edit", "number"),
    [
        (lambda lines: [lines[1], lines[0], lines[2]], 1),
        (lambda lines: [lines[0], lines[2]], 2),
        (lambda lines: [lines[0], lines[0], lines[1]], 2),
        (lambda lines: [lines[0], b"\n", lines[1]], 2),
        (lambda lines: [*lines, b"not json\n"], 4),
        (lambda lines: [lines[0].replace(b'"qty":0', b'"qty": 0'), *lines[1:]], 1),
    ],
)
def test_lines_moved_dropped_doubled_or_respaced_are_damage(path: Path, edit: Any, number: int) -> None:
    lines = written(path, 3).splitlines(keepends=True)
    path.write_bytes(b"".join(edit(lines)))
    with pytest.raises(Damaged, match=f"line {number} "):
        Journal.open(path)


def test_a_line_that_another_process_wrote_is_a_conflict_and_both_lines_survive(path: Path) -> None:
    ours = Journal.open(path)
    ours.append([event(1)], NOW)
    in_child(lambda: Journal.open(path).append([event(2)], NOW))
    before = path.read_bytes()
    with pytest.raises(Conflict, match="another process"):
        ours.append([event(3)], NOW)
    assert path.read_bytes() == before
    reopened = Journal.open(path)
    assert reopened.append([event(3)], NOW).seq == 3


def test_a_journal_that_appeared_meanwhile_is_a_conflict(path: Path) -> None:
    ours = Journal.open(path)
    Journal.open(path).append([event(1)], NOW)
    with pytest.raises(Conflict):
        ours.append([event(2)], NOW)


def test_a_journal_changed_or_shortened_or_gone_under_its_writer_is_damage(path: Path) -> None:
    whole = written(path, 3)

    def next_append_after(content: bytes | None) -> Damaged:
        path.write_bytes(whole)
        journal = Journal.open(path)
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)
            os.utime(path, ns=(1, 1))  # as if at another time: clocks of files are coarse
        with pytest.raises(Damaged) as caught:
            journal.append([event(4)], NOW)
        assert content is None or path.read_bytes() == content
        return caught.value

    assert "line 1 does not match" in str(next_append_after(whole.replace(b'"qty":0', b'"qty":7')))
    assert "lost what followed line 2" in str(next_append_after(b"".join(whole.splitlines(keepends=True)[:2])))
    assert "unfinished" in str(next_append_after(whole + b"{"))
    assert "is gone" in str(next_append_after(None))


def test_a_touched_or_restored_copy_of_the_same_lines_is_written_on(path: Path, tmp_path: Path) -> None:
    journal = Journal.open(path)
    journal.append([event(1)], NOW)
    os.utime(path, ns=(1, 1))
    journal.append([event(2)], NOW)
    shutil.copy(path, tmp_path / "copy")
    os.replace(tmp_path / "copy", path)
    journal.append([event(3)], NOW)
    assert [line.seq for line in Journal.open(path).lines()] == [1, 2, 3]


def test_a_full_disk_leaves_the_file_as_it_was_and_writing_goes_on_when_there_is_room(path: Path) -> None:
    before = written(path, 3)

    def body() -> tuple[str, bytes, int]:
        journal = Journal.open(path)
        limit_file_size(len(before) + 100)  # less than a line: the write is cut short
        with pytest.raises(Unavailable) as caught:
            journal.append([event(3)], NOW)
        found = path.read_bytes()
        lift_file_size_limit()
        return str(caught.value), found, journal.append([event(3)], NOW).seq

    message, found, seq = in_child(body)
    assert str(path) in message and found == before and seq == 4
    assert [line.events[0]["qty"] for line in Journal.open(path).lines()] == [0, 1, 2, 3]


def test_a_full_disk_at_the_first_line_leaves_an_empty_journal(path: Path) -> None:
    def body() -> int:
        journal = Journal.open(path)
        limit_file_size(10)
        with pytest.raises(Unavailable):
            journal.append([event(0)], NOW)
        size = path.stat().st_size
        lift_file_size_limit()
        journal.append([event(0)], NOW)
        return size

    assert in_child(body) == 0
    assert Journal.open(path).seq == 1


@pytest.mark.parametrize("whole_line_written", [True, False])
def test_a_failed_line_that_could_not_be_taken_back_is_taken_back_by_the_next_append(
    path: Path, monkeypatch: pytest.MonkeyPatch, whole_line_written: bool
) -> None:
    written(path, 2)
    journal = Journal.open(path)

    def broken(*_: Any) -> None:
        raise OSError(5, "Input/output error")

    def half(fd: int, data: bytes) -> None:
        os.write(fd, data[:50])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("livetrading.adapters.journal.os.fsync", broken)
        patch.setattr("livetrading.adapters.journal.os.ftruncate", broken)
        if not whole_line_written:
            patch.setattr("livetrading.adapters.journal.write_all", half)
        with pytest.raises(Unavailable):
            journal.append([event(7)], NOW)
    assert journal.append([event(2)], NOW).seq == 3
    assert [line.events[0]["qty"] for line in Journal.open(path).lines()] == [0, 1, 2]


def test_a_writer_killed_at_any_moment_loses_no_acknowledged_line(path: Path, tmp_path: Path) -> None:
    acknowledged = tmp_path / "acknowledged"

    def append_for_ever() -> None:
        journal = Journal.open(path)
        journal.recover()
        fd = os.open(acknowledged, os.O_WRONLY | os.O_CREAT)
        while True:
            os.pwrite(fd, b"%012d" % journal.append([event(1)] * 20, NOW).seq, 0)

    reached = 0
    for _ in range(8):
        writer = start(append_for_ever)
        while not acknowledged.exists() or int(acknowledged.read_bytes() or 0) < reached + 5:
            assert writer.is_alive()
        kill(writer)
        reached = int(acknowledged.read_bytes())
        lines = list(read_lines(path))
        assert len(lines) in (reached, reached + 1)
        assert Journal.open(path).seq == len(lines)


def test_a_reader_beside_a_writer_sees_whole_lines_only(path: Path) -> None:
    def append_for_ever() -> None:
        journal = Journal.open(path)
        while True:
            journal.append([event(1)] * 50, NOW)

    writer = start(append_for_ever)
    try:
        seen = 0
        while seen < 100:
            lines = list(read_lines(path))
            assert all(len(line.events) == 50 for line in lines) and len(lines) >= seen
            seen = len(lines)
    finally:
        kill(writer)


def test_an_append_reads_nothing_of_what_was_written_before(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(path, 50)
    journal = Journal.open(path)

    def no_scan(*_: Any) -> None:
        raise AssertionError("an append must not read the journal")

    monkeypatch.setattr("livetrading.adapters.journal.scan", no_scan)
    for i in range(20):
        journal.append([event(i)], NOW)
    assert journal.seq == 70


def test_a_journal_that_cannot_be_read_or_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=str(tmp_path)):
        Journal.open(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="file"):
        Journal.open(tmp_path / "file" / "journal.jsonl")
