"""Many accounts through the trading rules at once, each with a market, actions and terms of its own.

``research.backtest`` in arrays: the same rules, the same drawdown pause, the same money to the bit
(``tests/bench/test_honesty.py``). Left out is what a verdict does not ask: ledger, observations, splits, dividends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from livetrading.core import decide, rules
from livetrading.core.market import Market
from livetrading.core.types import Costs, Limits


@dataclass(frozen=True, eq=False)
class Walked:
    """``(T, n)`` equity at each close and whether shares were held; ``(n,)`` closed trades."""

    equity: np.ndarray
    held: np.ndarray
    trades: np.ndarray


@dataclass(frozen=True, eq=False)
class LimitArrays:
    """The fields of ``Limits``, ``(n,)`` each; without a length of the pause there is none here."""

    max_position: np.ndarray
    risk_per_trade: np.ndarray
    stop_atr: np.ndarray
    max_drawdown: np.ndarray
    pause_sessions: np.ndarray

    @classmethod
    def of(cls, limits: Sequence[Limits]) -> "LimitArrays":
        names = cls.__dataclass_fields__
        return cls(*(np.array([float(getattr(one, name)) for one in limits]) for name in names))


class Pauses:
    """``core.limits`` for n accounts."""

    def __init__(self, limits: LimitArrays, capital: np.ndarray) -> None:
        self._limits, self._peak = limits, capital.copy()
        self._closes = np.full(len(capital), -1.0)
        """At how many closes the present pause has refused entries; -1 while they are allowed."""

    def at_close(self, equity: np.ndarray) -> np.ndarray:
        """Whether entries are refused for the decision of this close."""
        self._peak = np.maximum(self._peak, equity)
        on = self._closes >= 0.0
        ends = on & (self._closes >= self._limits.pause_sessions)
        begins = ~on & (rules.drawdown(equity, self._peak) >= self._limits.max_drawdown)
        self._peak = np.where(ends, equity, self._peak)
        self._closes = np.where(begins, 0.0, np.where(ends, -1.0, self._closes))
        refused = self._closes >= 0.0
        self._closes = self._closes + refused
        return refused


def walk(
    markets: Sequence[Market],
    bars: range,
    place: np.ndarray,
    actions: np.ndarray,
    limits: Sequence[Limits],
    capital: float,
    costs: Costs,
) -> Walked:
    """Sessions ``bars`` of each account: it trades ``markets[place[i]]`` by ``actions[:, i]``, ``(len(bars), n)``."""
    shaped: Any = LimitArrays.of(limits)
    account = rules.open_account(np.full(len(place), capital))
    pauses, plan = Pauses(shaped, np.full(len(place), capital)), rules.NO_PLAN
    quotes = _quotes(markets, bars)
    atr = np.stack([market.atr[bars.start : bars.stop] for market in markets], axis=1)
    equities, held = np.empty(actions.shape), np.empty(actions.shape, dtype=bool)
    trades = np.zeros(len(place), dtype=int)
    for t in range(len(bars)):
        quote = rules.Quote(*quotes[:, t].take(place, axis=1))
        if t:
            account, session = rules.step(account, plan, quote, costs)
            trades += session.sale.qty > 0.0
        equity = rules.equity_of(account, quote.close)
        refused = pauses.at_close(equity)
        basis = rules.basis(quote.close, atr[t].take(place), shaped)
        plan = decide.plan_of(actions[t], account, equity, basis, refused, shaped, costs)
        equities[t], held[t] = equity, account.shares > 0.0
    return Walked(equities, held, trades)


def _quotes(markets: Sequence[Market], bars: range) -> np.ndarray:
    """``(fields of a quote, len(bars), markets)``."""
    rows = np.array(bars)
    return np.stack([np.array(market.quote(rows)) for market in markets], axis=2)
