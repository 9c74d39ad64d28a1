"""Dialogs that ask before an agent is changed, and name what will be done."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from livetrading.adapters import request_ids
from livetrading.core.errors import LivetradingError
from livetrading.core.wording import counted
from livetrading.dashboard import control, kinds, reading
from livetrading.dashboard.format import markdown, new_york, signed_money
from livetrading.execution.state import bar_check
from livetrading.execution.state.status import AgentStatus

from ..shell import dialogs, emergency
from ..shell.guard import guarded
from . import reconciliation
from .agent_facts import holding

BY = "dashboard"
UNREAD = "Its position cannot be read at the moment."
Asked = dict[str, Any]


def pause(asked: Asked) -> None:
    with guarded():
        agent = reading.agent(asked["agent_id"])
        held = markdown(holding(agent))
        st.markdown(
            f"**{agent['agent_id']}** will make no further decision until you start it again. "
            + (
                UNREAD + " If it holds shares it keeps them, and their protective stop stays in force."
                if kinds.unread(agent)
                else f"It keeps {held}, and the protective stop stays in force."
                if held
                else "It holds no position."
            )
        )
        _buttons(asked, "pause", "Pause agent", danger=False)


def close_position(asked: Asked) -> None:
    with guarded():
        agent = reading.agent(asked["agent_id"])
        held = markdown(holding(agent))
        if kinds.unread(agent):
            st.warning(
                f"{UNREAD} Whatever **{agent['agent_id']}** holds by its journal is sold at market, and its protective "
                "stop cancelled; if it holds nothing, nothing is sold and the answer says so."
            )
            _buttons(asked, "close", "Close position", danger=True)
            return
        if not held:
            st.info(f"**{agent['agent_id']}** holds no position: there is nothing to close.")
            return
        when = _fills_when(agent["mode"])
        if until := bar_check.ended(agent):
            st.warning(
                f"{markdown(agent['source'] or '')} has had no bar of {agent['symbol']} after {until}. The sale fills only when"
                " the next bar comes. If no more bars will come, remove the agent instead."
            )
        st.markdown(
            f"Sells all of **{agent['agent_id']}**'s position, {held}, at market {when}. "
            "The protective stop is cancelled."
        )
        _buttons(asked, "close", "Close position", danger=True)


def _fills_when(mode: str) -> str:
    if kinds.at_broker(mode):
        return "at once while the market trades, else at the next open"
    return "at its next bar" if mode == "replay" else "at the next session's open"


def remove(asked: Asked) -> None:
    with guarded():
        agent = reading.agent(asked["agent_id"])
        held = markdown(holding(agent))
        until = bar_check.ended(agent)
        if held and agent["status"] != "finished" and not until:
            st.error(f"**{agent['agent_id']}** still holds {held}. Close the position first, then remove the agent.")
            return
        if held and until:
            st.warning(
                f"It still holds {held}. {markdown(agent['source'] or '')} has had no bar of {agent['symbol']} after {until}, so the"
                " shares cannot be sold. They are simulated; the journal records them at that day's close."
            )
        if kinds.unread(agent):
            st.warning(f"{UNREAD} If it holds shares by its journal, removing is refused: close the position first.")
            result = "Its figures cannot be read"
        else:
            trades = counted(agent["num_trades"] or 0, "trade")
            result = f"Total P&L {markdown(signed_money(agent['total_pnl']))} after {trades}"
        st.markdown(
            f"Removes **{agent['agent_id']}** from this page for good. {result}. "
            "Its journal stays in the home; it cannot be started again."
        )
        _buttons(asked, "remove", "Remove agent", danger=True)


def adopt(asked: Asked) -> None:
    _reconcile(asked, "adopt", "Adopt", reconciliation.adopting)


def ignore(asked: Asked) -> None:
    _reconcile(asked, "ignore", "Ignore as mine", reconciliation.ignoring)


def cash(asked: Asked) -> None:
    with guarded():
        agent = reading.agent(asked["agent_id"])
        st.markdown(reconciliation.confirming(agent, asked["difference"]))
        _buttons(asked, "confirm_cash", "It is mine", danger=True)


def _reconcile(asked: Asked, kind: str, label: str, sentence: Callable[[AgentStatus, Asked], str]) -> None:
    with guarded():
        agent = reading.agent(asked["agent_id"])
        found = agent.get("reconciliation")
        if not found:
            st.info(f"**{agent['agent_id']}**'s book and the broker agree again: there is nothing to resolve.")
            return
        st.markdown(sentence(agent, found))
        _buttons(asked, kind, label, danger=True)


def rearm(asked: Asked) -> None:
    with guarded():
        system = reading.system()
        halt = system["halt"]
        if halt is None:
            st.info("Trading is not halted: there is nothing to re-arm.")
            return
        since = f" since {new_york(halt['at'])}" if halt.get("at") else ""
        st.markdown(
            f"Trading is halted{since}, by {halt['by']}: *{halt['reason']}*.\n\n"
            "Re-arming allows orders again. **All agents stay stopped** until you start each of them."
        )
        if working := emergency.at_work(system):
            st.warning(f"{working} Re-arming now ends the stop: what it has not closed stays open.")
        _buttons(asked, "rearm", "Re-arm trading", danger=True)


def start(agent_id: str) -> None:
    """Starts without a dialog, because it only lets the agent decide again."""
    request_id = st.session_state.setdefault(f"start_request_{agent_id}", request_ids.new())
    try:
        with st.spinner(f"Starting {agent_id} …"):
            outcome = control.request(reading.home(), "start", agent_id, BY, request_id)
    finally:
        st.session_state.pop(f"start_request_{agent_id}", None)
    st.session_state["notice"] = outcome["message"] or f"{agent_id} is running."
    st.rerun()


def _buttons(asked: Asked, kind: str, label: str, danger: bool) -> None:
    cancel, act = st.columns(2)
    confirmed = act.button(
        label,
        key=f"{'danger' if danger else 'confirm'}_{kind}",
        width="stretch",
        type="secondary" if danger else "primary",
    )
    if cancel.button("Cancel", key=f"cancel_{kind}", width="stretch"):
        dialogs.finish()
    if confirmed:
        _act(asked, kind, label)


def _act(asked: Asked, kind: str, label: str) -> None:
    home, request_id, place = reading.home(), asked["request_id"], st.empty()
    place.info("Waiting for the answer …")  # replaces the answer to an earlier attempt
    try:
        if kind == "rearm":
            message = control.rearm(home, BY, request_id)
        else:
            args = {"difference": asked["difference"]} if "difference" in asked else None
            message = control.request(home, kind, asked["agent_id"], BY, request_id, args)["message"]
    except LivetradingError as error:
        place.error(markdown(str(error)))
        return
    dialogs.finish(message or f"{label}: done.")
