"""An account's positions and figures as TWS reports them: numbers, or named as unknown."""

from collections.abc import Sequence
from datetime import datetime

from ib_async import AccountValue

from ....core.errors import Unavailable
from ..base import AccountFigures
from .numbers import Unreadable, number

LEAST, MOST = -1e12, 1e12
"""USD, or another currency: larger figures are read as errors."""
WORTH, CASH = "NetLiquidation", ("CashBalance", "TotalCashValue")
"""Tags of account values: net liquidation, and cash (the first one that is reported)."""


class Held(dict[int, int]):
    """Shares by contract id. Reading a position that TWS reported unreadably raises Unavailable."""

    def __init__(self, known: dict[int, int], odd: dict[int, str]) -> None:
        super().__init__(known)
        self._odd = odd

    def get(self, con_id: int, default: int = 0) -> int:  # type: ignore[override]
        if why := self._odd.get(con_id):
            raise Unavailable(
                f"What the account holds of {why}; compare with TWS. Until it reports whole shares, nothing"
                f" is decided or sold there."
            )
        return super().get(con_id, default)

    def __getitem__(self, con_id: int) -> int:
        return self.get(con_id)


def worth(values: Sequence[AccountValue]) -> tuple[str, str] | None:
    """Net liquidation as TWS sent it, and its currency; None if it has not."""
    return next(((v.value, v.currency) for v in values if v.tag == WORTH and v.currency != "BASE"), None)


def cash(values: Sequence[AccountValue]) -> str | None:
    """USD cash as TWS sent it; None if it has not. IB sends a cash balance for each currency with a balance, so an
    account in another currency without a USD balance has 0 USD."""
    sent = {v.tag: v.value for v in values if v.currency == "USD"}
    found, value = next((sent[tag] for tag in CASH if tag in sent), None), worth(values)
    return "0" if found is None and value is not None and value[1] not in ("USD", "") else found


def is_reported(values: Sequence[AccountValue]) -> bool:
    """Whether both were sent, readable or not."""
    return worth(values) is not None and cash(values) is not None


def figures(account: str, values: Sequence[AccountValue], at: datetime) -> AccountFigures:
    """Net liquidation and USD cash as TWS last sent them. Cash may be negative: a loan."""
    absent: list[str] = []

    def read(name: str, text: str | None) -> float | None:
        if text is None:
            absent.append(f"TWS has not sent {name} of account {account} yet")
            return None
        try:
            return number(text, f"{name} of {account}", LEAST, MOST)
        except Unreadable as error:
            absent.append(str(error))
            return None

    value, currency = worth(values) or (None, "")
    return AccountFigures(
        account, read("NetLiquidation", value), currency, read("CashBalance in USD", cash(values)), at, tuple(absent)
    )
