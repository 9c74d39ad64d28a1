"""What a test must show before its model may trade real money, condition by condition.

The formulas are in ``significance``; the thresholds here are calibrated as a whole procedure, with the tries of an eager
user, by ``make bench-honesty`` (docs/EVALUATION.md).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

SHARPE, SESSIONS, ROUND_TRIPS = 1.5, 500, 20
DEFLATED = 0.95
P_VALUE = 0.05
NOT_MEASURED = "not measured"
FEW = f"No Sharpe ratio of fewer than {SESSIONS} sessions can be called good."
"""Stands below tables of folds, years, regimes and models."""


@dataclass(frozen=True)
class Evidence:
    """What is known of a model's test with an agent's terms. None: undefined, or not measured.

    ``sharpe`` is yearly; ``p_value`` that of the paired bootstrap against always-long for one try, and ``tries`` how
    many there were; ``lookahead`` whether the look-ahead check passed; ``same_weights`` whether the tested weights are
    those that would trade.
    """

    sharpe: float | None
    sessions: int
    round_trips: int
    deflated: float | None
    p_value: float | None
    tries: int
    lookahead: bool | None
    same_weights: bool = True

    @property
    def corrected(self) -> float | None:
        """The p-value times the tries (Bonferroni), at most 1."""
        return None if self.p_value is None else min(1.0, self.p_value * self.tries)


@dataclass(frozen=True)
class Condition:
    """One condition: what was found, what is needed, and whether it is met. ``text`` says both to a person."""

    name: str
    value: float | bool | None
    needed: float | bool
    ok: bool
    text: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def conditions(found: Evidence) -> tuple[Condition, ...]:
    """All conditions, met or not. What is undefined is not met."""
    best_of = "one try" if found.tries == 1 else f"{found.tries} tries"
    made = [
        _above("sharpe_ratio", found.sharpe, SHARPE, "Sharpe ratio"),
        _at_least("sessions", found.sessions, SESSIONS, "test sessions", "{:.0f}"),
        _at_least("round_trips", found.round_trips, ROUND_TRIPS, "closed trades", "{:.0f}"),
        _at_least(
            "deflated_sharpe", found.deflated, DEFLATED, f"deflated Sharpe ratio, the best of {best_of}", "{:.3f}"
        ),
        _at_most("beats_always_long", found.corrected, P_VALUE, f"chance that always-long is as good, for {best_of}"),
        _true("no_lookahead", found.lookahead, "look-ahead check passed (verify --lookahead MODEL)"),
    ]
    if not found.same_weights:
        made.append(_true("tested_weights", False, "the tested weights are those that trade"))
    return tuple(made)


def too_few(sessions: int) -> str | None:
    """What must be said beside every Sharpe ratio of so short a test; None for a longer one."""
    if sessions >= SESSIONS:
        return None
    return f"{sessions:,} sessions are too few to call any Sharpe ratio good; {SESSIONS} are the least."


def unmet(found: Sequence[Condition]) -> list[str]:
    """The conditions that are not met, a clause each."""
    return [condition.text for condition in found if not condition.ok]


def _above(name: str, value: float | None, needed: float, what: str) -> Condition:
    return Condition(
        name, value, needed, value is not None and value > needed, f"{what} {_shown(value)}, above {needed:g}"
    )


def _at_least(name: str, value: float | None, needed: float, what: str, form: str) -> Condition:
    ok = value is not None and value >= needed
    return Condition(name, value, needed, ok, f"{what} {_shown(value, form)}, at least {needed:g}")


def _at_most(name: str, value: float | None, needed: float, what: str) -> Condition:
    ok = value is not None and value <= needed
    return Condition(name, value, needed, ok, f"{what} {_shown(value, '{:.4f}')}, at most {needed:g}")


def _true(name: str, value: bool | None, what: str) -> Condition:
    shown = NOT_MEASURED if value is None else "yes" if value else "no"
    return Condition(name, value, True, value is True, f"{what}: {shown}")


def _shown(value: float | None, form: str = "{:.2f}") -> str:
    return "undefined" if value is None else form.format(value)
