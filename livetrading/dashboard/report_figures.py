"""Pure functions from a model's report to Plotly figures, for the page and the file alike."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import plotly.graph_objects as go

from livetrading.research.report_names import WITNESSES

from . import figures, report_tables, style

Doc = dict[str, Any]
LINES = {"ridge": style.WARN, "always_long": "#C792EA"}
BAND, BAND_EDGE = "rgba(139,152,165,.16)", "rgba(139,152,165,.45)"


def equity(report: Doc, pauses: Sequence[tuple[str, str | None]], *, height: int = 440) -> go.Figure:
    """The model and its baselines in the band of 90 of 100 random agents; the drawdown underneath, ``pauses`` shaded
    (``drawdown_pause.spans``)."""
    found, kind = report["equity"], report["model"]["agent_type"]
    sessions = found["sessions"]
    figure = figures.equity_figure(
        _pairs(sessions, found["model"]),
        _pairs(sessions, found["baselines"].get("buy_and_hold")),
        height=height,
        name=kind,
        pauses=pauses,
        unpaused=_pairs(sessions, found["without_limit"]),
    )
    for key, color in LINES.items():
        values = found["baselines"].get(key)
        if values:
            figure.add_trace(_line(WITNESSES[key], sessions, values, color))
    if band := found["random_band"]:
        add_band(figure, sessions, band)
    return figure


def _pairs(sessions: Sequence[str], values: Sequence[float] | None) -> list[list[Any]]:
    return [list(pair) for pair in zip(sessions, values or [], strict=False)]


def _line(name: str, sessions: Sequence[str], values: Sequence[float], color: str) -> go.Scatter:
    return go.Scatter(
        x=sessions,
        y=values,
        name=name,
        line={"color": color, "width": 1.2},
        hovertemplate=f"{name} $%{{y:,.2f}}<extra></extra>",
    )


def add_band(figure: go.Figure, sessions: Sequence[str], band: Sequence[Sequence[float]]) -> None:
    """Where the middle 90 of 100 agents without skill are, ``[5 %, 50 %, 95 %]`` a session; behind all lines."""
    lowest, _, highest = zip(*band, strict=True)
    edge = {"color": BAND_EDGE, "width": 0.6}
    common: Doc = {"x": list(sessions), "mode": "lines", "line": edge, "hoverinfo": "skip", "legendgroup": "random"}
    low = go.Scatter(y=lowest, name="Random agents, lowest", showlegend=False, **common)
    high = go.Scatter(y=highest, name="Random agents, 5 % to 95 %", fill="tonexty", fillcolor=BAND, **common)
    lines = figure.data
    figure.data = ()
    figure.add_traces([low, high, *lines])


def trades(shape: Doc, *, height: int = 300) -> go.Figure:
    """How many trades ended with which return: losers in one colour, winners in the other."""
    edges, counts = shape["returns"]["edges"], shape["returns"]["counts"]
    width = edges[1] - edges[0]
    names = [f"{low:g} % to {high:g} %" for low, high in pairwise(edges)]
    bars = go.Bar(
        x=[low + width / 2 for low in edges[:-1]],
        y=counts,
        width=[0.92 * width] * len(counts),
        customdata=names,
        marker={"color": [style.DOWN if high <= 0.0 else style.UP for high in edges[1:]]},
        hovertemplate="%{customdata}: %{y} trades<extra></extra>",
        showlegend=False,
        name="Trades",
    )
    figure = _plain([bars], height, "Return of a trade", max(counts))
    figure.update_layout(xaxis={"type": "linear", "ticksuffix": " %", "nticks": 9})
    return figure


def holding(shape: Doc, *, height: int = 300) -> go.Figure:
    """How many trades were held how long."""
    rows = shape["holding"]
    bars = go.Bar(
        x=[report_tables.held(row) for row in rows],
        y=[row["count"] for row in rows],
        marker={"color": style.ACCENT},
        hovertemplate="%{x} sessions: %{y} trades<extra></extra>",
        showlegend=False,
        name="Trades",
    )
    figure = _plain([bars], height, "Sessions from entry to exit", max(row["count"] for row in rows))
    figure.update_layout(xaxis={"type": "category"})
    return figure


def _plain(traces: Sequence[Any], height: int, title: str, most: int) -> go.Figure:
    """Counts up to ``most`` upwards, labelled at whole numbers alone."""
    figure = go.Figure(list(traces))
    figure.update_layout(
        height=height,
        margin={"l": 6, "r": 6, "t": 10, "b": 6},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "'Source Sans', sans-serif", "color": style.MUTED, "size": 12},
        hoverlabel={"bgcolor": style.PANEL, "bordercolor": style.LINE, "font": {"color": style.TEXT}},
        dragmode=False,
        xaxis={"title": {"text": title}, "showgrid": False, "linecolor": style.LINE, "fixedrange": True, "automargin": True},
        yaxis={**figures.axis(), "fixedrange": True, "rangemode": "tozero", "dtick": max(1, -(-most // 5))},
    )  # fmt: skip
    return figure
