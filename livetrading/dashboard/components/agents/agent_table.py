"""Many agents: a table with filters, and the chosen agent beside it."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from livetrading.dashboard import kinds, reading
from livetrading.dashboard.format import DASH
from livetrading.execution.state.status import AgentStatus

from ..shell import refresh
from ..shell.guard import shown
from . import agent_card as agents_panel
from .records import colored

Doc = dict[str, Any]
CHOSEN = "table_choice"
ROWS, TALL = 16, 640
"""Up to so many rows the table has its full height; a longer one scrolls within so many pixels."""
FILTERS: dict[str, Callable[[AgentStatus], bool]] = {
    "All": lambda a: True,
    "Running": lambda a: a["is_running"],
    "In position": lambda a: bool(a["current_position"]) or kinds.unread(a),
    "Losing": lambda a: (a["total_pnl"] or 0) < 0,
    "Not running": lambda a: not a["is_running"],
}


def render(agents: list[AgentStatus]) -> None:
    table, detail = st.columns([5, 3], gap="medium")
    with table:
        with st.container(horizontal=True, vertical_alignment="center"):
            choice = st.segmented_control(
                "Filter", list(FILTERS), default="All", required=True, key="table_filter", label_visibility="collapsed"
            )
            text = st.text_input(
                "Search", key="table_search", placeholder="Agent or symbol", label_visibility="collapsed"
            )
        refresh.every(agents_panel.EVERY, _table, choice or "All", text.strip().upper())
    with detail:
        by_id = {a["agent_id"]: a for a in agents}
        agents_panel.panel(by_id.get(st.session_state.get(CHOSEN, ""), agents[0]), detail=False)


@shown
def _table(choice: str, text: str) -> None:
    chosen = [
        a for a in reading.agents() if FILTERS[choice](a) and (text in a["agent_id"].upper() or text in a["symbol"])
    ]
    if not chosen:
        st.info("No agent matches this filter.")
        return
    event = st.dataframe(
        colored(frame_of(chosen)),
        hide_index=True,
        key=f"table_{choice}_{text}",
        placeholder=DASH,
        height="content" if len(chosen) <= ROWS else TALL,
        on_select="rerun",
        selection_mode="single-row",
        column_config=_columns(),
        alt="Agents in figures",
    )
    rows = event.selection.rows
    if rows and rows[0] < len(chosen) and st.session_state.get(CHOSEN) != chosen[rows[0]]["agent_id"]:
        st.session_state[CHOSEN] = chosen[rows[0]]["agent_id"]
        st.rerun()


def frame_of(agents: list[AgentStatus]) -> pd.DataFrame:
    """One row for each agent. A flat agent has 0 shares and no entry; an empty number of shares is a position that cannot be read."""
    return pd.DataFrame(
        [
            {
                "Agent": a["agent_id"],
                "Status": a.get("status_text") or a["status"],
                "Shares": a["current_position"],
                "Entry": a["entry_price"] if a["current_position"] else None,
                "Price": a["current_price"],
                "P&L": a["total_pnl"],
                "P&L %": a["total_pnl_pct"],
                "Value": a["portfolio_value"],
                "Trades": a["num_trades"],
                "Money": kinds.kind_of(a),
            }
            for a in agents
        ]
    )


def _columns() -> dict[str, Any]:
    number = st.column_config.NumberColumn
    dollars = number(format="$%,.2f")
    return {
        "Agent": st.column_config.TextColumn(pinned=True),
        "Shares": number(format="%,d"),
        "Entry": dollars,
        "Price": dollars,
        "Value": dollars,
    }
