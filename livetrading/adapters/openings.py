"""Counts how often a test range was used: each use makes its result weaker evidence."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from ..core.card import ModelCard
from .stamps import stamp
from .store import Store

NAME = "openings"
KEYS = frozenset({"symbol", "start", "end", "at"})


def count_opening(store: Store, symbol: str, start: date, end: date, *, now: datetime) -> int:
    """Records one use of a test range, before it happens, and returns how many there were.

    Counts all uses of this symbol whose range overlaps [start, end], this one
    included.
    """
    with store.transaction(NAME) as db:
        table = db.table(NAME)
        table.insert(_record(symbol, start, end, now))
        return sum(_overlaps(record, symbol, start, end) for record in table.all())


def rebuilt(cards: Iterable[ModelCard]) -> list[dict[str, Any]]:
    """The uses that models' cards prove, for a count that was lost.

    A card says how many uses had overlapped its range with its own; those that no earlier card
    explains are counted on its range.
    """
    records: list[dict[str, Any]] = []
    for card in sorted(cards, key=lambda card: card.created):
        known = sum(_overlaps(record, card.symbol, card.test.start, card.test.end) for record in records)
        use = _record(card.symbol, card.test.start, card.test.end, card.created)
        records += [dict(use) for _ in range(max(1, card.opened - known))]
    return records


def _record(symbol: str, start: date, end: date, at: datetime) -> dict[str, Any]:
    return {"symbol": symbol, "start": str(start), "end": str(end), "at": stamp(at)}


def _overlaps(record: dict[str, Any], symbol: str, start: date, end: date) -> bool:
    return record["symbol"] == symbol and record["start"] <= str(end) and str(start) <= record["end"]
