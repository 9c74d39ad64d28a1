"""``python -m tests.faults.shifted SECONDS COMMAND …``: the command line, or the scheduler, on a clock that
is so many seconds ahead. The scheduler's agents decide by a plain function instead of a network."""

import sys
from datetime import UTC, datetime, timedelta

from livetrading.cli.first import latch_first


def main(words: list[str]) -> int:
    offset = timedelta(seconds=float(words[0]))
    failed = latch_first(words[1:])  # as __main__ does: before anything heavy

    def clock() -> datetime:
        return datetime.now(UTC) + offset

    if words[1] == "scheduler":
        return _scheduler(words[2], clock)
    from livetrading.cli import acting, safety
    from livetrading.cli.main import main as command

    acting.utc_now = safety.utc_now = clock
    return command(words[1:]) or failed


def _scheduler(root: str, clock: object) -> int:
    from livetrading.adapters.home import Home
    from livetrading.execution import scheduler
    from tests.doubles.lives import Cycler, Known

    home = Home.resolve(root)
    scheduler._warm = lambda: None
    trading = scheduler.Scheduler(home, clock=clock)  # type: ignore[arg-type]
    trading.desk.registry = Known(home, Cycler())
    trading.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
