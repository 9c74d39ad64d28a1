"""The one frame of bars, its gate and its fingerprint.

Canonical frame: tz-naive midnight DatetimeIndex named "date" (nanoseconds),
columns ``COLUMNS``, float64, **as traded**: prices in USD a share, volume in
shares, dividend in USD a share on its ex-date (0 otherwise), split the ratio
of new to old shares on the session from whose open it holds (1 otherwise).
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from .errors import BadBars

COLUMNS = ["open", "high", "low", "close", "volume", "dividend", "split"]
PRICES = COLUMNS[:4]
_COLUMNS = pd.Index(COLUMNS)
CURE = "correct it or use another source"

VENDOR_QUANTUM = 1e-6
"""Vendors store split-adjusted values with six decimals; turned back to as
traded, the error grows with the splits that followed."""

_ORDERED = (("low", "high"), ("low", "open"), ("low", "close"), ("open", "high"), ("close", "high"))


def canonical(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """The canonical frame of `frame`, whose dates are a column or the index.

    Values are only coerced here; ``check_series`` judges them. BadBars names
    `where`, row and value of whatever is no date or no number.
    """
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise BadBars(f"{where} has no column {', '.join(missing)}; add it or use another source.")
    index = _dates(frame["date"] if "date" in frame.columns else frame.index, where)
    return pd.DataFrame({c: _numbers(frame[c], index, where) for c in COLUMNS}, index=index)


def _dates(values: pd.Series | pd.Index, where: str) -> pd.DatetimeIndex:
    if pd.api.types.is_numeric_dtype(values.dtype):  # pandas would read them as nanoseconds
        raise BadBars(f"{where} has no dates; add a column named date with YYYY-MM-DD.")
    parsed = pd.DatetimeIndex(pd.to_datetime(values, errors="coerce"))
    unread = parsed.isna() | (parsed.year < 1700) | (parsed.year > 2200)  # nanoseconds end in 2262
    if unread.any():
        row = int(np.argmax(unread))
        raise BadBars(f"{where}, row {row + 1}: {np.asarray(values, object)[row]!r} is not a date; write YYYY-MM-DD.")
    days = parsed.tz_localize(None).normalize().as_unit("ns")
    return pd.DatetimeIndex(days.to_numpy(), name="date")  # without the frequency that five days in a row suggest


def _numbers(values: pd.Series, index: pd.DatetimeIndex, where: str) -> np.ndarray:
    numbers: np.ndarray = pd.to_numeric(values, errors="coerce").to_numpy(np.float64)
    unread = np.isnan(numbers) & ~values.isna().to_numpy()
    if unread.any():
        row = int(np.argmax(unread))
        raise BadBars(
            f"{_place(row, index, where, None)}: {values.name} is {values.iloc[row]!r}, not a number; {CURE}."
        )
    return numbers


def _place(row: int, index: pd.DatetimeIndex, where: str, lines: Sequence[int] | None) -> str:
    number = f"row {row + 1}" if lines is None else f"line {lines[row]}"
    return f"{where}, {number} ({index[row]:%Y-%m-%d})"


def check_series(frame: pd.DataFrame, sessions: Sequence[date], where: str, lines: Sequence[int] | None = None) -> None:
    """The first gate: BadBars naming place and value unless the canonical
    `frame` is exactly one sound bar for each of `sessions`.

    `lines` are the file's line numbers of the rows; without them rows count
    from 1.
    """
    if frame.empty:
        raise BadBars(f"{where} holds no bars; {CURE}.")
    _check_order(frame.index, where, lines)
    _check_values(frame, where, lines)
    _check_dividends(frame, where, lines)
    _check_sessions(frame.index, sessions, where, lines)


def _check_order(index: pd.DatetimeIndex, where: str, lines: Sequence[int] | None) -> None:
    steps = np.diff(index.asi8)
    if (steps > 0).all():
        return
    row = int(np.argmax(steps <= 0)) + 1
    fault = "is there twice" if steps[row - 1] == 0 else f"follows {index[row - 1]:%Y-%m-%d}"
    raise BadBars(f"{_place(row, index, where, lines)}: the date {fault}; sort the dates and keep each once.")


def _check_values(frame: pd.DataFrame, where: str, lines: Sequence[int] | None) -> None:
    column = {name: frame[name].to_numpy() for name in COLUMNS}

    def refuse(bad: np.ndarray, fault: str) -> None:
        if bad.any():
            row = int(np.argmax(bad))
            values = {name: f"{name} {value[row]:.10g}" for name, value in column.items()}
            raise BadBars(f"{_place(row, frame.index, where, lines)}: {fault.format(**values)}; {CURE}.")

    for name, value in column.items():
        refuse(~np.isfinite(value), f"{{{name}}} is not a finite number")
    for name in (*PRICES, "split"):
        refuse(column[name] <= 0, f"{{{name}}} is not above 0")
    for name in ("volume", "dividend"):
        refuse(column[name] < 0, f"{{{name}}} is below 0")
    for small, large in _ORDERED:
        refuse(column[small] > column[large], f"{{{small}}} is above {{{large}}}")


def _check_dividends(frame: pd.DataFrame, where: str, lines: Sequence[int] | None) -> None:
    paid = (frame["dividend"] * frame["split"]).to_numpy()[1:]
    before = frame["close"].to_numpy()[:-1]
    if (paid >= before).any():
        row = int(np.argmax(paid >= before)) + 1
        raise BadBars(
            f"{_place(row, frame.index, where, lines)}: dividend"
            f" {frame['dividend'].iloc[row]:.10g} is not below the price of the day"
            f" before; {CURE}."
        )


def _check_sessions(index: pd.DatetimeIndex, sessions: Sequence[date], where: str, lines: Sequence[int] | None) -> None:
    ours = index.to_numpy().astype("datetime64[D]")
    expected = np.array(sessions, dtype="datetime64[D]")
    foreign = ~np.isin(ours, expected)
    if foreign.any():
        place = _place(int(np.argmax(foreign)), index, where, lines)
        raise BadBars(f"{place}: the exchange was closed that day; remove the row.")
    missing = np.setdiff1d(expected, ours)
    if missing.size:
        more = f" and {missing.size - 1} more" if missing.size > 1 else ""
        before = int(np.searchsorted(ours, missing[0])) - 1
        after = f" after {_place(before, index, '', lines)[2:]}" if before >= 0 else ""
        raise BadBars(f"{where} has no bar for the session {missing[0]}{more}{after}; add it or use another source.")


def bars_sha256(frame: pd.DataFrame) -> str:
    """Hex SHA-256 over the dates (days since 1970) and the columns in their
    order, little-endian; the same on every machine and pandas."""
    digest = hashlib.sha256(frame.index.to_numpy().astype("datetime64[D]").astype("<i8").tobytes())
    for name in COLUMNS:
        digest.update((frame[name].to_numpy(np.float64) + 0.0).astype("<f8").tobytes())  # no -0.0
    return digest.hexdigest()


def to_rows(frame: pd.DataFrame) -> list[list[Any]]:
    """[[iso date, open, high, low, close, volume, dividend, split], …] for JSON."""
    days = frame.index.strftime("%Y-%m-%d").tolist()
    return [[day, *row] for day, row in zip(days, _values(frame).tolist(), strict=True)]


def _values(frame: pd.DataFrame) -> np.ndarray:
    """(T, 7) in the order of ``COLUMNS``; columns are only selected if they differ, for selecting is slow."""
    values: np.ndarray = (frame if frame.columns.equals(_COLUMNS) else frame[COLUMNS]).to_numpy()
    return values


class Rows:
    """A growing list of rows as ``to_rows`` makes them, kept as plain numbers: 64 bytes each."""

    def __init__(self) -> None:
        self._count = 0
        self._table = np.empty((16, 1 + len(COLUMNS)))  # the date's ordinal, then the values

    def extend(self, rows: Sequence[Sequence[Any]]) -> None:
        for day, *values in rows:
            if len(values) != len(COLUMNS):
                raise BadBars(f"Rows of bars need date and {', '.join(COLUMNS)}; fetch the bars again.")
            if self._count == len(self._table):
                self._table = np.concatenate([self._table, np.empty((self._count // 4, 1 + len(COLUMNS)))])
            self._table[self._count] = (date.fromisoformat(day).toordinal(), *values)
            self._count += 1

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[list[Any]]:
        for day, *values in self._table[: self._count].tolist():
            yield [date.fromordinal(int(day)).isoformat(), *values]

    def frame(self, after: pd.Timestamp) -> pd.DataFrame:
        """The canonical frame of the rows later than ``after``."""
        table = self._table[: self._count]
        days = table[:, 0].astype(np.int64) - date(1970, 1, 1).toordinal()
        index = pd.DatetimeIndex(days.astype("datetime64[D]").astype("datetime64[ns]"), name="date")
        later = np.asarray(index > after)
        return pd.DataFrame(table[later, 1:], index=index[later], columns=_COLUMNS)


def from_rows(rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """The canonical frame that ``to_rows`` was given, to the bit."""
    if any(len(row) != 1 + len(COLUMNS) for row in rows):
        raise BadBars(f"Rows of bars need date and {', '.join(COLUMNS)}; fetch the bars again.")
    try:
        # to_rows writes one date format only, so numpy can parse it: ten times as fast.
        days = np.array([row[0] for row in rows], dtype="datetime64[D]").astype("datetime64[ns]")
        values = np.array([row[1:] for row in rows], dtype=np.float64).reshape(len(rows), len(COLUMNS))
    except (ValueError, TypeError):
        frame = pd.DataFrame(list(rows), columns=["date", *COLUMNS])
        return canonical(frame.astype({"date": str}), "rows of bars")
    index = pd.DatetimeIndex(days, name="date")
    return pd.DataFrame(values, index=index, columns=_COLUMNS)


def overlap_problem(ours: pd.DataFrame, theirs: pd.DataFrame, tolerance: float = 1e-4) -> str | None:
    """None if both agree, as traded, on the dates that they share; otherwise
    one clause with date, column and both values.

    Prices and splits agree within `tolerance` of the value, dividends also
    within 1e-4 USD; each plus the vendor's quantum times the later splits.
    """
    if _same_start(ours, theirs):
        return None
    for name, differs in overlap_differences(ours, theirs, tolerance):
        if len(differs):
            day = differs[0]
            mine, yours = ours.at[day, name], theirs.at[day, name]
            return f"{name} of {day:%Y-%m-%d} is {mine:.10g} here and {yours:.10g} there"
    return None


def overlap_differences(
    ours: pd.DataFrame, theirs: pd.DataFrame, tolerance: float
) -> Iterator[tuple[str, pd.DatetimeIndex]]:
    """(column, the common dates on which it differs) of prices, dividend and split, by the rule of ``overlap_problem``."""
    common = ours.index.intersection(theirs.index)
    later = theirs["split"].to_numpy()[::-1].cumprod()[::-1] / theirs["split"].to_numpy()
    quantum = VENDOR_QUANTUM * pd.Series(later, index=theirs.index).loc[common].to_numpy()
    for name in (*PRICES, "dividend", "split"):
        mine, yours = ours.loc[common, name].to_numpy(), theirs.loc[common, name].to_numpy()
        slack = tolerance * np.abs(mine) + quantum + (1e-4 if name == "dividend" else 0.0)
        yield name, common[~(np.abs(mine - yours) <= slack)]


def _same_start(ours: pd.DataFrame, theirs: pd.DataFrame) -> bool:
    """Whether one series begins with the other, to the bit. This is the usual case and quick to check."""
    count = min(len(ours), len(theirs))
    yours = theirs.to_numpy()
    return (
        np.array_equal(ours.index.asi8[:count], theirs.index.asi8[:count])
        and ours.columns.equals(theirs.columns)
        and np.array_equal(ours.to_numpy()[:count], yours[:count])
        and bool(np.isfinite(yours).all() and (theirs["split"].to_numpy() > 0).all())
    )


def joined(frame: pd.DataFrame, later: pd.DataFrame) -> pd.DataFrame:
    """Two canonical frames, one after the other; several times as fast as ``pd.concat``."""
    index = np.concatenate([frame.index.to_numpy(), later.index.to_numpy()])
    values = np.concatenate([_values(frame), _values(later)])
    return pd.DataFrame(values, index=pd.DatetimeIndex(index, name="date"), columns=_COLUMNS)
