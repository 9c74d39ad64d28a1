"""Who may trade: the gate between a test and a deployment."""

from typing import Any

from .errors import BadInput, Refused
from .types import Mode

SHARPE = 1.5
SESSIONS, ROUND_TRIPS = 500, 20
"""A test must have at least so many before its model may trade a broker's account."""
TEST_KEYS = ("sharpe_ratio", "sessions", "num_trades")


def warning(sharpe: float | None) -> str | None:
    """The warning about a test's Sharpe ratio; None when it is above the limit."""
    if sharpe is not None and sharpe > SHARPE:
        return None
    shown = "undefined" if sharpe is None else f"{sharpe:.2f}"
    return f"Sharpe Ratio too low ({shown}). Recommended: > {SHARPE} for live trading."


def never_traded(test: dict[str, Any]) -> str | None:
    """A sentence on a test in which no share was ever held, whose Sharpe ratio is undefined; None for any other."""
    if test.get("num_trades") or test.get("exposure_pct") or test.get("sharpe_ratio") is not None:
        return None
    return "The model never trades in its test: it found nothing worth its costs. Its Sharpe ratio is undefined."


def sharpe_words(test: dict[str, Any]) -> str:
    """``1.72 ± 0.55``: a test's Sharpe ratio with its standard error."""
    ratio, error = test.get("sharpe_ratio"), test.get("sharpe_se")
    shown = "undefined" if ratio is None else f"{ratio:.2f}"
    return shown + (f" ± {error:.2f}" if ratio is not None and error is not None else "")


def shortcomings(test: dict[str, Any]) -> list[str]:
    """What keeps a model from a broker's account, a part of a sentence each; empty when nothing does."""
    found = []
    if warning(test.get("sharpe_ratio")):
        found.append(f"its Sharpe ratio is {sharpe_words(test)} and must be above {SHARPE}")
    for key, least, noun in (("sessions", SESSIONS, "sessions"), ("num_trades", ROUND_TRIPS, "closed trades")):
        count = test.get(key) or 0
        if count < least:
            found.append(f"it has {count} {noun} and needs at least {least}")
    return found


def refusal(test: dict[str, Any], account: str) -> str | None:
    """Why a model with this test may not trade ``account`` ("an … account"), and what to do; None if it may."""
    found = shortcomings(test)
    if not found:
        return None
    long_enough = {**test, "sessions": SESSIONS, "num_trades": ROUND_TRIPS}
    longer = "" if found == shortcomings(long_enough) else " over a longer range"
    return (
        f"The model's test does not open {account} ({', '.join(found)}); train another"
        f" model{longer}, or deploy this one in mode paper."
    )


def admit(mode: Mode, test: dict[str, Any], account: str = "a broker's account") -> str | None:
    """The warning with which a replay or paper agent is admitted. Refused where ``account`` of a broker would trade."""
    needed = TEST_KEYS if mode == Mode.BROKER else TEST_KEYS[:1]
    if not test.keys() >= set(needed):
        raise BadInput("The deployment has no test result; deploy again, so that the test is run.")
    if mode == Mode.BROKER:
        refused = refusal(test, account)
        if refused:
            raise Refused(refused)
    return warning(test["sharpe_ratio"])
