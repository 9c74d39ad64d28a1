"""An execution as the broker's account statement lists it."""

import math
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any

from .errors import BadInput
from .estimates import is_fee, is_price


@dataclass(frozen=True)
class StatementExecution:
    """``side`` BUY or SELL; ``qty`` shares, 0 if the broker cancelled it; ``price`` USD a share; ``fee`` USD,
    None if the statement does not hold it; ``at``: the time as written, to sort by; ``line``: its place in the file."""

    account: str
    exec_id: str
    order_id: str
    ref: str
    symbol: str
    con_id: int
    side: str
    qty: float
    price: float
    fee: float | None
    session: str
    at: str = ""
    line: str = ""

    def __post_init__(self) -> None:
        where = f"{self.line}: " if self.line else ""
        if not is_price(self.price):
            raise BadInput(
                f"{where}the price of {self.exec_id} is {self.price!r}, which is not a price; export"
                " the statement again."
            )
        if not (math.isfinite(self.qty) and 0 <= self.qty < 1e9):
            raise BadInput(
                f"{where}the quantity of {self.exec_id} is {self.qty!r}, which is not a number of"
                " shares; export the statement again."
            )
        if self.fee is not None and not is_fee(self.fee, self.qty, self.price):
            raise BadInput(
                f"{where}the commission of {self.exec_id} is {self.fee!r}, which is not an amount;"
                " export the statement again."
            )
        if not 0 <= self.con_id < 1e12:
            raise BadInput(
                f"{where}the contract of {self.exec_id} is {self.con_id!r}, which is not a contract number;"
                " export the statement again."
            )
        if self.side not in ("BUY", "SELL") or not self.exec_id or not self.account:
            raise BadInput(
                f"{where}{self.exec_id or 'a trade'} has no side, id or account; export the statement with all fields."
            )
        _day(self.session, where)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_dict(data: dict[str, Any]) -> "StatementExecution":
        """The inverse of ``to_dict``; BadInput for a dictionary of another form."""
        try:
            values = {f.name: data[f.name] for f in fields(StatementExecution)}
            if any(
                isinstance(value, bool) or not isinstance(value, _KIND.get(name, str)) for name, value in values.items()
            ):
                raise TypeError
            numbers = {name: float(values[name]) for name in ("qty", "price")}
            fee = None if values["fee"] is None else float(values["fee"])
            return StatementExecution(**{**values, **numbers, "fee": fee})
        except (KeyError, TypeError, OverflowError):
            raise BadInput(
                "An execution in the request lacks some of its fields; import the statement file again."
            ) from None


_KIND: dict[str, Any] = {"qty": (int, float), "price": (int, float), "fee": (int, float, type(None)), "con_id": int}
"""JSON types of the fields; the others are text."""


def _day(text: str, where: str) -> None:
    try:
        date.fromisoformat(text)
    except (TypeError, ValueError):
        raise BadInput(f"{where}{text!r} is not a date; export the statement with dates as yyyyMMdd.") from None
