"""The morning's look at the bar that an entry was decided on, before it is sent."""

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
"""A decision bar whose prices moved by more than this is not the bar that was decided on."""


@dataclass(frozen=True)
class Look:
    """Why an entry may not leave. ``final``: it never will, else it is looked at again."""

    reason: str
    final: bool


def at_bar(source: BarSource, series: Series, symbol: str, bar: date, now: datetime, vendor: str) -> Look | None:
    """None when the source still tells the bar as it was decided on, which ``vendor`` priced.

    A split since then needs no word here: bars are as traded, and the broker
    rescales what waits for the open.
    """
    try:
        bars = fetch(source, symbol, now)
    except LivetradingError as error:
        return Look(f"its bar could not be looked at again: {error}", final=False)
    fresh = bars.frame
    problem = sanity.malformed(fresh)
    if problem:
        return Look(problem, final=False)
    stamp = pd.Timestamp(bar)
    if stamp not in fresh.index:
        return Look(f"the source does not show the bar of {bar} any more", final=False)
    ours, theirs = series.up_to(bar).iloc[-1], fresh.loc[stamp]
    for name in PRICES:
        if not abs(theirs[name] - ours[name]) <= TOLERANCE * abs(ours[name]):  # also when it is no number now
            text = f"the {name} of {bar} was {ours[name]:g} at the decision and is {theirs[name]:g} now"
            # Another vendor's bar is none that was decided on: its own may still come.
            return Look(text, final=bars.vendor == vendor)
    return None
