"""``python -m livetrading``: sets the halt latch first when told to, then routes."""

import sys

from .cli.first import latch_first

if __name__ == "__main__":
    # Before anything heavy is imported: stopping must not wait for pandas.
    failed = latch_first(sys.argv[1:])
    from .cli.main import main

    sys.exit(main(sys.argv[1:]) or failed)
