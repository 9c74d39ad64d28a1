"""One model's test: measures beside buy-and-hold, equity, drawdown, trades on candles."""

from typing import Any

import pandas as pd
import streamlit as st

from livetrading.core import drawdown_pause
from livetrading.core.bars import to_rows
from livetrading.core.card import ModelCard
from livetrading.core.types import Limits
from livetrading.core.wording import counted
from livetrading.dashboard import figures, markup, prices, reading
from livetrading.dashboard.format import DASH, count, markdown, money, number, percent, signed_percent, tone

from ..agents import records

MEASURES = (
    ("Sharpe ratio", "sharpe_ratio", "ratio"),
    ("Sortino ratio", "sortino_ratio", "ratio"),
    ("Calmar ratio", "calmar_ratio", "ratio"),
    ("Total return", "total_return_pct", "gain"),
    ("CAGR", "cagr_pct", "gain"),
    ("Max drawdown", "max_drawdown_pct", "share"),
    ("Volatility", "volatility_pct", "share"),
    ("Win rate", "win_rate_pct", "share"),
    ("Profit factor", "profit_factor", "ratio"),
    ("Closed trades", "num_trades", "count"),
    ("Exposure", "exposure_pct", "share"),
    ("Final equity", "final_equity", "money"),
)
ONLY_TRADED = ("win_rate_pct", "profit_factor", "num_trades")
"""Buying and holding closes no trade: there is nothing to compare."""


def render(card: ModelCard) -> None:
    test = reading.registry().test(card.model_id)
    st.caption(
        f"Out-of-sample test {card.test.start} to {card.test.end}, {counted(card.test.sessions, 'session')}, opened "
        f"{counted(card.opened, 'time')} for {card.symbol}. Trained on {card.train.start} to {card.train.end}, "
        f"{count(card.timesteps)} steps, seed {card.seed}, bars from {card.source}. {card.source_note}"
    )
    paused = pause_of(test)
    if text := drawdown_pause.words(paused):
        st.warning(markdown(text))
    without = (paused or {}).get("without")
    measures, charts = st.columns([1.25, 2] if without else [1, 2.4], gap="medium")
    with measures:
        rows = rows_of(test["metrics"], test["buy_and_hold_metrics"], without)
        st.html(markup.table(("Measure", card.agent_type, *(["No limit"] if without else []), "Buy & hold"), rows))
    with charts:
        equity, trades, listed = st.tabs(["Equity and drawdown", "Trades on candles", "Trade list"])
        with equity:
            figure = figures.equity_figure(
                test["equity"],
                test["buy_and_hold"],
                name=str(card.agent_type),
                pauses=drawdown_pause.spans(paused),
                unpaused=test.get("unpaused") or (),
            )
            st.plotly_chart(figure, key=f"equity_{card.model_id}", theme=None, config=figures.CONFIG)
        with trades:
            _candles(card, test)
        with listed:
            records.trades_table(card.model_id, test["trades"], "The model did not trade in its test.")


def pause_of(test: dict[str, Any]) -> dict[str, Any] | None:
    """Where the drawdown limit paused this test; computed from the equity if an earlier version ran it."""
    if "pause" in test["metrics"]:
        return test["metrics"]["pause"]
    return drawdown_pause.from_equity(test["equity"], Limits().max_drawdown)


def rows_of(
    metrics: dict[str, Any], hold: dict[str, Any], without: dict[str, Any] | None = None
) -> list[list[tuple[str, str] | str]]:
    """One row a measure: its name, the model's value, that without the drawdown limit if it paused, buy-and-hold's."""
    columns = [metrics, *([without] if without else []), hold]
    rows: list[list[tuple[str, str] | str]] = []
    for label, key, kind in MEASURES:
        cells = [_cell(column.get(key), kind) for column in columns]
        rows.append([label, *cells[:-1], (DASH, "lt-muted") if key in ONLY_TRADED else cells[-1]])
    if metrics.get("sharpe_se") is not None:
        rows.insert(1, ["± standard error", *((number(column.get("sharpe_se")), "lt-muted") for column in columns)])
    return rows


def _cell(value: float | None, kind: str) -> tuple[str, str]:
    if kind == "gain":
        return signed_percent(value), tone(value)
    shown = {"ratio": number, "share": percent, "count": count, "money": money}[kind](value)
    return shown, ""


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
