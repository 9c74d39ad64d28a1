"""Prices and fees as Interactive Brokers states them, or None and 0 for what is none."""

import math

from ...core.estimates import is_price

UNSET = 1.7976931348623157e308
"""The protocol's mark for a number that is not set."""
NOT_YET = -1.0
"""What IB states as commission while it does not know it."""


def fee_of(amount: float, currency: str) -> float | None:
    """USD of a commission report. A rebate is negative, and only the exact marks are unknown; so is another currency."""
    value = float(amount)
    if not math.isfinite(value) or value in (UNSET, NOT_YET) or currency not in ("USD", ""):
        return None
    return value


def price_of(price: float) -> float:
    """USD a share, 0 for what cannot be a price."""
    value = float(price)
    return value if is_price(value) else 0.0
