"""EMERGENCY STOP: says what it will do, asks for STOP, does it, tells what came of it."""

from typing import Any

import streamlit as st

from livetrading.core.errors import LivetradingError
from livetrading.dashboard import control, kinds, markup, reading
from livetrading.dashboard.format import DASH, count, markdown, masked, plural, signed_money

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
    held = [a for a in agents if a["current_position"] and a["status"] != "finished"]
    profit = markdown(f" ({_profits(held)})") if held else ""
    return (
        f"Halts all trading, pauses **{plural(running, 'running agent')}**, cancels all open orders and closes "
        f"**{plural(len(held), 'position')}** at market{profit}."
    )


def _profits(held: list[dict[str, Any]]) -> str:
    """What is won or lost so far, by whose money it is."""
    parts = []
    for kind, members in kinds.grouped(held).items():
        unrealised = sum(a["unrealized_pnl"] or 0 for a in members)
        parts.append(f"{kind}: {len(members):,}, unrealised P&L {signed_money(unrealised)}")
    return "; ".join(parts)


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
    """One line an agent: what it held and had open, and what came of it."""
    failed = any(item.get("error") for item in items)
    head = ("Agent", "Symbol", "Shares held", "Open orders", "Outcome", *(["Error"] if failed else []))
    return markup.table(head, [_line(item, failed) for item in items])


def _line(item: dict[str, Any], failed: bool) -> list[tuple[str, str] | str]:
    outcome = (str(item.get("status") or DASH), "lt-up" if item.get("flat") else "lt-warn")
    error = [(str(item.get("error") or ""), "wide lt-down")] if failed else []
    return [
        str(item.get("agent_id") or f"account {masked(item.get('account'))}"), str(item.get("symbol") or DASH), count(item.get("shares")),
        count(item.get("orders")), outcome, *error,
    ]
