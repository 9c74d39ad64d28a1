"""Add Agent: choose agent type and symbol, then a model that matches both."""

from typing import Any

import streamlit as st

from livetrading.core.card import ModelCard
from livetrading.core.types import AgentType
from livetrading.dashboard import reading, sitemap

from ..shell import dialogs
from ..shell.guard import guarded
from . import deploy, model_words


def body(asked: dict[str, Any]) -> None:
    with guarded():
        cards = reading.registry().list()
        if not cards:
            st.info("There is no model yet. Train one on the Training page, then deploy it here or there.")
            _to_training()
            return
        kind, symbol = st.columns(2)
        agent_type = kind.selectbox("Agent type", [str(k) for k in AgentType], key="add_type")
        wanted = symbol.selectbox("Symbol", sorted({card.symbol for card in cards}), key="add_symbol")
        card = _model(cards, agent_type, wanted)
        if card is not None:
            deploy.form(card, f"add_{asked['request_id']}_{card.model_id}", "Add agent", named=False)


def _model(cards: list[ModelCard], agent_type: str, symbol: str) -> ModelCard | None:
    """Only models of this type and symbol can be chosen: another one would be refused."""
    matching = {c.model_id: c for c in cards if (str(c.agent_type), c.symbol) == (agent_type, symbol)}
    if not matching:
        st.warning(f"No {agent_type} model is trained on {symbol}. Choose another type or symbol, or train one.")
        _to_training()
        return None
    chosen = st.selectbox(
        "Model",
        list(matching),
        key=f"add_model_{agent_type}_{symbol}",
        format_func=lambda name: model_words.label(matching[name]),
    )
    return matching[chosen]


def _to_training() -> None:
    if st.button("Go to Training", key="add_training"):
        dialogs.close()
        st.switch_page(sitemap.training())
