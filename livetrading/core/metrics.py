"""Measures of performance. Daily, 252 sessions a year, risk-free rate 0.

Equity is taken at N session closes: N - 1 returns, (N - 1) / 252 years. What is
undefined is None, never infinite and never NaN.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .errors import BadInput
from .trades import Trade

SESSIONS_A_YEAR = 252
TRADES_NOTE = (
    "Win rate and profit factor: closed trades net of fees, without dividends. Returns and equity count dividends."
)
"""Stands wherever these two measures are shown."""
NO_DEVIATION = 1e-12
"""Float64 returns of an equity that does not move differ by less than this."""


def measure(equity: Sequence[float], trades: Sequence[Trade], held: Sequence[bool]) -> dict[str, Any]:
    """JSON-ready measures of N closes: equity in USD, closed trades, whether shares were held at each close.

    Sharpe: sqrt(252) * mean / deviation (ddof 1), flat days included; its
    standard error after A. W. Lo, "The Statistics of Sharpe Ratios" (2002), for
    independent returns. Sortino: target 0, all returns in the denominator.
    Calmar: CAGR over the largest drawdown. A win is a trade with a positive
    result net of fees. Win rate and profit factor leave dividends out, as ``Trade.pnl``
    does; all other measures come from the equity, which has them. Keys in ``_pct`` are percents; the drawdown is positive.
    Raises BadInput when equity is not finite or ``held`` has another length.
    """
    values = np.asarray(equity, dtype=np.float64)
    if not np.isfinite(values).all():
        raise BadInput(f"The equity at close {int(np.argmin(np.isfinite(values)))} is not finite: check the bars.")
    if len(held) != len(values):
        raise BadInput(f"There are {len(values)} closes and {len(held)} marks of holding: give one for each.")
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows becomes None
        ratios, cagr = _ratios(values), _cagr(values)
        worst = float(drawdown(values).max()) if len(values) else None
        total = float(values[-1] / values[0]) - 1.0 if len(values) and values[0] > 0.0 else None
    return {
        **ratios,
        "calmar_ratio": _calmar(cagr, worst),
        "total_return_pct": _percent(total),
        "cagr_pct": _percent(cagr),
        "max_drawdown_pct": _percent(worst),
        **_trade_measures(trades),
        "exposure_pct": _percent(sum(map(bool, held)) / len(held) if len(held) else None),
        "sessions": len(values),
        "final_equity": float(values[-1]) if len(values) else None,
    }


def drawdown(equity: Sequence[float] | np.ndarray) -> np.ndarray:
    """Fall from the peak so far at each close: ``(N,)`` fractions >= 0.

    Above 1 when the equity is negative; 0 as long as no close was positive.
    """
    values = np.asarray(equity, dtype=np.float64)
    peak = np.maximum.accumulate(values)
    return np.where(peak > 0.0, 1.0 - values / np.where(peak > 0.0, peak, 1.0), 0.0)


def _ratios(equity: np.ndarray) -> dict[str, float | None]:
    names = ("sharpe_ratio", "sharpe_se", "sortino_ratio", "volatility_pct")
    # A return on zero or negative equity has no meaning.
    if len(equity) < 3 or (equity[:-1] <= 0.0).any():
        return dict.fromkeys(names)
    returns = equity[1:] / equity[:-1] - 1.0
    mean, deviation = float(returns.mean()), float(returns.std(ddof=1))
    below = math.sqrt(float(np.square(np.minimum(returns, 0.0)).mean()))
    year = math.sqrt(SESSIONS_A_YEAR)
    daily = mean / deviation if deviation > NO_DEVIATION else None
    error = None if daily is None else math.sqrt((1.0 + daily * daily / 2.0) / len(returns))
    values = (
        None if daily is None else daily * year,
        None if error is None else error * year,
        mean / below * year if below > NO_DEVIATION else None,
        100.0 * deviation * year,
    )
    return dict(zip(names, map(_finite, values), strict=True))


def _cagr(equity: np.ndarray) -> float | None:
    """Yearly growth as a fraction; None for fewer than 2 closes or without positive equity."""
    if len(equity) < 2 or equity[0] <= 0.0 or equity[-1] <= 0.0:
        return None
    growth = float(equity[-1] / equity[0])
    try:
        return _finite(growth ** (SESSIONS_A_YEAR / (len(equity) - 1)) - 1.0)
    except OverflowError:  # a few sessions of enormous growth
        return None


def _calmar(cagr: float | None, worst: float | None) -> float | None:
    return None if cagr is None or worst is None or worst <= NO_DEVIATION else _finite(cagr / worst)


def _trade_measures(trades: Sequence[Trade]) -> dict[str, float | int | None]:
    results = [trade.pnl for trade in trades]
    won = math.fsum(result for result in results if result > 0.0)
    lost = -math.fsum(result for result in results if result < 0.0)
    return {
        "win_rate_pct": _percent(sum(r > 0.0 for r in results) / len(results) if results else None),
        "profit_factor": _finite(won / lost) if lost > 0.0 else None,
        "num_trades": len(results),
    }


def _percent(fraction: float | None) -> float | None:
    return None if fraction is None else _finite(100.0 * float(fraction))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
