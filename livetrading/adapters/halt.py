"""The halt latch: one file that any process can set and only a person clears.

Standard library only, so that the emergency stop can set it before slow
imports. A latch that cannot be read counts as halted.
"""

import errno
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ..core.errors import BadInput
from . import private
from .files import sync_directory, temporary_for, unavailable, write_all, write_durably
from .home import Home
from .stamps import parse_stamp, stamp


@dataclass(frozen=True)
class Halt:
    """Why, by whom and when; ``at`` is None if the latch cannot be read."""

    reason: str
    by: str
    at: datetime | None


class HaltLatch:
    """``halt.json`` and ``halts.log`` in the home."""

    def __init__(self, home: Home) -> None:
        self.path = home.root / "halt.json"
        self.log = home.root / "halts.log"

    def set(self, reason: str, by: str, at: datetime) -> Halt:
        """Halt; durable when it returns. A latch that is already set keeps its first reason.

        Raises Unavailable only if not even an empty file can be made.
        """
        text = json.dumps({"at": stamp(at), "by": by, "reason": reason}).encode()
        try:
            self._create(text)
            sync_directory(self.path.parent)
        except OSError as error:
            raise unavailable(error, self.path) from None
        return self.status() or Halt(reason, by, at)  # another process cleared it meanwhile

    def _create(self, text: bytes) -> None:
        """Make the file if it is not there. Raises OSError."""
        temporary = temporary_for(self.path)
        try:
            write_durably(temporary, text)
            os.link(temporary, self.path)  # unlike rename, the first one wins
        except FileExistsError:
            pass
        except OSError:
            # Disk full, or no hard links here. An empty latch still halts, so
            # make that first and then try to say why.
            fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, private.FILE)
            try:
                if os.fstat(fd).st_size == 0:
                    with suppress(OSError):
                        write_all(fd, text)
                os.fsync(fd)
            finally:
                os.close(fd)
        finally:
            with suppress(OSError):
                os.unlink(temporary)

    def status(self) -> Halt | None:
        """The halt, or None if the home can be read and holds no latch."""
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            # A broken link or a missing home does not prove that there is no halt.
            if os.path.lexists(self.path) or not self.path.parent.is_dir():
                return _unreadable(f"{self.path} cannot be reached")
            return None
        except OSError as error:
            return _unreadable(f"{self.path}: {error.strerror}")
        try:
            fields = json.loads(text)
            return Halt(str(fields["reason"]), str(fields["by"]), parse_stamp(fields["at"]))
        except (ValueError, KeyError, TypeError, RecursionError, BadInput):
            return _unreadable(f"{self.path} does not hold a halt")

    def clear(self, by: str, at: datetime) -> Halt | None:
        """Move the latch into ``halts.log``; None if it was not set.

        The log line is made durable first. If it raises Unavailable, the halt stays set.
        """
        halt = self.status()
        if halt is None:
            return None
        line = {
            "at": stamp(halt.at) if halt.at else None,
            "by": halt.by,
            "cleared_at": stamp(at),
            "cleared_by": by,
            "reason": halt.reason,
        }
        try:
            _append(self.log, json.dumps(line).encode() + b"\n")
            os.unlink(self.path)
            sync_directory(self.path.parent)
        except OSError as error:
            raise unavailable(error, self.path, "cleared") from None
        return halt


def _append(path: Path, line: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, private.FILE)
    try:
        size = os.fstat(fd).st_size
        try:
            write_all(fd, line)
            os.fsync(fd)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                os.ftruncate(fd, size)
            raise
    finally:
        os.close(fd)


def _unreadable(why: str) -> Halt:
    return Halt(f"unreadable latch, which counts as halted: {why}", "unknown", None)
