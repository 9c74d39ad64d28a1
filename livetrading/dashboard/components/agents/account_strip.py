"""The broker as the scheduler last told of it: a strip on Live Trading."""

from typing import Any

import streamlit as st

from livetrading.dashboard import markup, reading
from livetrading.dashboard.format import duration, masked, moment, money

from ..shell import refresh
from ..shell.guard import shown

Doc = dict[str, Any]
EVERY = 10
OLD_SECONDS = 180
"""The scheduler tells of its connection once a minute."""
TONES = {"ready": "lt-up", "connecting": "lt-warn", "starting": "lt-warn", "link lost": "lt-warn", "degraded": "lt-warn"}


def render() -> None:
    refresh.every(EVERY, _strip)


@shown
def _strip() -> None:
    system = reading.system()
    told = system.get("broker")
    if told:
        st.html(markup.row(pills(told, age_of(told))) + markup.notes(notes(told, system["scheduler"]["alive"])))


def age_of(told: Doc) -> float | None:
    """Seconds since the scheduler wrote this."""
    return (reading.now() - moment(told["at"])).total_seconds() if told.get("at") else None


def pills(told: Doc, age: float | None) -> list[str]:
    """State, account, money and age, each in clear words."""
    live = told.get("mode") == "live"
    kind = "REAL MONEY" if live else "paper money"
    currency = told.get("currency") or "USD"
    state = str(told.get("state") or "unknown")
    old = age is None or age > OLD_SECONDS
    return [
        markup.pill(f"Interactive Brokers {state}", TONES.get(state, "lt-down")),
        markup.pill(f"account {masked(told.get('account'))} · {kind}", "lt-down" if live else "lt-accent"),
        markup.pill(f"net liquidation {_amount(told.get('net_liquidation'), currency)}"),
        markup.pill(f"cash {_amount(told.get('cash_usd'), 'USD')}"),
        markup.pill("never heard" if age is None else f"as of {duration(age)} ago", "lt-warn" if old else "lt-muted"),
    ]


def notes(told: Doc, scheduler_alive: bool) -> list[str]:
    """What a person should do about it."""
    well = told.get("ready") and not told.get("missing")
    found = [] if well or not told.get("detail") else [str(told["detail"])]
    found += [f"{text}; entries wait." for text in told.get("absent") or []]
    if not scheduler_alive:
        found.append("The scheduler does not run: this is the last that it reported about the broker.")
    return found


def _amount(value: float | None, currency: str) -> str:
    return money(value) if currency == "USD" or value is None else f"{value:,.2f} {currency}"
