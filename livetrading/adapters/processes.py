"""Which process is it? The system gives a pid again; pid and start together name one process.

psutil is imported when a process is looked for: the emergency stop sets its latch without any package.
"""

from dataclasses import dataclass
from typing import Self

_ENDED = frozenset({"zombie", "dead"})
"""psutil's names of the states of a process that has ended."""
_TRIES = 5
_NOBODY = -1


@dataclass(frozen=True)
class Identity:
    """``born``: hundredths of a second from the machine's start to the process's, which no change of the clock
    moves. None where a record does not say it: then the pid alone counts."""

    pid: int
    born: int | None

    @classmethod
    def stored(cls, pid: int, mark: int | str | None) -> Self:
        """As a record holds it. Earlier versions wrote the same count of Linux, as a number or as text, and
        elsewhere None or an empty text. Anything else names no process."""
        if mark is None or mark == "":
            return cls(pid, None)
        return cls(pid, int(mark) if str(mark).isdecimal() else _NOBODY)

    def runs(self) -> bool:
        """Whether this very process runs now; one that has ended and was not collected does not."""
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
    """Whether any process has this pid now, also one that has ended and was not collected."""
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
    """psutil adds the time of the machine's start, which follows the clock: it is taken off again."""
    import psutil

    for _ in range(_TRIES):
        booted = psutil.boot_time()
        started = psutil.Process(pid).create_time()
        if psutil.boot_time() == booted:
            return round(100 * (started - booted))
    return None
