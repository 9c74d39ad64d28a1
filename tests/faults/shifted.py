"""``python -m tests.faults.shifted SECONDS COMMAND …``: the command line, or the scheduler, on a clock that
is so many seconds ahead. The scheduler's agents decide by a plain function instead of a network.

With ``SHIFTED_QUICK`` in the environment, waits for TWS or for a scheduler last only seconds."""

import os
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from livetrading.cli.first import latch_first


def main(words: list[str]) -> int:
    offset = timedelta(seconds=float(words[0]))
    failed = latch_first(words[1:])  # as __main__ does: before slow imports
    if "SHIFTED_QUICK" in os.environ:
        _quick()

    def clock() -> datetime:
        return datetime.now(UTC) + offset

    if words[1] == "scheduler":
        return _scheduler(words[2], clock)
    from livetrading.cli import acting, safety
    from livetrading.cli.main import main as command

    acting.utc_now = safety.utc_now = clock
    return command(words[1:]) or failed


def _quick() -> None:
    from livetrading.adapters.brokers.ibkr import setup
    from livetrading.adapters.brokers.ibkr.config import Timing
    from livetrading.cli import acting, safety
    from livetrading.execution import scheduler

    timing = Timing(connect=2.0, answer=2.0, probe_every=1.0, pauses=(0.2,), acknowledge=2.0)
    configured = setup.config_of
    setup.config_of = lambda *args: replace(configured(*args), timing=timing)
    safety.TENURE_SECONDS, safety.ANSWER_SECONDS = 3.0, 8.0
    acting.ACCOUNT_SECONDS = scheduler.STOP_AGAIN_SECONDS = 2.0


def _scheduler(root: str, clock: object) -> int:
    from livetrading.adapters.home import Home
    from livetrading.execution import scheduler
    from tests.doubles.lives import Cycler, Known

    home = Home.resolve(root)
    scheduler.load_torch = lambda: None
    trading = scheduler.Scheduler(home, clock=clock)  # type: ignore[arg-type]
    trading.node.registry = Known(home, Cycler())
    trading.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
