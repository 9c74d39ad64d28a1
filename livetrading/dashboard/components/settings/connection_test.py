"""Test the connection to a broker: ``doctor --NAME`` as its own process, which this page watches."""

from typing import Any

import streamlit as st

from livetrading.adapters.brokers.base import BrokerWords
from livetrading.dashboard import commands, markup, reading
from livetrading.dashboard.format import markdown

from ..shell import refresh
from ..shell.guard import shown

Doc = dict[str, Any]
RUNNING = "connection_test"
EVERY = 1
STEPS = 5
"""Lines that the command prints while it works."""


def render(words: BrokerWords) -> None:
    with st.container(border=True):
        st.html(markup.heading("Test the connection", "with the settings that are saved"))
        command = _command()
        busy = command is not None and command.running()
        if st.button("Test the connection", key="settings_test", disabled=busy, width="stretch") and not busy:
            command = commands.start(reading.home(), ["doctor", f"--{words.name}", "--json"])
            st.session_state[RUNNING] = command.id
            st.rerun()
        if busy:
            refresh.every(EVERY, _watch)
        elif command is not None:
            _result(command.wait(0))
        else:
            st.caption(f"Asks {words.program} for the account, its clock and bars of one stock. It sends no order.")


def _command() -> commands.Command | None:
    known = st.session_state.get(RUNNING)
    return commands.Command(reading.home(), known) if known else None


@shown
def _watch() -> None:
    command = _command()
    if command is None or not command.running():
        st.rerun()
    lines = [line for line in command.log.read_text(errors="replace").splitlines() if line.strip()]
    st.progress(min(0.95, (1 + len(lines)) / (STEPS + 2)), _capital(lines[-1] if lines else "starting …"))


def _result(answer: commands.Answer) -> None:
    checks = answer.values.get("checks")
    if not checks:
        st.error(markdown(answer.error or "The test ended without an answer; try it again."))
        return
    if all(c["ok"] for c in checks):
        st.success("All checks passed.")
    else:
        st.error(f"{sum(not c['ok'] for c in checks)} of {len(checks)} checks failed.")
    st.html(markup.table(("Check", "", "Found"), [row(c) for c in checks]))


def row(check: Doc) -> list[tuple[str, str] | str]:
    """One check: its name, passed or not, what was found and what to do."""
    name = _capital(str(check["name"]).removeprefix("broker "))
    verdict = ("failed", "lt-down") if not check["ok"] else ("note", "lt-warn") if check["cure"] else ("ok", "lt-up")
    found = _capital(check["detail"]) + (f". {_capital(check['cure'])}" if check["cure"] else "")
    return [name, verdict, (f"{found.rstrip('.')}.", "wide")]


def _capital(text: str) -> str:
    """With a capital first letter."""
    return text[:1].upper() + text[1:]
