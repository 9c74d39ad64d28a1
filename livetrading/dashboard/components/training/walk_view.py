"""A model's walk-forward: the equity of all folds beside the witnesses', and tables by fold, year and regime."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from livetrading.core.card import ModelCard
from livetrading.dashboard import figures, markup, training_figures
from livetrading.dashboard.format import count, percent, sharpe, signed_percent, tone
from livetrading.research.report_names import AGENT, named

Doc = dict[str, Any]
HEAD = ("Sharpe", "Return", "Drawdown", "Trades")
SNUG = "lt-snug"


def render(card: ModelCard, walked: Mapping[str, Doc]) -> None:
    agent, kind = walked[AGENT], str(card.agent_type)
    st.caption(
        "Folds of the training part: each is fitted on what lies before it and judged on sessions that it has not seen. "
        "Judged before the test was opened, and each fold begins flat."
    )
    figure = training_figures.walk_figure(walked, kind)
    st.plotly_chart(figure, key=f"walk_{card.model_id}", theme=None, config=figures.CONFIG)
    beside = [[name, *cells(walked[key]["measures"])] for key, name in named(kind).items() if key in walked]
    st.html(markup.table(("All folds", *HEAD), beside, kind=SNUG))
    left, right = st.columns([1.35, 1], gap="medium")
    left.html(markup.table((f"{kind} by fold", *HEAD), [_fold(fold) for fold in agent["folds"]], kind=SNUG))
    right.html(_parts(kind, "regime", agent["regimes"]))
    left.html(_parts(kind, "year", agent["years"]))


def cells(measures: Doc) -> list[tuple[str, str] | str]:
    """Under HEAD."""
    gain = measures.get("total_return_pct")
    return [
        sharpe(measures.get("sharpe_ratio")),
        (signed_percent(gain), tone(gain)),
        percent(measures.get("max_drawdown_pct")),
        count(measures.get("num_trades")),
    ]


def _fold(fold: Doc) -> list[tuple[str, str] | str]:
    return [f"{fold['fold'] + 1}: {fold['start']} – {fold['end']}", *cells(fold)]


def _parts(kind: str, what: str, rows: list[Doc]) -> str:
    lines: list[list[tuple[str, str] | str]] = [
        [
            str(row[what]),
            sharpe(row["sharpe_ratio"]),
            (signed_percent(row["total_return_pct"]), tone(row["total_return_pct"])),
            count(row["sessions"]),
        ]
        for row in rows
    ]
    return markup.table((f"{kind} by {what}", "Sharpe", "Return", "Sessions"), lines, kind=SNUG)
