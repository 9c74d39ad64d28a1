import json
import os
import signal
import threading
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tinydb
from tinydb import TinyDB, where
from tinydb.operations import increment

from livetrading.adapters.files import temporary_for
from livetrading.adapters.home import Home
from livetrading.adapters.store import Store
from livetrading.core.errors import BadInput, Conflict, Damaged, Unavailable
from tests.doubles.processes import FORK, in_child, kill, lift_file_size_limit, limit_file_size, start

NOW = datetime(2024, 6, 3, 20, 40, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(Home(tmp_path))


def beside(store: Store) -> list[str]:
    return sorted(path.name for path in store.home.root.iterdir())


def count(store: Store, name: str = "system") -> None:
    with store.transaction(name) as db:
        db.table("counts").upsert({"id": "n", "n": _n(db) + 1}, where("id") == "n")


def _n(db: TinyDB) -> int:
    found = db.table("counts").get(where("id") == "n")
    return found["n"] if found else 0  # type: ignore[call-overload, index]


def total(store: Store) -> int:
    tables = store.read("system")
    return tables["counts"]["1"]["n"] if tables else 0


def test_what_a_transaction_changed_is_read_by_store_and_by_plain_tinydb(store: Store) -> None:
    with store.transaction("jobs") as db:
        db.table("jobs").insert_multiple([{"id": "a"}, {"id": "b", "share": 0.5}])
    assert store.read("jobs") == {"jobs": {"1": {"id": "a"}, "2": {"id": "b", "share": 0.5}}}
    with TinyDB(store.path("jobs"), access_mode="r") as plain:
        assert plain.table("jobs").get(where("id") == "b") == {"id": "b", "share": 0.5}


def test_a_file_that_plain_tinydb_wrote_is_understood(store: Store) -> None:
    with TinyDB(store.path("jobs")) as plain:
        plain.table("jobs").insert({"id": "é", "n": 1})
    with store.transaction("jobs") as db:
        db.table("jobs").update(increment("n"))
    assert store.read("jobs") == {"jobs": {"1": {"id": "é", "n": 2}}}


def test_a_missing_file_is_an_empty_one(store: Store) -> None:
    assert store.read("jobs") == {}
    assert store.read_docs(store.home.root / "none.json") == {}


def test_a_body_that_raises_changes_nothing(store: Store) -> None:
    count(store)
    before = store.path("system").read_bytes()
    with pytest.raises(Conflict), store.transaction("system") as db:
        db.table("counts").truncate()
        raise Conflict("no")
    assert store.path("system").read_bytes() == before
    count(store)
    assert total(store) == 2


def test_a_body_that_changes_nothing_writes_nothing(store: Store) -> None:
    count(store)
    before = store.path("system").stat()
    with store.transaction("system") as db:
        db.table("counts").all()
    with store.transaction("system") as db:
        db.table("counts").update({"n": 1})
    assert store.path("system").stat() == before


def test_four_processes_lose_no_update_and_readers_see_whole_files(store: Store) -> None:
    def work() -> None:
        for _ in range(200):
            count(store)

    processes = [start(work) for _ in range(4)]
    seen = 0
    while any(process.is_alive() for process in processes):
        now = total(store)
        assert now >= seen
        seen = now
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert total(store) == 800
    assert beside(store) == ["system.json", "system.json.lock"]


def test_threads_lose_no_update(store: Store) -> None:
    threads = [threading.Thread(target=lambda: [count(store) for _ in range(40)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert total(store) == 160


def test_a_writer_killed_at_any_moment_loses_no_acknowledged_update_and_frees_the_lock(store: Store) -> None:
    acknowledged = FORK.Value("i", 0, lock=False)  # a killed process would take the lock with it

    def work() -> None:
        while True:
            count(store)
            acknowledged.value += 1

    expected = 0
    for _ in range(10):
        acknowledged.value = 0
        writer = start(work)
        while acknowledged.value < 3:
            assert writer.is_alive()
        kill(writer)
        assert total(store) - expected - acknowledged.value in (0, 1)
        expected = total(store)
    count(store)
    assert total(store) == expected + 1


def test_the_next_write_sweeps_what_a_killed_writer_of_the_file_left(store: Store) -> None:
    def die_midway() -> None:
        temporary_for(store.path("system")).write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)

    start(die_midway).join(30)
    assert any(name.startswith(".system.json.") for name in beside(store))
    mine, other = temporary_for(store.path("system")), store.home.root / ".jobs.json.999999999.0.tmp"
    for path in (mine, other):
        path.write_text("half")
    count(store)
    assert sorted(name for name in beside(store) if name.endswith(".tmp")) == sorted([mine.name, other.name])


def test_a_lock_that_stays_taken_is_named_after_a_bounded_wait(store: Store) -> None:
    taken, done = FORK.Event(), FORK.Event()

    def hold() -> None:
        with store.transaction("system"):
            taken.set()
            done.wait(60)

    holder = start(hold)
    assert taken.wait(30)
    impatient = Store(store.home, lock_timeout=0.05)
    with pytest.raises(Unavailable, match=r"system\.json\.lock is held by another process"):
        count(impatient)
    assert impatient.read("system") == {}, "a reader does not wait"
    count(impatient, "jobs")
    done.set()
    holder.join(30)
    count(impatient)


def test_a_full_disk_changes_nothing_and_work_goes_on_when_there_is_room(store: Store) -> None:
    count(store)
    before = store.path("system").read_bytes()

    def body() -> tuple[str, bytes]:
        limit_file_size(10)
        with pytest.raises(Unavailable) as caught:
            count(store)
        found = store.path("system").read_bytes()
        lift_file_size_limit()
        count(store)
        return str(caught.value), found

    message, found = in_child(body)
    assert "system.json" in message and found == before
    assert total(store) == 2
    assert beside(store) == ["system.json", "system.json.lock"]


def test_a_home_that_is_gone_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match=r"file/system\.json"):
        count(Store(Home(tmp_path / "file")))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), np.int64(3), NOW])
