"""A run's measures year by year, and by how volatile the market was when each decision was taken."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.market import Market
from ..core.metrics import NO_DEVIATION, SESSIONS_A_YEAR

REGIMES = ("calm", "middle", "wild")


def by_year(sessions: Sequence[str], equity: Sequence[float]) -> list[dict[str, Any]]:
    """One row a calendar year: its Sharpe ratio, return and sessions; ``sessions`` are ISO dates, one an equity.

    A year's first return starts at the last close of the year before.
    """
    returns, years = _returns(equity), [session[:4] for session in sessions[1:]]
    return [_row("year", year, returns[np.array([y == year for y in years])]) for year in sorted(set(years))]


def by_month(sessions: Sequence[str], equity: Sequence[float]) -> list[dict[str, Any]]:
    """One row a calendar year: ``months`` has twelve returns in percent, None where there was none, and
    ``total_return_pct`` is the year's. A month's first return starts at the last close of the month before, so that all
    months compound to the whole return."""
    closes = dict(zip((session[:7] for session in sessions), equity, strict=True))  # the last close of each month
    starts = [equity[0], *closes.values()] if len(sessions) > 1 else []
    moved = {session[:7] for session in sessions[1:]}
    gains = {month: _gain(start, closes[month]) for month, start in zip(closes, starts, strict=False) if month in moved}
    rows = []
    for year in sorted({month[:4] for month in gains}):
        ends = [month for month in closes if month[:4] == year]
        first = starts[list(closes).index(ends[0])]
        rows.append(
            {
                "year": year,
                "months": [gains.get(f"{year}-{number:02d}") for number in range(1, 13)],
                "total_return_pct": _gain(first, closes[ends[-1]]),
            }
        )
    return rows


def _gain(start: float, end: float) -> float | None:
    """In percent; None from an equity that is not positive, of which a return has no meaning."""
    return 100.0 * (end / start - 1.0) if start > 0.0 else None


def by_regime(regimes: Sequence[int], equity: Sequence[float]) -> list[dict[str, Any]]:
    """One row a regime: ``regimes`` names by number that of each close; a return belongs to the close before it."""
    returns, before = _returns(equity), np.asarray(regimes[:-1])
    return [_row("regime", name, returns[before == number]) for number, name in enumerate(REGIMES)]


def regimes(market: Market, fit: range, bars: range) -> list[int]:
    """0 calm, 1 middle, 2 wild for each of ``bars``: ATR14 over close against the thirds of the part that was fitted."""
    wide = market.atr / market.columns.close
    thirds = np.quantile(wide[fit.start : fit.stop], (1.0 / 3.0, 2.0 / 3.0))
    return np.searchsorted(thirds, wide[bars.start : bars.stop], side="right").tolist()


def _returns(equity: Sequence[float]) -> np.ndarray:
    values = np.asarray(equity, dtype=np.float64)
    return values[1:] / values[:-1] - 1.0


def _row(kind: str, name: str, returns: np.ndarray) -> dict[str, Any]:
    """Sharpe as in ``core.metrics``: sqrt(252) * mean / deviation (ddof 1), None where undefined."""
    deviation = float(returns.std(ddof=1)) if len(returns) > 1 else 0.0
    ratio = float(returns.mean()) / deviation * SESSIONS_A_YEAR**0.5 if deviation > NO_DEVIATION else None
    total = 100.0 * float(np.prod(1.0 + returns) - 1.0)
    return {kind: name, "sessions": len(returns), "sharpe_ratio": ratio, "total_return_pct": total}
