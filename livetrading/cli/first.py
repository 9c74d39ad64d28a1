"""What an emergency stop does before any import that takes time. Standard library only."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from ..adapters.halt import HaltLatch
from ..adapters.home import Home

STOP = "emergency-stop"


def latch_first(argv: Sequence[str]) -> int:
    """Set the latch if the command is ``emergency-stop``; 1 if it could not be set.

    Words that the full parser would refuse still set it: a mistyped option must
    not keep a person from stopping.
    """
    words = _without_values(argv, "--home")
    if not words or words[0] != STOP or {"-h", "--help"} & set(words):
        return 0
    try:
        home = Home.resolve(_value(argv, "--home"))
        HaltLatch(home).set(_value(argv, "--reason") or "emergency stop", "command line", datetime.now(UTC))
    except Exception as error:  # the full command tries again
        print(f"The emergency stop could not be set: {error}", file=sys.stderr)
        return 1
    return 0


def _value(argv: Sequence[str], name: str) -> str | None:
    for i, word in enumerate(argv):
        if word == name and i + 1 < len(argv):
            return argv[i + 1]
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return None


def _without_values(argv: Sequence[str], name: str) -> list[str]:
    """The words that are no option ``name`` and not its value, options last."""
    kept, skip = [], False
    for word in argv:
        if skip or word == name or word.startswith(f"{name}="):
            skip = not skip and word == name
            continue
        kept.append(word)
    return [w for w in kept if not w.startswith("-")] + [w for w in kept if w.startswith("-")]
