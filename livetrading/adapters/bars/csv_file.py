"""Bars from a user's CSV file.

Columns date, open, high, low, close, volume, as traded; dividend and split
are optional. The file belongs to whichever symbol the user says.
"""

import csv
import io
import re
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from stat import S_ISREG

import numpy as np
import pandas as pd

from livetrading.core.bars import COLUMNS, CURE, canonical, check_series
from livetrading.core.errors import BadBars, BadInput

from . import adjusted
from .base import BarSet, as_of, check_symbol, sessions_of

REQUIRED = ["date", *COLUMNS[:5]]
ABSENT = {"dividend": 0.0, "split": 1.0}
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class CsvSource:
    """`name` holds the absolute path, so that another process finds the file."""

    def __init__(self, path: Path) -> None:
        if "\0" in str(path):
            raise BadInput("The path of a CSV file cannot hold a null character; correct it.")
        try:
            self.path = path.expanduser().absolute()
        except RuntimeError as error:  # "~name" of an unknown user
            raise BadInput(f"There is no home directory for {path}; give the whole path.") from error
        self.name = f"csv:{self.path}"
        self._read: tuple[tuple, pd.DataFrame, str] | None = None

    def daily(self, symbol: str, *, now: datetime) -> BarSet:
        ticker = check_symbol(symbol)
        try:
            stat = self.path.stat()
        except OSError as error:
            raise _unreadable(self.path, error) from error
        if not S_ISREG(stat.st_mode):  # a device could be read for ever
            raise BadBars(f"{self.path} is not a regular file; give the path of a CSV file.")
        version = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if self._read is None or self._read[0] != version:
            self._read = (version, *read_bars(self.path))
        _, frame, note = self._read
        asked = adjusted.question(ticker, frame)
        bars = as_of(ticker, frame, self.name, f"{note}. {asked}" if asked else note, now)
        return replace(bars, question=asked)


def read_bars(path: Path) -> tuple[pd.DataFrame, str]:
    """The gated canonical frame of a CSV file, and a note of what was assumed."""
    header, rows, lines = _table(path)
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise BadBars(
            f"{path}, line 1: there is no column {', '.join(missing)}; the columns are"
            f" {', '.join(REQUIRED)} and, optional, dividend, split."
        )
    if not rows:
        raise BadBars(f"{path} holds no bars; add rows below the header or use another source.")
    texts = dict(zip(header, zip(*rows, strict=True), strict=True))
    columns = {name: _floats(path, name, texts[name], lines) for name in COLUMNS if name in texts}
    given = {name: np.full(len(rows), value) for name, value in ABSENT.items()} | columns
    frame = canonical(pd.DataFrame(given, index=_days(path, texts["date"], lines)), str(path))
    check_series(frame, sessions_of(frame, str(path)), str(path), lines)
    return frame, _note(path, header)


def _table(path: Path) -> tuple[list[str], list[list[str]], list[int]]:
    """Header in small letters, rows as text, and the line number of each row."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise _unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise BadBars(f"{path} is not a text file in UTF-8; save it as CSV UTF-8.") from error
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        numbered = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise BadBars(f"{path}, line {reader.line_num}: {error}; save it as plain CSV.") from error
    if not numbered:
        raise BadBars(f"{path} is empty; give a CSV with {', '.join(REQUIRED)}.")
    header = [name.strip().lower().replace(" ", "_") for name in numbered[0][1]]
    if len(set(header)) < len(header):
        raise BadBars(f"{path}, line 1: a column name is there twice; keep each once.")
    for line, row in numbered:
        if len(row) != len(header):
            raise BadBars(f"{path}, line {line}: there are {len(row)} values for {len(header)} columns; {CURE}.")
    return header, [row for _, row in numbered[1:]], [line for line, _ in numbered[1:]]


def _floats(path: Path, name: str, texts: tuple[str, ...], lines: list[int]) -> np.ndarray:
    try:
        values = np.array(texts, dtype=np.float64)
        good = np.isfinite(values)
    except ValueError:
        good = np.array([_is_number(text) for text in texts])
    if not good.all():
        row = int(np.argmin(good))
        raise BadBars(f"{path}, line {lines[row]}: {name} is {texts[row]!r}, not a finite number; {CURE}.")
    return values


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(np.float64(text)))
    except ValueError:
        return False


def _days(path: Path, texts: tuple[str, ...], lines: list[int]) -> pd.DatetimeIndex:
    for line, text in zip(lines, texts, strict=True):
        if not _is_day(text):
            raise BadBars(f"{path}, line {line}: {text!r} is not a date; write YYYY-MM-DD.")
    return pd.DatetimeIndex(np.array(texts, dtype="datetime64[D]"))


def _is_day(text: str) -> bool:
    try:
        return bool(_DAY.fullmatch(text) and date.fromisoformat(text))
    except ValueError:
        return False


def _note(path: Path, header: list[str]) -> str:
    remarks = [f"{path.name}:"]
    absent = [name for name in ABSENT if name not in header]
    if absent:
        remarks.append(f"without {' and '.join(absent)} column, so none is counted, and prices are taken as traded;")
    if "adj_close" in header:
        remarks.append("adj_close is ignored;")
    extra = [name for name in header if name not in (*REQUIRED, *ABSENT, "adj_close")]
    if extra:
        remarks.append(f"ignored: {', '.join(extra)};")
    return " ".join(remarks).rstrip(";:") if len(remarks) > 1 else f"{path.name}: as traded"


def _unreadable(path: Path, error: OSError) -> BadBars:
    why = error.strerror or error
    return BadBars(f"{path} cannot be read as a file ({why}); give the path of a CSV file.")
