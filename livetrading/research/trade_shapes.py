"""How the closed trades of a test are distributed: by return, by holding time, and by what ended them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Doc = dict[str, Any]
BINS = 24
"""At most so many bars."""
WIDTHS = (1.0, 2.0, 5.0)
HELD = ((0, 0), (1, 1), (2, 3), (4, 5), (6, 10), (11, 21), (22, 63), (64, None))
"""Holding times that are counted together, in sessions from the entry to the exit; 21 are a month."""


def distribution(trades: Sequence[Mapping[str, Any]], sessions: Sequence[str], equity: Sequence[float]) -> Doc | None:
    """JSON-ready, of trades as ``Trade.to_dict`` gives them; ``sessions`` and ``equity`` are the test's closes. None
    without trades.

    ``elsewhere`` is what the equity gained beside them, in USD: dividends, and a position that is still open.
    ``returns`` is a histogram of ``pnl_pct`` with edges in percent, one of them 0: no bar has winners and losers.
    """
    if not trades:
        return None
    gains = np.array([trade["pnl_pct"] for trade in trades], dtype=np.float64)
    place = {session: at for at, session in enumerate(sessions)}
    held = [
        place[trade["exit_session"]] - place[trade["entry_session"]]
        for trade in trades
        if trade["exit_session"] in place and trade["entry_session"] in place
    ]
    return {
        "count": len(trades),
        "mean_pct": float(gains.mean()),
        "median_pct": float(np.median(gains)),
        "best_pct": float(gains.max()),
        "worst_pct": float(gains.min()),
        "pnl": math.fsum(trade["pnl"] for trade in trades),
        "elsewhere": equity[-1] - equity[0] - math.fsum(trade["pnl"] for trade in trades),
        "returns": _histogram(gains),
        "holding": _holding(held),
        "median_sessions": float(np.median(held)) if held else None,
        "longest_sessions": max(held) if held else None,
        "legs": _legs(trades),
    }


def _histogram(gains: np.ndarray) -> Doc:
    """``edges`` has one entry more than ``counts``. A trade of exactly 0 is with the losers: no win."""
    width = _width(float(max(gains.max(), 0.0) - min(gains.min(), 0.0)))
    low, high = math.floor(gains.min() / width - 1e-9), math.ceil(gains.max() / width + 1e-9)
    first, last = min(low, 0), max(high, 0)
    bins = np.clip(np.ceil(gains / width).astype(int) - 1, first, last - 1) - first
    counts = np.bincount(bins, minlength=last - first)
    return {"edges": [width * at for at in range(first, last + 1)], "counts": counts.tolist()}


def _width(span: float) -> float:
    """The finest of 1, 2 and 5 times a power of ten with few enough bars, from 0.1 % on."""
    power = -1
    while True:
        for step in WIDTHS:
            width = float(f"{step:g}e{power}")
            if span / width <= BINS - 2:
                return width
        power += 1


def _holding(held: Sequence[int]) -> list[Doc]:
    rows = []
    for least, most in HELD:
        count = sum(least <= sessions <= (math.inf if most is None else most) for sessions in held)
        rows.append({"from": least, "to": most, "count": count})
    return rows


def _legs(trades: Sequence[Mapping[str, Any]]) -> list[Doc]:
    """One row for each way in which trades ended, the most frequent first."""
    rows = []
    for leg in {str(trade["leg"]) for trade in trades}:
        own = [trade for trade in trades if trade["leg"] == leg]
        rows.append(
            {
                "leg": leg,
                "count": len(own),
                "won_pct": 100.0 * sum(trade["pnl"] > 0.0 for trade in own) / len(own),
                "mean_pct": float(np.mean([trade["pnl_pct"] for trade in own])),
                "pnl": math.fsum(trade["pnl"] for trade in own),
            }
        )
    return sorted(rows, key=lambda row: (-row["count"], row["leg"]))
