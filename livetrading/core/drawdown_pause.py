"""Where a test's drawdown limit paused it, and what it would have been without.

A paused test opens no further position, so its measures describe only the sessions before
the pause. A live agent behaves the same until a person resumes it. Whoever reads the
measures must see that.
"""

from collections.abc import Sequence
from typing import Any

from .metrics import drawdown

Doc = dict[str, Any]


def document(session: str, limit: float, sessions_after: int, buys: int, without: Doc) -> Doc:
    """JSON-ready. ``session``: at its close the drawdown reached ``limit`` (a fraction); ``sessions_after``
    were decided later; ``buys`` were BUY signals of a flat account, that day's included, which the pause
    turned down; ``without`` are the measures of the same test without the limit."""
    return {
        "session": session,
        "limit_pct": 100.0 * limit,
        "sessions_after": sessions_after,
        "buys_lost": buys,
        "without": without,
    }


def words(pause: Doc | None) -> str | None:
    """The pause in one or two sentences; None if there was none."""
    if not pause:
        return None
    buys = pause.get("buys_lost")
    lost = "" if buys is None else f" and {buys:,} BUY {'signal was' if buys == 1 else 'signals were'} not followed"
    after = pause["sessions_after"]
    text = (
        f"The drawdown limit of {pause['limit_pct']:g} % paused this test on {pause['session']}: in the {after:,}"
        f" {'session' if after == 1 else 'sessions'} after it no position was opened{lost}. Live, it would be the same"
        f" until you resume the agent."
    )
    return text + _without(pause.get("without"))


def _without(measures: Doc | None) -> str:
    if not measures:
        return ""
    ratio, gain, worst = (measures.get(key) for key in ("sharpe_ratio", "total_return_pct", "max_drawdown_pct"))
    return (
        f" Without the limit: Sharpe ratio {_number(ratio)}, return {_number(gain)} %, largest drawdown"
        f" {_number(worst)} %, {measures.get('num_trades', 0):,} closed trades."
    )


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.2f}"


def from_equity(equity: Sequence[Sequence[Any]], limit: float) -> Doc | None:
    """The pause of a test that did not record it, found from its equity ``[[session, USD], …]`` alone."""
    fallen = drawdown([row[1] for row in equity]) >= limit
    if not fallen.any():
        return None
    at = int(fallen.argmax())
    return {
        "session": str(equity[at][0]),
        "limit_pct": 100.0 * limit,
        "sessions_after": len(equity) - at - 1,
        "buys_lost": None,
        "without": None,
    }
