"""Lives of the adapter while TWS answers one question badly, or sends something else in place of one number."""

from collections import Counter
from collections.abc import Iterator

from tests.doubles.tws import Fault, Spoil

from .ibkr_story import run_life

NEEDED, OPTIONAL = (5, 16, 61), (6, 7, 76, 99)
"""Open orders of this client and of all, positions; account updates twice, executions, completed orders."""
SILENT = ("swallow", "no_end", "late")
KINDS = (*SILENT, "end_first", "twice", "end_twice")
FOR_EVER, A_WHILE = 1_000_000, 2
VALUES = ("", "n/a", "NaN", "Infinity", "1.7976931348623157E308", "-1", "10.5")
FIELDS = ((61, 14), (3, 3), (3, 6), (5, 14), (5, 25), (11, 19), (11, 20), (11, 24), (59, 3), (6, 3), (73, 6), (49, 2))


def answers() -> Iterator[Fault]:
    """Optional questions are never answered; needed ones are answered after a while."""
    for message in (*NEEDED, *OPTIONAL):
        for kind in KINDS:
            times = A_WHILE if message in NEEDED and kind in SILENT else FOR_EVER
            yield Fault(kind, message, times=times, seconds=1.4 if message in NEEDED else 0.5)


def fields() -> Iterator[Spoil]:
    for n, (message, field) in enumerate(FIELDS):
        for value in VALUES:
            if (message, value) == (61, "-1"):
                continue  # a short position is a number
            yield Spoil(message, field, value, times=1 + n % 3)


def wrongs_of(version: int, leg: str, fault: Fault | None = None, spoil: Spoil | None = None) -> list[str]:
    """What went wrong in one life."""
    name = f"{version} {leg} {fault or spoil}"
    try:
        wrongs = run_life(version, leg, 0, [fault] if fault else [], [spoil] if spoil else [])[1]
    except AssertionError as error:
        wrongs = [str(error)]
    # A fill without a readable execution is booked by its order's quantity, under another id.
    counted = spoil is not None and spoil.message == 11
    return [f"{name}: {w}" for w in wrongs if not (counted and "not in the book" in w)]


def sweep(version: int, leg: str) -> tuple[Counter[str], list[str]]:
    """Every way not to answer, every field and value: counts, and what went wrong."""
    counts, wrongs = Counter[str](), []
    for fault in answers():
        counts["answers"] += 1
        wrongs += wrongs_of(version, leg, fault)
    for spoil in fields():
        counts["fields"] += 1
        wrongs += wrongs_of(version, leg, spoil=spoil)
    return counts, wrongs
