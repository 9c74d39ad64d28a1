"""What becomes of a model when there are later bars: a challenger, how it stands, or a refit."""

import streamlit as st

from livetrading.adapters import request_ids
from livetrading.core import challenge, lineage
from livetrading.core.card import ModelCard
from livetrading.dashboard import commands, reading
from livetrading.dashboard.format import markdown, number, signed_percent

from . import job_watch

STANDING_SECONDS = 60.0


def render(card: ModelCard) -> None:
    """Nothing here replaces a model: that is a person's act, by deploying another."""
    with st.expander("Later bars: a challenger, or a refit", key=f"later_{card.model_id}"):
        if lineage.kind_of(card) == lineage.IMPORTED:
            st.caption("It was trained elsewhere: the procedure that made it is not known here.")
            return
        source, horizon = _asked(card)
        left, right = st.columns(2, gap="medium")
        with left:
            _challenger(card, source, horizon)
        with right:
            _refit(card, source)
        if lineage.kind_of(card) == lineage.CHALLENGER:
            _standing(card, source)


def _asked(card: ModelCard) -> tuple[str, int]:
    first, second = st.columns([3, 1])
    source = first.text_input("Later bars from", card.source, key=f"later_source_{card.model_id}")
    horizon = second.number_input(
        "Horizon (sessions)",
        challenge.SHORTEST,
        challenge.LONGEST,
        challenge.HORIZON,
        key=f"later_horizon_{card.model_id}",
    )
    return source.strip() or card.source, int(horizon)


def _challenger(card: ModelCard, source: str, horizon: int) -> None:
    error = challenge.error_over(horizon)
    st.caption(
        f"The same procedure on longer bars. The first {horizon} sessions after them decide, which neither model has"
        f" seen: ahead is who has the larger mean of paired daily returns, by {challenge.CLEAR:g} standard errors."
        f" {horizon} sessions have a Sharpe error of about {error:.1f}, so only a large difference shows. The rule is kept on the"
        " challenger, and the old model stays."
    )
    if st.button("Make a challenger", key=f"later_retrain_{card.model_id}", disabled=job_watch.busy()):
        _start(["retrain", card.model_id, "--source", source, "--horizon", str(horizon)], card)


def _refit(card: ModelCard, source: str) -> None:
    if lineage.kind_of(card) == lineage.REFIT:
        st.caption(markdown(f"This is a refit itself: refit {lineage.parent_of(card)}, the model that was tested."))
        return
    st.caption(
        "The same procedure fitted on all bars, the test included: more to learn from, and no test of its own. Its card says"
        " that the test measured the procedure, not these weights."
    )
    if st.button("Refit on all bars", key=f"later_refit_{card.model_id}", disabled=job_watch.busy()):
        _start(["refit", card.model_id, "--source", source], card)


def _start(words: list[str], card: ModelCard) -> None:
    job_id = request_ids.new()
    commands.start(reading.home(), [*words, "--json", "--job", job_id], job_id)
    job_watch.watch(job_id, f"{card.agent_type} on {card.symbol}")
    st.rerun()


def _standing(card: ModelCard, source: str) -> None:
    st.caption(markdown(str(card.lineage.get("rule", {}).get("text", ""))))
    if not st.button("How does it stand?", key=f"later_standing_{card.model_id}"):
        return
    words = ["challenge", card.model_id, "--source", source, "--json"]
    answer = commands.start(reading.home(), words, request_ids.new()).wait(STANDING_SECONDS)
    if answer.error:
        st.error(markdown(answer.error))
    elif not answer.values["decided"]:
        horizon = answer.values["rule"]["horizon"]
        st.info(f"{answer.values['sessions']} of {horizon} sessions have passed; nothing is shown before all have.")
    else:
        found, ahead = answer.values["difference"], "" if answer.values["ahead"] else "not "
        st.info(
            f"It is {ahead}ahead by the rule: {signed_percent(found['difference_pct'])} a year, standard error"
            f" {number(found['se_pct'])} %."
        )
