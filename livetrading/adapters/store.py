"""The files that all processes read, and the locked way to change shared ones.

A shared file ``<home>/<name>.json`` is a plain TinyDB file. A writer holds
``<name>.json.lock``, loads the file, runs TinyDB in memory and replaces the file in
one step. Readers take no lock; they see the state before or after.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock
from tinydb import TinyDB
from tinydb.storages import MemoryStorage

from ..core.errors import BadInput, Damaged, Unavailable
from . import private
from .files import atomic_write, read_file, sweep_beside, sync_directory, unavailable
from .home import Home
from .jsonio import dump, load

Tables = dict[str, dict[str, dict[str, Any]]]
"""TinyDB's own form: table -> document id -> document."""

_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_POLL_SECONDS = 0.002
_SLICE_SECONDS = 1.0


class _Preloaded(MemoryStorage):
    """TinyDB's memory storage over given tables; records whether it was written."""

    def __init__(self, tables: Tables) -> None:
        super().__init__()
        self.memory = tables
        self.written = False

    def write(self, data: Tables) -> None:
        super().write(data)
        self.written = True


class Store:
    """Shared TinyDB files of one home; safe between threads and processes."""

    def __init__(self, home: Home, lock_timeout: float = 10.0) -> None:
        self.home = home
        self.lock_timeout = lock_timeout  # seconds
        self.waiting: Callable[[], object] = lambda: None
        """Called while another process holds a file's lock; it must not use the store."""

    def path(self, name: str) -> Path:
        """``<home>/<name>.json``. Raises BadInput for a name that cannot be a file name."""
        if not _NAME.fullmatch(name):
            raise BadInput(f"{name!r} cannot name a store file; use small letters, digits, - and _.")
        return self.home.root / f"{name}.json"

    @contextmanager
    def transaction(self, name: str) -> Iterator[TinyDB]:
        """The file as a TinyDB in memory, written once when the body ends.

        Nothing is written if the body raises or changes nothing. Raises
        Unavailable if the lock stays taken or the disk refuses, Damaged if the
        file cannot be read. Do not open the same name inside the body.
        """
        path = self.path(name)
        with self._locked(path):
            before = read_file(path)
            storage = _Preloaded(_tables(path, before))
            yield TinyDB(storage=lambda: storage)
            if storage.written:
                after = dump(storage.memory, path.name)
                if after != before:
                    sweep_beside(path)
                    atomic_write(path, after)

    def read(self, name: str) -> Tables:
        """The present content, {} if there is no file; never waits. Raises Damaged."""
        path = self.path(name)
        return _tables(path, read_file(path))

    def repair(self, name: str, now: datetime, fits: Callable[[Tables], bool] = lambda tables: True) -> Path | None:
        """Set a shared file aside that is damaged or whose content does not fit; it starts empty.

        For the holder of the scheduler's lock. Returns the new path of the damaged
        file, None if the file was sound.
        """
        path = self.path(name)
        with self._locked(path):
            try:
                if fits(_tables(path, read_file(path))):
                    return None
            except Damaged:
                pass
            return _set_aside(path, now)

    @contextmanager
    def _locked(self, path: Path) -> Iterator[None]:
        lock = filelock.FileLock(
            f"{path}.lock",
            timeout=self.lock_timeout,
            mode=private.FILE,
            poll_interval=_POLL_SECONDS,
            thread_local=False,
        )
        try:
            self._await(lock)
        except filelock.Timeout:
            raise Unavailable(
                f"{path}.lock is held by another process for more than {self.lock_timeout:g} s; "
                "end that process if it hangs, then try again."
            ) from None
        except OSError as error:
            raise unavailable(error, Path(f"{path}.lock"), "locked") from None
        try:
            yield
        finally:
            lock.release()

    def _await(self, lock: filelock.BaseFileLock) -> None:
        deadline = time.monotonic() + self.lock_timeout
        while True:
            left = deadline - time.monotonic()
            try:
                lock.acquire(timeout=max(min(_SLICE_SECONDS, left), 0.0))
                return
            except filelock.Timeout:
                if left <= _SLICE_SECONDS:
                    raise
                self.waiting()

    @staticmethod
    def write_docs(path: Path, tables: dict[str, list[dict[str, Any]]], *, durable: bool = True) -> None:
        """Replace a whole TinyDB file; documents are numbered from 1 in order.

        Not ``durable``: for files that a journal rebuilds.

        Raises BadInput for what JSON cannot hold, Unavailable if the disk refuses.
        """
        numbered = {name: {str(i): doc for i, doc in enumerate(docs, 1)} for name, docs in tables.items()}
        atomic_write(path, dump(numbered, path.name), durable=durable)

    @staticmethod
    def read_docs(path: Path) -> dict[str, list[dict[str, Any]]]:
        """Tables of documents in the file's order, {} if there is none. Raises Damaged."""
        return {name: list(docs.values()) for name, docs in _tables(path, read_file(path)).items()}


class GrowingFile:
    """A TinyDB file to which documents are only added, and which a journal rebuilds.

    Each document is encoded once, when it is first written, so writing a long file
    costs hardly more than writing a short one. ``tables`` is its content.
    """

    def __init__(self, path: Path, tables: dict[str, list[dict[str, Any]]]) -> None:
        self.path, self.tables = path, tables
        self._text = {name: bytearray() for name in tables}
        self._encoded = dict.fromkeys(tables, 0)

    def add(self, table: str, doc: dict[str, Any]) -> None:
        """Adds a document in memory; ``write`` writes it."""
        self.tables[table].append(doc)

    def write(self) -> None:
        """Replace the file, not durably: as ``Store.write_docs`` would.

        Raises BadInput for what JSON cannot hold, Unavailable if the disk refuses.
        """
        for name in self.tables:
            self._encode(name)
        tables = [b"%s:{%s}" % (dump(name), text) for name, text in self._text.items()]
        atomic_write(self.path, b"{%s}" % b",".join(tables), durable=False)

    def _encode(self, table: str) -> None:
        docs, text = self.tables[table], self._text[table]
        for number in range(self._encoded[table] + 1, len(docs) + 1):
            encoded = dump(docs[number - 1], f"{self.path.name}: {table}")
            text += b'%s"%d":%s' % (b"," if number > 1 else b"", number, encoded)
            self._encoded[table] = number


def _tables(path: Path, data: bytes | None) -> Tables:
    if data is None:
        return {}
    try:
        tables = load(data)
    except ValueError as error:
        raise _damaged(path, f"is not JSON ({error})") from None
    if not isinstance(tables, dict) or not all(_is_table(table) for table in tables.values()):
        raise _damaged(path, "does not hold tables of documents")
    return tables


def _is_table(table: Any) -> bool:
    return isinstance(table, dict) and all(key.isdecimal() and isinstance(doc, dict) for key, doc in table.items())


def _damaged(path: Path, what: str) -> Damaged:
    return Damaged(
        f"{path} {what}: it was changed from outside; start the scheduler if none runs: it rebuilds the file or sets it aside."
    )


def _set_aside(path: Path, now: datetime) -> Path:
    stem = f"{path.name}.damaged-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    aside, n = path.with_name(stem), 1
    while aside.exists():
        n += 1
        aside = path.with_name(f"{stem}-{n}")
    try:
        path.rename(aside)
        sync_directory(path.parent)
    except OSError as error:
        raise unavailable(error, path, "set aside") from None
    return aside
