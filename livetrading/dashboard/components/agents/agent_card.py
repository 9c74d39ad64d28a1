"""One agent's panel: its state, its chart, and its buttons."""

import logging
from typing import Any

import streamlit as st

from livetrading.adapters import logs
from livetrading.core.errors import NotFound
from livetrading.dashboard import kinds, markup, reading, sitemap
from livetrading.execution.state.status import AgentStatus

from ..shell import dialogs, frame, refresh
from ..shell.guard import guarded, shown
from . import agent_chart, agent_facts, confirm, reconciliation

log = logging.getLogger(__name__)
Doc = dict[str, Any]
SELECTED = "agent"
"""The query parameter that names the agent in detail."""
EVERY, EVERY_IN_REPLAY = 10, 2
"""Seconds between refreshes; a replay may finish a session each second."""
FAST_PACE = 5


def panel(agent: AgentStatus, *, detail: bool, alone: bool = False) -> None:
    """A panel that refreshes itself. ``alone``: it is the only agent, so no button leads back to all."""
    with st.container(border=True, key=f"panel_{agent['agent_id']}", height="content" if detail else "stretch"):
        refresh.every(seconds(agent), _body, agent["agent_id"], detail, alone)


def select(agent_id: str | None) -> None:
    """Show one agent in detail, or all of them, from the page's top. Does not return."""
    frame.scroll_up()
    st.switch_page(sitemap.live(), query_params={} if agent_id is None else {SELECTED: agent_id})


def seconds(agent: AgentStatus) -> int:
    """Seconds between refreshes of this agent."""
    fast = agent["mode"] == "replay" and agent["is_running"] and (agent["pace"] or 0) <= FAST_PACE
    return EVERY_IN_REPLAY if fast else EVERY


@shown
def _body(agent_id: str, detail: bool, alone: bool) -> None:
    try:
        agent = reading.agent(agent_id)
    except NotFound:
        st.rerun()  # it was removed elsewhere: the page is drawn again without it
    history = _history(agent_id)
    with guarded():
        _facts(agent, history, detail)
    if detail:
        with guarded():
            reconciliation.box(agent)
        _buttons(agent, detail, alone)
        agent_chart.big(agent, history)
    else:
        with guarded():
            agent_chart.small(agent, history)
        _buttons(agent, detail, alone)


def _facts(agent: AgentStatus, history: Doc, detail: bool) -> None:
    facts = agent_facts.facts(agent, history)
    st.html(agent_facts.heading(agent))
    st.html(
        markup.facts(facts if detail else facts[: agent_facts.ON_A_CARD], wide=detail)
        + markup.notes([*([] if detail else reconciliation.notes(agent)), *agent_facts.notes(agent, history)])
    )


def _history(agent_id: str) -> Doc:
    """Empty if it cannot be read: the agent's warnings show why, and its buttons must still be drawn."""
    try:
        return reading.history(agent_id)
    except Exception as error:
        logs.caught(log, f"the history of {agent_id}", error)
        return {"fills": [], "bars": []}


def _buttons(agent: AgentStatus, detail: bool, alone: bool) -> None:
    agent_id = agent["agent_id"]
    over = agent["status"] == "finished"
    with st.container(horizontal=True):
        unread = kinds.unread(agent)  # it may run and hold shares, so that Pause and Close are offered
        if agent["is_running"] or unread:
            if st.button("Pause", key=f"pause_{agent_id}"):
                dialogs.ask("pause", agent_id=agent_id)
        elif not over and st.button("Start", key=f"start_{agent_id}"):
            confirm.start(agent_id)
        if st.button("Close Position", key=f"close_{agent_id}", disabled=over or agent["current_position"] == 0):
            dialogs.ask("close", agent_id=agent_id)
        if st.button("Remove", key=f"remove_{agent_id}"):
            dialogs.ask("remove", agent_id=agent_id)
        if not detail and st.button("Details", key=f"details_{agent_id}"):
            select(agent_id)
        if detail and not alone and st.button("Back to all agents", key=f"back_{agent_id}"):
            select(None)
