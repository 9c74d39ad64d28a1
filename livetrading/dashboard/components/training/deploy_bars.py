"""The bar source of a deployment: a proposal, and a question if its bars are too old to trade."""

import os
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from livetrading.adapters.bars.base import vendor_of
from livetrading.adapters.brokers.registry import words_of
from livetrading.adapters.calendar import calendar
from livetrading.adapters.home import Home
from livetrading.adapters.registry import Registry
from livetrading.core.card import ModelCard
from livetrading.core.errors import LivetradingError
from livetrading.core.types import Mode
from livetrading.dashboard import brokers, kinds, reading
from livetrading.dashboard.format import markdown
from livetrading.execution.state import bar_check
from livetrading.execution.state.bar_check import Reach

LOCAL = ("sample", "csv")
"""Sources on this computer, which are checked at once; the others are asked when the button is pressed."""


def proposed(card: ModelCard, mode: str) -> str:
    """A source that will have later bars: the model's own if it will, never the bundled sample."""
    vendor = vendor_of(card.source)
    if mode == Mode.REPLAY or (mode == Mode.PAPER and vendor in ("yahoo", *brokers.bar_sources())):
        return card.source
    if kinds.at_broker(mode):
        return words_of(mode).bars or "yahoo"
    found = _reach(card, card.source) if vendor == "csv" else None
    return card.source if isinstance(found, Reach) and found.current else "yahoo"


def note_old(key: str, source: str, sentence: str) -> None:
    """The command has found that the bars of a source are old: from now on the form asks."""
    st.session_state[f"{key}_old_bars"] = (source, sentence)


def allowed(card: ModelCard, key: str, options: dict[str, Any]) -> bool:
    """Whether the button is shown. Warns of old bars, and sets the option ``old-bars``."""
    if options["mode"] == Mode.REPLAY:
        return True
    source = options["source"]
    found = _reach(card, source) if vendor_of(source) in LOCAL else None
    if isinstance(found, LivetradingError):
        st.error(markdown(str(found)))
        return False
    refused, sentence = st.session_state.get(f"{key}_old_bars", ("", ""))
    warning = found.warning() if found is not None else sentence if refused == source else None
    options["old-bars"] = "refuse"
    if not warning:
        return True
    st.warning(markdown(warning))
    known = st.checkbox("I understand: this agent cannot trade until later bars arrive.", key=f"{key}_old_{source}")
    options["old-bars"] = "warn" if known else "refuse"
    return known


def _reach(card: ModelCard, source: str) -> Reach | LivetradingError:
    """How far a local source reaches, or why it cannot be traded on."""
    _, _, path = source.partition(":")
    try:
        found = os.stat(Path(path.strip()).expanduser()) if path.strip() else None
    except (OSError, ValueError, RuntimeError):
        found = None  # the error appears when the file is read
    try:
        session = calendar().last_complete(reading.now())
    except LivetradingError as error:
        return error
    version = (found.st_mtime_ns, found.st_size, found.st_ino) if found else ()
    return _read_once(reading.home(), card.model_id, source, version, session)


@lru_cache(maxsize=32)
def _read_once(
    home: Home, model_id: str, source: str, version: tuple[int, ...], session: date
) -> Reach | LivetradingError:
    """Read once for each state of the file and each session, because every input draws the form again."""
    registry = Registry(home)
    try:
        return bar_check.read_for(registry.card(model_id), registry.bars(model_id), source, home.cache, reading.now())
    except LivetradingError as error:
        return error
