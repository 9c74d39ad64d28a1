"""Ids of executions: which report the same fill, and which were made here for a fill without an execution.

A broker corrects an execution by reporting it again under an id that differs only in the
digits after the last dot: ``…01.02`` corrects ``…01.01``. The part before that
dot is the root; a fill counts once for each root. If a broker reports no execution of a
fill, we make an id that ends with the range of the order's shares, ``…:0-100``.
"""

import re

_NUMBERED = re.compile(r"(.+\.\d+)\.(\d{1,4})")
_RANGE = re.compile(r".+:(\d+)-(\d+)")


def root(exec_id: str) -> str:
    """What all reports of one fill share; the id itself where it cannot be corrected."""
    found = _NUMBERED.fullmatch(exec_id)
    return found[1] if found else exec_id


def number(exec_id: str) -> int:
    """Which report of its fill this is; a higher number replaces a lower one."""
    found = _NUMBERED.fullmatch(exec_id)
    return int(found[2]) if found else 0


def span(exec_id: str) -> tuple[int, int] | None:
    """The shares (low, high] of its order that an id made here represents; None for an execution's id."""
    found = _RANGE.fullmatch(exec_id)
    return (int(found[1]), int(found[2])) if found else None
