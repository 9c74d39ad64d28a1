"""Where bars come from: one protocol, one canonical frame, several sources."""

from .base import BarSet, BarSource, check_symbol
from .sources import open_source

__all__ = ["BarSet", "BarSource", "check_symbol", "open_source"]
