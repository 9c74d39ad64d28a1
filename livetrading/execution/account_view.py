"""What pages see of a shared account: its connection, its figures, and each agent's two sides."""

import logging
from datetime import datetime
from typing import Any

from ..adapters.brokers import ibkr_evidence
from ..adapters.stamps import stamp
from ..core import account_limits
from ..core.errors import LivetradingError
from ..core.windows import NEW_YORK
from .desk import Desk

log = logging.getLogger(__name__)
Doc = dict[str, Any]
SESSIONS = 5
"""Of day trades that count together."""


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
        for name, docs in (("broker", [doc]), ("reconciliation", desk.sides()), ("cash", desk.cash.documents(now))):
            table = db.table(name)
            table.truncate()
            table.insert_multiple(docs)
    if health.state in ("starting", "connecting"):
        return []
    if health.ready:
        _observe(desk, now)
    if not health.ready:
        return [f"Interactive Brokers cannot be used: {health.detail}"]
    standing = desk.account.standing(health.account, now)
    return [text for text in [account_limits.pattern_day_trader(doc["day_trades"], standing)] if text]


def _day_trades(desk: Desk, now: datetime) -> int:
    day = desk.calendar.last_complete(now, desk.delay)
    for _ in range(SESSIONS - 1):
        day = desk.calendar.previous_session(day)
    return desk.account.day_trades(day.isoformat())


def _observe(desk: Desk, now: datetime) -> None:
    """Record what ordinary work proves of what is assumed of TWS. Trading never depends on it."""
    link = desk.account.link()
    try:
        seen = link.observed(now.astimezone(NEW_YORK).date())
        if seen:
            ibkr_evidence.note(desk.store, seen, now, link.server_version(), link.health().account)
    except LivetradingError as error:
        log.warning("what TWS proves cannot be recorded: %s", error)


def _figures(desk: Desk) -> Doc:
    try:
        found = desk.account.ready().account()
    except LivetradingError:  # health says why
        return {"net_liquidation": None, "currency": None, "cash_usd": None}
    return {"net_liquidation": found.net_liquidation, "currency": found.currency, "cash_usd": found.cash_usd}

