"""Pure functions from values to Plotly figures, without Streamlit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from livetrading.core.metrics import drawdown

from . import prices, style
from .prices import Mark

FAINT_UP, FAINT_DOWN = "rgba(38,166,154,.45)", "rgba(239,83,80,.45)"
OVERLAYS = ("#79B0FF", "#F5A524", "#C792EA", "#4DD0E1", "#9CCC65")
CONFIG = {"displaylogo": False, "scrollZoom": False, "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"]}
STILL = {"displayModeBar": False, "scrollZoom": False, "doubleClick": False}
"""Chart options: a big chart can be zoomed, a small one cannot."""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def price_figure(
    frame: pd.DataFrame,
    marks: Sequence[Mark] = (),
    *,
    span: str = "6M",
    entry: tuple[str | None, float] | None = None,
    stop: float | None = None,
    indicators: Sequence[str] = (),
    height: int = 420,
    zoomable: bool = True,
) -> go.Figure:
    """Candles, volume, executions and the lines of an open position.

    ``frame`` comes from ``prices.frame_of``; ``marks`` are as traded.
    ``entry`` is the session and the price of the open position, ``stop`` the
    price of its protective order, both in the shares of the last bar.
    """
    shown = prices.last_sessions(frame, span)
    figure = go.Figure([_candles(shown), _volume(shown)])
    figure.add_traces(_overlays(frame, shown, indicators))
    figure.add_traces(_executions(prices.adjusted_marks(marks, shown), shown))
    figure.add_traces(_levels(shown, entry, stop))
    lay_out(figure, list(shown.index), height, zoomable)
    figure.update_layout(
        yaxis={"domain": [0.24, 1], "tickprefix": "$"},
        yaxis2={"domain": [0, 0.18], "nticks": 3, "tickformat": "~s", "fixedrange": True, **axis()},
    )
    figure.update_xaxes(anchor="y2")
    return figure


def _candles(shown: pd.DataFrame) -> go.Candlestick:
    return go.Candlestick(
        x=list(shown.index),
        open=shown["open"],
        high=shown["high"],
        low=shown["low"],
        close=shown["close"],
        increasing={"line": {"color": style.UP, "width": 1}, "fillcolor": style.UP},
        decreasing={"line": {"color": style.DOWN, "width": 1}, "fillcolor": style.DOWN},
        name="Price",
        showlegend=False,
    )


def _volume(shown: pd.DataFrame) -> go.Bar:
    rises = shown["close"] >= shown["open"]
    return go.Bar(
        x=list(shown.index),
        y=shown["volume"],
        yaxis="y2",
        name="Volume",
        showlegend=False,
        marker={"color": np.where(rises, FAINT_UP, FAINT_DOWN), "line": {"width": 0}},
        hovertemplate="Volume %{y:,.0f}<extra></extra>",
    )


def _overlays(frame: pd.DataFrame, shown: pd.DataFrame, names: Sequence[str]) -> list[go.Scatter]:
    """Computed on the whole series, so that the first shown session already has a value."""
    return [
        go.Scatter(
            x=list(shown.index),
            y=line.loc[shown.index],
            name=label,
            mode="lines",
            line={"color": color, "width": 1.3},
            hovertemplate=f"{label} $%{{y:,.2f}}<extra></extra>",
        )
        for name, color in zip(prices.INDICATORS, OVERLAYS, strict=True)
        if name in names
        for label, line in prices.INDICATORS[name](frame["close"]).items()
    ]


def _executions(marks: Sequence[Mark], shown: pd.DataFrame) -> list[go.Scatter]:
    kinds = (
        ("Buy", "BUY", False, "triangle-up", style.UP),
        ("Sell", "SELL", False, "triangle-down", style.DOWN),
        ("Stop exit", "SELL", True, "x", style.WARN),
    )
    traces = []
    for name, side, by_stop, symbol, color in kinds:
        chosen = [m for m in marks if m.side == side and (m.leg == "stop") == by_stop]
        if chosen:
            traces.append(_execution_trace(name, chosen, shown, symbol, color))
    return traces


def _execution_trace(name: str, marks: Sequence[Mark], shown: pd.DataFrame, symbol: str, color: str) -> go.Scatter:
    """Below the bar for a buy, above it for a sale; hollow while provisional."""
    gap = 0.03 * float(shown["high"].max() - shown["low"].min() or 1)
    buys = marks[0].side == "BUY"
    return go.Scatter(
        x=[m.session for m in marks],
        y=[shown.at[m.session, "low"] - gap if buys else shown.at[m.session, "high"] + gap for m in marks],
        mode="markers",
        name=name,
        marker={
            "symbol": [symbol + ("-open" if m.provisional else "") for m in marks],
            "color": color,
            "size": 11,
            "line": {"color": [color if m.provisional else "#FFFFFF" for m in marks], "width": 1},
        },
        customdata=[[m.qty, m.price, " (provisional)" if m.provisional else ""] for m in marks],
        hovertemplate=name + " %{customdata[0]:,.0f} at $%{customdata[1]:,.2f}%{customdata[2]}<extra></extra>",
    )


def _levels(shown: pd.DataFrame, entry: tuple[str | None, float] | None, stop: float | None) -> list[go.Scatter]:
    """From the entry, or from the range's first bar if that is later, to the last bar."""
    if not len(shown):
        return []
    first, last = shown.index[0], shown.index[-1]
    start = max((entry[0] if entry else None) or first, first)
    lines = (("Entry", entry[1] if entry else None, style.ACCENT, "dot"), ("Stop", stop, style.WARN, "dash"))
    return [
        go.Scatter(
            x=[start, last],
            y=[at, at],
            mode="lines",
            name=f"{name} ${at:,.2f}",
            hoverinfo="skip",
            line={"color": color, "width": 1.4, "dash": dash},
        )
        for name, at, color, dash in lines
        if at
    ]


