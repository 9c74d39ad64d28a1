"""The scheduler's lock: whoever holds it may change trading state, nobody else.

A flock on ``scheduler.lock``, which the system frees when the holder dies.
``scheduler.pid.json`` only says who the holder is. The lock itself shows whether it
is held, because the file survives a crash. The holder's heartbeat is written
into the lock file itself: in place, so that neither a full disk nor another lock
can delay it, and as seconds of the monotonic clock.
"""

import fcntl
import json
import os
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from ..core.errors import BadInput, Conflict
from . import private, processes
from .files import atomic_write, unavailable
from .home import Home
from .stamps import parse_stamp, stamp

_ANNOUNCE_SECONDS = 0.5
"""A new holder writes its pid within so many seconds; a reader's test of the lock is much shorter."""
_POLL_SECONDS = 0.005
_BEAT_BYTES = 64


@dataclass(frozen=True)
class Holder:
    """Who holds the lock. ``pid`` and ``since`` are None until it has written them."""

    pid: int | None
    since: datetime | None
    role: str


class SchedulerLock:
    """One per home; also a context manager that releases on exit."""

    def __init__(self, home: Home) -> None:
        self.path = home.root / "scheduler.lock"
        self.pid_path = home.root / "scheduler.pid.json"
        self._fd = -1
        self._owner = 0  # pid of the process that acquired the lock: not a forked child

    @property
    def held(self) -> bool:
        """Whether this object in this process holds the lock."""
        return self._owner == os.getpid()

    def acquire(self, role: str = "scheduler", now: datetime | None = None) -> "SchedulerLock":
        """Take the lock and write the pid file, or raise Conflict naming the holder.

        ``now`` is the time to record as start, by default the clock's.
        """
        if self.held:
            raise Conflict("this process holds the scheduler's lock already; release it first.")
        deadline = time.monotonic() + _ANNOUNCE_SECONDS
        while not self._try():
            # holder() in another process may test the lock for microseconds.
            if (holder := self.holder()) is not None or time.monotonic() > deadline:
                raise Conflict(_taken(holder, self.path))
            time.sleep(_POLL_SECONDS)
        with ExitStack() as undo:
            undo.callback(self.release)
            self._write_pid(role, now or datetime.now(UTC))
            undo.pop_all()
        self.beat()
        return self

    def beat(self) -> None:
        """Write the holder's heartbeat; does nothing if the lock is not held. Never fails, never waits."""
        if self.held:
            with suppress(OSError):
                os.pwrite(self._fd, f"{os.getpid()} {time.monotonic():.3f}".ljust(_BEAT_BYTES).encode(), 0)

    def heartbeat(self) -> tuple[int, float] | None:
        """Pid and ``time.monotonic`` of the last heartbeat, None if there is none. The clock is the same in all
        processes of a machine. A new holder that has not written yet shows the pid of the one before."""
        try:
            pid, at = self.path.read_bytes()[:_BEAT_BYTES].split()
            return int(pid), float(at)
        except (OSError, ValueError):
            return None

    def release(self) -> None:
        """Release the lock; does nothing if it is not held."""
        if not self.held:
            return
        self._owner = 0
        _held.discard(self._fd)
        with suppress(OSError):  # the file may stay: only the lock counts
            os.unlink(self.pid_path)
        fcntl.flock(self._fd, fcntl.LOCK_UN)
        os.close(self._fd)

    def holder(self) -> Holder | None:
        """Who holds the lock now, None if nobody does. Waits 0.5 s at most."""
        deadline = time.monotonic() + _ANNOUNCE_SECONDS
        while self._is_locked():
            holder = self._read_pid()
            if holder is not None:
                return holder
            if time.monotonic() > deadline:
                return Holder(None, None, "unknown")
            time.sleep(_POLL_SECONDS)
        return None

    def __enter__(self) -> "SchedulerLock":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _try(self) -> bool:
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT, private.FILE)
        except OSError as error:
            raise unavailable(error, self.path, "locked") from None
        if not _flock(fd, fcntl.LOCK_EX, self.path):
            return False
        with suppress(OSError):  # left by a holder that crashed: its pid may be reused
            os.unlink(self.pid_path)
        self._fd, self._owner = fd, os.getpid()
        _held.add(fd)
        return True

    def _is_locked(self) -> bool:
        if self.held:
            return True
        try:
            fd = os.open(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise unavailable(error, self.path, "read") from None
        if not _flock(fd, fcntl.LOCK_SH, self.path):
            return True
        os.close(fd)
        return False

    def _write_pid(self, role: str, since: datetime) -> None:
        pid = os.getpid()
        me = processes.find(pid)
        text = {"pid": pid, "role": role, "since": stamp(since), "born": me.born if me else None}
        atomic_write(self.pid_path, json.dumps(text).encode())

    def _read_pid(self) -> Holder | None:
        try:
            fields = json.loads(self.pid_path.read_bytes())
            pid = int(fields["pid"])
            holder = Holder(pid, parse_stamp(fields["since"]), str(fields["role"]))
            same = pid > 1 and processes.Identity.stored(pid, fields["born"]).runs()
        except (OSError, ValueError, KeyError, TypeError, OverflowError, BadInput):
            return None
        return holder if same else None


def _flock(fd: int, kind: int, path: Path) -> bool:
    """Whether the lock was free; ``fd`` is closed if it was not."""
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return False
    except OSError as error:
        os.close(fd)
        raise unavailable(error, path, "locked") from None
    return True


def _taken(holder: Holder | None, path: Path) -> str:
    if holder is None or holder.pid is None:
        return f"another process holds {path}; try again, or end that process."
    since = f" since {stamp(holder.since)}" if holder.since else ""
    return f"a {holder.role} runs already with pid {holder.pid}{since}; stop that one first, or use it."


_held: set[int] = set()


def _forget_in_child() -> None:
    """A forked child must not keep its dead parent's lock alive."""
    for fd in _held:
        os.close(fd)  # the parent's own descriptor still holds it
    _held.clear()


os.register_at_fork(after_in_child=_forget_in_child)
