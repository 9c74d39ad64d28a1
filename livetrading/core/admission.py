"""Who may trade: the gate between a test and a deployment."""

from typing import Any

from .errors import BadInput, Refused
from .real_money import SHARPE
from .types import Mode

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


def refusal(gate: dict[str, Any], account: str) -> str | None:
    """Why a model with this answer of the gate may not trade real money in ``account`` ("an … account"), and what to
    do; None if it may."""
    missing = unmet(gate)
    if not missing:
        return None
    return (
        f"The model's test does not open {account} with real money ({'; '.join(missing)}); deploy it on a paper account"
        " or in mode paper, or train another model."
    )


def unmet(gate: dict[str, Any]) -> list[str]:
    """The conditions of a gate's answer that are not met, a clause each."""
    return [condition["text"] for condition in gate["conditions"] if not condition["ok"]]


def needed(gate: dict[str, Any] | None) -> str | None:
    """What keeps a model from real money, as a warning; None if nothing does, or if the gate was not asked."""
    missing = unmet(gate) if gate else []
    return f"Real money would also need: {'; '.join(missing)}." if missing else None


def remembered(gate: dict[str, Any], real_money: bool) -> dict[str, Any]:
    """What an agent keeps of the gate's answer at its deployment; ``asked``: it had to pass."""
    # Keys in the order in which the journal reads them back: a visible file that is rebuilt is the same to the byte.
    return {
        "asked": real_money,
        "conditions": [dict(sorted(condition.items())) for condition in gate["conditions"]],
        "count": gate["openings"]["count"],
        "real_money": gate["real_money"],
    }


def admit(
    mode: Mode,
    test: dict[str, Any],
    gate: dict[str, Any] | None = None,
    real_money: bool = False,
    account: str = "a broker's account",
) -> str | None:
    """The warning with which an agent is admitted. Refused where real money would trade and the gate says no."""
    wanted = TEST_KEYS if mode == Mode.BROKER else TEST_KEYS[:1]
    if not test.keys() >= set(wanted) or (real_money and gate is None):
        raise BadInput("The deployment has no test result; deploy again, so that the test is run.")
    if real_money and gate is not None and (refused := refusal(gate, account)):
        raise Refused(refused)
    return warning(test["sharpe_ratio"])
