"""An agent's candles. The figure changes only when a bar closes or a trade happens."""

from typing import Any

import plotly.graph_objects as go
import streamlit as st

from livetrading.dashboard import figures, prices
from livetrading.execution.state.status import AgentStatus

Doc = dict[str, Any]


def small(agent: AgentStatus, history: Doc) -> None:
    if not history["bars"]:
        return
    figure = _figure(agent, history, span="6M", indicators=(), height=250, zoomable=False)
    st.plotly_chart(figure, key=f"chart_{agent['agent_id']}", theme=None, config=figures.STILL)


def big(agent: AgentStatus, history: Doc) -> None:
    if not history["bars"]:
        return
    agent_id = agent["agent_id"]
    with st.container(horizontal=True, vertical_alignment="center"):
        span = st.segmented_control(
            "Range",
            list(prices.SPANS),
            default="6M",
            required=True,
            key=f"span_{agent_id}",
            label_visibility="collapsed",
        )
        indicators = st.pills(
            "Indicators",
            list(prices.INDICATORS),
            selection_mode="multi",
            key=f"indicators_{agent_id}",
            label_visibility="collapsed",
        )
        follow = True
        if agent["mode"] == "replay" and agent["is_running"]:
            follow = st.toggle(
                "Follow",
                value=True,
                key=f"follow_{agent_id}",
                help="Off: the chart does not refresh, so that your zoom stays.",
            )
    figure = _figure(
        agent,
        history,
        span=span or "6M",
        indicators=tuple(indicators or ()),
        height=460,
        zoomable=True,
        frozen=not follow,
    )
    st.plotly_chart(figure, key=f"big_chart_{agent_id}", theme=None, config=figures.CONFIG)
    if any(row[7] != 1 for row in history["bars"]):
        st.caption("Prices and volumes before a split are shown in today's shares.")


def _figure(
    agent: AgentStatus,
    history: Doc,
    *,
    span: str,
    indicators: tuple[str, ...],
    height: int,
    zoomable: bool,
    frozen: bool = False,
) -> go.Figure:
    """Built again only after a new bar, a trade or another choice.

    A figure that changes loses the user's zoom, so the latest price is not in it.
    """
    bars, fills = history["bars"], history["fills"]
    choice = (span, indicators, height)
    state = (
        len(bars),
        bars[-1][0] if bars else None,
        len(fills),
        bool(fills and fills[-1].get("provisional")),
        agent["current_position"],
        agent["entry_price"],
        agent["stop_price"],
    )
    kept = st.session_state.setdefault("figures", {})
    slot = (agent["agent_id"], zoomable)
    old_choice, old_state, figure = kept.get(slot, (None, None, None))
    if old_choice != choice or (old_state != state and not frozen):
        figure = figures.price_figure(
            prices.frame_of(bars),
            prices.marks_of_fills(fills),
            span=span,
            indicators=indicators,
            height=height,
            zoomable=zoomable,
            **_lines(agent, fills),
        )
        kept[slot] = (choice, state, figure)
    return figure


def _lines(agent: AgentStatus, fills: list[Doc]) -> Doc:
    """The entry and the stop of an open position."""
    if not agent["current_position"]:
        return {}
    since = next((f["session"] for f in reversed(fills) if f["leg"] == "entry"), None)
    entry = (since, agent["entry_price"]) if agent["entry_price"] else None
    return {"entry": entry, "stop": agent["stop_price"]}
