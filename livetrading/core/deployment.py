"""Default values of a deployment, the same in the form, on the command line and in REST."""

from .types import Costs, Limits, Mode, Terms

TERMS = Terms()
CAPITAL = TERMS.capital
"""USD."""
LIMITS: Limits = TERMS.limits
COSTS: Costs = TERMS.costs
FOR_GOOD = "none"
"""How the command line writes a drawdown pause without a length: until a person resumes."""
MODE = Mode.PAPER
TIME_FRAME = "daily"
PACE = 1.0
"""Seconds a session, in replay."""
LATE_ENTRIES = ("skip", "day")
"""What is done with an entry that missed the open at a real broker: skip it, or send it as a day order."""
LATE_ENTRY = LATE_ENTRIES[0]


def pause_option(sessions: int | None) -> str:
    """The length of a drawdown pause as the command line writes it."""
    return FOR_GOOD if sessions is None else str(sessions)


def pause_sessions(option: str) -> int | str | None:
    """The length that an option states; what is no whole number stays as it is, for ``Limits`` to refuse."""
    try:
        return None if option == FOR_GOOD else int(option)
    except ValueError:
        return option
