"""One file a symbol with the bars that a vendor has already given.

The first answer counts: later answers never change the stored bars, new bars are
only appended.
"""

import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import orjson
import pandas as pd

from livetrading.core.bars import bars_sha256, from_rows, to_rows
from livetrading.core.errors import BadBars, Damaged, Unavailable

from ..files import make_directory


@dataclass(frozen=True, eq=False)
class Stored:
    """The bars as of ``fetched_at``, and splits (session, ratio) without a bar yet."""

    frame: pd.DataFrame
    fetched_at: datetime
    note: str = ""
    ahead: tuple[tuple[date, float], ...] = ()


class BarCache:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, symbol: str) -> Path:
        return self.folder / f"{symbol}.json"

    def load(self, symbol: str) -> Stored | None:
        """None if nothing is stored; Damaged if the file was changed from outside."""
        path = self.path(symbol)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable(f"{path} cannot be read ({error.strerror}); correct its permissions.") from error
        try:
            return _decode(orjson.loads(data))
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, BadBars) as error:
            raise Damaged(f"{path} was changed or cut off; remove it, and the bars are fetched again.") from error

    def save(self, symbol: str, stored: Stored) -> None:
        """Replace the file at once or leave it as it was (Unavailable)."""
        path = self.path(symbol)
        try:
            make_directory(self.folder)
            _replace(path, orjson.dumps(_encode(symbol, stored)))
        except OSError as error:
            raise Unavailable(
                f"{path} cannot be written ({error.strerror}); make room or correct its permissions."
            ) from error


def _encode(symbol: str, stored: Stored) -> dict:
    return {
        "symbol": symbol,
        "fetched_at": stored.fetched_at.astimezone(UTC).isoformat(),
        "note": stored.note,
        "ahead": [[day.isoformat(), ratio] for day, ratio in stored.ahead],
        "sha256": bars_sha256(stored.frame),
        "rows": to_rows(stored.frame),
    }


def _decode(data: dict) -> Stored:
    frame = from_rows(data["rows"])
    if frame.empty or bars_sha256(frame) != data["sha256"]:
        raise ValueError("the bars do not match their sha256")
    ahead = tuple((date.fromisoformat(day), float(ratio)) for day, ratio in data["ahead"])
    return Stored(frame, datetime.fromisoformat(data["fetched_at"]), data["note"], ahead)


def _replace(path: Path, data: bytes) -> None:
    """Temporary file, fsync, rename, fsync of the folder: a reader never sees half."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except OSError:
        os.unlink(name)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
