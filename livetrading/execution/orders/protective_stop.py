"""A position has one protective stop of its size, and open sell orders never exceed the shares held."""

from datetime import datetime, timedelta

from ...adapters.brokers.base import can_sell
from ...adapters.stamps import stamp
from ...core.events import OrderPlanned
from ...core.orders import WORKING, Order, OrderState
from ...core.types import Leg
from ...core.wording import counted
from ..state.agent_status import where_to_look
from .order_executor import OrderExecutor
from .order_plans import planned_stop
from .position_tracker import unexplained

REFUSED_STOP_PAUSE = timedelta(seconds=15)
"""How long a refused stop is not sent again."""


def protect(executor: OrderExecutor, now: datetime) -> list[str]:
    """Make sure that there is exactly one stop of the position's size. Returns messages about what was wrong."""
    if late := executor.withdraw_ended(now):
        return [
            f"the broker still has order {key} open, which it had reported as ended: it is cancelled" for key in late
        ]
    oversold = _withdraw_oversold(executor, now)
    if oversold is not None:
        return [oversold] if oversold else []
    state = executor.repository.state
    if state.flat:
        return _withdraw_orphans(executor, now)
    held, theirs, stops = state.book.shares, executor.broker.position(), state.open_orders(Leg.STOP)
    exits = state.open_orders(Leg.EXIT)
    if any(o.at_broker for o in exits):
        # The exit sells the position, or its state is being looked up: no stop is placed.
        return _too_large(executor, exits, held, theirs, now)
    if exits and any(o.state == OrderState.PENDING_CANCEL for o in stops):
        return [
            f"the exit waits: the broker has not confirmed the cancel of {o.key} yet; {where_to_look(state.agent)}"
            for o in stops
            if o.state == OrderState.PENDING_CANCEL
        ]
    if theirs != held:
        if unexplained(executor.repository, executor.broker) is None:
            return []  # a fill of another agent may explain it
        bare = not any(o.at_broker and executor.broker.find(o.key) is not None for o in stops)
        return (
            [f"no stop is placed while the book holds {counted(held, 'share')} and the broker {theirs}"] if bare else []
        )
    return _place_or_resize(executor, held, now)


def _place_or_resize(executor: OrderExecutor, held: int, now: datetime) -> list[str]:
    """Replace, resize or place the stop of a position of ``held`` shares without an exit at the broker."""
    for stop in executor.repository.state.open_orders(Leg.STOP):
        if stop.state in WORKING and not executor.known(stop):
            executor.give_up(stop, "the broker does not know it", now)
    if idle := [o.key for o in executor.repository.state.open_orders(Leg.STOP) if _idle(executor, o)]:
        _cancel(executor, idle, "the broker keeps it without working it", now)
        return ["the broker keeps the protective stop inactive, so it protects nothing: it is replaced"]
    stops = executor.repository.state.open_orders(Leg.STOP)
    if any(o.at_broker for o in stops):
        return _resize(executor, stops, held, now)
    if executor.stop_refused is not None and now - executor.stop_refused < REFUSED_STOP_PAUSE:
        return []
    stop = stops[0] if stops else _planned(executor, held, now)
    if executor.send(stop, now):
        return [f"the protective stop was missing and was placed again at {stop.stop_price:.2f}"]
    return [
        (
            f"the protective stop is missing, and the broker has not taken another at {stop.stop_price:.2f} yet; it is tried"
            f" again, and the position is unprotected meanwhile"
        )
    ]


def _withdraw_orphans(executor: OrderExecutor, now: datetime) -> list[str]:
    """Without a position and an open entry, an open sell order could only sell shares of somebody else."""
    state = executor.repository.state
    if state.open_orders(Leg.ENTRY):
        return []
    orphans = [
        o
        for o in state.orders
        if o.side == "SELL"
        and o.at_broker
        and o.state != OrderState.PENDING_CANCEL
        and max(o.filled, state.booked_of(o.key)) < o.qty
    ]  # a filled one only waits for the broker's report
    _cancel(executor, [o.key for o in orphans], "nothing is held any more", now)
    return [f"nothing is held any more: the {o.leg} order {o.key} is cancelled" for o in orphans]


