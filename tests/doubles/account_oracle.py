"""What each agent of a shared account owns and has earned, in exact fractions.

Written from the design's text; shares no code with the product.
"""

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor


def exact(value: float) -> Fraction:
    """The decimal number as which a float is written."""
    return Fraction(repr(float(value)))


@dataclass
class Owner:
    """One agent's money. ``trip`` is the cash flow of the open round trip: received less paid."""

    capital: Fraction
    cash: Fraction = Fraction(0)
    shares: int = 0
    trip: Fraction = Fraction(0)
    realized: Fraction = Fraction(0)
    dividends: Fraction = Fraction(0)
    trades: int = 0

    def __post_init__(self) -> None:
        self.cash = self.capital

    def deal(self, signed: int, price: float, fee: float) -> None:
        flow = -signed * exact(price) - exact(fee)
        self.cash += flow
        self.trip += flow
        self.shares += signed
        self._perhaps_over()

    def split(self, ratio: Fraction, before: float) -> None:
        if not self.shares:
            return
        raw = self.shares * ratio
        self.shares = floor(raw)
        paid = (raw - self.shares) * exact(before) / ratio
        self.cash += paid
        self.trip += paid
        self._perhaps_over()

    def dividend(self, amount: float) -> None:
        self.cash += self.shares * exact(amount)
        self.dividends += self.shares * exact(amount)

    def pnl(self, close: float) -> Fraction:
        return self.cash + self.shares * exact(close) - self.capital

    def _perhaps_over(self) -> None:
        if self.shares == 0:
            self.realized, self.trip, self.trades = self.realized + self.trip, Fraction(0), self.trades + 1


@dataclass
class AccountOracle:
    """Owners by agent id, and by symbol all shares in the account, also those held by hand."""

    symbols: dict[str, str]
    capital: float
    owners: dict[str, Owner] = field(default_factory=dict)
    total: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.owners = {name: Owner(exact(self.capital)) for name in self.symbols}

    def deal(self, name: str, symbol: str, signed: int, price: float, fee: float) -> None:
        """``name`` is empty for a trade by hand."""
        self.total[symbol] += signed
        if name:
            self.owners[name].deal(signed, price, fee)

    def split(self, symbol: str, ratio: Fraction, before: float) -> None:
        self.total[symbol] = floor(self.total[symbol] * ratio)
        for name in self.on(symbol):
            self.owners[name].split(ratio, before)

    def dividend(self, symbol: str, amount: float) -> None:
        for name in self.on(symbol):
            self.owners[name].dividend(amount)

    def on(self, symbol: str) -> list[str]:
        return [name for name, traded in self.symbols.items() if traded == symbol]

    def unmanaged(self, symbol: str) -> int:
        return self.total[symbol] - sum(self.owners[name].shares for name in self.on(symbol))
