"""Where a test's drawdown limit paused it, and what it would have been without.

A paused test opens no position, so its measures say nothing of the signals that it did not follow. A live agent
with the same terms behaves the same, unless a person resumes it earlier. Whoever reads the measures must see that.
"""

from collections.abc import Sequence
from typing import Any

from .metrics import drawdown
from .types import Limits
from .wording import counted

Doc = dict[str, Any]


def span(session: str, until: str | None, sessions: int, buys_lost: int | None) -> Doc:
    """One pause. ``session``: at its close the drawdown reached the limit; ``until``: at its close entries were
    allowed again, None if the test ended first; ``sessions``: at so many closes they were refused, the first
    included; ``buys_lost``: BUY signals of a flat account that the pause turned down, None if not recorded."""
    return {"session": session, "until": until, "sessions": sessions, "buys_lost": buys_lost}


def document(pauses: Sequence[Doc], limits: Limits, without: Doc | None) -> Doc:
    """JSON-ready, for a test with at least one of ``pauses`` (``span``), oldest first.

    ``session``, ``sessions_after`` (sessions after it in which no position was opened) and ``buys_lost`` are
    those of the first pause; ``pause_sessions`` is its length by the terms, None: for good. ``totals``
    counts all pauses; ``without`` are the measures of the same test without the limit. Tests that an
    earlier version stored lack ``pause_sessions``, ``pauses`` and ``totals``: they paused once, for good.
    """
    first, lost = pauses[0], [pause["buys_lost"] for pause in pauses]
    return {
        "session": first["session"],
        "limit_pct": 100.0 * limits.max_drawdown,
        "pause_sessions": limits.pause_sessions,
        # What is refused at the test's last close concerns a session that the test does not have.
        "sessions_after": first["sessions"] - (first["until"] is None),
        "buys_lost": first["buys_lost"],
        "pauses": list(pauses),
        "totals": {
            "pauses": len(pauses),
            "sessions": sum(pause["sessions"] for pause in pauses),
            "buys_lost": None if None in lost else sum(lost),
        },
        "without": without,
    }


def spans(pause: Doc | None) -> list[tuple[str, str | None]]:
    """Where each pause of a stored test begins, and where it ends (None: with the test)."""
    if not pause:
        return []
    return [(p["session"], p["until"]) for p in pause.get("pauses", [{"session": pause["session"], "until": None}])]


def words(pause: Doc | None) -> str | None:
    """The pauses in a few sentences; None if there was none."""
    if not pause:
        return None
    said = f"The drawdown limit of {pause['limit_pct']:g} % paused this test"
    length, totals = pause.get("pause_sessions"), pause.get("totals", {})
    if totals.get("pauses", 1) > 1:
        return said + _several(pause["session"], length, totals) + _without(pause.get("without"))
    after = pause["sessions_after"]
    text = (
        f"{said} on {pause['session']}: in the {counted(after, 'session')} after it no position was"
        f" opened{_lost(pause.get('buys_lost'))}."
    )
    lasting = f" for {counted(length, 'session')} or" if length else ""
    return f"{text} Live, it would be the same{lasting} until you resume the agent.{_without(pause.get('without'))}"


def _several(first: str, length: int | None, totals: Doc) -> str:
    each = f", for {counted(length, 'session')} each" if length else ""
    return (
        f" {totals['pauses']:,} times, first on {first}{each}: at {counted(totals['sessions'], 'close')} in all no"
        f" position could be opened{_lost(totals['buys_lost'])}. Live, it would be the same, or less if you resume the"
        f" agent earlier."
    )


def _lost(buys: int | None) -> str:
    return "" if not buys else f" and {buys:,} BUY {'signal was' if buys == 1 else 'signals were'} not followed"


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
    """The pause of a test that did not record it, found from its equity ``[[session, USD], …]`` alone.

    Only an earlier version did not record it, and its pauses had no length.
    """
    fallen = drawdown([row[1] for row in equity]) >= limit
    if not fallen.any():
        return None
    at = int(fallen.argmax())
    one = span(str(equity[at][0]), None, len(equity) - at, None)
    return document([one], Limits(max_drawdown=limit, pause_sessions=None), None)
