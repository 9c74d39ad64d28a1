"""What pages see of a shared account: its connection, its figures, and each agent's two sides."""

from datetime import datetime
from typing import Any

from ..adapters.stamps import stamp
from ..core.errors import LivetradingError
from .desk import Desk

Doc = dict[str, Any]


def publish(desk: Desk, now: datetime) -> str:
    """Write it to ``system.json``; returns what a person should hear, empty while all is well.

    Asks nothing of the network but the figures that TWS pushes anyway.
    """
    if not desk.account.wanted:
        return ""
    link = desk.account.link()
    health, figures = link.health(), _figures(desk)
    doc = {
        "state": health.state, "ready": health.ready, "detail": health.detail, "account": health.account,
        "mode": link.config.mode, "host": link.config.host, "port": link.config.port,
        "since": stamp(health.since), "heard": stamp(health.heard) if health.heard else None,
        **figures, "at": stamp(now),
    }
    with desk.store.transaction("system") as db:
        for name, docs in (("broker", [doc]), ("reconciliation", desk.sides())):
            table = db.table(name)
            table.truncate()
            table.insert_multiple(docs)
    return "" if health.ready else f"Interactive Brokers cannot be used: {health.detail}"


def _figures(desk: Desk) -> Doc:
    try:
        found = desk.account.ready().account()
    except LivetradingError:  # health says why
        return {"net_liquidation": None, "currency": None, "cash_usd": None}
    return {"net_liquidation": found.net_liquidation, "currency": found.currency, "cash_usd": found.cash_usd}

