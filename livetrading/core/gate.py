"""Can a decision be made on this bar? Each function returns the reason why not, or None."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from .market import Market


def missing_bar(frame: pd.DataFrame, session: date, symbol: str) -> str | None:
    """The source must hold the bar of the session that is to be decided."""
    if frame.empty:
        return f"no bars of {symbol} were complete; {session} is expected"
    last = frame.index[-1].date()
    if pd.Timestamp(session) in frame.index:
        return None
    if last < session:
        return f"the bars of {symbol} end at {last}, {session} is expected: the source is out of date"
    return f"the bar of {symbol} for {session} is missing"


def gap(frame: pd.DataFrame, sessions: Sequence[date], symbol: str) -> str | None:
    """Every session up to the decision must have its bar."""
    known = set(frame.index.date)
    lost = [s for s in sessions if s not in known]
    if not lost:
        return None
    more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
    return f"the bar of {symbol} for {lost[0]}{more} is missing"


def unfit(market: Market, t: int) -> str | None:
    """Each feature of the decision's row must be a number."""
    bad = [name for name, value in zip(market.features, market.scaled[t], strict=True) if not np.isfinite(value)]
    if not bad:
        return None
    return f"{', '.join(bad)} cannot be computed at {market.sessions[t]}"
