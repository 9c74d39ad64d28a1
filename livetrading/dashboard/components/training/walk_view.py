"""A model's walk-forward: the equity of all folds beside the witnesses', and tables by fold, year and regime."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from livetrading.core import real_money
from livetrading.core.card import ModelCard
from livetrading.dashboard import figures, report_tables, training_figures
from livetrading.research.report_names import AGENT, named

Doc = dict[str, Any]


def render(card: ModelCard, walked: Mapping[str, Doc]) -> None:
    agent, kind = walked[AGENT], str(card.agent_type)
    st.caption(
        "Folds of the training part: each is fitted on what lies before it and judged on sessions that it has not seen. "
        "Judged before the test was opened, and each fold begins flat. " + real_money.FEW
    )
    figure = training_figures.walk_figure(walked, kind)
    st.plotly_chart(figure, key=f"walk_{card.model_id}", theme=None, config=figures.CONFIG)
    st.html(report_tables.beside(walked, named(kind)))
    left, right = st.columns([1.35, 1], gap="medium")
    left.html(report_tables.folds(walked, kind))
    right.html(report_tables.parts(kind, "regime", agent["regimes"]))
    left.html(report_tables.parts(kind, "year", agent["years"]))
