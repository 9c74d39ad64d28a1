"""What may be sent while an agent's book and its broker's account differ."""

from datetime import datetime

from ...core.orders import Order
from .order_executor import LookAgain, OrderExecutor
from .position_tracker import difference, unexplained
from .pre_open_check import Look


def send(executor: OrderExecutor, now: datetime, look: LookAgain | None = None) -> list[Order]:
    """Send what is due; the orders sent. While another agent's fill is on its way only exits go, and only if the
    account holds enough beside what other agents have on sale; any other difference holds everything."""
    repository, broker = executor.repository, executor.broker
    if difference(repository, broker) is None:
        return executor.send_due(now) if look is None else executor.send_due(now, look)
    if unexplained(repository, broker) or executor.for_sale() < repository.state.book.shares:
        return []
    return executor.send_due(now, buys_nothing)


def buys_nothing(order: Order, now: datetime) -> Look:
    """Entries wait."""
    return Look("book and account differ, or the agent's pass failed", final=False)
