"""What is sent, on the same day, after an order that should have executed at the open and did not.

An exit is sent again as a day order until 15:45. An entry is sent again until 10:00 if that was
chosen at the deployment; otherwise it is skipped.
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
"""Orders of one leg for one decision. After so many refusals a person has to act."""
AGAIN_AFTER = timedelta(minutes=5)
"""The pause between attempts of an exit that a person asked for, while the broker refuses it."""
STOP_FIRST = timedelta(seconds=15)
"""After a refused exit the position gets its stop back. It keeps the stop so long before the next attempt."""


def replan(executor: OrderExecutor, now: datetime) -> list[str]:
    """Plan the order after one that the broker ended unfilled. Returns messages for the user."""
    state = executor.repository.state
    dead = _dead(executor)
    if dead is None or state.open_orders(Leg.ENTRY) or state.open_orders(Leg.EXIT):
        return []
    session = _session(executor, dead)
    close = executor.calendar.close_at(session)
    number = OrderKey.of(dead.key).n
    ended = f"the {dead.leg} {dead.key} ended {dead.state}" + (f" ({dead.reason})" if dead.reason else "")
    if dead.leg == Leg.EXIT:
        # An exit that a person asked for outside the session, and that was refused, is tried again outside it.
        at_once = dead.tif == "DAY" and dead.state == OrderState.REJECTED and not windows.day_orders_refused(now)
        if state.flat or not (at_once or windows.for_day(session, close, now)):
            over = now > windows.day_until(close) and session.isoformat() > (state.booked or "")
            return [f"{ended} and its session is over; close the position again"] if over and not state.flat else []
    elif not (state.flat and _may_enter(executor) and windows.for_late_entry(session, now)):
        return []
    if number >= ATTEMPTS:
        return [f"{ended}; after {number} orders it is not sent again"]
    if dead.leg == Leg.EXIT and refused_just_now(executor.repository, now):
        return [f"{ended}; the protective stop comes back first, then the exit is sent again"]
    reason = f"after {dead.key}, which ended {dead.state}"
    if dead.leg == Leg.EXIT:
        events = planned_exit(state, dead.bar, now, "DAY", reason)
    else:
        events = planned_entry(state, dead.bar, dead.qty, dead.stop_price, now, "DAY")
    executor.repository.commit(events, now)
    return [f"{ended} and is sent again as a day order"]


def _session(executor: OrderExecutor, dead: Order) -> date:
    """The session in which an order should trade: the one after its decision. For an order that a person asked
    for, the session of that moment, or the next one."""
    after = executor.calendar.next_session(date.fromisoformat(dead.bar))
    asked = parse_stamp(dead.created)
    day = asked.astimezone(NEW_YORK).date()
    runs = executor.calendar.is_session(day) and asked < executor.calendar.close_at(day)
    return max(after, day if runs else executor.calendar.next_session(day)) if dead.tif == "DAY" else after


def refused_just_now(repository: AgentRepository, now: datetime) -> bool:
    """Whether the broker ended an exit less than STOP_FIRST ago: until then the position keeps its stop."""
    at = repository.exposure.exit_refused
    return at is not None and now - at < STOP_FIRST


def refused(repository: AgentRepository, now: datetime) -> str:
    """Why no exit is sent now: the broker has just ended one, or ATTEMPTS in a row. Empty when one may be sent.
    Without this pause each pass would cancel the stop and place it again."""
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
    """The last entry or exit, if the broker ended it and we did not cancel it."""
    recent = [o for o in executor.repository.state.recent if o.leg != Leg.STOP]
    last = recent[-1] if recent else None
    if last is None or last.withdrawn or not _by_broker(last) or last.state not in DEAD:
        return None
    return last if last.leg == Leg.EXIT or last.filled == 0 else None


def _by_broker(order: Order) -> bool:
    """Whether the broker ended it, after accepting it or by refusing it."""
    return order.broker_id is not None or order.state == OrderState.REJECTED


def _may_enter(executor: OrderExecutor) -> bool:
    state = executor.repository.state
    chosen = state.agent.late_entry == "day" and state.status == AgentStatus.RUNNING
    return chosen and executor.latch.status() is None
