"""A known series as a source of bars, for a replay on a virtual clock."""

from datetime import datetime

import pandas as pd

from .base import BarSet, as_of


class HistorySource:
    """The bars of one frame (sessions by price columns, canonical); none is shown before its time."""

    name = "replay"

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    def daily(self, symbol: str, *, now: datetime) -> BarSet:
        """The daily bars of sessions closed by the aware ``now``."""
        return as_of(symbol, self._frame, self.name, "history on a virtual clock", now)
