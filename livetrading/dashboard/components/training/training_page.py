"""The Training page: a form, its progress, the models, one model's test, deployment."""

import streamlit as st

from livetrading.core import real_money
from livetrading.core.card import ModelCard
from livetrading.dashboard import markup, reading
from livetrading.dashboard.format import count, new_york, percent, sharpe, signed_percent, tone

from ..shell.guard import guarded
from . import compare_view, deploy, job_watch, later_bars, model_view, model_words, study_view, train_form

CHOSEN = "model"
"""Session key and query parameter of the model that is shown."""


def render() -> None:
    st.html(markup.title("Training"))
    form, progress = st.columns([3, 2], gap="medium")
    with form, guarded():
        train_form.render()
    with progress, guarded():
        job_watch.render(on_done=choose)
    with guarded():
        _models()
    with guarded():
        study_view.render()


def choose(model_id: str) -> None:
    st.session_state[CHOSEN] = model_id


def _models() -> None:
    registry = reading.registry()
    cards = registry.list()
    for text in registry.damaged().values():
        st.error(text)
    st.html(markup.heading("Models", str(len(cards))))
    if not cards:
        st.html(markup.empty("No model yet. Train one above: with a bundled sample it takes about a minute."))
        return
    by_id = {card.model_id: card for card in cards}
    wanted = st.session_state.pop(CHOSEN, None) or st.query_params.get(CHOSEN)
    if wanted in by_id:
        st.session_state["model_choice"] = wanted
    chosen = st.selectbox(
        "Model", list(by_id), key="model_choice", format_func=lambda name: model_words.label(by_id[name])
    )
    with st.expander(f"All models ({len(cards)})"):
        st.html(_list(cards))
        if any(real_money.too_few(card.test.sessions) for card in cards):
            st.caption(real_money.FEW)
    with guarded():
        compare_view.render(cards)
    if chosen in by_id:
        with guarded():
            model_view.render(by_id[chosen])
        with guarded():
            later_bars.render(by_id[chosen])
        with guarded():
            deploy.render(by_id[chosen])


def _list(cards: list[ModelCard]) -> str:
    head = (
        "Model",
        "Sharpe",
        "Return",
        "Buy and hold",
        "Max drawdown",
        "Trades",
        "Test",
        "Steps",
        "Seed",
        "Seeds",
        "Source",
        "Trained",
    )
    return markup.table(head, [_line(card) for card in cards])


def _line(card: ModelCard) -> list[tuple[str, str] | str]:
    test, hold = card.metrics["test"], card.metrics["buy_and_hold"]
    gain = test.get("total_return_pct")
    return [
        card.model_id,
        sharpe(test.get("sharpe_ratio")),
        (signed_percent(gain), tone(gain)),
        signed_percent(hold.get("total_return_pct")),
        percent(test.get("max_drawdown_pct")),
        count(test.get("num_trades")),
        f"{card.test.start} – {card.test.end}",
        count(card.timesteps),
        str(card.seed),
        "1: a quick try" if card.is_quick_try else str(card.seeds),
        card.source,
        new_york(card.created),
    ]
