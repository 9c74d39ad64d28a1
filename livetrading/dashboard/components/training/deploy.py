"""The form that deploys a model as an agent, and the gate before it."""

from typing import Any

import streamlit as st

from livetrading.adapters import request_ids
from livetrading.adapters.bars import sources
from livetrading.adapters.brokers.registry import words_of
from livetrading.core import admission, deployment, drawdown_pause, lineage
from livetrading.core.card import ModelCard
from livetrading.core.deployment import LIMITS
from livetrading.core.errors import LivetradingError
from livetrading.core.types import MAX_PAUSE, Limits, Mode, Terms
from livetrading.dashboard import brokers, control, kinds, markup, reading, sitemap
from livetrading.dashboard.format import markdown, number, sharpe, signed_percent, tone
from livetrading.dashboard.markup import Fact

from ..agents import agent_card
from ..shell import dialogs
from . import deploy_account, deploy_bars, deploy_costs, gate_view, model_words

MODES = {
    str(Mode.PAPER): "Paper: real days, simulated fills",
    str(Mode.REPLAY): "Replay: the sessions after the training, on a virtual clock",
}


def render(card: ModelCard) -> None:
    """On the Training page: the form of one model."""
    with st.container(border=True):
        st.html(markup.heading("Deploy to Live Trading"))
        form(card, f"deploy_{card.model_id}", "Deploy to Live Trading")


def form(card: ModelCard, key: str, label: str, *, named: bool = True) -> None:
    """Terms, mode, gate, button. ``key`` is unique to this showing of the form; ``named`` shows model and symbol."""
    request = f"{key}_request"
    st.session_state.setdefault(request, request_ids.new())
    test = card.metrics["test"]
    gain = test.get("total_return_pct")
    st.html(
        markup.facts(
            [
                *([Fact("Model", card.model_id), Fact("Symbol", card.symbol)] if named else []),
                Fact("Sharpe ratio", _sharpe(test), f"{card.test.start} – {card.test.end}"),
                Fact(
                    "Return",
                    signed_percent(gain),
                    f"buy and hold {signed_percent(card.metrics['buy_and_hold'].get('total_return_pct'))}",
                    tone(gain),
                ),
                *model_words.seeds(card),
            ]
        )
    )
    # On the Training page the model and its test are shown above.
    if not named and lineage.words(card):
        st.warning(markdown(lineage.words(card)))
    if not named and (text := drawdown_pause.words(test.get("pause"))):
        st.warning(markdown(text))
    options = _terms(card, key)
    # Both are drawn, so that the user sees everything that is missing at once.
    gate = gate_view.found(card)
    fit = [deploy_bars.allowed(card, key, options), _allowed(test, key, options, gate)]
    if gate is not None:
        gate_view.render(gate, key, expanded=kinds.at_broker(options["mode"]))
    if all(fit) and st.button(label, type="primary", key=f"{key}_go"):
        deploy(card, options, key)


def _sharpe(test: dict[str, Any]) -> str:
    error = test.get("sharpe_se")
    return sharpe(test.get("sharpe_ratio")) + (f" ± {number(error)}" if error is not None else "")


def _terms(card: ModelCard, key: str) -> dict[str, Any]:
    terms = _money(key)
    first, second = st.columns([3, 1])
    modes = MODES | {words.name: deploy_account.label(words) for words in brokers.offered()}
    mode = first.radio("Mode", list(modes), format_func=modes.get, key=f"{key}_mode", horizontal=True)
    pace = None
    if mode == Mode.REPLAY:
        pace = second.number_input("Seconds a session", 0.0, 3600.0, deployment.PACE, step=0.5, key=f"{key}_pace")
    for words in brokers.missing():
        st.caption(f"To trade through {words.title}, set it up on the Settings page first.")
    replay = mode == Mode.REPLAY
    proposal = deploy_bars.proposed(card, mode)
    source = st.text_input(
        "Bars",
        proposal,
        key=f"{key}_source_{mode}",
        disabled=replay,
        help="A replay trades the model's own bars."
        if replay
        else f"{sources.choices()}. They must continue the model's bars, and be kept up to date.",
    )
    return {
        "capital": terms.capital,
        "max-position": terms.limits.max_position,
        "risk-per-trade": terms.limits.risk_per_trade,
        "pause-sessions": deployment.pause_option(terms.limits.pause_sessions),
        **deploy_costs.options(key),
        "time-frame": deployment.TIME_FRAME,
        "mode": str(mode),
        "source": source.strip() or proposal,
        "pace": pace,
        **(deploy_account.options(words_of(mode), key) if kinds.at_broker(mode) else {}),
    }


def _money(key: str) -> Terms:
    first, second, third, fourth, fifth = st.columns(5)
    capital = first.number_input(
        "Initial capital ($)", 1.0, 1e9, deployment.CAPITAL, step=1_000.0, format="%.2f", key=f"{key}_capital"
    )
    position = second.number_input(
        "Max position (%)", 1.0, 100.0, 100 * LIMITS.max_position, step=5.0, format="%.1f", key=f"{key}_position"
    )
    risk = third.number_input(
        "Risk per trade (%)", 0.1, 20.0, 100 * LIMITS.risk_per_trade, step=0.5, format="%.1f", key=f"{key}_risk"
    )
    # As the field's own default, a number could not be cleared.
    st.session_state.setdefault(f"{key}_pause", LIMITS.pause_sessions)
    pause = fourth.number_input(
        "Drawdown pause (sessions)",
        1,
        MAX_PAUSE,
        None,
        step=1,
        placeholder="until I resume",
        key=f"{key}_pause",
        help=f"A drawdown of {100 * LIMITS.max_drawdown:g} % pauses entries for so many sessions; exits and the"
        " protective stop go on. Empty: until you resume the agent.",
    )
    fifth.selectbox("Time frame", ["Daily/EOD"], key=f"{key}_frame")
    return Terms(capital, Limits(round(position / 100, 6), round(risk / 100, 6), pause_sessions=pause))


def _allowed(test: dict[str, Any], key: str, options: dict[str, Any], gate: dict[str, Any] | None) -> bool:
    """Whether the button is shown: below the gate's Sharpe ratio only after "practice" is ticked."""
    if kinds.at_broker(options["mode"]) and not deploy_account.allowed(test, options, gate):
        return False
    if kinds.at_broker(options["mode"]) and deploy_account.is_real(options["mode"]):
        return True
    warning = admission.warning(test.get("sharpe_ratio"))
    if warning is None:
        return True
    st.warning(" ".join(filter(None, (admission.never_traded(test), warning))))
    return st.checkbox("This is practice: no real money trades in this mode.", key=f"{key}_practice")


def deploy(card: ModelCard, options: dict[str, Any], key: str) -> None:
    """Deploy once for one showing of the form, then show the agent on Live Trading."""
    request, place = f"{key}_request", st.empty()
    # Replaces the error of an earlier attempt.
    place.info("Testing the model under these terms and creating the agent …")
    try:
        answer = control.deploy(reading.home(), card.model_id, options, "dashboard", st.session_state[request])
    except control.OldBars as error:
        st.session_state[request] = request_ids.new()
        deploy_bars.note_old(key, options["source"], str(error))
        st.rerun()
    except LivetradingError as error:
        # The user may correct it and try again: that is a new request.
        st.session_state[request] = request_ids.new()
        place.error(markdown(str(error)))
        return
    del st.session_state[request]
    st.session_state["notice"] = control.deployed(answer)
    dialogs.close()
    st.switch_page(sitemap.live(), query_params={agent_card.SELECTED: answer["agent_id"]})
