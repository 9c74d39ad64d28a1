"""The status of a shared account for pages: its connection, its figures, and each agent's reconciliation."""

import logging
from datetime import datetime, timedelta
from typing import Any

from ..adapters import logs
from ..adapters.brokers.base import BrokerWords, Health, HealthState
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
"""Sessions over which day trades are counted, as in the pattern day trader rule (FINRA rule 4210)."""
AWAY_FOR = timedelta(seconds=30)
"""How long a broker may be away before the user is notified."""
LACKING_FOR = timedelta(minutes=45)
"""How long a question may stay unanswered: around midnight in New York half an hour is usual."""


def publish(node: Node, now: datetime) -> list[str]:
    """Write the status to ``system.json``; returns messages for the user.

    Sends nothing over the network: it uses what the broker reports anyway.
    """
    if not node.account.wanted:
        return []
    link = node.account.connection.link()
    health, figures = link.health(), _figures(node)
    doc: BrokerStatus = {
        "state": str(health.state),
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
        observe(node, now)
    if not health.ready:
        return [text for text in [_away(node, health, now)] if text]
    standing = node.account.risk.figures(health.account, now)
    today = now.astimezone(NEW_YORK).date()
    warning = account_limits.pattern_day_trader(doc["day_trades"], standing, today)
    unread = _unreadable(node.account.words) if health.unreadable else ""
    return [text for text in [_lacking(node, health, now), unread, warning] if text]


def _unreadable(words: BrokerWords) -> str:
    return (
        f"{words.title} sends messages that cannot be read; what they may have changed is requested again. The log"
        f" shows them: compare orders and positions with {words.program}."
    )


def _lacking(node: Node, health: Health, now: datetime) -> str:
    """A message about a question that is unanswered for longer than the usual pause at night: entries wait."""
    if health.lacking is None or now - health.lacking < LACKING_FOR or not _needed(node, now):
        return ""
    words = node.account.words
    return (
        f"{words.title} has not answered the question for {', '.join(health.missing)} since"
        f" {health.lacking.astimezone(NEW_YORK):%H:%M} New York: entries wait; stops, exits and the emergency stop"
        f" work. Restart {words.programs}."
    )


def _away(node: Node, health: Health, now: datetime) -> str:
    """A message about a broker that cannot be used while an agent depends on it; empty otherwise. The text stays
    the same through all attempts, so that it is repeated only once an hour."""
    title = node.account.words.title
    if health.state == HealthState.REFUSED:
        return f"{title} cannot be used: {health.detail}"
    expected = node.account.connection.link().expects_absence(now)
    if health.away is None or now - health.away < AWAY_FOR or expected or not _needed(node, now):
        return ""
    return (
        f"{title} cannot be used since {health.away.astimezone(NEW_YORK):%H:%M} New York:"
        f" {health.trouble or health.detail}"
    )


def _needed(node: Node, now: datetime) -> bool:
    """Whether an agent of the account holds shares, has an open order, or has a session due."""
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


def observe(node: Node, now: datetime) -> None:
    """Record which assumptions about the broker its messages have confirmed. Trading never depends on it."""
    try:
        node.account.connection.link().learn(node.store, now)
    except LivetradingError as error:
        log.warning("what was learned about %s cannot be recorded: %s", node.account.words.program, error)


def _figures(node: Node) -> BrokerFigures:
    try:
        found = node.account.connection.ready().account()
    except Exception as error:
        if not isinstance(error, LivetradingError):  # otherwise health has the reason
            logs.caught(log, "the account's figures", error)
        return {"net_liquidation": None, "currency": None, "cash_usd": None, "absent": []}
    return {
        "net_liquidation": found.net_liquidation,
        "currency": found.currency,
        "cash_usd": found.cash_usd,
        "absent": list(found.absent),
    }
