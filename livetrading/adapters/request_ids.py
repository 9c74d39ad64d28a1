"""Ids of requests, commands and jobs: how an id is made, and which ids of a caller are accepted.

An id is part of file names and command lines, so it holds letters, digits, ``-`` and ``_`` alone.
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
"""Of a process that the dashboard starts: a short id is too easily used twice."""
CALLER = Rule(8, COMMAND.most - len("deploy-") - 1)
"""Of a REST call: with a prefix it becomes the id of a command."""


def new() -> str:
    """A new id. A form makes it when it opens, so that a double click is one request."""
    return uuid.uuid4().hex
