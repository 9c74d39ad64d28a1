"""``livetrading`` and ``python -m livetrading``: sets the halt latch first when told to, then routes."""

import sys

from .cli.first import latch_first


def run() -> int:
    """One command with the words of the command line; its exit code."""
    # Before anything heavy is imported: stopping must not wait for pandas.
    failed = latch_first(sys.argv[1:])
    from .cli.main import main

    return main(sys.argv[1:]) or failed


if __name__ == "__main__":
    sys.exit(run())
