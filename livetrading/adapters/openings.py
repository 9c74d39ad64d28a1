"""Counts how often a test range was used: each use makes its result weaker evidence."""

from datetime import date, datetime

from .stamps import stamp
from .store import Store

NAME = "openings"


def count_opening(store: Store, symbol: str, start: date, end: date, *, now: datetime) -> int:
    """Records one use of a test range, before it happens, and returns how many there were.

    Counts all uses of this symbol whose range overlaps [start, end], this one
    included.
    """
    with store.transaction(NAME) as db:
        table = db.table(NAME)
        table.insert({"symbol": symbol, "start": str(start), "end": str(end), "at": stamp(now)})
        return sum(_overlaps(record, symbol, start, end) for record in table.all())


def _overlaps(record: dict[str, str], symbol: str, start: date, end: date) -> bool:
    return record["symbol"] == symbol and record["start"] <= str(end) and str(start) <= record["end"]
