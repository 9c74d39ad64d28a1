"""Models side by side: measures with intervals, one chart, the settings that differ, and who trades them."""

from typing import Any

import streamlit as st

from livetrading.core.card import ModelCard
from livetrading.dashboard import compare_figures, figures, markup, reading
from livetrading.dashboard.comparing import compared, verdict
from livetrading.dashboard.format import DASH, count, markdown, number, percent, sharpe, signed_percent, tone

from . import model_words

Doc = dict[str, Any]
Cell = tuple[str, str] | str
HEAD = (
    "Model",
    "Sharpe",
    "95 % interval",
    "Return",
    "Max drawdown",
    "Exposure",
    "Trades",
    "Test",
    "Opened",
    "Sharpe, shared",
    "Deployed by",
)
MOST = 6


def render(cards: list[ModelCard]) -> None:
    """Nothing until two models are chosen; a home with one model has nothing to compare."""
    if len(cards) < 2:
        return
    by_id = {card.model_id: card for card in cards}
    chosen = st.multiselect(
        "Compare models",
        list(by_id),
        key="compare_models",
        max_selections=MOST,
        format_func=lambda name: model_words.label(by_id[name]),
        placeholder="Choose two models or more",
    )
    if len(chosen) > 1:
        _comparison(compared(reading.home(), chosen))


def _comparison(found: Doc) -> None:
    st.html(markup.table(HEAD, [_line(model) for model in found["models"]]))
    shared, said = found["common"], [text for text in map(verdict, found["paired"]) if text]
    if shared is None:
        st.warning("No session is in all of these tests: their figures are of different times and cannot be compared.")
    else:
        said.insert(0, f"They share {count(shared['sessions'])} sessions, {shared['start']} to {shared['end']}.")
    if said:
        st.caption(markdown(" ".join(said)))
    figure = compare_figures.compare_figure(found["curves"])
    st.plotly_chart(figure, key="compare_chart", theme=None, config=figures.CONFIG)
    for model in found["models"]:
        if model["lineage"]:
            st.caption(markdown(f"{model['model_id']}: {model['lineage']}"))
    if found["settings"]:
        head = ("Settings that differ", *(model["model_id"] for model in found["models"]))
        st.html(markup.table(head, [[row["name"], *map(_setting, row["values"])] for row in found["settings"]]))


def _line(model: Doc) -> list[Cell]:
    measures, shared = model["measures"], model["common"]
    gain = measures["total_return_pct"]
    return [
        model["model_id"],
        _with_error(measures),
        DASH if model["sharpe_interval"] is None else " to ".join(map(number, model["sharpe_interval"])),
        (signed_percent(gain), tone(gain)),
        percent(measures["max_drawdown_pct"]),
        percent(measures["exposure_pct"]),
        count(measures["num_trades"]),
        f"{model['test_range']['start']} – {model['test_range']['end']}",
        count(model["opened"]),
        DASH if shared is None else _with_error(shared),
        ", ".join(f"{agent['agent_id']} ({agent['status']})" for agent in model["deployed_by"]) or DASH,
    ]


def _with_error(measures: Doc) -> str:
    error = measures["sharpe_se"]
    return sharpe(measures["sharpe_ratio"]) + ("" if error is None else f" ± {number(error)}")


def _setting(value: Any) -> str:
    return DASH if value in (None, "") else str(value)
