"""What an emergency stop does first, before any import that takes time."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from ..adapters.halt import HaltLatch
from ..adapters.home import Home

STOP = "emergency-stop"


def latch_first(argv: Sequence[str]) -> int:
    """Set the latch if the command is ``emergency-stop``; 1 if it could not be set.

    Arguments that the full parser would refuse still set it: a mistyped option must
    not prevent a stop.
    """
    arguments = _without_values(argv, "--home")
    if not arguments or arguments[0] != STOP or {"-h", "--help"} & set(arguments):
        return 0
    try:
        home = Home.resolve(_value(argv, "--home"))
        HaltLatch(home).set(_value(argv, "--reason") or "emergency stop", "command line", datetime.now(UTC))
    except Exception as error:  # the full command tries again
        print(f"The emergency stop could not be set: {error}", file=sys.stderr)
        return 1
    return 0


def _value(argv: Sequence[str], name: str) -> str | None:
    for i, argument in enumerate(argv):
        if argument == name and i + 1 < len(argv):
            return argv[i + 1]
        if argument.startswith(f"{name}="):
            return argument.partition("=")[2]
    return None


def _without_values(argv: Sequence[str], name: str) -> list[str]:
    """The arguments without the option ``name`` and its value; options last."""
    kept, skip = [], False
    for argument in argv:
        if skip or argument == name or argument.startswith(f"{name}="):
            skip = not skip and argument == name
            continue
        kept.append(argument)
    return [w for w in kept if not w.startswith("-")] + [w for w in kept if w.startswith("-")]
