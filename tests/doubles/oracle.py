"""An independent broker and account, written from the design's text alone.

Plain scalar Python with branches, one account, one session after another; it
shares no code with the product. Prices and money are floats, as in the design's
formulas.
"""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

TINY = 1e-9


class Day(NamedTuple):
    """One bar as traded and the legal fees of its date."""

    open: float
    high: float
    low: float
    close: float
    dividend: float = 0.0
    split: float = 1.0
    sec: float = 0.0
    taf: float = 0.0
    taf_cap: float = 0.0


class Deal(NamedTuple):
    leg: str
    qty: int
    price: float
    fee: float


@dataclass
class Oracle:
    """Money, position and the order for the next open."""

    capital: float = 10_000.0
    max_position: float = 0.5
    risk: float = 0.02
    stop_atr: float = 2.0
    slip: float = 0.0005
    times: float = 1.0
    cash: float = field(init=False)
    shares: int = 0
    paid: float = 0.0
    stop: float = 0.0
    age: int = 0
    peak: float = field(init=False)
    order: tuple[str, int, float] | None = None
    equity: float = field(init=False)

    def __post_init__(self) -> None:
        self.cash = self.peak = self.equity = self.capital

    # -- prices -----------------------------------------------------------

    def commission(self, qty: int, value: float) -> float:
        """One dollar or half a cent a share, whichever is more; never above 1 % of the value."""
        if qty == 0:
            return 0.0
        fee = 0.005 * qty
        if fee < 1.0:
            fee = 1.0
        if fee > 0.01 * value:
            fee = 0.01 * value
        return self.times * fee

    def sale_fee(self, qty: int, value: float, day: Day) -> float:
        taf = day.taf * qty
        if taf > day.taf_cap:
            taf = day.taf_cap
        return self.commission(qty, value) + self.times * (day.sec * value + taf)

    @staticmethod
    def tick(price: float) -> float:
        size = 0.01 if price >= 1 else 0.0001
        return math.floor(price / size + TINY) * size

    # -- a session --------------------------------------------------------

    def live(self, day: Day, previous_close: float) -> list[Deal]:
        """Split, dividend, open, stop, close; returns the deals."""
        deals: list[Deal] = []
        if day.split != 1.0:
            self._split(day.split, previous_close)
        self.cash += self.shares * day.dividend
        order, self.order = self.order, None
        if order and order[0] == "buy" and order[1] > 0:
            deals.append(self._buy(order[1], order[2], day))
        elif order and order[0] == "sell" and self.shares > 0:
            deals.append(self._sell("exit", day.open, day))
        if self.shares > 0 and day.low <= self.stop:
            gapped = day.open < self.stop
            deals.append(self._sell("stop", day.open if gapped else self.stop, day))
        if self.shares > 0:
            self.age += 1
        self.equity = self.cash + self.shares * day.close
        if self.equity > self.peak:
            self.peak = self.equity
        return deals

    def _split(self, ratio: float, previous_close: float) -> None:
        if self.order and self.order[0] == "buy":
            self.order = ("buy", math.floor(self.order[1] * ratio + TINY), self.order[2] / ratio)
        if self.shares == 0:
            return
        exact = self.shares * ratio
        whole = math.floor(exact + TINY)
        if exact - whole > TINY:
            self.cash += (exact - whole) * (previous_close / ratio)
        self.shares = whole
        self.paid, self.stop = self.paid / ratio, self.stop / ratio
        if whole == 0:
            self._forget()

    def _buy(self, qty: int, stop: float, day: Day) -> Deal:
        price = day.open * (1 + self.slip * self.times)
        fee = self.commission(qty, qty * price)
        self.cash = self.cash - qty * price - fee
        self.shares, self.paid, self.stop, self.age = qty, price, stop, 0
        return Deal("entry", qty, price, fee)

    def _sell(self, leg: str, at: float, day: Day) -> Deal:
        price, qty = at * (1 - self.slip * self.times), self.shares
        fee = self.sale_fee(qty, qty * price, day)
        self.cash = self.cash + qty * price - fee
        self._forget()
        return Deal(leg, qty, price, fee)

    def _forget(self) -> None:
        self.shares, self.paid, self.stop, self.age = 0, 0.0, 0.0, 0

    # -- the decision at the close ----------------------------------------

    def decide(self, action: int, close: float, atr: float, paused: bool = False) -> int:
        """Order for the next open; its quantity, 0 without one."""
        if action == 0 and self.shares > 0:
            self.order = ("sell", self.shares, 0.0)
            return self.shares
        if action != 2 or self.shares > 0 or paused or not atr > 0:
            return 0
        stop = self.tick(close - self.stop_atr * atr)
        if stop <= 0:
            return 0
        equity = self.cash + self.shares * close
        by_risk = math.floor(self.risk * equity / (self.stop_atr * atr))
        by_cap = math.floor(self.max_position * equity / close)
        wanted = max(min(by_risk, by_cap), 0)
        by_cash = math.floor((self.cash - self.commission(wanted, wanted * close)) / (close + 3 * atr))
        # At the close itself slippage and the highest commission must be affordable, too.
        at_most = math.floor(self.cash / (close * (1 + self.slip * self.times) * (1 + 0.01 * self.times)))
        qty = min(by_risk, by_cap, by_cash, at_most)
        if qty < 1:
            return 0
        self.order = ("buy", qty, stop)
        return qty

    def tail(self, close: float) -> list[float]:
        """The account's part of the observation, before clipping."""
        fall = 1 - (self.cash + self.shares * close) / self.peak
        if self.shares == 0:
            return [0.0, 0.0, 0.0, fall]
        return [1.0, close / self.paid - 1, self.age / 50, fall]


def true_range_atr(days: list[Day]) -> list[float]:
    """Wilder's ATR14 on money prices, rescaled by each split; nan before the 14th bar."""
    values, ranges, atr = [], [], math.nan
    for i, day in enumerate(days):
        if i == 0:
            wide = day.high - day.low
        else:
            before = days[i - 1].close / day.split
            wide = max(day.high - day.low, abs(day.high - before), abs(day.low - before))
        ranges = [r / day.split for r in ranges] + [wide] if i < 14 else ranges
        if i == 13:
            atr = sum(ranges) / 14
        elif i > 13:
            atr = (13 * atr / day.split + wide) / 14
        values.append(atr if i >= 13 else math.nan)
    return values
