"""The identity of a process. The system reuses pids; pid and start time together name one process.

psutil is imported only when a process is searched, because the emergency stop sets its latch without packages.
"""

from dataclasses import dataclass
from typing import Self

_ENDED = frozenset({"zombie", "dead"})
"""psutil's names of the states of a process that has ended."""
_TRIES = 5
_NOBODY = -1


@dataclass(frozen=True)
class Identity:
    """``born``: hundredths of a second from the machine's start to the process's start, so changes of the clock
    do not matter. None if a record does not hold it: then the pid alone counts."""

    pid: int
    born: int | None

    @classmethod
    def stored(cls, pid: int, mark: int | str | None) -> Self:
        """The identity in a record. Earlier versions wrote the same number on Linux, as a number or as text, and
        on other systems None or an empty text. Any other mark matches no process."""
        if mark is None or mark == "":
            return cls(pid, None)
        return cls(pid, int(mark) if str(mark).isdecimal() else _NOBODY)

    def runs(self) -> bool:
        """Whether this process runs now; a zombie (ended, not yet collected) does not."""
        found = find(self.pid)
        return found is not None and (None in (self.born, found.born) or self.born == found.born)


def find(pid: int) -> Identity | None:
    """The process that has this pid now, None if none runs."""
    import psutil

    try:
        if pid < 1 or psutil.Process(pid).status() in _ENDED:
            return None
        return Identity(pid, _born(pid))
    except psutil.AccessDenied:
        return Identity(pid, None)
    except (psutil.NoSuchProcess, OverflowError):
        return None


def exists(pid: int) -> bool:
    """Whether any process has this pid now, also a zombie (ended, not yet collected)."""
    import psutil

    try:
        return bool(psutil.pid_exists(pid))
    except OverflowError:
        return False


def carries(pid: int, mark: str) -> bool:
    """Whether a process runs whose command line holds ``mark``."""
    import psutil

    try:
        process = psutil.Process(pid)
        return process.status() not in _ENDED and any(mark in word for word in process.cmdline())
    except (psutil.Error, OverflowError, ValueError):
        return False


def _born(pid: int) -> int | None:
    """psutil adds the machine's start time, which follows changes of the clock, so it is subtracted again."""
    import psutil

    for _ in range(_TRIES):
        booted = psutil.boot_time()
        started = psutil.Process(pid).create_time()
        if psutil.boot_time() == booted:
            return round(100 * (started - booted))
    return None
