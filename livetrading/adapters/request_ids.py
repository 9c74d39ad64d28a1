"""Ids of requests, commands and jobs: how one is made, and which of a caller's are taken.

An id names files and stands on command lines, so it holds letters, digits, ``-`` and ``_`` alone.
"""

import re
import uuid
from dataclasses import dataclass

_SIGNS = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Rule:
    """How many characters an id may have."""

    least: int
    most: int

    def allows(self, text: object) -> bool:
        return isinstance(text, str) and self.least <= len(text) <= self.most and _SIGNS.fullmatch(text) is not None


REQUEST = Rule(1, 64)
"""Of a request to the scheduler."""
COMMAND = Rule(8, 64)
"""Of a process that the dashboard starts: short ones are too easily given twice."""
CALLER = Rule(8, COMMAND.most - len("deploy-") - 1)
"""Of a REST call: with a prefix it becomes that of a command."""


def new() -> str:
    """Made when a form opens, so that a double click is one request."""
    return uuid.uuid4().hex
