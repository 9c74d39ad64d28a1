"""Who may trade: the gate between a test and a deployment."""

from typing import Any

from .errors import BadInput, Refused
from .types import Mode

SHARPE = 1.5


def warning(sharpe: float | None) -> str | None:
    """What to say of a test's Sharpe ratio; None when it is above the gate."""
    if sharpe is not None and sharpe > SHARPE:
        return None
    shown = "undefined" if sharpe is None else f"{sharpe:.2f}"
    return f"Sharpe Ratio too low ({shown}). Recommended: > {SHARPE} for live trading."


def admit(mode: Mode, test: dict[str, Any]) -> str | None:
    """The warning that practice goes on with. Refused where real money would trade."""
    if "sharpe_ratio" not in test:
        raise BadInput("The deployment carries no test result; deploy again, so that the test is run.")
    said = warning(test["sharpe_ratio"])
    if mode == Mode.IBKR:
        raise Refused(
            "Interactive Brokers accounts are not part of this version; deploy with --mode paper."
        )
    return said
