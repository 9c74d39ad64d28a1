"""Estimated fees until the broker reports them, and bounds that a reported price or fee must keep."""

import math
from datetime import date

import numpy as np

from . import fees, rules
from .types import Costs

HIGHEST_PRICE = 1e7
"""USD a share: far above any US stock."""
LEAST_DOUBTED, MOST_OF_VALUE = 25.0, 0.05
"""A fee above so many USD and above this fraction of the trade's value is wrong: brokers charge 1 % at most."""


def is_price(value: float) -> bool:
    """Whether ``value`` is a possible price of a share in USD."""
    return math.isfinite(value) and 0 < value < HIGHEST_PRICE


def is_fee(value: float, qty: float, price: float) -> bool:
    """Whether ``value`` is a possible fee of a trade in USD; a rebate is negative."""
    return math.isfinite(value) and abs(value) <= max(LEAST_DOUBTED, MOST_OF_VALUE * qty * price)


def fee(side: str, qty: int, price: float, session: date, costs: Costs) -> float:
    """USD, estimated: the commission, and for a sale the regulatory fees of its day."""
    value = np.float64(qty * price)
    if side != "SELL":
        return float(rules.commission(qty, value, costs))
    law = fees.regulatory(session)
    quote = rules.Quote(0.0, 0.0, 0.0, 0.0, 0.0, 1.0, law.sec_rate, law.taf_per_share, law.taf_cap)
    return float(rules.sale_fee(qty, value, quote, costs))
