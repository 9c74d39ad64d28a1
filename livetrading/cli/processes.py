"""``scheduler``: the trading process."""

import argparse
from typing import Any

from ..adapters import logs
from ..adapters.home import Home
from ..execution.scheduler import Scheduler


def scheduler(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    logs.setup(home, "scheduler")
    Scheduler(home).run()
    return {"stopped": True, "text": "The scheduler has stopped."}
