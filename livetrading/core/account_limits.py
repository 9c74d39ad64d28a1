"""What a shared broker account allows: capital in all, cash for each order, loss and orders a day.

Each function returns the reason of a refusal, or None. A figure that is missing or not a number
refuses too: a comparison with NaN is always false, so it would allow everything.
"""

import math
from dataclasses import dataclass
from datetime import date

from . import rules, wording
from .orders import Order
from .types import Terms

UNKNOWN = "the broker does not report {} as a number now; the account's limits cannot be checked"

DAY_TRADES = 3
DAY_TRADER_EQUITY = 25_000.0
"""A margin account below it could make three day trades in five sessions under FINRA rule 4210 (f)(8)(B)."""
INTRADAY_MARGIN_FROM, PHASED_IN_UNTIL = date(2026, 6, 4), date(2027, 10, 20)
"""The rule that counts day trades was replaced by intraday margin standards on the first day; a broker may apply
the old one until the second."""


@dataclass(frozen=True)
class AccountLimits:
    """Zero means no limit. Loss as a fraction, money in USD."""

    max_capital: float = 0.0
    max_day_loss: float = 0.05
    max_orders_a_day: int = 50
    max_order_notional: float = 0.0


@dataclass(frozen=True)
class AccountSnapshot:
    """What the limits need of an account: ``before`` is its net liquidation after the last session, 0 if not known.

    Net liquidation and cash are None while the broker has not reported them as numbers.
    """

    net_liquidation: float | None
    currency: str
    cash_usd: float | None
    before: float = 0.0
    orders_today: int = 0
    reserved: float = 0.0
    """USD that other open purchases may still take."""


def finite(*values: float | None) -> bool:
    """Whether all of these are numbers."""
    return all(value is not None and math.isfinite(value) for value in values)


def over_allocated(allocated: float, now: AccountSnapshot, limits: AccountLimits) -> str | None:
    """Why agents with ``allocated`` USD of capital in all are too much for the account."""
    if not finite(allocated, limits.max_capital):
        return "the agents' capital or max_capital is not a number; correct the deployment or the setting"
    if limits.max_capital and allocated > limits.max_capital:
        return (
            f"the agents' capital would be {allocated:,.0f} USD and max_capital is {limits.max_capital:,.0f};"
            " deploy less, or raise the limit"
        )
    if limits.max_capital:
        return None
    if now.currency != "USD":
        return f"the account is valued in {now.currency}, so its value cannot limit capital in USD; set max_capital"
    if now.net_liquidation is None or not finite(now.net_liquidation):
        return UNKNOWN.format("its net liquidation")
    if allocated > now.net_liquidation:
        return (
            f"the agents' capital would be {allocated:,.0f} USD and the account is worth"
            f" {now.net_liquidation:,.0f}; deploy less capital"
        )
    return None


def cost_of(order: Order, close: float, terms: Terms) -> float:
    """USD that a purchase may take if the open gaps up by three ATR14, its commission included.

    The ATR follows from the order's stop, which lies ``stop_atr`` ATR below the close.
    """
    atr = max(close - order.stop_price, 0.0) / terms.limits.stop_atr
    notional = order.qty * (close + 3.0 * atr)
    return notional + float(rules.commission(order.qty, order.qty * close, terms.costs))


def entry_refused(order: Order, close: float, terms: Terms, now: AccountSnapshot, limits: AccountLimits) -> str | None:
    """Why this purchase may not be sent."""
    notional, cost = order.qty * close, cost_of(order, close, terms)
    if not finite(order.stop_price, notional, cost, limits.max_order_notional, limits.max_day_loss):
        return "the possible cost of the order is not a number, so it is not sent; check its price and the account's limits"
    if now.net_liquidation is None or not finite(now.net_liquidation):
        return UNKNOWN.format("its net liquidation")
    if now.cash_usd is None or not finite(now.cash_usd, now.reserved):
        return UNKNOWN.format("its cash in USD")
    if not finite(now.before):
        return UNKNOWN.format("what it was worth after the last session")
    if limits.max_order_notional and notional > limits.max_order_notional:
        return f"the order is worth {notional:,.0f} USD and max_order_notional is {limits.max_order_notional:,.0f}"
    if now.orders_today >= limits.max_orders_a_day:
        return f"{wording.counted(now.orders_today, 'order')} sent today, and max_orders_a_day is {limits.max_orders_a_day}"
    if now.before > 0 and (loss := 1.0 - now.net_liquidation / now.before) >= limits.max_day_loss:
        return f"the account has lost {100 * loss:.1f} % since the last session and {100 * limits.max_day_loss:g} % pauses entries"
    if cost > now.cash_usd - now.reserved:
        return (
            f"the order may take {cost:,.0f} USD and the account has {now.cash_usd - now.reserved:,.0f} USD in cash"
            " for it; an agent never borrows currency"
        )
    return None


def pattern_day_trader(day_trades: int, now: AccountSnapshot, today: date) -> str:
    """A warning when one more round trip within a session could restrict the account; empty otherwise.

    Until 2026-06-03 FINRA rule 4210 (f)(8)(B) made a margin account with four day trades in five
    business days a the account of a pattern day trader, which must hold 25,000 USD. SR-FINRA-2025-017, approved in
    91 FR 20731 (2026-04-17), replaced the count by intraday margin standards: in force since
    2026-06-04, and brokers may phase them in until 2027-10-20. From then on nothing is counted.
    """
    if now.net_liquidation is None or not finite(now.net_liquidation):
        return ""
    few = day_trades < DAY_TRADES or now.net_liquidation >= DAY_TRADER_EQUITY
    if few or today > PHASED_IN_UNTIL:
        return ""
    counted = f"{wording.counted(day_trades, 'day trade')} in five sessions with {now.net_liquidation:,.0f} {now.currency} in the account"
    if today < INTRADAY_MARGIN_FROM:
        return f"{counted}: below 25,000 USD a margin account may be restricted to closing trades after a fourth"
    return (
        f"{counted}: FINRA's rule on pattern day traders was replaced on {INTRADAY_MARGIN_FROM} by limits on intraday"
        f" margin, but your broker may still apply the old one until {PHASED_IN_UNTIL} and restrict a margin account"
        f" below 25,000 USD to closing trades after a fourth; ask it which rule your account is under"
    )
