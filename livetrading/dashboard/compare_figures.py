"""A pure function from a comparison of models to one Plotly figure: equity, drawdown and position over time."""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from . import figures

Doc = dict[str, Any]
DASHES = ("solid", "dash", "dot")
GAP = 0.03


def compare_figure(curves: Mapping[str, Doc], *, height: int = 620) -> go.Figure:
    """``curves`` as ``research.comparison`` makes them. One colour a model; below equity and drawdown a line a model,
    thick while it holds shares."""
    figure = go.Figure()
    for number, (name, curve) in enumerate(curves.items()):
        figure.add_traces(_traces(name, curve, number, len(curves)))
    sessions = sorted({session for curve in curves.values() for session in curve["sessions"]})
    figures.lay_out(figure, sessions, height, zoomable=True)
    bottom = min(0.3, 0.08 + GAP * len(curves))
    lower = bottom + 0.06
    figure.update_layout(
        xaxis={"categoryorder": "array", "categoryarray": sessions},
        yaxis={"domain": [lower + 0.3, 1], "tickprefix": "$", "tickformat": ",.0f"},
        yaxis2={
            "domain": [lower, lower + 0.24],
            "ticksuffix": "%",
            "nticks": 4,
            "title": {"text": "Drawdown"},
            **figures.axis(),
        },
        yaxis3={
            "domain": [0, bottom],
            "range": [-len(curves) + 0.5, 0.5],
            "showticklabels": False,
            "fixedrange": True,
            "title": {"text": "Held"},
            **figures.axis(),
        },
    )
    figure.update_xaxes(anchor="y3")
    return figure


def _traces(name: str, curve: Doc, number: int, count: int) -> list[go.Scatter]:
    color = figures.OVERLAYS[number % len(figures.OVERLAYS)]
    dash = DASHES[number // len(figures.OVERLAYS) % len(DASHES)]
    shown = {"x": curve["sessions"], "legendgroup": name}
    fall = [-value for value in curve["drawdown_pct"]]
    place = [-number if held else None for held in curve["held"]]
    return [
        go.Scatter(
            **shown,
            y=curve["equity"],
            name=name,
            line={"color": color, "width": 1.8, "dash": dash},
            hovertemplate=f"{name} $%{{y:,.2f}}<extra></extra>",
        ),
        go.Scatter(
            **shown,
            y=fall,
            yaxis="y2",
            name=f"{name} drawdown",
            showlegend=False,
            line={"color": color, "width": 1.2, "dash": dash},
            hovertemplate=f"{name} %{{y:.2f}}%<extra></extra>",
        ),
        go.Scatter(
            **shown,
            y=place,
            yaxis="y3",
            name=f"{name} held",
            showlegend=False,
            mode="lines",
            connectgaps=False,
            line={"color": color, "width": max(3, 12 - count)},
            hovertemplate=f"{name} holds<extra></extra>",
        ),
    ]
