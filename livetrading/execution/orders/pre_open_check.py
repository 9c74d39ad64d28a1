"""The pre-open check: is the bar that an entry was decided on still the same, before the entry is sent?"""

from dataclasses import dataclass
from datetime import date, datetime

import pandas as pd

from ...adapters.bars.background import fetch
from ...adapters.bars.base import BarSource
from ...core import sanity
from ...core.bars import PRICES
from ...core.errors import LivetradingError
from ..state.bar_series import Series

TOLERANCE = 1e-3
"""A fraction. If a price of the decision bar changed by more, the decision is no longer valid."""


@dataclass(frozen=True)
class Objection:
    """Why an entry may not be sent. ``final``: it is cancelled; otherwise it is checked again."""

    reason: str
    final: bool


def at_bar(source: BarSource, series: Series, symbol: str, bar: date, now: datetime, vendor: str) -> Objection | None:
    """None when the source still shows the bar that was decided on, which ``vendor`` priced.

    A later split needs no check here: bars are as traded, and the broker
    rescales orders that wait for the open.
    """
    try:
        bars = fetch(source, symbol, now)
    except LivetradingError as error:
        return Objection(f"its bar could not be checked again: {error}", final=False)
    fresh = bars.frame
    problem = sanity.malformed(fresh)
    if problem:
        return Objection(problem, final=False)
    stamp = pd.Timestamp(bar)
    if stamp not in fresh.index:
        return Objection(f"the source does not show the bar of {bar} any more", final=False)
    ours, theirs = series.up_to(bar).iloc[-1], fresh.loc[stamp]
    for name in PRICES:
        if not abs(theirs[name] - ours[name]) <= TOLERANCE * abs(ours[name]):  # written so that a NaN fails, too
            text = f"the {name} of {bar} was {ours[name]:g} at the decision and is {theirs[name]:g} now"
            # A bar of another vendor proves nothing: the original vendor may answer later.
            return Objection(text, final=bars.vendor == vendor)
    return None
