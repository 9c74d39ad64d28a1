"""What journals of the version before hold otherwise: sentences where a code is stored now, and terms that lack a
key. They are only read here."""

import re
from typing import Any

from .orders import Cause

LIMITS: dict[str, Any] = {"pause_sessions": None}
"""Limits of agents that were deployed before there was a choice; whatever the default is now, they keep these."""
_CAUSES = {"closed by ": Cause.CLOSE}
"""How the reason of a change of an order began, and its cause."""
_REQUEST = re.compile(r"(?:close|remove) asked by .*, request ([A-Za-z0-9_-]+)", re.DOTALL)


def cause_of(reason: str) -> Cause:
    """The cause of a change of an order, from its reason in words."""
    return next((cause for words, cause in _CAUSES.items() if reason.startswith(words)), Cause.NONE)


def request_of(note: str) -> str:
    """The id of the request that a note in the journal marks as begun; empty for any other note."""
    found = _REQUEST.fullmatch(note)
    return found[1] if found else ""
