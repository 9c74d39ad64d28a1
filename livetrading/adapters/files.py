"""Whole-file writes that either happened or did not. Standard library only.

A reader that opens a file written here sees the old content or the new one,
never a part, and after return the content survives a power cut.
"""

import errno
import itertools
import os
import re
from contextlib import suppress
from pathlib import Path

from ..core.errors import Unavailable
from . import private, processes

_CURES = {
    errno.ENOSPC: "the disk is full; free some space and try again",
    errno.EDQUOT: "the disk quota is used up; free some space and try again",
    errno.EFBIG: "the file may not grow further; raise the size limit (ulimit -f) and try again",
    errno.EROFS: "the file system is read-only; make it writable or choose another home with --home",
    errno.EACCES: "permission is denied; give this user the right to write there or choose another home with --home",
    errno.EPERM: "permission is denied; give this user the right to write there or choose another home with --home",
    errno.EMFILE: "this process has too many open files; raise the limit (ulimit -n) and start it again",
}
NAMED = 0o666
"""Mode of a file outside the home that a person named; the umask restricts it."""
_TEMPORARY = re.compile(r"\.(\d{1,9})\.\d+\.tmp\Z")
_count = itertools.count()


def unavailable(error: OSError, path: Path, doing: str = "written") -> Unavailable:
    """One sentence for a failed system call: which path, why, what to do."""
    cure = _CURES.get(error.errno or 0)
    if cure is None:
        cure = f"{(error.strerror or str(error)).lower()}; check the path and the disk and try again"
    return Unavailable(f"{path} cannot be {doing}: {cure}.")


def write_all(fd: int, data: bytes) -> None:
    """Usually one write(2); more if the system takes only a part."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def sync_directory(directory: Path) -> None:
    """Make a creation, rename or removal in it durable. Raises OSError."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems cannot sync a directory
            raise
    finally:
        os.close(fd)


def make_directory(directory: Path) -> None:
    """Create it for its owner alone, parents included, durably. Raises Unavailable."""
    if directory.is_dir():
        return
    try:
        missing = [directory, *directory.parents]
        missing = list(itertools.takewhile(lambda path: not path.exists(), missing))
        for made in reversed(missing):
            made.mkdir(private.DIRECTORY, exist_ok=True)
        for made in missing:
            sync_directory(made.parent)
    except OSError as error:
        raise unavailable(error, directory, "created") from None


def write_durably(path: Path, data: bytes, mode: int = private.FILE, *, durable: bool = True) -> None:
    """Create or overwrite ``path`` in place and fsync it, if ``durable``. Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        write_all(fd, data)
        if durable:
            os.fsync(fd)
    finally:
        os.close(fd)


def temporary_for(path: Path) -> Path:
    """A name beside ``path`` that no other thread or process uses now."""
    return path.with_name(f".{path.name}.{os.getpid()}.{next(_count)}.tmp")


def atomic_write(path: Path, data: bytes, *, mode: int = private.FILE, durable: bool = True) -> None:
    """Replace ``path``: temporary file beside it, fsync, rename, directory fsync.

    ``mode`` gives rights to the owner alone unless a person named the file; the umask applies. A file that can
    be rebuilt from another need not be ``durable``: readers still see it whole, but a power cut may lose it.
    Raises Unavailable; then the old content is kept and no temporary file is left.
    """
    temporary = temporary_for(path)
    try:
        write_durably(temporary, data, mode, durable=durable)
        os.rename(temporary, path)
        if durable:
            sync_directory(path.parent)
    except OSError as error:
        raise unavailable(error, path) from None
    finally:
        with suppress(OSError):  # after the rename it does not exist any more
            os.unlink(temporary)


def remove(path: Path) -> None:
    """Delete a file if it exists. Raises Unavailable."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise unavailable(error, path, "removed") from None


def read_file(path: Path) -> bytes | None:
    """The content, or None if there is no such file. Raises Unavailable."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unavailable(error, path, "read") from None


def signature(path: Path) -> tuple[int, ...]:
    """Changes whenever the file is replaced or written to; empty if it does not exist or cannot be read."""
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def sweep(root: Path) -> int:
    """Remove temporary files that killed processes left below ``root``; how many."""
    return sum(_left(directory, name) for directory, _, names in os.walk(root) for name in names)


def sweep_beside(path: Path) -> int:
    """The same for the temporary files of ``path`` alone."""
    try:
        names = os.listdir(path.parent)
    except OSError:  # whoever writes there next says why
        return 0
    return sum(_left(str(path.parent), name) for name in names if name.startswith(f".{path.name}."))


def _left(directory: str, name: str) -> bool:
    """Whether it was a killed process's temporary file, which is removed."""
    match = _TEMPORARY.search(name)
    if match is None or processes.exists(int(match[1])):
        return False
    try:
        os.unlink(os.path.join(directory, name))
    except OSError:  # a left file costs a few bytes only
        return False
    return True
