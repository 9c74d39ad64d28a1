"""The broker's account by the scheduler's last report: a strip on Live Trading."""

from typing import Any

import streamlit as st

from livetrading.adapters.brokers.base import HealthState
from livetrading.dashboard import brokers, markup, reading
from livetrading.dashboard.format import duration, masked, moment, money
from livetrading.execution.state.status import BrokerStatus

from ..shell import refresh
from ..shell.guard import shown

Doc = dict[str, Any]
EVERY = 10
OLD_SECONDS = 180
"""The scheduler writes the state of its connection once a minute."""
TONES: dict[str, str] = {
    HealthState.READY: "lt-up",
    HealthState.CONNECTING: "lt-warn",
    HealthState.STARTING: "lt-warn",
    HealthState.LINK_LOST: "lt-warn",
    HealthState.DEGRADED: "lt-warn",
}


def render() -> None:
    refresh.every(EVERY, _strip)


@shown
def _strip() -> None:
    system = reading.system()
    report = system.get("broker")
    if report:
        shown_pills = pills(report, age_of(report), brokers.connected().title)
        st.html(markup.row(shown_pills) + markup.notes(notes(report, system["scheduler"]["alive"])))


def age_of(report: BrokerStatus) -> float | None:
    """Seconds since the scheduler wrote this report."""
    return (reading.now() - moment(report["at"])).total_seconds() if report.get("at") else None


def pills(report: BrokerStatus, age: float | None, broker: str) -> list[str]:
    """State, account, money and age of the report."""
    live = report.get("mode") == "live"
    kind = "REAL MONEY" if live else "paper money"
    currency = report.get("currency") or "USD"
    state = str(report.get("state") or "unknown")
    old = age is None or age > OLD_SECONDS
    return [
        markup.pill(f"{broker} {state}", TONES.get(state, "lt-down")),
        markup.pill(f"account {masked(report.get('account'))} · {kind}", "lt-down" if live else "lt-accent"),
        markup.pill(f"net liquidation {_amount(report.get('net_liquidation'), currency)}"),
        markup.pill(f"cash {_amount(report.get('cash_usd'), 'USD')}"),
        markup.pill("no report yet" if age is None else f"as of {duration(age)} ago", "lt-warn" if old else "lt-muted"),
    ]


def notes(report: BrokerStatus, scheduler_alive: bool) -> list[str]:
    """What a person should do about it."""
    well = report.get("ready") and not report.get("missing")
    found = [] if well or not report.get("detail") else [str(report["detail"])]
    found += [f"{text}; entries wait." for text in report.get("absent") or []]
    if not scheduler_alive:
        found.append("The scheduler does not run: this is the last that it reported about the broker.")
    return found


def _amount(value: float | None, currency: str) -> str:
    return money(value) if currency == "USD" or value is None else f"{value:,.2f} {currency}"
