"""Checks numbers from TWS: finite and in range, otherwise Unreadable with their name.

The protocol sends text. An empty field, 'n/a', NaN, infinity and the mark of an unset
field (1.797e308) are not numbers. Read as 0 they would mean a flat account, an order
without shares, or a limit that never applies.
"""

import math
from typing import Any

from ....core.estimates import is_price

LARGEST = 1e15
MOST_SHARES = 1_000_000_000
UNSET = 1.7976931348623157e308
"""The protocol's mark for a number that is not set."""
NOT_YET = -1.0
"""IB's commission while it is not known."""


class Unreadable(ValueError):
    """A value of TWS cannot be read; the message has its name and its text."""


def is_number(value: Any) -> bool:
    """Whether a field is a finite number; the mark of an unset field counts as one."""
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError, OverflowError):
        return False


def number(value: Any, name: str, least: float = -LARGEST, most: float = LARGEST) -> float:
    """A finite number from ``least`` to ``most``. Raises Unreadable with ``name``."""
    if not is_number(value) or not least <= float(value) <= most:
        raise Unreadable(f"{name} is {value!r}")
    return float(value)


def shares(value: Any, name: str, least: int = 0) -> int:
    """Whole shares; fractions cannot be traded here. Raises Unreadable with ``name``."""
    found = number(value, name, least, MOST_SHARES)
    if found != int(found):
        raise Unreadable(f"{name} is {value!r}, which is not a whole number of shares")
    return int(found)


def given(value: Any) -> bool:
    """Whether a value is given: not empty and not the mark of an unset field."""
    return value not in ("", None) and value != UNSET


def fee_of(amount: float, currency: str) -> float | None:
    """USD of a commission report (a rebate is negative). None for the marks of unknown, and for other currencies."""
    value = float(amount)
    if not math.isfinite(value) or value in (UNSET, NOT_YET) or currency not in ("USD", ""):
        return None
    return value


def price_of(price: float) -> float:
    """USD a share; 0 for a value that cannot be a price."""
    value = float(price)
    return value if is_price(value) else 0.0
