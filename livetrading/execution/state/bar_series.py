"""The bars that an agent decides on: its model's, and later ones; only an accepted correction changes them."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from ...adapters.bars.agreement import SAME
from ...core import sanity
from ...core.bar_changes import replaced
from ...core.bars import Rows, from_rows, joined, overlap_problem, to_rows
from ...core.errors import BadBars


class Series:
    """A growing table of bars from the model's first bar on.

    The model's own bars come first; later bars are appended once and kept as
    they were first seen, unless a person accepts a correction of them. A source that
    disagrees with them is refused.
    """

    def __init__(
        self,
        model_bars: pd.DataFrame,
        rows: Rows | Sequence[Sequence[Any]],
        corrections: Sequence[Sequence[Sequence[Any]]] = (),
    ) -> None:
        """``corrections``: the rows of each accepted correction, oldest first."""
        self._model = self._frame = model_bars
        if not isinstance(rows, Rows):
            self.append(rows)
        elif len(later := rows.frame(model_bars.index[-1])):
            self._frame = joined(model_bars, later)
        for corrected in corrections:
            self.correct(corrected)

    @property
    def end(self) -> date:
        """The last session whose bar is known."""
        return self._frame.index[-1].date()

    def up_to(self, session: date) -> pd.DataFrame:
        """Every bar up to and including ``session``."""
        return self._frame.loc[: pd.Timestamp(session)]

    def check(self, fresh: pd.DataFrame, tolerance: float = SAME) -> None:
        """Raise BadBars, with date and both values, if a source disagrees with the known bars.

        ``tolerance`` is relative to the price; another vendor needs more of it.
        """
        problem = sanity.malformed(fresh)
        if problem:
            raise BadBars(f"{problem}; use another source.")
        same = len(fresh) <= len(self._frame) and np.array_equal(fresh.to_numpy(), self._frame.to_numpy()[: len(fresh)])
        problem = (
            None if same and fresh.index[0] == self._frame.index[0] else overlap_problem(self._frame, fresh, tolerance)
        )
        if problem:
            own = overlap_problem(self._frame.iloc[: len(self._model)], fresh, tolerance)
            whose = "the model was trained on" if own else "this agent has booked"
            raise BadBars(f"the source disagrees with the bars that {whose}: {own or problem}")

    def rows_for(self, fresh: pd.DataFrame, session: date, after: str | None) -> list[list[Any]]:
        """The rows to append so that the series reaches ``session``.

        They start after ``after`` (the last appended bar), or for the first booking after the
        model's end; the bar of ``session`` is always included.
        """
        known, end = self._frame.index[-1], pd.Timestamp(session)
        start = pd.Timestamp(after) if after else min(self._model.index[-1], end - pd.Timedelta(days=1))
        ours = self._frame[(self._frame.index > start) & (self._frame.index <= end)]
        return to_rows(ours) + to_rows(fresh[(fresh.index > max(start, known)) & (fresh.index <= end)])

    def append(self, rows: Sequence[Sequence[Any]]) -> None:
        """Append rows that are in the journal."""
        end = self.end.isoformat()
        later = [row for row in rows if row[0] > end]
        if later:
            self._frame = joined(self._frame, from_rows(later))

    def correct(self, rows: Sequence[Sequence[Any]]) -> None:
        """Take over the rows of an accepted correction. Raises BadBars for a session that is not in the series."""
        self._frame = replaced(self._frame, rows)
