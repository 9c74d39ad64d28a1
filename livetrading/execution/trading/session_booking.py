"""Books a session's split and dividend on the shares that were held overnight."""

import pandas as pd

from ...core import market, rules
from ...core.agent import AgentState
from ...core.events import DividendPaid, Event, SplitApplied


def quote_of(frame: pd.DataFrame) -> rules.Quote:
    """The last session of a frame, with the close before it."""
    columns = market.quotes(frame.iloc[-2:])
    return rules.Quote(*(column[-1] for column in columns))


def overnight(state: AgentState, session: str, quote: rules.Quote) -> list[Event]:
    """Split and dividend on the shares held overnight. A split that was booked before the open is not booked
    again. Shares bought today are not split: they count new shares already."""
    found: list[Event] = []
    shares = state.overnight
    bought = state.book.shares and not shares
    if quote.split != 1.0 and state.split_on != session and not bought:
        found.append(SplitApplied(session, float(quote.split), float(quote.previous_close)))
        shares = int(rules.whole(shares, quote.split))
    if shares and quote.dividend:
        found.append(DividendPaid(session, float(quote.dividend), shares))
    return found


def unlike_pre_open(state: AgentState, session: str, quote: rules.Quote) -> str | None:
    """Why the bar's split contradicts what was booked before the bar was known; None if it does not."""
    if state.split_on == session and quote.split == 1.0:
        return f"a split of {session} was booked in the morning and its bar has none"
    early = any(fill.session == session for fill in state.fills)
    if quote.split != 1.0 and state.split_on != session and early and state.overnight:
        return f"the bar contains a split of {session} that was not known when the day's fills were booked"
    return None