def _too_large(executor: OrderExecutor, exits: list[Order], held: int, theirs: int, now: datetime) -> list[str]:
    """Cancel an exit of more than the book holds (a person sold a part): it would sell shares of somebody else."""
    large = [
        o for o in exits if o.at_broker and o.state != OrderState.PENDING_CANCEL and o.qty - o.filled > held == theirs
    ]
    _cancel(executor, [o.key for o in large], f"the book holds {held}", now)
    return [
        f"the exit {o.key} would sell {counted(o.qty - o.filled, 'share')}, but the agent holds only {held}: the exit is"
        f" cancelled; close the position again"
        for o in large
    ]


def _idle(executor: OrderExecutor, stop: Order) -> bool:
    answer = executor.broker.find(stop.key) if stop.state in WORKING else None
    return answer is not None and not answer.working


def _planned(executor: OrderExecutor, held: int, now: datetime) -> Order:
    state = executor.repository.state
    bar = state.booked or state.deployed_at[:10]
    stop = planned_stop(state, bar, held, float(state.book.account.stop), None, stamp(now))
    executor.repository.commit([OrderPlanned(stop.to_dict())], now)
    return stop


def _resize(executor: OrderExecutor, stops: list[Order], held: int, now: datetime) -> list[str]:
    """Cancel a stop of the wrong size; the next pass places the right one."""
    covered = sum(o.qty for o in stops if o.at_broker)
    if covered == held or any(_entry_of(executor, o) for o in stops):
        return []
    _cancel(executor, [o.key for o in stops if o.at_broker], f"it covers {covered} of {counted(held, 'share')}", now)
    return [f"the protective stop covers {covered} of {counted(held, 'share')} and is replaced"]


def _entry_of(executor: OrderExecutor, stop: Order) -> Order | None:
    """The stop's entry while it is open: the broker increases the stop as the entry fills."""
    parent = executor.repository.state.order(stop.parent) if stop.parent else None
    return parent if parent is not None and parent.open else None


def _withdraw_oversold(executor: OrderExecutor, now: datetime) -> str | None:
    """Cancel sell orders of shares that a person has sold already: they would make the account short.

    All numbers are the broker's own, because the book may lack a fill. The position is read
    before the orders: a fill between the two questions then makes it too large, never too
    small. Returns a message; None if nothing is wrong; "" while a late report may explain it.
    """
    sales = [o for o in executor.repository.state.open_orders() if o.side == "SELL" and o.at_broker]
    if not sales:
        return None
    theirs = executor.for_sale()
    working = {o.key: left for o in sales if (left := _working(executor, o))}
    on_sale = sum(working.values())
    if on_sale <= theirs:
        executor.short_since = None
        return None
    executor.short_since = executor.short_since or now
    if now - executor.short_since < executor.patience and not _nothing_pending(executor):
        return ""
    _cancel(executor, list(working), f"the broker holds {counted(theirs, 'share')}", now)
    return f"orders to sell {counted(on_sale, 'share')} were open, but the broker holds {theirs}: {', '.join(working)} cancelled"


def _nothing_pending(executor: OrderExecutor) -> bool:
    """Whether no late report can explain the oversale: no entry is open, and the broker holds what the book does.
    This happens when an exit that counted as refused has filled."""
    state = executor.repository.state
    return not state.open_orders(Leg.ENTRY) and executor.broker.position() == state.book.shares


def _working(executor: OrderExecutor, order: Order) -> int:
    """Shares that an order can still sell; a stop sells at most what its entry has bought."""
    answer, entry = executor.broker.find(order.key), _entry_of(executor, order)
    if answer is None or answer.state not in WORKING:
        return 0
    if entry is None:
        return can_sell(answer, None)
    bought = executor.broker.find(entry.key)
    return can_sell(answer, bought.filled if bought else 0)


def _cancel(executor: OrderExecutor, keys: list[str], reason: str, now: datetime) -> None:
    """Cancel each order that is still open: a report after one cancel may show that another has ended."""
    for key in keys:
        order = executor.repository.state.order(key)
        if order is not None and order.open and order.state != OrderState.PENDING_CANCEL:
            executor.cancel(key, reason, now)
