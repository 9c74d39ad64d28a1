"""How a challenger is compared with the model that it would replace: declared before it is made, and kept on its card."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from .errors import BadInput, Damaged
from .metrics import SESSIONS_A_YEAR

HORIZON = 63
"""Sessions; a quarter of a year."""
SHORTEST, LONGEST = 21, 1_260
CLEAR = 2.0
"""Standard errors by which the challenger must be ahead."""


@dataclass(frozen=True)
class Rule:
    """The comparison takes the first ``horizon`` sessions after ``after``, which neither model has seen."""

    after: date
    horizon: int = HORIZON

    def __post_init__(self) -> None:
        if not SHORTEST <= self.horizon <= LONGEST:
            raise BadInput(f"horizon is {self.horizon}; give {SHORTEST} to {LONGEST} sessions.")

    @property
    def sharpe_error(self) -> float:
        """Standard error of a yearly Sharpe ratio near 0 over the horizon."""
        return error_over(self.horizon)

    def words(self, of: str) -> str:
        """The rule as a person reads it before anything is made."""
        return (
            f"Declared before it was made: the first {self.horizon} sessions after {self.after} decide, which neither"
            f" {of} nor its challenger has seen. Both are run over them by the rules with the same terms; the challenger"
            f" is ahead if the mean of its paired differences of daily returns is above 0 by {CLEAR:g} standard errors."
            f" {self.horizon} sessions have a Sharpe error of about {self.sharpe_error:.1f}: only a large difference"
            " shows in so short a time. Replacing is a person's act, and the old model is kept."
        )

    def to_dict(self, of: str) -> dict[str, Any]:
        """As the card's lineage holds it."""
        return {
            "after": self.after.isoformat(),
            "horizon": self.horizon,
            "measure": "mean paired difference of daily returns",
            "standard_errors": CLEAR,
            "sharpe_error": round(self.sharpe_error, 2),
            "text": self.words(of),
        }


def error_over(sessions: int) -> float:
    """Standard error of a yearly Sharpe ratio near 0 over so many sessions (Lo 2002)."""
    return math.sqrt(SESSIONS_A_YEAR / sessions)


def stored(lineage: Mapping[str, Any]) -> Rule:
    """The rule on a challenger's card. Raises Damaged if it cannot be read."""
    try:
        rule = lineage["rule"]
        return Rule(date.fromisoformat(rule["after"]), int(rule["horizon"]))
    except (KeyError, TypeError, ValueError, BadInput) as error:
        raise Damaged("The card's rule of comparison cannot be read: retrain the model again.") from error


def verdict(paired: Mapping[str, Any]) -> bool:
    """Whether the challenger is ahead, by the rule; ``paired`` as ``research.comparison.paired`` makes it."""
    return paired["t"] is not None and paired["t"] > CLEAR
