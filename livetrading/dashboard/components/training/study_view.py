"""The studies of this home: how far each is, what it chose, and what it learned about its settings."""

from typing import Any

import streamlit as st

from livetrading.dashboard import figures, markup, reading, study_figures
from livetrading.dashboard.format import count, markdown, number, sharpe
from livetrading.research.study import files

Doc = dict[str, Any]
HISTORY = "Walk-forward Sharpe ratio of each trial (median over its seeds), before any test was opened"
IMPORTANCE = "Share of each setting in what set good trials apart; of few trials a hint and no more"
FEW = "Too few trials have ended to tell."


def render() -> None:
    """Nothing while there is no study."""
    found = {study["name"]: study for study in files.summaries(reading.home())}
    if not found:
        return
    st.html(markup.heading("Studies", str(len(found))))
    chosen = st.selectbox("Study", list(found), key="study_choice", format_func=lambda name: label(found[name]))
    if chosen in found:
        _study(found[chosen])


def label(study: Doc) -> str:
    """``NVDA-PPO-…: PPO on NVDA, 12 of 20 trials``"""
    return f"{study['name']}: {study['agent']} on {study['symbol']}, {study['ended']} of {study['trials']} trials"


def _study(study: Doc) -> None:
    best, result = study["best"], study.get("result") or {}
    value = "" if best is None else f"trial {best['number']}"
    st.html(
        markup.facts(
            [
                markup.Fact("Trials", f"{count(study['ended'])} / {count(study['trials'])}", _ended(study)),
                markup.Fact("Best walk-forward Sharpe", sharpe(best and best["value"]), value),
                markup.Fact("Model", result.get("model_id") or "none yet", _tested(result)),
            ],
            wide=True,
        )
    )
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.caption(HISTORY)
        figure = study_figures.history_figure(study["history"])
        st.plotly_chart(figure, key=f"study_history_{study['name']}", theme=None, config=figures.STILL)
    with right:
        st.caption(IMPORTANCE)
        if study["importance"]:
            figure = study_figures.importance_figure(study["importance"])
            st.plotly_chart(figure, key=f"study_importance_{study['name']}", theme=None, config=figures.STILL)
        else:
            st.html(markup.empty(FEW))
    if best is not None:
        st.caption(markdown(f"Settings of trial {best['number']}: {_settings(best['params'])}."))


def _ended(study: Doc) -> str:
    return f"{study['complete']} complete, {study['pruned']} given up, {study['failed']} failed"


def _tested(result: Doc) -> str:
    test = result.get("test") or {}
    return f"test Sharpe {number(test.get('sharpe_ratio'))}" if test else ""


def _settings(params: Doc) -> str:
    named = {study_figures.NAMES.get(name, name): value for name, value in params.items()}
    return ", ".join(f"{name} {f'{value:.3g}' if isinstance(value, float) else value}" for name, value in named.items())
