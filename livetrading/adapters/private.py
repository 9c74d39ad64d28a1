"""A home is its owner's alone: directories 0700, files 0600. Standard library only.

New files are created with these rights, whatever the umask. For files of an earlier
version or of another program, this module takes the rights of others away.
"""

import os
import stat
from pathlib import Path

FILE, DIRECTORY = 0o600, 0o700
OTHERS = 0o077
"""The bits of group and world."""
OURS = ("accounts", "agents", "cache", "commands", "logs", "models", "openings", "studies", "uploads")
"""Our directories in a home; a person may keep other files in it, which are not changed."""


def close_root(root: Path) -> str | None:
    """Make a home's own directory 0700 if others may look into it.

    Returns a warning if that is impossible: the directory belongs to somebody else, it is
    shared with everybody, or the system refuses. None if others have no rights.
    """
    found = os.stat(root)
    if not found.st_mode & OTHERS:
        return None
    cure = f"other users of this computer can read what lies there; choose a directory of your own, or run chmod 700 {root}"
    if found.st_uid != os.geteuid() or found.st_mode & stat.S_ISVTX or root in (Path("/"), Path.home()):
        return f"The home {root} cannot be made private: {cure}."
    try:
        os.chmod(root, DIRECTORY)
    except OSError as error:
        return f"The home {root} cannot be made private ({(error.strerror or str(error)).lower()}): {cure}."
    return None


def close_content(root: Path) -> int:
    """Take all rights of group and others from our files in a home; returns how many were changed.

    A file that disappears meanwhile or cannot be changed is skipped: the closed
    directory above it keeps others out.
    """
    changed = sum(_close(path) for path in root.iterdir() if path.name in OURS or path.is_file())
    return changed + sum(close_below(root / name) for name in OURS)


def close_below(directory: Path) -> int:
    """The same for everything in one directory."""
    return sum(
        _close(Path(parent, name))
        for parent, directories, files in os.walk(directory)
        for name in (*directories, *files)
    )


def _close(path: Path) -> bool:
    try:
        found = os.lstat(path)
        if stat.S_ISLNK(found.st_mode) or not found.st_mode & OTHERS or found.st_uid != os.geteuid():
            return False
        os.chmod(path, stat.S_IMODE(found.st_mode) & ~OTHERS)
    except OSError:
        return False
    return True
