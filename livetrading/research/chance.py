"""Agents that buy and sell by chance, as often and as long as a model did: what its test would be without skill."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import decide, limits, rules, significance
from ..core.market import Market
from ..core.types import Action, Terms
from .backtest import Backtest
from .witnesses import as_busy_as

AGENTS = 1_000
PILOT, HALVINGS = 60, 9
"""Agents and steps with which the exposure is matched: to a point or two."""
BAND = (0.05, 0.5, 0.95)


@dataclass(frozen=True, eq=False)
class Chance:
    """``equity`` ``(T, n)`` in USD and ``held`` ``(T, n)`` at the closes of a test, of n agents without skill;
    ``chances`` are those of BUY at a flat close and of SELL at a held one."""

    equity: np.ndarray
    held: np.ndarray
    chances: tuple[float, float]

    def sharpe_ratios(self) -> np.ndarray:
        """``(n,)`` yearly; 0 for an agent that never traded or lost everything."""
        alive = (self.equity > 0.0).all(axis=0)
        found = np.zeros(self.equity.shape[1])
        found[alive] = significance.ratios((self.equity[1:, alive] / self.equity[:-1, alive] - 1.0).T)
        return significance.yearly(1.0) * found

    def summary(self, sharpe: float | None) -> dict[str, Any]:
        """JSON-ready: how many, the model's percentile by Sharpe ratio (100: above all; None where it is undefined),
        the ratios of the band, and the mean exposure."""
        ratios = self.sharpe_ratios()
        below = None if sharpe is None else 100.0 * float((ratios < sharpe).mean())
        low, middle, high = np.quantile(ratios, BAND)
        return {
            "agents": len(ratios),
            "percentile": below,
            "sharpe_5": float(low),
            "sharpe_ratio": float(middle),
            "sharpe_95": float(high),
            "exposure_pct": 100.0 * float(self.held.mean()),
        }

    def band(self) -> list[list[float]]:
        """For each close the 5 %, 50 % and 95 % quantiles of the equities."""
        found: list[list[float]] = np.quantile(self.equity, BAND, axis=1).T.tolist()
        return found


def agents(market: Market, bars: range, run: Backtest, terms: Terms, count: int = AGENTS, seed: int = 0) -> Chance:
    """``count`` agents over the sessions of a run and by the same rules, the drawdown pause included, each flat at first.

    At a flat close each buys with the probability of the run's entries, and at a held one sells with a probability that
    makes their mean exposure the run's own: their stops sell as well, and more or less often than the model's.
    """
    enter = as_busy_as(run, seed).enter
    leave = _leave(market, bars, terms, enter, sum(run.held) / max(len(run.held), 1), seed)
    return _lives(market, bars, terms, (enter, leave), count, seed)


def _leave(market: Market, bars: range, terms: Terms, enter: float, exposure: float, seed: int) -> float:
    """The probability of SELL at a held close with which agents have that exposure, by halving."""
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        found = _lives(market, bars, terms, (enter, middle), PILOT, seed + 1).held.mean()
        low, high = (middle, high) if found > exposure else (low, middle)
    return (low + high) / 2.0


def _lives(market: Market, bars: range, terms: Terms, chances: tuple[float, float], count: int, seed: int) -> Chance:
    """Agents that buy and sell with these probabilities."""
    (enter, leave), rng = chances, np.random.default_rng(seed)
    account, plan = rules.open_account(np.full(count, terms.capital)), rules.NO_PLAN
    pauses = _Pauses(terms, count)
    equities, held = np.empty((len(bars), count)), np.empty((len(bars), count), dtype=bool)
    for row, t in enumerate(bars):
        if row:
            account, _ = rules.step(account, plan, market.quote(t), terms.costs)
        close = market.columns.close[t]
        equity, long = np.asarray(rules.equity_of(account, close)), np.asarray(rules.is_long(account))
        drawn = rng.random(count)
        sells, buys = (
            np.where(drawn < leave, Action.SELL, Action.HOLD),
            np.where(drawn < enter, Action.BUY, Action.HOLD),
        )
        paused = pauses.at_close(equity)
        basis = rules.basis(close, market.atr[t], terms.limits)
        chosen = np.where(long, sells, buys)
        plan = decide.plan_of(chosen, account, equity, basis, paused, terms.limits, terms.costs)
        equities[row], held[row] = equity, long
    return Chance(equities, held, chances)


class _Pauses:
    """The drawdown limit of many accounts. The rule itself is asked of those that are at the limit or in a pause."""

    def __init__(self, terms: Terms, count: int) -> None:
        self._limits = terms.limits
        self._peak = np.full(count, terms.capital)
        self._paused: dict[int, limits.Pause] = {}

    def at_close(self, equity: np.ndarray) -> np.ndarray:
        """``(n,)`` bool: whose entries this close refuses."""
        found = np.zeros(len(equity), dtype=bool)
        np.maximum(self._peak, equity, out=self._peak)
        reached = np.flatnonzero(limits.pauses_entries(equity, self._peak, self._limits))
        for i in {*reached.tolist(), *self._paused}:
            before = self._paused.pop(i, limits.Pause(float(self._peak[i]))).marked(float(equity[i]))
            after, _ = limits.at_close(before, float(equity[i]), self._limits)
            self._peak[i] = after.peak
            found[i] = after.on
            if after.on:
                self._paused[i] = after.decided()
        return found
