"""A paper agent whose source has no further bars: no exit can fill any more, so removing the agent ends its position.

Its shares are simulated. They are not sold at an invented price: they stay in the book at
the last known close, and the journal says so.
"""

from datetime import date, datetime

from ...adapters.calendar import calendar
from ...core.agent import AgentState
from ...core.events import OrderMoved
from ...core.orders import OrderState
from ...core.types import Mode
from ..state import bar_check

REMOVED = "the agent was removed: no further bar can fill it"


def ended(state: AgentState) -> str | None:
    """The last bar of an agent whose source has no more; None if more may come."""
    reached = {"booked": state.booked, "settled": state.settled, "corrected": state.corrected}
    doc = {"mode": state.agent.mode_name, **reached}
    return bar_check.ended(doc)


def exit_waits(state: AgentState, until: str) -> str:
    """A message about an exit that no bar can fill."""
    symbol, source = state.agent.symbol, state.agent.source
    return (
        f"but {source} has had no bar of {symbol} after {until}, and the exit fills only at the next bar."
        f" If no more bars will come, remove the agent"
    )


def written_off(state: AgentState, until: str) -> str:
    """A message about the position of an agent that is removed."""
    book = state.book
    return (
        f"its {book.shares} {state.agent.symbol} (simulated) were not sold, because {state.agent.source} has had no bar"
        f" after {until}; they are valued at that day's close, {book.price:,.2f} USD a share"
    )


def ended_orders(state: AgentState) -> list[OrderMoved]:
    """End the orders at the simulated broker: they would wait for a bar for ever."""
    return [OrderMoved(o.key, OrderState.CANCELED, REMOVED) for o in state.orders]


def check_first(state: AgentState, now: datetime) -> str:
    """A hint for a paper agent that was not checked for a while: whether its source still has bars is unknown."""
    if state.agent.mode != Mode.PAPER or not state.booked or state.settled != state.booked:
        return ""
    done = calendar().last_complete(now)
    if done.isoformat() <= state.booked:
        return ""
    behind = len(calendar().sessions(calendar().next_session(date.fromisoformat(state.booked)), done))
    if behind < bar_check.NO_BARS_AFTER:
        return ""
    return (
        f" If {state.agent.source} has no bars after {state.booked}, let the scheduler or `python -m livetrading check`"
        f" look for them once; then it can be removed with its shares."
    )
