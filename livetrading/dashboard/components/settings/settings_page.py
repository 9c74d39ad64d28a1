"""The Settings page: each broker's account and the limits of the account, stored in the home."""

from typing import Any
from zoneinfo import available_timezones

import streamlit as st

from livetrading.adapters import settings
from livetrading.adapters.brokers.account_setup import SettingField
from livetrading.adapters.brokers.base import BrokerWords
from livetrading.adapters.settings import Settings, Value
from livetrading.core.errors import Refused
from livetrading.dashboard import brokers, markup, reading
from livetrading.dashboard.format import markdown

from ..shell.guard import guarded
from . import connection_test

USD = 1_000_000_000


def render() -> None:
    st.html(markup.title("Settings"))
    with guarded():
        chosen, fixed = settings.load(reading.home()), settings.overridden()
        form, test = st.columns([3, 2], gap="medium")
        with form:
            _form(chosen, fixed)
        for words in _configurable():
            with test, guarded():
                connection_test.render(words)


def _configurable() -> list[BrokerWords]:
    return [words for words in brokers.known() if words.setup is not None]


def _form(chosen: Settings, fixed: dict[str, str]) -> None:
    with st.form("settings_form"):
        values: dict[str, Value] = {}
        for words in _configurable():
            values |= _broker(words, chosen, fixed)
        values |= _limits(chosen, fixed)
        saved = st.form_submit_button("Save", type="primary", key="settings_save")
    if saved:
        with guarded():
            _save(values, chosen, fixed)
    for words in _configurable():
        _contradiction(words, chosen)
    st.caption(
        "Stored in settings.toml of the home. The scheduler uses new settings after its next start; agents that are"
        " deployed keep the account that they were deployed to."
    )


def _save(values: dict[str, Value], chosen: Settings, fixed: dict[str, str]) -> None:
    changes = {key: value for key, value in values.items() if key not in fixed and value != getattr(chosen, key)}
    if changes:
        settings.save_all(reading.home(), changes)
    saved = "Saved; the scheduler uses it after its next start."
    st.session_state["notice"] = saved if changes else "Nothing was changed."
    st.rerun()


def _contradiction(words: BrokerWords, chosen: Settings) -> None:
    """A warning while the settings of an account contradict each other, such as mode and port."""
    try:
        if words.setup is not None:
            words.setup.check(chosen)
    except Refused as error:
        st.warning(markdown(f"{error} Until then nothing is sent."))


# -- the fields -------------------------------------------------------


def _widget(key: str, fixed: dict[str, str], text: str = "") -> dict[str, Any]:
    """Key, help, and whether the field is disabled because an environment variable decides."""
    if key in fixed:
        text = f"LIVETRADING_{key.upper()} in the environment decides: {fixed[key] or 'empty'}."
    return {"key": f"set_{key}", "help": text or None, "disabled": key in fixed}


def _label(label: str, key: str, fixed: dict[str, str]) -> str:
    return f"{label} (environment)" if key in fixed else label


def _broker(words: BrokerWords, chosen: Settings, fixed: dict[str, str]) -> dict[str, Value]:
    st.html(markup.heading(words.title, words.programs))
    values: dict[str, Value] = {}
    for row in words.setup.rows if words.setup is not None else ():
        for column, field in zip(st.columns([f.width for f in row]), row, strict=True):
            values[field.key] = _field(column, field, getattr(chosen, field.key), fixed)
    return values


def _field(column: Any, field: SettingField, value: Any, fixed: dict[str, str]) -> Value:
    """Draw one setting; its value in the form."""
    label, common = _label(field.label, field.key, fixed), _widget(field.key, fixed, field.help)
    if field.kind == "whole":
        return column.number_input(label, field.low, field.high, value, step=1, **common)
    if field.kind == "choice":
        names = list(field.choices)
        return column.radio(label, names, names.index(value), format_func=field.choices.get, **common)
    if field.kind == "zone":
        zones = sorted({"", value, *available_timezones()})
        return column.selectbox(
            label, zones, zones.index(value), format_func=lambda name: name or field.empty, **common
        )
    return column.text_input(
        label, value, placeholder=field.empty or None, max_chars=field.most_characters, **common
    ).strip()


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
            _label(label, key, fixed), low, high, getattr(chosen, key), step=step, **_widget(key, fixed, text)
        )
        for column, (key, label, low, high, step, text) in zip(st.columns(len(fields)), fields, strict=True)
    }
