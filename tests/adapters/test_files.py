import os
import signal
from pathlib import Path

import pytest

from livetrading.adapters.files import atomic_write, make_directory, read_file, sweep, temporary_for
from livetrading.core.errors import Unavailable
from tests.doubles.processes import in_child, kill, limit_file_size, start


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_write_replaces_the_whole_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    atomic_write(path, b"x" * 1000)
    atomic_write(path, b"short")
    assert path.read_bytes() == b"short"
    assert names(tmp_path) == ["a.json"]


def test_a_full_disk_keeps_the_old_content_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    atomic_write(path, b"old")

    def body() -> str:
        limit_file_size(1000)
        with pytest.raises(Unavailable) as caught:
            atomic_write(path, b"n" * 5000)
        return str(caught.value)

    message = in_child(body)
    assert str(path) in message and "try again" in message
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.json"]


@pytest.mark.parametrize("parent", ["a file", "absent"])
def test_a_path_that_cannot_be_written_is_named_in_one_sentence(tmp_path: Path, parent: str) -> None:
    (tmp_path / "a file").write_text("")
    path = tmp_path / parent / "b.json"
    with pytest.raises(Unavailable, match=str(path)):
        atomic_write(path, b"x")


def test_a_mode_is_there_from_the_first_byte(tmp_path: Path) -> None:
    atomic_write(tmp_path / "token", b"secret", mode=0o600)
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600


def test_a_missing_file_reads_as_none_and_a_directory_is_an_error(tmp_path: Path) -> None:
    assert read_file(tmp_path / "none") is None
    with pytest.raises(Unavailable):
        read_file(tmp_path)


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    make_directory(tmp_path / "a" / "b")
    make_directory(tmp_path / "a" / "b")
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="file/below"):
        make_directory(tmp_path / "file" / "below")


def test_the_temporary_of_a_killed_writer_is_swept_and_a_living_ones_is_not(tmp_path: Path) -> None:
    def die_midway() -> None:
        temporary_for(tmp_path / "a.json").write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)

    start(die_midway).join(30)
    mine = temporary_for(tmp_path / "b.json")
    mine.write_text("half")
    assert len(names(tmp_path)) == 2
    assert sweep(tmp_path) == 1
    assert names(tmp_path) == [mine.name]


def test_a_reader_sees_the_old_content_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    atomic_write(path, b"0" * 100_000)

    def write_for_ever() -> None:
        for i in range(10**9):
            atomic_write(path, str(i % 10).encode() * 100_000)

    writer = start(write_for_ever)
    try:
        seen = set()
        while len(seen) < 8:
            content = path.read_bytes()
            assert len(content) == 100_000 and len(set(content)) == 1
            seen.add(content[0])
    finally:
        kill(writer)
    content = path.read_bytes()
    assert len(content) == 100_000 and len(set(content)) == 1
