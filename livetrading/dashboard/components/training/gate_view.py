"""The gate to real money: each condition with its number and a tick, and every look at the test."""

import pandas as pd
import streamlit as st

from livetrading.core.card import ModelCard
from livetrading.core.errors import LivetradingError
from livetrading.core.wording import counted
from livetrading.dashboard import gate, reading
from livetrading.dashboard.format import markdown


def found(card: ModelCard) -> gate.Doc | None:
    """The answer; None, with the reason on the page, where the stored test or the count cannot be read."""
    try:
        return gate.answer(reading.home(), card)
    except LivetradingError as error:
        st.error(markdown(str(error)))
        return None


def render(answer: gate.Doc, key: str, *, expanded: bool) -> None:
    """The list in an expander. With other terms than the training's, deploying tests and counts again."""
    unmet = sum(not row["ok"] for row in answer["conditions"])
    verdict = "open" if not unmet else f"closed, {counted(unmet, 'condition')} not met"
    with st.expander(f"The gate to real money: {verdict}", expanded=expanded, key=f"{key}_gate"):
        st.markdown(
            "\n".join(
                f"- {'✅ met' if row['ok'] else '❌ not met'}: {markdown(row['text'])}" for row in answer["conditions"]
            )
        )
        st.caption(markdown(answer["words"]))
        looks = answer["openings"]
        st.caption(
            f"This test was looked at {counted(looks['count'], 'time')}, about {looks['n_effective']:.1f} independent tries."
        )
        st.dataframe(
            pd.DataFrame(looks["list"])[["at", "kind", "model_id", "start", "end", "tries"]],
            hide_index=True,
            key=f"{key}_looks",
        )