def equity_figure(
    equity: Sequence[Sequence[Any]],
    benchmark: Sequence[Sequence[Any]] = (),
    *,
    height: int = 420,
    name: str = "Model",
    pauses: Sequence[tuple[str, str | None]] = (),
    unpaused: Sequence[Sequence[Any]] = (),
) -> go.Figure:
    """``[[iso, USD], …]`` against buy-and-hold, the drawdown of each underneath.

    ``pauses`` are the sessions at which the drawdown limit paused it and at which that ended (None: not
    before the last): they are shaded, and ``unpaused`` shows it without the limit.
    """
    figure = go.Figure()
    curves = (
        (name, equity, style.ACCENT, 2.0, "solid"),
        (f"{name} without the limit", unpaused, style.WARN, 1.2, "dot"),
        ("Buy and hold", benchmark, style.MUTED, 1.4, "solid"),
    )
    for label, rows, color, width, dash in curves:
        if rows:
            line = {"color": color, "width": width, "dash": dash}
            figure.add_traces(_curve_and_drawdown(label, rows, line, filled=label == name))
    lay_out(figure, [row[0] for row in equity], height, zoomable=True)
    figure.update_layout(
        yaxis={"domain": [0.34, 1], "tickprefix": "$", "tickformat": ",.0f"},
        yaxis2={"domain": [0, 0.26], "ticksuffix": "%", "nticks": 4, "title": {"text": "Drawdown"}, **axis()},
    )
    figure.update_xaxes(anchor="y2")
    sessions = [row[0] for row in equity]
    for place, (start, until) in enumerate(p for p in pauses if p[0] in sessions):
        last = sessions.index(until) if until in sessions else len(sessions) - 1
        _shade(figure, sessions, sessions.index(start), last, named=not place)
    return figure


