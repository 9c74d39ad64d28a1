"""What an account is worth, from the texts that TWS pushes: a number, or absent with its name."""

from .base import AccountFigures
from .ibkr_asking import Asking
from .ibkr_numbers import Unreadable, number

LEAST, MOST = -1e12, 1e12
"""USD, or another currency: nobody's account lies beyond."""


def figures(session: Asking) -> AccountFigures:
    """Net liquidation and USD cash as TWS last told them. Cash may be negative: a loan."""
    account, absent = session.account, []

    def read(name: str, told: str | None) -> float | None:
        if told is None:
            absent.append(f"TWS has not told {name} of account {account} yet")
            return None
        try:
            return number(told, f"{name} of {account}", LEAST, MOST)
        except Unreadable as error:
            absent.append(str(error))
            return None

    worth = session.worth()
    value = read("NetLiquidation", worth[0] if worth else None)
    cash = read("CashBalance in USD", session.cash())
    return AccountFigures(
        account, value, worth[1] if worth else "", cash, session.heard_at or session.clock(), tuple(absent),
    )
