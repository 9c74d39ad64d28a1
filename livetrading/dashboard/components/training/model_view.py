"""One model's test: its measures beside others, equity, drawdown, walk-forward, trades on candles."""

from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from livetrading.adapters.bars import sample
from livetrading.core import admission, drawdown_pause, lineage
from livetrading.core.bars import to_rows
from livetrading.core.card import QUICK_TRY, ModelCard
from livetrading.core.types import Limits
from livetrading.core.wording import counted, ordinal
from livetrading.dashboard import figures, prices, reading, report_figures
from livetrading.dashboard.format import count, markdown

from ..agents import records
from . import measures, report_view, walk_view

Doc = dict[str, Any]


def render(card: ModelCard) -> None:
    test = reading.registry().test(card.model_id)
    st.caption(markdown(_caption(card)))
    paused = pause_of(test)
    told = (lineage.words(card), admission.never_traded(test["metrics"]), drawdown_pause.words(paused))
    for text in filter(None, told):
        st.warning(markdown(text))
    report = report_view.found(card)
    if report is not None:
        report_view.worth(card, report)
    table = measures.table(str(card.agent_type), test, (paused or {}).get("without"))
    if test.get("witnesses"):  # its columns need the whole width
        st.html(table)
        _charts(card, test, paused, report)
        return
    left, right = st.columns([1.25, 2] if (paused or {}).get("without") else [1, 2.4], gap="medium")
    left.html(table)
    with right:
        _charts(card, test, paused, report)


def _caption(card: ModelCard) -> str:
    seeds = f"{counted(card.seeds, 'seed')} from seed {card.seed}" if card.seeds > 1 else f"seed {card.seed}"
    quick = f" ({QUICK_TRY})" if card.is_quick_try else ""
    chosen = f" Its settings are the choice of {counted(card.trials, 'trial')}." if card.trials > 1 else ""
    also = f" Learned from {', '.join(other.symbol for other in card.also)} as well." if card.also else ""
    note = sample.remark(card.source, card.symbol, card.source_note)
    return (
        f"Out-of-sample test {card.test.start} to {card.test.end}, {counted(card.test.sessions, 'session')}, at its "
        f"training the {ordinal(card.opened)} look at it for {card.symbol}. {lineage.trained(card)}, "
        f"{count(card.timesteps)} steps, {seeds}{quick}, bars from {card.source}.{also}{chosen} {note}"
    )


def _charts(card: ModelCard, test: Doc, paused: Doc | None, report: Doc | None) -> None:
    walked = test.get("walk_forward")
    names = ["Equity and drawdown", *(["Walk-forward"] if walked else []), "Trades on candles", "Trade list"]
    names += list(report_view.TABS) if report else []
    tabs = dict(zip(names, st.tabs(names), strict=True))
    with tabs["Equity and drawdown"]:
        figure = _equity(card, test, paused, report)
        st.plotly_chart(figure, key=f"equity_{card.model_id}", theme=None, config=figures.CONFIG)
    if walked:
        with tabs["Walk-forward"]:
            walk_view.render(card, walked)
    with tabs["Trades on candles"]:
        _candles(card, test)
    with tabs["Trade list"]:
        records.trades_table(card.model_id, test["trades"], "The model did not trade in its test.")
    if report:
        for name, draw in report_view.TABS.items():
            with tabs[name]:
                draw(card, report)


def _equity(card: ModelCard, test: Doc, paused: Doc | None, report: Doc | None) -> go.Figure:
    """Beside the baselines where the report can be made."""
    spans = drawdown_pause.spans(paused)
    if report is not None:
        return report_figures.equity(report, spans)
    return figures.equity_figure(
        test["equity"],
        test["buy_and_hold"],
        name=str(card.agent_type),
        pauses=spans,
        unpaused=test.get("unpaused") or (),
    )


def pause_of(test: dict[str, Any]) -> dict[str, Any] | None:
    """Where the drawdown limit paused this test; computed from the equity if an earlier version ran it."""
    if "pause" in test["metrics"]:
        return test["metrics"]["pause"]
    return drawdown_pause.from_equity(test["equity"], Limits().max_drawdown)


def _candles(card: ModelCard, test: dict[str, Any]) -> None:
    span = st.segmented_control(
        "Range", list(prices.SPANS), default="1Y", required=True, key="model_span", label_visibility="collapsed"
    )
    figure = figures.price_figure(
        _test_bars(card), prices.marks_of_trades(test["trades"]), span=span or "1Y", height=420
    )
    st.plotly_chart(figure, key=f"candles_{card.model_id}", theme=None, config=figures.CONFIG)


def _test_bars(card: ModelCard) -> pd.DataFrame:
    bars = reading.registry().bars(card.model_id)
    return prices.frame_of(to_rows(bars.loc[str(card.test.start) : str(card.test.end)]))
