"""Pure functions from a training's curves and folds to Plotly figures, without Streamlit."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from livetrading.research.report_names import AGENT, named

from . import figures, style

Doc = dict[str, Any]
WHOLE, WHOLE_NAME = "all", "whole part"
"""The last fit, to the whole training part, among the curves."""
LINES = {AGENT: (style.ACCENT, 2.2), "always_long": ("#C792EA", 1.4), "ridge": (style.WARN, 1.4)}


def keys(curves: Mapping[str, Sequence[Doc]]) -> dict[str, str]:
    """The colour of each part that has begun, by its name for people."""
    return {_named(name): _color(number, name) for number, (name, points) in enumerate(curves.items()) if points}


def curve_figure(curves: Mapping[str, Sequence[Doc]], key: str, *, height: int = 160) -> go.Figure:
    """``reward`` or ``sharpe`` over the share of each fit: one colour a part, the mean of its members as a line in the
    band from the lowest to the highest. Without a legend: see ``keys``."""
    figure = go.Figure()
    for number, (name, points) in enumerate(curves.items()):
        shown = [point for point in points if point[key]]
        if shown:
            figure.add_traces(_members(_named(name), shown, key, _color(number, name)))
    figures.lay_out(figure, [], height, zoomable=False)
    figure.update_layout(
        margin={"l": 14, "r": 6, "t": 6, "b": 6},
        showlegend=False,
        xaxis={
            "type": "linear",
            "range": [0, 100],
            "tickvals": [0, 50, 100],
            "ticktext": ["0 %", "50 %", "100 %"],
            "ticklabeloverflow": "allow",
        },
        yaxis={"nticks": 5},
    )
    return figure


def _named(part: str) -> str:
    return WHOLE_NAME if part == WHOLE else part


def _color(number: int, part: str) -> str:
    return style.TEXT if part == WHOLE else figures.OVERLAYS[number % len(figures.OVERLAYS)]


def _members(name: str, points: Sequence[Doc], key: str, color: str) -> list[go.Scatter]:
    at = [100.0 * point["share"] for point in points]
    values = [point[key] for point in points]
    means = [sum(members) / len(members) for members in values]
    line = go.Scatter(
        x=at,
        y=means,
        name=name,
        mode="lines" if len(at) > 1 else "markers",
        line={"color": color, "width": 1.6},
        marker={"color": color, "size": 5},
        hovertemplate=f"{name} %{{y:.2f}}<extra></extra>",
    )
    if max(map(len, values)) < 2 or len(at) < 2:
        return [line]
    band = go.Scatter(
        x=[*at, *reversed(at)],
        y=[*map(max, values), *reversed([min(members) for members in values])],
        fill="toself",
        fillcolor=_faint(color),
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
        name=f"{name} members",
    )
    return [band, line]


def _faint(color: str) -> str:
    red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},.14)"


def walk_figure(walked: Mapping[str, Doc], agent_type: str, *, height: int = 400) -> go.Figure:
    """The judged equity of all folds as one history, of the agent and of what stands beside it; a line where a fold begins."""
    agent = walked[AGENT]
    sessions = [row[0] for row in agent["equity"]]
    figure = go.Figure()
    for key, name in named(agent_type).items():
        if key in walked and key != "cash":
            color, width = LINES.get(key, (style.MUTED, 1.4))
            figure.add_trace(
                go.Scatter(
                    x=[row[0] for row in walked[key]["equity"]],
                    y=[row[1] for row in walked[key]["equity"]],
                    name=name,
                    line={"color": color, "width": width},
                    hovertemplate=f"{name} $%{{y:,.2f}}<extra></extra>",
                )
            )
    figures.lay_out(figure, sessions, height, zoomable=True)
    figure.update_layout(yaxis={"tickprefix": "$", "tickformat": ",.0f"})
    for fold in agent["folds"]:
        _begin(figure, sessions.index(fold["start"]), f"fold {fold['fold'] + 1}")
    return figure


def _begin(figure: go.Figure, at: int, name: str) -> None:
    across = {"xref": "x", "yref": "paper", "x0": at, "x1": at, "y0": 0, "y1": 1}
    figure.add_shape(type="line", **across, layer="below", line={"color": style.MUTED, "width": 1, "dash": "dot"})
    figure.add_annotation(
        x=at,
        xref="x",
        y=1,
        yref="paper",
        yanchor="top",
        xanchor="left",
        text=name,
        showarrow=False,
        font={"color": style.MUTED, "size": 11},
    )
