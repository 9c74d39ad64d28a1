"""Sentences in journals of the version before, where a code is stored now. They are only read here."""

import re

from .orders import Cause

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
