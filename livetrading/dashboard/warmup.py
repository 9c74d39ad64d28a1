"""Does what is slow the first time while the browser is still loading."""

import logging
import threading

from livetrading.adapters import logs
from livetrading.adapters.calendar import calendar

from . import figures, prices, reading

log = logging.getLogger(__name__)


def start() -> threading.Thread:
    """In a thread, so that the server listens meanwhile."""
    thread = threading.Thread(target=_run, name="warmup", daemon=True)
    thread.start()
    return thread


def _run() -> None:
    try:
        calendar()
        row = ["2024-01-02", 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0]
        figures.price_figure(prices.frame_of([row])).to_json()
        names = [agent["agent_id"] for agent in reading.agents()]
    except Exception as error:
        log.warning("warm-up: %s", logs.caught(log, "the warm-up", error))
        return
    for name in names:
        try:
            reading.history(name)
        except Exception as error:  # the page shows the error when it is opened
            log.warning("warm-up: %s", logs.caught(log, f"the warm-up of {name}", error))
