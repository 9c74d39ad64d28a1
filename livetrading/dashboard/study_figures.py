"""Pure functions from a study's summary to Plotly figures, without Streamlit."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from . import figures, style

Doc = dict[str, Any]
GIVEN_UP = "Given up or failed"
NAMES = {
    "agent": "algorithm",
    "features": "feature set",
    "learning_rate": "learning rate",
    "weight_decay": "weight decay",
    "cost_multiple": "costs in learning",
    "pauses": "pauses in learning",
    "risk": "risk aversion",
    "noise": "noise on features",
}
"""Of parameters, as people read them; another has its own."""


def history_figure(history: Sequence[Doc], *, height: int = 260) -> go.Figure:
    """The value of each trial and the best so far, over the trials' numbers; those given up stand on the axis."""
    figure = go.Figure()
    whole = [point for point in history if point["value"] is not None]
    best = [point for point in history if point["best"] is not None]
    lost = [point["number"] for point in history if point["value"] is None]
    figure.add_trace(
        go.Scatter(
            x=[point["number"] for point in best],
            y=[point["best"] for point in best],
            name="Best so far",
            mode="lines",
            line={"color": style.ACCENT, "width": 2, "shape": "hv"},
            hovertemplate="best %{y:.2f}<extra></extra>",
        )
    )
    figure.add_trace(_points("Trial", [point["number"] for point in whole], [point["value"] for point in whole]))
    if lost:
        floor = min((point["value"] for point in whole), default=0.0)
        figure.add_trace(_points(GIVEN_UP, lost, [floor] * len(lost), "x-thin-open", style.MUTED))
    figures.lay_out(figure, [], height, zoomable=False)
    figure.update_layout(
        hovermode="closest",
        xaxis={"type": "linear", "range": [-0.5, max(len(history), 1) - 0.5], "tickmode": "auto", "zeroline": False},
        yaxis={"nticks": 6},
    )
    return figure


def _points(
    name: str, numbers: Sequence[int], values: Sequence[float], symbol: str = "circle", color: str = style.TEXT
) -> go.Scatter:
    said = "trial %{x}" if name == GIVEN_UP else "trial %{x}: %{y:.2f}"
    marker = {"symbol": symbol, "color": color, "size": 7, "line": {"color": color, "width": 1.5}}
    return go.Scatter(
        x=numbers, y=values, name=name, mode="markers", marker=marker, hovertemplate=f"{said}<extra></extra>"
    )


def importance_figure(shares: Mapping[str, float], *, height: int = 260) -> go.Figure:
    """One bar a parameter, the largest on top; shares of 1 in all."""
    rows = sorted(shares.items(), key=lambda pair: pair[1])
    bar = go.Bar(
        x=[100.0 * share for _, share in rows],
        y=[NAMES.get(name, name) for name, _ in rows],
        orientation="h",
        marker={"color": style.ACCENT, "line": {"width": 0}},
        hovertemplate="%{y}: %{x:.0f} %<extra></extra>",
        showlegend=False,
        name="Importance",
    )
    figure = go.Figure([bar])
    figures.lay_out(figure, [], height, zoomable=False)
    figure.update_layout(
        hovermode="closest",
        margin={"l": 6, "r": 14, "t": 26, "b": 6},
        xaxis={"type": "linear", "range": None, "rangemode": "tozero", "ticksuffix": " %", "tickmode": "auto"},
        yaxis={"type": "category", "automargin": True, "side": "left", "showgrid": False},
    )
    return figure
