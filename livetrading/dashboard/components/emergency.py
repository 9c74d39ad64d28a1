"""EMERGENCY STOP: says what it will do, asks for STOP, does it, tells what came of it."""

from typing import Any

import streamlit as st

from livetrading.core.errors import LivetradingError
from livetrading.dashboard import control, markup, reading
from livetrading.dashboard.format import plural, signed_money

from . import dialogs

RESULT = "emergency_result"
WORD = "STOP"


def body(asked: dict[str, Any]) -> None:
    st.error(announcement(_agents()))
    with st.form("emergency_form", border=False):
        typed = st.text_input("Type STOP to confirm", key="emergency_word", autocomplete="off")
        cancel, stop = st.columns(2)
        confirmed = stop.form_submit_button("Stop everything", key="danger_stop", width="stretch")
        cancelled = cancel.form_submit_button("Cancel", key="emergency_cancel", width="stretch")
    if cancelled and not confirmed:
        dialogs.finish()
    if confirmed:
        if typed.strip().upper() != WORD:
            st.warning("Nothing was stopped: type STOP in the field above, then press the button.")
        else:
            with st.spinner("Halting, cancelling orders, closing positions …"):
                _stop(asked["request_id"])
            dialogs.finish()


def announcement(agents: list[dict[str, Any]] | None) -> str:
    """What the stop will do, in numbers. None: the state cannot be read."""
    if agents is None:
        return (
            "Halts all trading, pauses **all** agents, cancels **all** open orders and closes **all** positions. "
            "The numbers cannot be read at the moment; the stop works regardless."
        )
    running = sum(1 for a in agents if a["is_running"])
    held = [a for a in agents if a["current_position"]]
    unrealised = sum(a["unrealized_pnl"] or 0 for a in held)
    profit = f" (unrealised P&L {signed_money(unrealised)})".replace("$", r"\$") if held else ""
    return (
        f"Halts all trading, pauses **{plural(running, 'running agent')}**, cancels all open orders and closes "
        f"**{plural(len(held), 'position')}** at market{profit}."
    )


def _agents() -> list[dict[str, Any]] | None:
    try:
        return reading.agents()
    except LivetradingError:
        return None  # a damaged file must not stand between a person and the stop


def _stop(command_id: str) -> None:
    try:
        result = control.emergency_stop(reading.home(), "emergency stop on the dashboard", "dashboard", command_id)
    except LivetradingError as error:
        result = {"error": str(error)}
    st.session_state[RESULT] = result


def render_result() -> None:
    """Stays on the page until it is dismissed."""
    result = st.session_state.get(RESULT)
    if result is None:
        return
    with st.container(border=True, key="emergency_result_panel"):
        _headline(result)
        items = result.get("items") or []
        if items:
            st.html(_items(items))
        if st.button("Dismiss", key="emergency_dismiss"):
            del st.session_state[RESULT]
            st.rerun()


def _headline(result: dict[str, Any]) -> None:
    if "error" in result:
        st.error(
            f"Trading is halted, but the emergency stop did not finish: {result['error']} "
            "Run `python -m livetrading emergency-stop` in a terminal and look at your broker's own screen."
        )
    elif result.get("flat"):
        st.success("Emergency stop done. **Flat**: no position and no open order of ours is left.")
    else:
        st.warning("Emergency stop done. **Exit queued**: trading is halted; what is not closed yet is named below.")


def _items(items: list[dict[str, Any]]) -> str:
    """One line an item, whatever keys it has, the usual ones first."""
    first = ("agent_id", "what", "action", "result", "status", "message")
    known = {key for item in items for key in item}
    keys = [*(k for k in first if k in known), *sorted(known - set(first))]
    rows = [[(_plain(item.get(key)), "wide" if key in ("message", "result") else "") for key in keys] for item in items]
    return markup.table([key.replace("_", " ").capitalize() for key in keys], rows)


def _plain(value: Any) -> str:
    return "–" if value is None else str(value)
