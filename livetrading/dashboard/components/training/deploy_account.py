"""What a deployment at a broker asks besides: late entries, and the account's number for real money."""

from typing import Any

import streamlit as st

from livetrading.adapters import settings
from livetrading.adapters.brokers.base import BrokerWords
from livetrading.adapters.brokers.registry import words_of
from livetrading.core import admission
from livetrading.dashboard import reading
from livetrading.dashboard.format import markdown, masked

LATE = {"skip": "is skipped", "day": "goes as a market order until 10:00 New York"}


def label(words: BrokerWords) -> str:
    """The mode as the form offers it, which begins with whose money trades."""
    if (number := _real_account(words)) is not None:
        return f"{words.title}: REAL MONEY in account {masked(number)}"
    return f"{words.title}: paper account"


def options(words: BrokerWords, key: str) -> dict[str, Any]:
    """The long options of ``deploy`` that this mode adds."""
    late = st.radio(
        "An entry that missed the open", list(LATE), format_func=LATE.get, key=f"{key}_late", horizontal=True
    )
    number = _real_account(words)
    if number is None:
        st.caption(f"Trades the paper account that {words.program} is logged in to. {_opening(words)}")
        return {"late-entry": late, "confirm": None}
    typed = st.text_input(
        f"Type the number of account {masked(number)} to trade real money" if number else "Type the account's number",
        key=f"{key}_confirm",
        autocomplete="off",
    )
    return {"late-entry": late, "confirm": typed.strip() or None}


def allowed(test: dict[str, Any], asked: dict[str, Any], gate: dict[str, Any] | None) -> bool:
    """Whether the button is shown. Real money: the gate is open and the account's number is typed. A paper account:
    as on paper, after a warning."""
    words = words_of(asked["mode"])
    number = _real_account(words)
    if number is None:
        st.caption("Deploying runs the test again with these terms.")
        return True
    refusal = admission.refusal(gate, words.an_account) if gate else "The gate cannot be asked."
    if refusal is not None:
        st.error(markdown(" ".join(filter(None, (admission.never_traded(test), refusal)))))
        return False
    st.caption("Deploying runs the test again with these terms, and asks the gate again.")
    # The number of an account that is not set up here is compared by the scheduler, with the broker's.
    if asked["confirm"] == number != "" or (words.setup is None and asked["confirm"]):
        return True
    if asked["confirm"]:
        st.warning(f"This is not the number of the account that is set up; type it as {words.short} writes it.")
    return False


def is_real(mode: str) -> bool:
    """Whether real money trades in a broker's mode."""
    return _real_account(words_of(mode)) is not None


def _real_account(words: BrokerWords) -> str | None:
    """The number of the account with real money that is set up, empty if it has none; None on a paper account."""
    chosen = settings.load(reading.home())
    if words.setup is None:
        return ""
    return words.setup.account(chosen) if words.setup.is_real_money(chosen) else None


def _opening(words: BrokerWords) -> str:
    if words.setup is None or words.setup.enters_in_auction(settings.load(reading.home())):
        return "Its entries go in the opening auction."
    return "Its entries go as DAY orders after 09:30 New York: it has not been seen that this account simulates the auction."
