"""What a source states of known bars now, and did not state before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from .bars import COLUMNS, from_rows, overlap_differences, to_rows
from .errors import BadBars

VOLUME = "volume"
VOLUME_TOLERANCE = 1e-3
"""Relative. A vendor that stores split-adjusted volumes rounds them to whole shares."""


@dataclass(frozen=True)
class Change:
    """One value of one bar: USD a share, shares or a ratio, by its column."""

    session: date
    column: str
    booked: float
    now: float

    def to_dict(self) -> dict[str, Any]:
        return {"session": self.session.isoformat(), "column": self.column, "booked": self.booked, "now": self.now}


def changes(
    ours: pd.DataFrame, theirs: pd.DataFrame, tolerance: float, same_vendor: pd.DatetimeIndex
) -> tuple[Change, ...]:
    """Every value of ``theirs`` that differs from ``ours`` on a common date, in order of date.

    Prices, dividends and splits are compared as ``overlap_problem`` does, volumes only on the dates of
    ``same_vendor``: another vendor counts them differently.
    """
    found = dict(overlap_differences(ours, theirs, tolerance))
    common = same_vendor.intersection(ours.index).intersection(theirs.index)
    mine, yours = ours.loc[common, VOLUME].to_numpy(), theirs.loc[common, VOLUME].to_numpy()
    found[VOLUME] = common[~(np.abs(mine - yours) <= VOLUME_TOLERANCE * np.abs(mine) + 1.0)]
    each = [
        Change(day.date(), name, float(ours.at[day, name]), float(theirs.at[day, name]))
        for name, days in found.items()
        for day in days
    ]
    return tuple(sorted(each, key=lambda change: (change.session, COLUMNS.index(change.column))))


def rows_of(found: Sequence[Change], ours: pd.DataFrame, theirs: pd.DataFrame) -> list[list[Any]]:
    """The bars that the changes make of ``ours``. Where only the volume changed, only that is taken over; elsewhere
    the whole bar, whose prices must fit each other."""
    days = list(dict.fromkeys(pd.Timestamp(change.session) for change in found))
    whole = {pd.Timestamp(change.session) for change in found if change.column != VOLUME}
    table = theirs.loc[days, COLUMNS].copy()
    for day in days:
        if day not in whole:
            volume = table.at[day, VOLUME]
            table.loc[day] = ours.loc[day, COLUMNS]
            table.at[day, VOLUME] = volume
    return to_rows(table)


def replaced(frame: pd.DataFrame, rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """``frame`` with the bars of ``rows`` in place of those of the same sessions. BadBars if it has no such session."""
    later = from_rows(rows)
    at = frame.index.get_indexer(later.index)
    if (at < 0).any():
        day = later.index[int(np.argmax(at < 0))]
        raise BadBars(f"The bar of {day:%Y-%m-%d} is to be corrected and is not in the series: it is no correction.")
    values = frame[COLUMNS].to_numpy().copy()
    values[at] = later.to_numpy()
    return pd.DataFrame(values, index=frame.index, columns=frame.columns)
