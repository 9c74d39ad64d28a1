"""Sentences that journals of the version before hold where a code is stored now. Read here and nowhere else."""

import re

from .orders import Cause

_CAUSES = {"closed by ": Cause.CLOSE}
"""How the reason of a move began, and what it stood for."""
_REQUEST = re.compile(r"(?:close|remove) asked by .*, request ([A-Za-z0-9_-]+)", re.DOTALL)


def cause_of(reason: str) -> Cause:
    """Why an order was moved, from the reason in words."""
    return next((cause for words, cause in _CAUSES.items() if reason.startswith(words)), Cause.NONE)


def request_of(note: str) -> str:
    """The id of the request that a note in the journal marks as begun; empty for any other note."""
    found = _REQUEST.fullmatch(note)
    return found[1] if found else ""
