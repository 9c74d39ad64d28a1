"""A model's report on the Training page: what the test is worth beside luck, by month, and trade by trade."""

from collections.abc import Callable
from functools import partial
from typing import Any

import streamlit as st

from livetrading.core import real_money
from livetrading.core.card import ModelCard
from livetrading.core.errors import LivetradingError
from livetrading.dashboard import figures, markup, reading, report, report_figures, report_tables
from livetrading.dashboard.format import markdown

Doc = dict[str, Any]


def found(card: ModelCard) -> Doc | None:
    """The report; None, with the reason on the page, where the stored test or the count cannot be read."""
    try:
        return report.document(reading.home(), card)
    except LivetradingError as error:
        st.error(markdown(str(error)))
        return None


def worth(card: ModelCard, shown: Doc) -> None:
    """The Sharpe ratio's interval beside the baselines', how much of it may be luck, and the report as a file."""
    note = shown["significance"]["note"]
    st.html(
        markup.heading("Skill or luck")
        + report_tables.worth(shown)
        + markup.notes([note] if note else [])
        + markup.facts(report_tables.luck(shown), wide=True)
    )
    for text in report_tables.trials(shown):
        st.caption(markdown(text))
    st.download_button(
        "Download report",
        partial(report.html, reading.home(), card),
        f"{card.model_id}.html",
        "text/html",
        key=f"report_{card.model_id}",
        on_click="ignore",
        help="One HTML file that any browser opens, offline",
    )


def _months(card: ModelCard, shown: Doc) -> None:
    st.html(report_tables.months(shown))
    left, right = st.columns(2, gap="medium")
    left.html(report_tables.parts("Test", "year", shown["years"]))
    if shown["regimes"]:
        right.html(report_tables.parts("Test", "regime", shown["regimes"]))
    if shown["seeds"]:
        left.html(report_tables.seeds(shown))
    st.caption(real_money.FEW)


def _trades(card: ModelCard, shown: Doc) -> None:
    shape = shown["trades"]
    if shape is None:
        st.html(markup.empty("The model closed no trade in its test."))
        return
    st.html(markup.facts(report_tables.trade_facts(shape), wide=True))
    left, right = st.columns(2, gap="medium")
    for column, name, draw in ((left, "returns", report_figures.trades), (right, "held", report_figures.holding)):
        column.plotly_chart(draw(shape), key=f"{name}_{card.model_id}", theme=None, config=figures.STILL)
    st.html(report_tables.legs(shape))
    st.caption(report_tables.TRADES_NOTE)


TABS: dict[str, Callable[[ModelCard, Doc], None]] = {"By month, year, seed": _months, "Trades by return": _trades}
"""Names of the tabs and what draws each."""
