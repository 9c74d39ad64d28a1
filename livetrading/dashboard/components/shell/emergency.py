"""EMERGENCY STOP: says what it will do, asks for STOP, does it, tells what came of it."""

import logging
from typing import Any

import streamlit as st

from livetrading.adapters import logs
from livetrading.core.stopping import WAITS, Outcome, StopState, cancelled
from livetrading.core.wording import counted
from livetrading.dashboard import brokers, control, kinds, markup, reading
from livetrading.dashboard.format import DASH, count, markdown, masked, price, signed_money, tone

from . import dialogs, refresh
from .guard import shown

log = logging.getLogger(__name__)
Doc = dict[str, Any]
RESULT = "emergency_result"
"""The answer to this session's stop; at first only that it was begun."""
DISMISSED = "emergency_dismissed"
WORD = "STOP"
OUTCOMES = {str(Outcome.OVER): "finished replay, not sold"}
"""Where the code's word alone says too little."""


def body(asked: Doc) -> None:
    st.error(_announced())
    # One button in the form: Enter presses whichever was mounted first, and Cancel must not be it.
    with st.form("emergency_form", border=False):
        typed = st.text_input("Type STOP to confirm", key="emergency_word", autocomplete="off")
        confirmed = st.form_submit_button("Stop everything", key="danger_stop", width="stretch")
    cancelled_ = st.button("Cancel", key="emergency_cancel", width="stretch")
    said = st.empty()
    if confirmed:
        if typed.strip().upper() != WORD:
            said.warning("Nothing was stopped: type STOP in the field above, then press the button.")
        else:
            # In the warning's own place: whatever a try before has left there would stand beside the stop.
            said.info("Halting, cancelling orders, closing positions …")
            _stop(asked["request_id"])
            dialogs.finish()
    elif cancelled_:
        dialogs.finish()


def announcement(agents: list[Doc] | None) -> str:
    """What the stop will do, in numbers. None: the state cannot be read."""
    if agents is None:
        return (
            "Halts all trading, pauses **all** agents, cancels **all** open orders and closes **all** positions. "
            "The numbers cannot be read at the moment; the stop works regardless."
        )
    asked = [a for a in agents if a["is_running"]]
    idle = sum(1 for a in asked if a.get("no_bars_since"))
    among = f" ({idle:,} of them without bars)" if idle else ""
    held = [a for a in agents if kinds.holds(a)]
    profit = markdown(f" ({_profits(held)})") if held else ""
    unread = sum(1 for a in agents if kinds.unread(a))
    unknown = (
        f" **{counted(unread, 'agent')}** cannot be read: stopped, too, and whatever {'it holds' if unread == 1 else 'they hold'} by"
        " the journal is closed; the result says what that was." if unread else ""
    )
    return (
        f"Halts all trading, pauses **{counted(len(asked), 'running agent')}**{among}, cancels all open orders and closes "
        f"**{counted(len(held), 'position')}** at market{profit}.{unknown}"
    )


def _profits(held: list[Doc]) -> str:
    """What is won or lost so far, by whose money it is."""
    parts = []
    for kind, members in kinds.grouped(held).items():
        unrealised = sum(a["unrealized_pnl"] or 0 for a in members)
        parts.append(f"{kind}: {len(members):,}, unrealised P&L {signed_money(unrealised)}")
    return "; ".join(parts)


def _announced() -> str:
    try:
        return announcement(reading.agents())
    except Exception as error:  # nothing that cannot be read must stand between a person and the stop
        logs.caught(log, "the announcement of an emergency stop", error)
        return announcement(None)


def _stop(command_id: str) -> None:
    # Noted before: a click beside the dialog ends this run of the page, and not the stop.
    st.session_state[RESULT] = {"state": StopState.WAITING, "flat": False, "items": []}
    try:
        result = control.emergency_stop(reading.home(), "emergency stop on the dashboard", "dashboard", command_id)
    except Exception as error:
        result = {"error": str(logs.caught(log, "an emergency stop", error))}
    st.session_state[RESULT] = result


def render_result(every: int) -> None:
    """How far the stop is, and what it did, until it is dismissed or trading is re-armed; whoever asked for it."""
    refresh.every(every, _result)


