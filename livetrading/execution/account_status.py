"""What pages see of a shared account: its connection, its figures, and each agent's two sides."""

import logging
from datetime import datetime, timedelta
from typing import Any

from ..adapters import logs
from ..adapters.brokers.base import BrokerWords, Health
from ..adapters.stamps import stamp
from ..core import account_limits
from ..core.errors import LivetradingError, Refused
from ..core.windows import NEW_YORK
from .node import Node
from .state.status import BrokerFigures, BrokerStatus
from .trading.pass_result import due_sessions

log = logging.getLogger(__name__)
Doc = dict[str, Any]
SESSIONS = 5
"""Of day trades that are counted together, as the rule before the intraday margin standards did."""
AWAY_FOR = timedelta(seconds=30)
"""So long a broker may be away before a person should hear of it."""
LACKING_FOR = timedelta(minutes=45)
"""So long it may leave a question unanswered: around midnight in New York half an hour is usual."""


def publish(node: Node, now: datetime) -> list[str]:
    """Write it to ``system.json``; returns what a person should hear.

    Asks nothing of the network but the figures that the broker reports anyway.
    """
    if not node.account.wanted:
        return []
    link = node.account.connection.link()
    health, figures = link.health(), _figures(node)
    doc: BrokerStatus = {
        "state": health.state,
        "ready": health.ready,
        "detail": health.detail,
        "account": health.account,
        "missing": list(health.missing),
        **link.place(),
        "since": stamp(health.since),
        "heard": stamp(health.heard) if health.heard else None,
        **figures,
        "day_trades": _day_trades(node, now),
        "at": stamp(now),
    }
    with node.store.transaction("system") as db:
        for name, docs in (("broker", [doc]), ("reconciliation", node.sides()), ("cash", node.cash.documents(now))):
            table = db.table(name)
            table.truncate()
            table.insert_multiple(docs)
    if health.ready:
        _observe(node, now)
    if not health.ready:
        return [text for text in [_away(node, health, now)] if text]
    standing = node.account.risk.standing(health.account, now)
    today = now.astimezone(NEW_YORK).date()
    warning = account_limits.pattern_day_trader(doc["day_trades"], standing, today)
    unread = _unreadable(node.account.words) if health.unreadable else ""
    return [text for text in [_lacking(node, health, now), unread, warning] if text]


def _unreadable(words: BrokerWords) -> str:
    return (
        f"{words.title} sends messages that cannot be read; what they may have changed is asked for anew. The log"
        f" names them: compare orders and positions with {words.program}."
    )


def _lacking(node: Node, health: Health, now: datetime) -> str:
    """A question that stays unanswered for longer than a night's pause keeps every entry waiting."""
    if health.lacking is None or now - health.lacking < LACKING_FOR or not _needed(node, now):
        return ""
    words = node.account.words
    return (
        f"{words.title} has not answered the question for {', '.join(health.missing)} since"
        f" {health.lacking.astimezone(NEW_YORK):%H:%M} New York: entries wait; stops, exits and the emergency stop"
        f" work. Restart {words.programs}."
    )


def _away(node: Node, health: Health, now: datetime) -> str:
    """A broker that cannot be used is a fault of its own while anything depends on it, through any number
    of attempts; one and the same text, so that it is told once an hour. Empty while nobody needs to hear."""
    title = node.account.words.title
    if health.state == "refused":
        return f"{title} cannot be used: {health.detail}"
    expected = node.account.connection.link().expects_absence(now)
    if health.away is None or now - health.away < AWAY_FOR or expected or not _needed(node, now):
        return ""
    return (
        f"{title} cannot be used since {health.away.astimezone(NEW_YORK):%H:%M} New York:"
        f" {health.trouble or health.detail}"
    )


def _needed(node: Node, now: datetime) -> bool:
    """Whether an agent of an account holds shares, has an open order, or a session is due."""
    try:
        return any(
            s.book.shares or s.orders or due_sessions(s, node.calendar, now, node.delay) for s in node.account.agents()
        )
    except Refused:  # a year that the calendar does not know
        return True


def _day_trades(node: Node, now: datetime) -> int:
    day = node.calendar.last_complete(now, node.delay)
    for _ in range(SESSIONS - 1):
        day = node.calendar.previous_session(day)
    return node.account.risk.day_trades(day.isoformat())


def _observe(node: Node, now: datetime) -> None:
    """Record what ordinary work proves of what is assumed of the broker. Trading never depends on it."""
    try:
        node.account.connection.link().learn(node.store, now)
    except LivetradingError as error:
        log.warning("what %s proves cannot be recorded: %s", node.account.words.program, error)


def _figures(node: Node) -> BrokerFigures:
    try:
        found = node.account.connection.ready().account()
    except Exception as error:
        if not isinstance(error, LivetradingError):  # else health says why
            logs.caught(log, "the account's figures", error)
        return {"net_liquidation": None, "currency": None, "cash_usd": None, "absent": []}
    return {
        "net_liquidation": found.net_liquidation,
        "currency": found.currency,
        "cash_usd": found.cash_usd,
        "absent": list(found.absent),
    }
