"""Which orders may be sent while an agent's book and its broker's account differ."""

from datetime import datetime

from ...core.orders import Order
from .order_executor import EntryCheck, OrderExecutor
from .position_tracker import difference, unexplained
from .pre_open_check import Objection


def send(executor: OrderExecutor, now: datetime, check: EntryCheck | None = None) -> list[Order]:
    """Send what is due; the orders sent. While a fill of another agent may explain a difference, only exits are sent,
    and only if the account holds enough for all agents' sell orders. Any other difference blocks all orders."""
    repository, broker = executor.repository, executor.broker
    if difference(repository, broker) is None:
        return executor.send_due(now) if check is None else executor.send_due(now, check)
    if unexplained(repository, broker) or executor.for_sale() < repository.state.book.shares:
        return []
    return executor.send_due(now, buys_nothing)


def buys_nothing(order: Order, now: datetime) -> Objection:
    """A check under which every entry waits."""
    return Objection("book and account differ, or the agent's pass failed", final=False)
