import os
from datetime import UTC, date, datetime

import pytest

from livetrading.adapters.bars.cache import BarCache, Stored
from livetrading.core.bars import bars_sha256, from_rows
from livetrading.core.errors import Damaged, Unavailable

FRAME = from_rows(
    [["2024-06-03", 10.1, 12.3, 9.7, 0.1 + 11.2, 1e3, 0.0, 1.0], ["2024-06-04", 11.0, 12.0, 10.0, 11.0, 2e3, 0.25, 1.5]]
)
STORED = Stored(FRAME, datetime(2024, 6, 4, 20, 30, 1, 5, tzinfo=UTC), "a word", ((date(2024, 6, 5), 2.0),))


def test_what_was_stored_comes_back_to_the_bit(tmp_path):
    cache = BarCache(tmp_path / "deep" / "er")
    assert cache.load("ABC") is None
    cache.save("ABC", STORED)
    again = cache.load("ABC")
    assert bars_sha256(again.frame) == bars_sha256(FRAME) and again.frame.equals(FRAME)
    assert (again.fetched_at, again.note, again.ahead) == (STORED.fetched_at, STORED.note, STORED.ahead)
    assert [path.name for path in cache.folder.iterdir()] == ["ABC.json"]


@pytest.mark.parametrize(
    "harm",
    [
        lambda data: data[:-20],
        lambda data: b"",
        lambda data: b"[1]",
        lambda data: data.replace(b"12.3", b"12.4"),
        lambda data: data.replace(b"fetched_at", b"fetched_by"),
        lambda data: b"\x00" * 50,
    ],
)
def test_damaged_file_is_named_with_its_cure(tmp_path, harm):
    cache = BarCache(tmp_path)
    cache.save("ABC", STORED)
    path = cache.path("ABC")
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(Damaged, match=r"ABC\.json was changed or cut off; remove it"):
        cache.load("ABC")


def test_failed_write_leaves_the_file_as_it_was_and_no_rubbish(tmp_path, monkeypatch):
    cache = BarCache(tmp_path)
    cache.save("ABC", STORED)
    before = cache.path("ABC").read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unavailable, match="cannot be written .No space left on device.; make room"):
        cache.save("ABC", Stored(FRAME.iloc[:1], STORED.fetched_at))
    assert cache.path("ABC").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_folder_that_is_a_file_is_said(tmp_path):
    (tmp_path / "yahoo").write_text("x")
    with pytest.raises(Unavailable, match="cannot be written"):
        BarCache(tmp_path / "yahoo").save("ABC", STORED)
