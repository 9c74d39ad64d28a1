"""What every source of bars promises."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Protocol

import pandas as pd

from livetrading.core.bars import bars_sha256
from livetrading.core.card import SYMBOL
from livetrading.core.errors import BadBars, BadInput
from livetrading.core.windows import NEW_YORK, OPG_FROM

from ..calendar import calendar

SPLIT_CHECKS = (OPG_FROM, time(9))
"""New York times at which a split of that day is checked again: before the first orders
for the open are sent, and before the last."""

Splits = tuple[tuple[date, float], ...]


@dataclass(frozen=True, eq=False)
class BarSet:
    """Daily bars that were complete at the time asked for.

    ``frame`` is canonical and gated; ``source`` can be given to
    ``open_source`` again; it names the vendor that priced the bars, which can
    differ from the one that was asked; ``note`` is a remark for the user;
    ``ahead`` are known splits of sessions without a complete bar, as
    (session, ratio); ``question`` is a doubt that only the user can settle, empty
    if there is none, and part of the note.
    """

    symbol: str
    frame: pd.DataFrame
    source: str
    note: str
    ahead: Splits = ()
    question: str = ""

    @cached_property
    def sha256(self) -> str:
        """The series' fingerprint."""
        return bars_sha256(self.frame)

    @property
    def vendor(self) -> str:
        """Who priced the bars: a broker's name, yahoo, sample or csv."""
        return vendor_of(self.source)


def vendor_of(source: str) -> str:
    """The kind of a source: its name without the path."""
    return source.partition(":")[0]


class BarSource(Protocol):
    name: str

    def daily(self, symbol: str, *, now: datetime) -> BarSet:
        """All daily bars of sessions closed by the aware `now`.

        NotFound for an unknown symbol, BadBars from the gate, Unavailable if
        the source does not answer.
        """


def check_symbol(symbol: str) -> str:
    """`symbol` in capitals; BadInput if it cannot be a US ticker."""
    ticker = symbol.strip().upper()
    if not SYMBOL.fullmatch(ticker):
        raise BadInput(f"{symbol!r} is not a ticker symbol; use one such as AAPL or BRK-B.")
    return ticker


def sessions_of(frame: pd.DataFrame, where: str) -> list[date]:
    """The sessions that a series from `frame`'s first to last bar must hold."""
    first, last = frame.index.min().date(), frame.index.max().date()
    for day in (first, last):
        if not calendar().first <= day <= calendar().last:
            raise BadBars(
                f"{where} has a bar of {day}, but the exchange's sessions are known from"
                f" {calendar().first} to {calendar().last}; remove what lies outside."
            )
    return calendar().sessions(first, last)


def as_of(symbol: str, frame: pd.DataFrame, source: str, note: str, now: datetime) -> BarSet:
    """The bar set of a gated frame at `now`: what was not complete then is left out."""
    last = calendar().last_complete(now, timedelta(0))
    count = int(frame.index.searchsorted(pd.Timestamp(last), side="right"))
    if count == 0:
        start = f"they start on {frame.index[0]:%Y-%m-%d}" if len(frame) else "there are none"
        raise BadBars(
            f"{source} has no bars of {symbol} complete at"
            f" {now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}, {start}; choose a later time."
        )
    shown = frame.iloc[:count]
    return BarSet(symbol, shown, source, note, splits_ahead(split_pairs(frame.iloc[count:]), now))


def split_pairs(frame: pd.DataFrame) -> list[tuple[date, float]]:
    """(session, ratio) of each row."""
    return list(zip(frame.index.date, frame["split"].tolist(), strict=True))


def last_split_check(at: datetime) -> datetime | None:
    """The last of the day's ``SPLIT_CHECKS`` not after ``at``: bars fetched before it may lack a split of
    today. None before the first one and on a day without a session."""
    today = at.astimezone(NEW_YORK).date()
    marks = [datetime.combine(today, clock, NEW_YORK) for clock in SPLIT_CHECKS]
    passed = [mark for mark in marks if mark <= at]
    return passed[-1] if passed and calendar().is_session(today) else None


def splits_ahead(pairs: Iterable[tuple[date, float]], now: datetime) -> Splits:
    """The splits among (session, ratio) up to the date of `now` in New York."""
    today = now.astimezone(NEW_YORK).date()
    return tuple((day, ratio) for day, ratio in pairs if ratio != 1.0 and day <= today)
