"""EMERGENCY STOP: announces what it will do, asks for STOP, does it, shows the result."""

import logging
from collections.abc import Mapping
from typing import Any

import streamlit as st

from livetrading.adapters import logs
from livetrading.core.stopping import WAITS, Outcome, StopState, cancelled
from livetrading.core.wording import counted
from livetrading.dashboard import brokers, control, kinds, markup, reading
from livetrading.dashboard.format import DASH, count, markdown, masked, price, signed_money, tone
from livetrading.execution.state.status import AgentStatus, SystemStatus

from . import dialogs, refresh
from .guard import shown

log = logging.getLogger(__name__)
Doc = dict[str, Any]
RESULT = "emergency_result"
"""Session key of the answer to this session's stop; at first only that it has begun."""
DISMISSED = "emergency_dismissed"
CONFIRMATION = "STOP"
OUTCOMES = {str(Outcome.OVER): "finished replay, not sold"}
"""Texts for outcomes whose code alone is not clear."""


def body(asked: Doc) -> None:
    st.error(_announced())
    # One button in the form: Enter presses whichever was mounted first, and Cancel must not be it.
    with st.form("emergency_form", border=False):
        typed = st.text_input("Type STOP to confirm", key="emergency_word", autocomplete="off")
        confirmed = st.form_submit_button("Stop everything", key="danger_stop", width="stretch")
    cancelled_ = st.button("Cancel", key="emergency_cancel", width="stretch")
    place = st.empty()
    if confirmed:
        if typed.strip().upper() != CONFIRMATION:
            place.warning("Nothing was stopped: type STOP in the field above, then press the button.")
        else:
            # Replaces the warning of an earlier attempt.
            place.info("Halting, cancelling orders, closing positions …")
            _stop(asked["request_id"])
            dialogs.finish()
    elif cancelled_:
        dialogs.finish()


def announcement(agents: list[AgentStatus] | None) -> str:
    """What the stop will do, in numbers. None: the state cannot be read."""
    if agents is None:
        return (
            "Halts all trading, pauses **all** agents, cancels **all** open orders and closes **all** positions. "
            "The numbers cannot be read at the moment; the stop works regardless."
        )
    running = [a for a in agents if a["is_running"]]
    idle = sum(1 for a in running if a.get("no_bars_since"))
    among = f" ({idle:,} of them without bars)" if idle else ""
    held = [a for a in agents if kinds.holds(a)]
    profit = markdown(f" ({_profits(held)})") if held else ""
    unread = sum(1 for a in agents if kinds.unread(a))
    unknown = (
        f" **{counted(unread, 'agent')}** cannot be read: stopped, too, and whatever {'it holds' if unread == 1 else 'they hold'} by"
        " the journal is closed; the result says what that was."
        if unread
        else ""
    )
    return (
        f"Halts all trading, pauses **{counted(len(running), 'running agent')}**{among}, cancels all open orders and closes "
        f"**{counted(len(held), 'position')}** at market{profit}.{unknown}"
    )


def _profits(held: list[AgentStatus]) -> str:
    """The unrealised gain or loss of each kind of money."""
    parts = []
    for kind, members in kinds.grouped(held).items():
        unrealised = sum(a["unrealized_pnl"] or 0 for a in members)
        parts.append(f"{kind}: {len(members):,}, unrealised P&L {signed_money(unrealised)}")
    return "; ".join(parts)


def _announced() -> str:
    try:
        return announcement(reading.agents())
    except Exception as error:  # a file that cannot be read must not prevent the stop
        logs.caught(log, "the announcement of an emergency stop", error)
        return announcement(None)


def _stop(command_id: str) -> None:
    # Set first, because a click outside the dialog ends this run of the page but not the stop.
    st.session_state[RESULT] = {"state": StopState.WAITING, "flat": False, "items": []}
    try:
        result = control.emergency_stop(reading.home(), "emergency stop on the dashboard", "dashboard", command_id)
    except Exception as error:
        result = {"error": str(logs.caught(log, "an emergency stop", error))}
    st.session_state[RESULT] = result


def render_result(every: int) -> None:
    """The progress and result of a stop from any source, until it is dismissed or trading is re-armed."""
    refresh.every(every, _result)


