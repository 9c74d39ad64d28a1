"""An order that was to execute at the open and did not: what goes after it, the same day.

An exit is sent again as a day order until 15:45; an entry until 10:00, if that was
chosen at the deployment, and else is skipped.
"""

from datetime import date, datetime, timedelta

from ...adapters.stamps import parse_stamp
from ...core import windows
from ...core.order_key import OrderKey
from ...core.orders import DEAD, Order, OrderState
from ...core.types import AgentStatus, Leg
from ...core.windows import NEW_YORK
from ..state.agent_repository import AgentRepository
from ..state.agent_status import where_to_look
from .order_executor import OrderExecutor
from .order_plans import planned_entry, planned_exit

ATTEMPTS = 3
"""Orders of one leg for one decision; after so many refusals a person looks at it."""
AGAIN_AFTER = timedelta(minutes=5)
"""An exit that must go, by a person's word, is tried again so seldom when the broker refuses it."""
STOP_FIRST = timedelta(seconds=15)
"""After a refused exit the position gets its stop back, and so long it keeps it before the next try."""


def replan(executor: OrderExecutor, now: datetime) -> list[str]:
    """Plan what goes after an order that the broker ended unfilled; in words, for a person."""
    state = executor.repository.state
    dead = _dead(executor)
    if dead is None or state.open_orders(Leg.ENTRY) or state.open_orders(Leg.EXIT):
        return []
    session = _session(executor, dead)
    close = executor.calendar.close_at(session)
    number = OrderKey.of(dead.key).n
    said = f"the {dead.leg} {dead.key} ended {dead.state}" + (f" ({dead.reason})" if dead.reason else "")
    if dead.leg == Leg.EXIT:
        # What was sent outside the session, by a person's word, and refused is tried again outside it.
        at_once = dead.tif == "DAY" and dead.state == OrderState.REJECTED and not windows.day_orders_refused(now)
        if state.flat or not (at_once or windows.for_day(session, close, now)):
            over = now > windows.day_until(close) and session.isoformat() > (state.booked or "")
            return [f"{said} and its session is over; close the position again"] if over and not state.flat else []
    elif not (state.flat and _may_enter(executor) and windows.for_late_entry(session, now)):
        return []
    if number >= ATTEMPTS:
        return [f"{said}; after {number} orders it is not sent again"]
    if dead.leg == Leg.EXIT and refused_just_now(executor.repository, now):
        return [f"{said}; the protective stop comes back first, then the exit is sent again"]
    reason = f"after {dead.key}, which ended {dead.state}"
    if dead.leg == Leg.EXIT:
        events = planned_exit(state, dead.bar, now, "DAY", reason)
    else:
        events = planned_entry(state, dead.bar, dead.qty, dead.stop_price, now, "DAY")
    executor.repository.commit(events, now)
    return [f"{said} and is sent again as a day order"]


def _session(executor: OrderExecutor, dead: Order) -> date:
    """The session in which an order was to trade: after its decision's, or, for one that a person asked for, the one
    that ran then or came next."""
    after = executor.calendar.next_session(date.fromisoformat(dead.bar))
    asked = parse_stamp(dead.created)
    day = asked.astimezone(NEW_YORK).date()
    runs = executor.calendar.is_session(day) and asked < executor.calendar.close_at(day)
    return max(after, day if runs else executor.calendar.next_session(day)) if dead.tif == "DAY" else after


def refused_just_now(repository: AgentRepository, now: datetime) -> bool:
    """Whether the broker ended an exit so lately that the position is to keep its stop for a moment."""
    at = repository.exposure.exit_refused
    return at is not None and now - at < STOP_FIRST


def refused(repository: AgentRepository, now: datetime) -> str:
    """Why no exit is sent just now: the broker has ended one a moment ago, or as many in a row as are
    tried at once. Empty when one may go. Without it a stop would be taken away and restored with every pass."""
    exits = [o for o in repository.state.recent if o.leg == Leg.EXIT]
    last = exits[-ATTEMPTS:]
    ended = [o for o in last if o.state in DEAD and not o.withdrawn and not o.filled and _by_broker(o)]
    if last and ended[-1:] == last[-1:] and refused_just_now(repository, now):
        return (
            f"the broker did not take the exit ({ended[-1].reason or ended[-1].state}); the protective stop comes back first,"
            f" and the exit is tried again after {STOP_FIRST.seconds} seconds"
        )
    if len(ended) < ATTEMPTS or now - parse_stamp(ended[-1].created) >= AGAIN_AFTER:
        return ""
    return (
        f"the broker ended {ATTEMPTS} exits in a row, the last with {ended[-1].reason or ended[-1].state};"
        f" {where_to_look(repository.state.agent)}. The exit is tried again every {AGAIN_AFTER.seconds // 60} minutes"
    )


def _dead(executor: OrderExecutor) -> Order | None:
    """The last order for an open that the broker ended and we did not."""
    recent = [o for o in executor.repository.state.recent if o.leg != Leg.STOP]
    last = recent[-1] if recent else None
    if last is None or last.withdrawn or not _by_broker(last) or last.state not in DEAD:
        return None
    return last if last.leg == Leg.EXIT or last.filled == 0 else None


def _by_broker(order: Order) -> bool:
    """Whether the broker ended it: it had accepted it, or answered it with an error and lists it nowhere."""
    return order.broker_id is not None or order.state == OrderState.REJECTED


def _may_enter(executor: OrderExecutor) -> bool:
    state = executor.repository.state
    chosen = state.agent.late_entry == "day" and state.status == AgentStatus.RUNNING
    return chosen and executor.latch.status() is None