def test_what_json_cannot_hold_is_refused_and_nothing_is_written(store: Store, bad: Any) -> None:
    count(store)
    before = store.path("system").read_bytes()
    with pytest.raises(BadInput, match="bad"), store.transaction("system") as db:
        db.table("counts").insert({"bad": bad})
    assert store.path("system").read_bytes() == before


def test_enums_and_numpys_floats_are_stored_as_what_they_are(store: Store) -> None:
    class Mode(StrEnum):
        PAPER = "paper"

    path = store.home.root / "state.json"
    store.write_docs(path, {"t": [{"mode": Mode.PAPER, "x": np.float64(0.1), "pair": (1, 2)}]})
    assert store.read_docs(path) == {"t": [{"mode": "paper", "x": 0.1, "pair": [1, 2]}]}


@pytest.mark.parametrize("name", ["", "../x", "a/b", "X", "a.json", ".hidden"])
def test_a_name_cannot_leave_the_home(store: Store, name: str) -> None:
    with pytest.raises(BadInput):
        store.read(name)


BAD_FILES = [b"", b"{", b"null", b"[]", b'{"t":[]}', b'{"t":{"1":2}}', b'{"t":{"x":{}}}', b"\xff\x00", b"[" * 10**5]


@pytest.mark.parametrize("content", BAD_FILES)
def test_a_damaged_file_is_named_and_left_alone(store: Store, content: bytes) -> None:
    path = store.path("requests")
    path.write_bytes(content)
    with pytest.raises(Damaged, match=rf"{path} .*start the scheduler"):
        store.read("requests")
    with pytest.raises(Damaged), store.transaction("requests") as db:
        db.table("t").insert({})
    with pytest.raises(Damaged):
        store.read_docs(path)
    assert path.read_bytes() == content


def test_a_file_cut_at_any_byte_is_damaged_and_never_half_read(store: Store) -> None:
    count(store)
    path = store.path("system")
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        with pytest.raises(Damaged):
            store.read("system")


def test_repair_sets_a_damaged_file_aside_and_says_where(store: Store) -> None:
    path = store.path("requests")
    for number, suffix in enumerate(["", "-2", "-3"]):
        path.write_bytes(b"{%d" % number)
        aside = store.repair("requests", NOW)
        assert aside == path.with_name(f"requests.json.damaged-20240603T204000Z{suffix}")
        assert aside.read_bytes() == b"{%d" % number
        assert store.read("requests") == {}
    with store.transaction("requests") as db:
        db.table("requests").insert({"id": "a"})


def test_repair_leaves_a_sound_or_missing_file_alone(store: Store) -> None:
    assert store.repair("system", NOW) is None
    count(store)
    assert store.repair("system", NOW) is None
    assert total(store) == 1


def test_whole_file_documents_read_back_in_order_and_by_plain_tinydb(store: Store) -> None:
    path = store.home.root / "2024.json"
    tables = {"fills": [{"n": n, "price": 0.1 * n} for n in range(12)], "equity": [], "é": [{"deep": {"a": [None]}}]}
    store.write_docs(path, tables)
    assert store.read_docs(path) == tables
    with TinyDB(path, access_mode="r") as plain:
        assert [dict(doc) for doc in plain.table("fills").all()] == tables["fills"]
        assert plain.tables() == {"fills", "equity", "é"}
    content = path.read_bytes()
    store.write_docs(path, tables)
    assert path.read_bytes() == content


def test_a_child_forked_inside_a_transaction_does_not_keep_the_lock(store: Store) -> None:
    ready_to_end = FORK.Event()
    with store.transaction("system"):
        child = start(ready_to_end.wait, 60)
    count(Store(store.home, lock_timeout=30))
    ready_to_end.set()
    child.join(30)
    assert total(store) == 1


def test_the_version_of_tinydb_still_stores_what_the_store_builds_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with tinydb.TinyDB(path) as plain:
        plain.table("t").insert({"a": 1})
    Store.write_docs(tmp_path / "b.json", {"t": [{"a": 1}]})
    assert json.loads(path.read_bytes()) == json.loads((tmp_path / "b.json").read_bytes())
    assert os.path.getsize(path) > 0
