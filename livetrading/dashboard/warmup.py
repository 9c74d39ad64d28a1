"""What is slow the first time, done while the browser is still loading."""

import logging
import threading

from livetrading.adapters.calendar import calendar
from livetrading.core.errors import LivetradingError

from . import figures, prices, reading

log = logging.getLogger(__name__)


def start() -> threading.Thread:
    """In a thread: the server listens meanwhile."""
    thread = threading.Thread(target=_run, name="warmup", daemon=True)
    thread.start()
    return thread


def _run() -> None:
    calendar()
    row = ["2024-01-02", 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0]
    figures.price_figure(prices.frame_of([row])).to_json()
    try:
        for agent in reading.agents():
            reading.history(agent["agent_id"])
    except LivetradingError as error:
        log.warning("warm-up: %s", error)  # the page will say it where a person sees it