def at_work(system: Doc) -> str:
    """What is open while the stop has no record yet, by the agents' own state; empty if it has one, or none is set."""
    if not system["halt"] or system["stop"]:
        return ""
    try:
        agents = reading.agents()
    except Exception as error:  # the halt is said all the same
        logs.caught(log, "the positions that a stop has to close", error)
        return "The emergency stop is at work; how many positions are still open cannot be read."
    held = sum(1 for a in agents if kinds.holds(a))
    unread = kinds.unread_words(agents)
    if not (unread or any(a["is_running"] or a["orders"] or kinds.holds(a) for a in agents)):
        return ""
    unknown = f"; of the agents, {unread}: what they hold is not known" if unread else ""
    return f"The emergency stop is at work; {counted(held, 'position')} {'is' if held == 1 else 'are'} still open{unknown}."


@shown
def _result() -> None:
    told = _latest()
    if told is None:
        return
    with st.container(border=True, key="emergency_result_panel"):
        _headline(told)
        if told.get("items"):
            st.html(_items(told["items"]))
        if st.button("Dismiss", key="emergency_dismiss"):
            st.session_state.pop(RESULT, None)
            st.session_state[DISMISSED] = told.get("at")
            st.rerun()


def dismissed(system: Doc) -> bool:
    """Whether there is an outcome of the stop that is set, and this session has put it away."""
    known = system["stop"] if system["halt"] else None
    return known is not None and RESULT not in st.session_state and st.session_state.get(DISMISSED) == known["at"]


def show_again() -> None:
    st.session_state.pop(DISMISSED, None)


def _latest() -> Doc | None:
    """What is on record of the stop that is set, else this session's answer. An error stays an error."""
    mine = st.session_state.get(RESULT)
    if mine is not None and "error" in mine:
        return mine
    system = reading.system()
    known = system["stop"] if system["halt"] else None
    if mine is not None and "at" not in mine and system["halt"] is None:
        return None  # re-armed before this session heard the answer
    if mine is not None:
        same = known is not None and mine.get("at") in (None, known["at"])
        return known if same else mine
    if known is None or st.session_state.get(DISMISSED) == known["at"]:
        return None
    return known


def _headline(result: Doc) -> None:
    if "error" in result:
        st.error(
            f"Trading is halted, but the emergency stop did not finish: {markdown(result['error'])} "
            "Run `python -m livetrading emergency-stop` in a terminal and look at your broker's own screen."
        )
    elif result["state"] == StopState.DONE:
        st.success(f"Emergency stop done. **Flat**: no position and no open order of ours is left.{_frozen(result)}")
    elif result["state"] == StopState.WAITING:
        # No item waits: not even the scheduler has answered.
        waits = any(item.get("status") in WAITS for item in result.get("items") or [])
        whom = brokers.connected().title if waits else "the answer"
        who = "the scheduler" if reading.system()["scheduler"]["alive"] else "the stop's own process"
        st.warning(f"Trading is halted. **Waiting for {whom}**: {who} goes on with it.")
    elif result["state"] == StopState.FAILED:
        st.error("Trading is halted. **Not everything is closed**: the table says what a person must do.")
    else:
        st.warning(
            "Trading is halted. **Exits are queued**: they fill when the market trades; what is not closed yet is named below."
        )


def _frozen(result: Doc) -> str:
    over = any(item.get("status") == Outcome.OVER and item.get("shares") for item in result.get("items") or [])
    return " Shares of a finished replay are history and are not sold." if over else ""


HEAD = ("Agent", "Outcome", "Symbol", "Shares held", "Cancelled", "Sold", "Price", "Realised P&L", "Exit")


def _items(items: list[Doc]) -> str:
    """One line an agent: what the stop found, what it has done so far, and how the agent stands."""
    failed = any(item.get("error") for item in items)
    return markup.table([*HEAD, *(["Error"] if failed else [])], [_line(item, failed) for item in items], stacks=True)


def _line(item: Doc, failed: bool) -> list[tuple[str, str] | str]:
    status = item.get("status")
    tone_ = "lt-muted" if status == Outcome.OVER else "lt-up" if item.get("flat") else "lt-down" if status == Outcome.FAILED else "lt-warn"
    outcome = (OUTCOMES.get(str(status), str(status or DASH)), tone_)
    error = [(str(item.get("error") or ""), "wide lt-down")] if failed else []
    gain = item.get("pnl")
    return [
        str(item.get("agent_id") or f"account {masked(item.get('account'))}"), outcome, str(item.get("symbol") or DASH),
        count(item.get("shares")), cancelled(item) or DASH, count(item.get("sold")), price(item.get("price")),
        (signed_money(gain), tone(gain)), str(item.get("exit") or DASH), *error,
    ]
