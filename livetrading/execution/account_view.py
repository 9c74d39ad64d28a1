"""What pages see of a shared account: its connection, its figures, and each agent's two sides."""

from datetime import datetime
from typing import Any

from ..adapters.stamps import stamp
from ..core import account_limits
from ..core.errors import LivetradingError
from ..core.windows import NEW_YORK
from .desk import Desk

Doc = dict[str, Any]
SESSIONS = 5
"""Of day trades that are counted together, as the rule before the intraday margin standards did."""


def publish(desk: Desk, now: datetime) -> list[str]:
    """Write it to ``system.json``; returns what a person should hear.

    Asks nothing of the network but the figures that TWS pushes anyway.
    """
    if not desk.account.wanted:
        return []
    link = desk.account.link()
    health, figures = link.health(), _figures(desk)
    doc = {
        "state": health.state, "ready": health.ready, "detail": health.detail, "account": health.account,
        "mode": link.config.mode, "host": link.config.host, "port": link.config.port,
        "since": stamp(health.since), "heard": stamp(health.heard) if health.heard else None,
        **figures, "day_trades": _day_trades(desk, now), "at": stamp(now),
    }
    with desk.store.transaction("system") as db:
        for name, docs in (("broker", [doc]), ("reconciliation", desk.sides())):
            table = db.table(name)
            table.truncate()
            table.insert_multiple(docs)
    if health.state in ("starting", "connecting"):
        return []
    if not health.ready:
        return [f"Interactive Brokers cannot be used: {health.detail}"]
    standing = desk.account.standing(health.account, now)
    today = now.astimezone(NEW_YORK).date()
    return [text for text in [account_limits.pattern_day_trader(doc["day_trades"], standing, today)] if text]


def _day_trades(desk: Desk, now: datetime) -> int:
    day = desk.calendar.last_complete(now, desk.delay)
    for _ in range(SESSIONS - 1):
        day = desk.calendar.previous_session(day)
    return desk.account.day_trades(day.isoformat())


def _figures(desk: Desk) -> Doc:
    try:
        found = desk.account.ready().account()
    except LivetradingError:  # health says why
        return {"net_liquidation": None, "currency": None, "cash_usd": None}
    return {"net_liquidation": found.net_liquidation, "currency": found.currency, "cash_usd": found.cash_usd}

