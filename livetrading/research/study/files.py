"""A study's files in a home, ``studies/NAME/``: a summary for people and pages, and the trials' returns.

They are made of the storage and can be made again. No slow imports here, because the dashboard reads them.
"""

import io
import logging
from pathlib import Path
from typing import Any

import numpy as np

from ...adapters import logs
from ...adapters.files import atomic_write, make_directory, read_file
from ...adapters.home import Home
from ...adapters.jsonio import dump, load
from ...core.errors import BadInput, Damaged, NotFound
from .matrix import Returns

SUMMARY, RETURNS = "summary.json", "returns.npz"
KEYS = frozenset("name symbol agent trials ended complete pruned failed best history importance result updated".split())
log = logging.getLogger(__name__)


def folder(home: Home, name: str) -> Path:
    return home.studies / name


def write_summary(home: Home, name: str, summary: dict[str, Any]) -> None:
    """JSON-ready; see ``search.summary``."""
    make_directory(folder(home, name))
    atomic_write(folder(home, name) / SUMMARY, dump(summary, SUMMARY))


def summary(home: Home, name: str) -> dict[str, Any]:
    """NotFound if this home has no study of that name, Damaged if it cannot be read."""
    content = read_file(folder(home, name) / SUMMARY)
    if content is None:
        raise NotFound(f"There is no study {name} in this home: begin it with `train … --trials N --study {name}`.")
    try:
        found = load(content)
    except (ValueError, BadInput):
        found = None
    if not isinstance(found, dict) or not found.keys() >= KEYS:
        raise Damaged(f"{SUMMARY} of the study {name} cannot be read: start its command again, which writes it anew.")
    return found


def summaries(home: Home) -> list[dict[str, Any]]:
    """Of all studies that this home began, the latest change first; one that cannot be read is left out."""
    found = []
    for path in home.studies.glob(f"*/{SUMMARY}"):
        try:
            found.append(summary(home, path.parent.name))
        except Exception as error:  # one bad file must not hide the others
            logs.caught(log, f"the summary of the study {path.parent.name}", error)
    return sorted(found, key=lambda each: str(each["updated"]), reverse=True)


def write_returns(home: Home, name: str, returns: Returns) -> None:
    """The matrix as NumPy's npz, without pickles."""
    buffer = io.BytesIO()
    numbers = np.array(returns.numbers, dtype=np.int64)
    np.savez_compressed(
        buffer, sessions=np.array(returns.sessions, dtype="U10"), numbers=numbers, values=returns.values
    )
    make_directory(folder(home, name))
    atomic_write(folder(home, name) / RETURNS, buffer.getvalue())


def returns(home: Home, name: str) -> Returns:
    """The matrix of a study's trials. NotFound if it has not ended here, Damaged if it cannot be read."""
    content = read_file(folder(home, name) / RETURNS)
    if content is None:
        raise NotFound(f"The study {name} has no returns in this home yet: let it end first.")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as found:
            sessions, numbers = (tuple(found[key].tolist()) for key in ("sessions", "numbers"))
            return Returns(sessions, numbers, found["values"])
    except Exception as error:  # zip, NumPy and a missing key each have their own
        raise Damaged(f"{RETURNS} of the study {name} cannot be read: start its command again.") from error
