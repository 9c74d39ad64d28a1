"""Default values of a deployment, the same in the form, on the command line and in REST."""

from .types import Limits, Mode, Terms

TERMS = Terms()
CAPITAL = TERMS.capital
"""USD."""
LIMITS: Limits = TERMS.limits
MODE = Mode.PAPER
TIME_FRAME = "daily"
PACE = 1.0
"""Seconds a session, in replay."""
LATE_ENTRIES = ("skip", "day")
"""What is done with an entry that missed the open at a real broker: skip it, or send it as a day order."""
LATE_ENTRY = LATE_ENTRIES[0]