def _curve_and_drawdown(
    label: str, rows: Sequence[Sequence[Any]], line: dict[str, Any], *, filled: bool
) -> list[go.Scatter]:
    sessions, values = [row[0] for row in rows], np.array([row[1] for row in rows], dtype="float64")
    return [
        go.Scatter(x=sessions, y=values, name=label, line=line, hovertemplate=f"{label} $%{{y:,.2f}}<extra></extra>"),
        go.Scatter(
            x=sessions,
            y=-100 * drawdown(values),
            yaxis="y2",
            name=f"{label} drawdown",
            showlegend=False,
            line={**line, "width": 1.2},
            fill="tozeroy" if filled else None,
            fillcolor="rgba(121,176,255,.16)",
            hovertemplate="%{fullData.name} %{y:.2f}%<extra></extra>",
        ),
    ]


def _shade(figure: go.Figure, sessions: list[str], first: int, last: int, *, named: bool) -> None:
    """Where no position is opened. Names of several pauses would cover each other, so one is ``named``."""
    figure.add_shape(
        type="rect",
        xref="x",
        yref="paper",
        x0=first,
        x1=last,
        y0=0,
        y1=1,
        layer="below",
        line={"width": 0},
        fillcolor="rgba(245,165,36,.10)",
    )
    figure.add_shape(
        type="line",
        xref="x",
        yref="paper",
        x0=first,
        x1=first,
        y0=0,
        y1=1,
        line={"color": style.WARN, "width": 1.4, "dash": "dash"},
    )
    if not named:
        return
    figure.add_annotation(
        x=first,
        xref="x",
        y=1,
        yref="paper",
        yanchor="top",
        text=f"entries paused {sessions[first]}",
        showarrow=False,
        xanchor="left" if first < len(sessions) / 2 else "right",
        font={"color": style.WARN, "size": 12},
    )


def axis() -> dict[str, Any]:
    """The look of a vertical axis."""
    return {"gridcolor": "#1B2430", "zeroline": False, "linecolor": style.LINE, "automargin": True, "side": "right"}


def ticks(sessions: Sequence[str], most: int) -> tuple[list[str], list[str]]:
    """Sessions to label, at most so many, and their labels: days, months or years."""
    spans = ((10, _day, 5 * most), (7, _month, 4 * most), (4, _year, len(sessions)))
    for length, label, limit in spans:
        pairs = zip(["", *sessions], sessions, strict=False)
        starts = [session for before, session in pairs if before[:length] != session[:length]]
        if len(starts) <= limit:
            step = -(-len(starts) // most) or 1
            # A range seldom starts with a month: its first label would touch the next.
            chosen = starts[1 if length < 10 and len(starts) > 2 else 0 :: step]
            return chosen, [label(s) for s in chosen]
    return [], []


def _day(session: str) -> str:
    return f"{int(session[8:])} {_MONTHS[int(session[5:7]) - 1]}"


def _month(session: str) -> str:
    return f"{_MONTHS[int(session[5:7]) - 1]} {session[:4]}"


def _year(session: str) -> str:
    return session[:4]


def lay_out(figure: go.Figure, sessions: Sequence[str], height: int, zoomable: bool) -> None:
    """Sessions are categories: no gap for a weekend or a holiday."""
    values, texts = ticks(sessions, 9 if zoomable else 5)
    figure.update_layout(
        height=height,
        margin={"l": 6, "r": 6, "t": 30 if zoomable else 26, "b": 6},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "'Source Sans', sans-serif", "color": style.MUTED, "size": 12},
        hovermode="x unified",
        hoverlabel={"bgcolor": style.PANEL, "bordercolor": style.LINE, "font": {"color": style.TEXT}},
        legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "font": {"size": 12}},
        dragmode="zoom" if zoomable else False,
        uirevision="kept",
        bargap=0.25,
        xaxis={
            "type": "category",
            "rangeslider": {"visible": False},
            "tickvals": values,
            "ticktext": texts,
            "showgrid": False,
            "range": [-1, len(sessions)],
            "linecolor": style.LINE,
            "automargin": True,
            "fixedrange": not zoomable,
        },
        yaxis={**axis(), "fixedrange": not zoomable},
    )
