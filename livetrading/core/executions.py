"""Ids of executions: which of them report the same fill, and which stand for a fill by its count alone.

A broker corrects an execution by reporting it again under an id that differs in the
digits behind the last dot alone: ``…01.02`` corrects ``…01.01``. The part before that
dot is the root, by which a fill counts once. A fill of which a broker reports no
execution has an id that ends with the range of its order's shares, ``…:0-100``.
"""

import re

_NUMBERED = re.compile(r"(.+\.\d+)\.(\d{1,4})")
_RANGE = re.compile(r".+:(\d+)-(\d+)")


def root(exec_id: str) -> str:
    """What all reports of one fill share; the id itself where it cannot be corrected."""
    found = _NUMBERED.fullmatch(exec_id)
    return found[1] if found else exec_id


def number(exec_id: str) -> int:
    """Which report of its fill this is; a higher one takes the place of a lower one."""
    found = _NUMBERED.fullmatch(exec_id)
    return int(found[2]) if found else 0


def span(exec_id: str) -> tuple[int, int] | None:
    """The shares (low, high] of its order for which an id without an execution stands; None for an execution."""
    found = _RANGE.fullmatch(exec_id)
    return (int(found[1]), int(found[2])) if found else None
