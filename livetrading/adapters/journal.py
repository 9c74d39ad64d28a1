"""An agent's journal: an append-only file of numbered, chained, synced lines.

The form of a line is in ``chain``. A line without its newline was never
acknowledged and may be dropped; anything else that does not fit is damage.
"""

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from ..core.errors import Conflict, Damaged
from . import private
from .chain import Line, Tail, decode, encode, scan
from .files import make_directory, sync_directory, unavailable, write_all

Signature = tuple[int, int, int, int]


def read_lines(path: Path) -> Iterator[Line]:
    """Verified lines, oldest first, without a lock; none if there is no file.

    An unfinished last line is left out: its writer may still be writing it. Raises Damaged
    that names the file, the line and what is wrong, after the lines before it.
    """
    for raw, tail in _scan(path):
        if raw:
            yield _line(path, raw, tail)


class Journal:
    """The journal for its writer, who must hold the scheduler's lock."""

    def __init__(self, path: Path, tail: Tail, signature: Signature | None) -> None:
        self.path = path
        self._tail = tail
        self._signature = signature  # the file's signature when last read or written; None: no file
        self._undone = False  # a failed append has not been undone yet
        self._mutex = threading.Lock()

    @classmethod
    def open(cls, path: Path, take: Callable[[Line], object] | None = None) -> "Journal":
        """Verify the whole chain once; a file that is not there is an empty journal.

        ``take`` is called with each verified line. Raises Damaged that names
        the line, after the lines before it, or Unavailable.
        """
        signature, tail = _signature(path), Tail()
        for raw, tail in _scan(path):
            if raw and take is not None:
                take(_line(path, raw, tail))
        return cls(path, tail, signature)

    @property
    def seq(self) -> int:
        """Number of the last line, 0 before the first."""
        return self._tail.seq

    @property
    def head(self) -> str:
        """Hash of the last line: what the next one continues."""
        return self._tail.hash

    @property
    def torn(self) -> int:
        """Bytes of an unfinished last line, which ``recover`` drops."""
        return self._tail.torn

    def lines(self) -> Iterator[Line]:
        """As ``read_lines``."""
        return read_lines(self.path)

    def recover(self) -> int:
        """Cut an unfinished last line off, durably; returns its bytes, 0 if none."""
        with self._mutex:
            return self._recover()

    def append(self, events: list[dict[str, Any]], at: datetime) -> Line:
        """Write one transaction and return when it is durable.

        Costs the same however long the file is. Raises Conflict if another
        process wrote, Damaged if the file was changed or ends in an unfinished line, Unavailable
        if it cannot be written (and then it is as long as before), BadInput if
        an event is not plain finite JSON.
        """
        with self._mutex:
            raw, line = encode(events, at, self._tail)
            if self._undone:
                self._recover()
            fd = self._open_for_append()
            try:
                self._lock(fd)
                self._require_unchanged(fd)
                self._write(fd, raw)
            finally:
                # Unlocked explicitly: a child forked meanwhile shares the lock.
                fcntl.flock(fd, fcntl.LOCK_UN)
                os.close(fd)
            self._tail = Tail(line.seq, line.hash, self._tail.size + len(raw))
            return line

    def _open_for_append(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND
        if self._signature is None:
            make_directory(self.path.parent)
            flags |= os.O_CREAT | os.O_EXCL
        try:
            return os.open(self.path, flags, private.FILE)
        except FileExistsError:
            raise _foreign(self.path) from None
        except FileNotFoundError:
            raise Damaged(f"{self.path} is gone; put it back from a backup, then start again.") from None
        except OSError as error:
            raise unavailable(error, self.path) from None

    def _lock(self, fd: int) -> None:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _foreign(self.path) from None
        except OSError as error:
            raise unavailable(error, self.path, "locked") from None

    def _require_unchanged(self, fd: int) -> None:
        seen = _signature_of(fd)
        if self._signature is not None and seen != self._signature:
            tail = _last(self.path)  # raises if the change is damage
            if tail.seq > self.seq:
                raise _foreign(self.path)
            if (tail.seq, tail.hash) != (self.seq, self.head):
                raise Damaged(f"{self.path} lost what followed line {tail.seq}; put it back from a backup.")
            self._tail = tail  # only touched or copied: the lines are the same
        self._signature = seen
        if self._tail.torn:
            raise Damaged(f"{self.path} ends in an unfinished line; start again, which drops that line and says so.")

    def _write(self, fd: int, raw: bytes) -> None:
        try:
            write_all(fd, raw)
            os.fsync(fd)
            if self._tail.size == 0:
                sync_directory(self.path.parent)
        except OSError as error:
            self._take_back(fd)
            raise unavailable(error, self.path) from None
        self._signature = _signature_of(fd)

    def _take_back(self, fd: int) -> None:
        try:
            os.ftruncate(fd, self._tail.size)
            os.fsync(fd)
            self._signature = _signature_of(fd)
        except OSError:
            self._undone = True  # the next append tries again

    def _recover(self) -> int:
        if not (self._tail.torn or self._undone) and _signature(self.path) == self._signature:
            return 0  # unchanged, so a long journal is not read again
        tail = _last(self.path)
        ours = (tail.seq, tail.hash) == (self.seq, self.head)
        if not ours and not (self._undone and tail.seq == self.seq + 1):
            raise _foreign(self.path)
        surplus = tail.size + tail.torn - self._tail.size
        if surplus:
            try:
                with self.path.open("r+b") as file:
                    file.truncate(self._tail.size)
                    os.fsync(file.fileno())
            except OSError as error:
                raise unavailable(error, self.path) from None
        self._tail = Tail(self.seq, self.head, self._tail.size)
        self._signature = _signature(self.path)
        self._undone = False
        return surplus


def _scan(path: Path) -> Iterator[tuple[bytes, Tail]]:
    """As ``chain.scan``; faults name the file and the line."""
    tail = Tail()
    try:
        with path.open("rb") as file:
            for raw, tail in scan(file):
                yield raw, tail
    except FileNotFoundError:
        return
    except OSError as error:
        raise unavailable(error, path, "read") from None
    except ValueError as error:
        raise _damaged(path, tail.seq + 1, str(error)) from None


def _line(path: Path, raw: bytes, tail: Tail) -> Line:
    try:
        return decode(raw, tail.seq, tail.hash)
    except ValueError as error:
        raise _damaged(path, tail.seq, str(error)) from None


def _last(path: Path) -> Tail:
    tail = Tail()
    for _, found in _scan(path):
        tail = found
    return tail


def _signature_of(fd: int) -> Signature:
    seen = os.fstat(fd)
    return (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns)


def _signature(path: Path) -> Signature | None:
    try:
        seen = os.stat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unavailable(error, path, "read") from None
    return (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns)


def _damaged(path: Path, line: int, what: str) -> Damaged:
    return Damaged(f"{path} line {line} {what}: it was changed from outside; put the file back from a backup.")


def _foreign(path: Path) -> Conflict:
    return Conflict(f"{path} was written by another process; stop that one, then start again.")
