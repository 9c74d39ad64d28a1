"""What a trade will have cost, before its broker states it: the same fees that training and backtest take."""

from datetime import date

import numpy as np

from . import fees, rules
from .types import Costs


def fee(side: str, qty: int, price: float, session: date, costs: Costs) -> float:
    """USD: the commission, and for a sale the regulatory fees of its day."""
    value = np.float64(qty * price)
    if side != "SELL":
        return float(rules.commission(qty, value, costs))
    law = fees.regulatory(session)
    quote = rules.Quote(0.0, 0.0, 0.0, 0.0, 0.0, 1.0, law.sec_rate, law.taf_per_share, law.taf_cap)
    return float(rules.sale_fee(qty, value, quote, costs))
