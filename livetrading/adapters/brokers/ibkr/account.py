"""What an account holds and is worth, as TWS pushes it: a number, or unknown with its name."""

from collections.abc import Sequence
from datetime import datetime

from ib_async import AccountValue

from ....core.errors import Unavailable
from ..base import AccountFigures
from .numbers import Unreadable, number

LEAST, MOST = -1e12, 1e12
"""USD, or another currency: nobody's account lies beyond."""
WORTH, CASH = "NetLiquidation", ("CashBalance", "TotalCashValue")
"""Tags of account values: what an account is worth, and its cash; the first that is told counts."""


class Held(dict[int, int]):
    """Shares by contract id. To ask for a position that TWS tells unreadably is Unavailable."""

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
    """Net liquidation as TWS wrote it, and its currency; None if it has not."""
    return next(((v.value, v.currency) for v in values if v.tag == WORTH and v.currency != "BASE"), None)


def cash(values: Sequence[AccountValue]) -> str | None:
    """USD cash as TWS wrote it; None if it has not. IB names a cash balance for each currency that is held: an
    account of another currency that names none in USD has none."""
    told = {v.tag: v.value for v in values if v.currency == "USD"}
    found, value = next((told[tag] for tag in CASH if tag in told), None), worth(values)
    return "0" if found is None and value is not None and value[1] not in ("USD", "") else found


def is_reported(values: Sequence[AccountValue]) -> bool:
    """Whether both were told, readably or not."""
    return worth(values) is not None and cash(values) is not None


def figures(account: str, values: Sequence[AccountValue], at: datetime) -> AccountFigures:
    """Net liquidation and USD cash as TWS last told them. Cash may be negative: a loan."""
    absent: list[str] = []

    def read(name: str, told: str | None) -> float | None:
        if told is None:
            absent.append(f"TWS has not sent {name} of account {account} yet")
            return None
        try:
            return number(told, f"{name} of {account}", LEAST, MOST)
        except Unreadable as error:
            absent.append(str(error))
            return None

    value, currency = worth(values) or (None, "")
    return AccountFigures(
        account, read("NetLiquidation", value), currency, read("CashBalance in USD", cash(values)), at, tuple(absent)
    )
