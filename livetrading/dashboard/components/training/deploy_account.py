"""What a deployment to Interactive Brokers asks besides: late entries, and the account's number for real money."""

from typing import Any

import streamlit as st

from livetrading.adapters import settings
from livetrading.core import admission
from livetrading.core.errors import LivetradingError
from livetrading.dashboard import reading
from livetrading.dashboard.format import markdown, masked

LATE = {
    "skip": "is skipped",
    "day": "goes as a market order until 10:00 New York",
}


def offered() -> bool:
    """Whether an account is set up here, or a scheduler already tells of one."""
    try:
        return settings.ibkr_configured(settings.load(reading.home())) or bool(reading.system().get("broker"))
    except LivetradingError:
        return False  # the page says elsewhere what cannot be read


def name() -> str:
    """The mode as the form offers it: whose money trades is in the first words."""
    chosen = settings.load(reading.home())
    if chosen.ibkr_mode == "live":
        return f"Interactive Brokers: REAL MONEY in account {masked(chosen.ibkr_account)}"
    return "Interactive Brokers: paper account"


def options(key: str) -> dict[str, Any]:
    """The long options of ``deploy`` that this mode adds."""
    chosen = settings.load(reading.home())
    late = st.radio(
        "An entry that missed the open", list(LATE), format_func=LATE.get, key=f"{key}_late", horizontal=True,
    )
    if chosen.ibkr_mode != "live":
        opening = (
            "Its entries go in the opening auction." if chosen.ibkr_paper_open == "auction" else
            "Its entries go as DAY orders after 09:30 New York: it has not been seen that this account simulates the auction."
        )
        st.caption(f"Trades the paper account that TWS is logged in to. {opening}")
        return {"late-entry": late, "confirm": None}
    typed = st.text_input(
        f"Type the number of account {masked(chosen.ibkr_account)} to trade real money", key=f"{key}_confirm",
        autocomplete="off",
    )
    return {"late-entry": late, "confirm": typed.strip() or None}


def allowed(test: dict[str, Any], asked: dict[str, Any]) -> bool:
    """Whether the button is there: the gate's words, and the typed account."""
    refusal = admission.refusal(test)
    if refusal is not None:
        st.error(markdown(refusal))
        return False
    st.caption(
        f"The gate: Sharpe ratio {admission.sharpe_words(test)} (above {admission.SHARPE}), "
        f"{test['sessions']} sessions (at least {admission.SESSIONS}), "
        f"{test['num_trades']} closed trades (at least {admission.ROUND_TRIPS}). "
        "Deploying runs the test again with these terms."
    )
    chosen = settings.load(reading.home())
    if chosen.ibkr_mode != "live" or asked["confirm"] == chosen.ibkr_account != "":
        return True
    if asked["confirm"]:
        st.warning("This is not the number of the account that is set up; type it as IB writes it.")
    return False