def at_work(system: SystemStatus) -> str:
    """The open positions while the stop has no record yet, by the agents' state. Empty with a record or without a stop."""
    if not system["halt"] or system["stop"]:
        return ""
    try:
        agents = reading.agents()
    except Exception as error:  # the halt is shown all the same
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
    result = _latest()
    if result is None:
        return
    with st.container(border=True, key="emergency_result_panel"):
        _headline(result)
        if result.get("items"):
            st.html(_items(result["items"]))
        if st.button("Dismiss", key="emergency_dismiss"):
            st.session_state.pop(RESULT, None)
            st.session_state[DISMISSED] = result.get("at")
            st.rerun()


def dismissed(system: SystemStatus) -> bool:
    """Whether this session has dismissed the result of the stop that is set."""
    known = system["stop"] if system["halt"] else None
    return known is not None and RESULT not in st.session_state and st.session_state.get(DISMISSED) == known["at"]


def show_again() -> None:
    st.session_state.pop(DISMISSED, None)


def _latest() -> Mapping[str, Any] | None:
    """The record of the stop that is set, else this session's answer. An error in this session stays shown."""
    mine = st.session_state.get(RESULT)
    if mine is not None and "error" in mine:
        return mine
    system = reading.system()
    known = system["stop"] if system["halt"] else None
    if mine is not None and "at" not in mine and system["halt"] is None:
        return None  # trading was re-armed before this session got the answer
    if mine is not None:
        same = known is not None and mine.get("at") in (None, known["at"])
        return known if same else mine
    if known is None or st.session_state.get(DISMISSED) == known["at"]:
        return None
    return known


def _headline(result: Mapping[str, Any]) -> None:
    if "error" in result:
        st.error(
            f"Trading is halted, but the emergency stop did not finish: {markdown(result['error'])} "
            "Run `python -m livetrading emergency-stop` in a terminal and look at your broker's own screen."
        )
    elif result["state"] == StopState.DONE:
        st.success(f"Emergency stop done. **Flat**: no position and no open order of ours is left.{_frozen(result)}")
    elif result["state"] == StopState.WAITING:
        # Without a waiting item even the scheduler has not answered yet.
        waits = any(item.get("status") in WAITS for item in result.get("items") or [])
        whom = brokers.connected().title if waits else "the answer"
        who = "the scheduler" if reading.system()["scheduler"]["alive"] else "the stop's own process"
        st.warning(f"Trading is halted. **Waiting for {whom}**: {who} continues it.")
    elif result["state"] == StopState.FAILED:
        st.error("Trading is halted. **Not everything is closed**: the table says what a person must do.")
    else:
        st.warning(
            "Trading is halted. **Exits are queued**: they fill when the market trades; what is not closed yet is named below."
        )


def _frozen(result: Mapping[str, Any]) -> str:
    over = any(item.get("status") == Outcome.OVER and item.get("shares") for item in result.get("items") or [])
    return " Shares of a finished replay are history and are not sold." if over else ""


HEAD = ("Agent", "Outcome", "Symbol", "Shares held", "Cancelled", "Sold", "Price", "Realised P&L", "Exit")


def _items(items: list[Doc]) -> str:
    """One row for each agent: what the stop found, what it has done so far, and the state of the agent."""
    failed = any(item.get("error") for item in items)
    return markup.table([*HEAD, *(["Error"] if failed else [])], [_line(item, failed) for item in items], stacks=True)


def _line(item: Doc, failed: bool) -> list[tuple[str, str] | str]:
    status = item.get("status")
    tone_ = (
        "lt-muted"
        if status == Outcome.OVER
        else "lt-up"
        if item.get("flat")
        else "lt-down"
        if status == Outcome.FAILED
        else "lt-warn"
    )
    outcome = (OUTCOMES.get(str(status), str(status or DASH)), tone_)
    error = [(str(item.get("error") or ""), "wide lt-down")] if failed else []
    gain = item.get("pnl")
    return [
        str(item.get("agent_id") or f"account {masked(item.get('account'))}"),
        outcome,
        str(item.get("symbol") or DASH),
        count(item.get("shares")),
        cancelled(item) or DASH,
        count(item.get("sold")),
        price(item.get("price")),
        (signed_money(gain), tone(gain)),
        str(item.get("exit") or DASH),
        *error,
    ]
