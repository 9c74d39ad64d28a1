"""How long shares were held without a working stop or exit, as a fold over the journal.

A position is covered while the broker works a sale for it: the protective stop, or the
exit that replaces it. Between the end of one and the acknowledgement of the next it is
bare: nothing limits the loss if the price falls.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from .agent import AgentState
from .events import Event, OrderMoved
from .frozen import replace
from .orders import DEAD, WORKING, Order, OrderState
from .types import AgentStatus, Leg, Mode

ALARM_AFTER = timedelta(seconds=20)
"""A position that is bare for so long raises an alarm."""

_AT_WORK = WORKING | {OrderState.PENDING_CANCEL}


@dataclass(frozen=True)
class Exposure:
    """``bare_since``: when the position lost its last sale, None while it is covered or flat.

    ``seconds``: how long this position was bare before ``bare_since``; ``total``: all positions
    together. ``exit_refused``: when the broker last ended an exit that had sold nothing.
    """

    bare_since: datetime | None = None
    seconds: float = 0.0
    total: float = 0.0
    exit_refused: datetime | None = None

    def of_position(self, now: datetime) -> float:
        """Seconds that the present position has been bare, until ``now``."""
        return self.seconds + self.lasting(now).total_seconds()

    def lasting(self, now: datetime) -> timedelta:
        """How long it has been bare without a break; zero while it is covered."""
        return max(now - self.bare_since, timedelta(0)) if self.bare_since else timedelta(0)


def bare(state: AgentState) -> bool:
    """Whether shares are held and no sale of them is working. Shares of a finished replay do not count."""
    if state.flat or state.status in (AgentStatus.FINISHED, AgentStatus.REMOVED):
        return False
    return not any(o.side == "SELL" and o.state in _at_work(state) and not unlisted(o) for o in state.orders)


def unlisted(order: Order) -> bool:
    """Whether the broker accepted an exit, answers our questions, and no longer lists the exit."""
    return order.leg == Leg.EXIT and order.state in WORKING and bool(order.complaint)


def _at_work(state: AgentState) -> frozenset[OrderState]:
    """A simulated broker's stop works until its bar is known, even if a cancel is pending; a real broker's may not."""
    simulated = state.config is None or state.config.mode in (Mode.PAPER, Mode.REPLAY)
    return _AT_WORK if simulated else WORKING


def apply(exposure: Exposure, event: Event, after: AgentState, at: datetime) -> Exposure:
    """The exposure after one event, which left the agent in state ``after``."""
    if isinstance(event, OrderMoved) and _refused_exit(event, after):
        exposure = replace(exposure, exit_refused=at)
    return exposure


def after_transaction(exposure: Exposure, after: AgentState, at: datetime) -> Exposure:
    """The exposure after a whole transaction, for within one nothing happens at the broker."""
    if bare(after):
        return exposure if exposure.bare_since else replace(exposure, bare_since=at)
    gone = exposure.lasting(at).total_seconds()
    seconds = 0.0 if after.flat else exposure.seconds + gone
    return replace(exposure, bare_since=None, seconds=seconds, total=exposure.total + gone)


def refused_exits(state: AgentState) -> list[Order]:
    """The newest exits in a row that the broker ended without a fill, newest last. Empty while an exit is
    open or no shares are held."""
    exits = [o for o in state.recent if o.leg == Leg.EXIT]
    if state.flat or state.open_orders(Leg.EXIT):
        return []
    kept = takewhile(_ended_by_broker, reversed(exits))
    return list(kept)[::-1]


def _ended_by_broker(order: Order) -> bool:
    if order.state not in DEAD or order.withdrawn or order.filled:
        return False
    return order.state == OrderState.REJECTED or (order.tif == "DAY" and order.broker_id is not None)


def _refused_exit(event: OrderMoved, after: AgentState) -> bool:
    """Whether the broker, and not we, ended an exit unfilled. An exit that only missed the auction was not refused."""
    order = after.order(event.key)
    return order is not None and order.leg == Leg.EXIT and _ended_by_broker(order)
