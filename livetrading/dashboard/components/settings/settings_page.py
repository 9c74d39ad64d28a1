"""The Settings page: Interactive Brokers and the limits of its account, stored in the home."""

from dataclasses import replace
from typing import Any
from zoneinfo import available_timezones

import streamlit as st

from livetrading.adapters import settings
from livetrading.adapters.brokers.ibkr import account_gates
from livetrading.adapters.brokers.ibkr.setup import config_of
from livetrading.adapters.settings import Settings, Value
from livetrading.core.errors import Refused
from livetrading.dashboard import markup, reading
from livetrading.dashboard.format import markdown

from . import connection_test
from ..shell.guard import guarded

MODES = {"paper": "Paper money", "live": "Real money"}
OPENS = {"day": "As DAY orders after 09:30", "auction": "In the opening auction"}
USD = 1_000_000_000


def render() -> None:
    st.html(markup.title("Settings"))
    with guarded():
        chosen, fixed = settings.load(reading.home()), settings.overridden()
        form, test = st.columns([3, 2], gap="medium")
        with form:
            _form(chosen, fixed)
        with test, guarded():
            connection_test.render()


def _form(chosen: Settings, fixed: dict[str, str]) -> None:
    with st.form("settings_form"):
        values = _connection(chosen, fixed) | _account(chosen, fixed) | _limits(chosen, fixed)
        saved = st.form_submit_button("Save", type="primary", key="settings_save")
    if saved:
        with guarded():
            _save(values, chosen, fixed)
    _agreement(chosen)
    st.caption(
        "Stored in settings.toml of the home. The scheduler takes new settings at its next start; agents that are"
        " deployed keep the account that they were deployed to."
    )


def _save(values: dict[str, Value], chosen: Settings, fixed: dict[str, str]) -> None:
    changes = {key: value for key, value in values.items() if key not in fixed and value != getattr(chosen, key)}
    if changes:
        settings.save_all(reading.home(), changes)
    saved = "Saved; the scheduler takes it at its next start."
    st.session_state["notice"] = saved if changes else "Nothing was changed."
    st.rerun()


def _agreement(chosen: Settings) -> None:
    """Mode, port and account are one choice: say so where they are not."""
    try:
        # What is typed at a deployment is no setting.
        account_gates.check_settings(replace(config_of(chosen).gate, read_only=True))
    except Refused as error:
        st.warning(markdown(f"{error} Until then nothing is sent."))


# -- the fields -------------------------------------------------------


def _told(key: str, fixed: dict[str, str], text: str = "") -> dict[str, Any]:
    """Key, help and whether the environment has decided already."""
    if key in fixed:
        text = f"LIVETRADING_{key.upper()} in the environment decides: {fixed[key] or 'empty'}."
    return {"key": f"set_{key}", "help": text or None, "disabled": key in fixed}


def _named(label: str, key: str, fixed: dict[str, str]) -> str:
    return f"{label} (environment)" if key in fixed else label


def _connection(chosen: Settings, fixed: dict[str, str]) -> dict[str, Value]:
    st.html(markup.heading("Interactive Brokers", "TWS or IB Gateway"))
    host, port, client = st.columns([2, 1, 1])
    restart, zone = st.columns([1, 3])
    zones = sorted({"", chosen.ibkr_timezone, *available_timezones()})
    return {
        "ibkr_host": host.text_input(
            _named("Host", "ibkr_host", fixed), chosen.ibkr_host, **_told("ibkr_host", fixed),
        ).strip(),
        "ibkr_port": port.number_input(
            _named("Port", "ibkr_port", fixed), 1, 65535, chosen.ibkr_port, step=1,
            **_told("ibkr_port", fixed, "TWS: 7497 paper, 7496 live. Gateway: 4002 paper, 4001 live."),
        ),
        "ibkr_client_id": client.number_input(
            _named("Client id", "ibkr_client_id", fixed), 1, settings.LAST_CLIENT_ID, chosen.ibkr_client_id, step=1,
            **_told("ibkr_client_id", fixed, "One number for this program alone; tests and bars use the next ones."),
        ),
        "ibkr_restart": restart.text_input(
            _named("Daily restart", "ibkr_restart", fixed), chosen.ibkr_restart, placeholder="none",
            **_told("ibkr_restart", fixed, "TWS's time of Auto restart as HH:MM; empty if it has none."),
        ).strip(),
        "ibkr_timezone": zone.selectbox(
            _named("Zone of that time", "ibkr_timezone", fixed), zones, zones.index(chosen.ibkr_timezone),
            format_func=lambda name: name or "This computer's", **_told("ibkr_timezone", fixed),
        ),
    }


def _account(chosen: Settings, fixed: dict[str, str]) -> dict[str, Value]:
    mode, number, opening = st.columns(3)
    return {
        "ibkr_mode": mode.radio(
            _named("Mode", "ibkr_mode", fixed), list(MODES), list(MODES).index(chosen.ibkr_mode),
            format_func=MODES.get,
            **_told("ibkr_mode", fixed, "Real money also needs the account's number typed at each deployment."),
        ),
        "ibkr_account": number.text_input(
            _named("Account", "ibkr_account", fixed), chosen.ibkr_account, placeholder="the only paper account",
            max_chars=32, **_told("ibkr_account", fixed, "Paper accounts begin with DU."),
        ).strip(),
        "ibkr_paper_open": opening.radio(
            _named("Entries on a paper account", "ibkr_paper_open", fixed), list(OPENS),
            list(OPENS).index(chosen.ibkr_paper_open), format_func=OPENS.get,
            **_told("ibkr_paper_open", fixed, "`doctor --probe-open` finds out whether it simulates the auction."),
        ),
    }


def _limits(chosen: Settings, fixed: dict[str, str]) -> dict[str, Value]:
    st.html(markup.heading("Limits of the whole account"))
    fields = (
        ("max_capital", "Capital of all agents ($)", 0, USD, 1_000, "0: the account's net liquidation."),
        ("max_day_loss_pct", "Day loss (%)", 1, 100, 1, "A larger one pauses entries."),
        ("max_orders_a_day", "Orders a day", 1, 10_000, 1, ""),
        ("max_order_notional", "Worth of one order ($)", 0, USD, 1_000, "0: no limit."),
    )
    return {
        key: column.number_input(
            _named(label, key, fixed), low, high, getattr(chosen, key), step=step, **_told(key, fixed, text),
        )
        for column, (key, label, low, high, step, text) in zip(st.columns(len(fields)), fields, strict=True)
    }
