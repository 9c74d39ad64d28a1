"""Where bars come from: one protocol, one canonical frame, several sources."""

from .base import BarSet, BarSource, check_symbol
from .sources import ask_once, open_source

__all__ = ["BarSet", "BarSource", "ask_once", "check_symbol", "open_source"]
