"""What a deployment is made with where nobody says otherwise: form, command line and REST alike."""

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
"""What becomes of an entry that missed the open at a real broker."""
LATE_ENTRY = LATE_ENTRIES[0]
