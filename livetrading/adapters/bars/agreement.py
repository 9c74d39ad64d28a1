"""Do two sources report the same prices? Checked before one replaces the other."""

import pandas as pd

from livetrading.core.card import ModelCard
from livetrading.core.features import READS_VOLUME

from ..brokers import registry
from .base import BarSet, vendor_of
from .comparison import OVERLAP_BARS as OVERLAP_BARS
from .comparison import TOLERANCE, disagreement

SAME = 1e-4
"""Bars of one vendor differ by rounding alone."""
REPLAY = "replay"
"""The vendor of a replay: it replays the model's own bars."""


def substitution_problem(model: pd.DataFrame, other: pd.DataFrame, features: tuple[str, ...]) -> str | None:
    """Why bars of another vendor than the model's cannot decide for it, or None."""
    by_volume = sorted(READS_VOLUME.intersection(features))
    if by_volume:
        return f"the model reads the volume ({', '.join(by_volume)}), which vendors count differently"
    problem = disagreement(model, other)
    return f"the sources disagree: {problem}" if problem else None


def undecidable(card: ModelCard, asked: str, series: pd.DataFrame, bars: BarSet) -> str | None:
    """Why these bars cannot decide for the model, or None. ``series`` are the bars it decides on so far.

    If a broker priced the model's bars, or was ``asked`` for new ones, bars of another
    vendor may replace its bars only when they agree. Between other sources the user
    chose.
    """
    vendors = {vendor_of(card.source), vendor_of(asked), bars.vendor}
    if not any(map(_of_broker, vendors)) or bars.vendor in (vendor_of(card.source), REPLAY):
        return None
    problem = substitution_problem(series, bars.frame, card.features)
    if problem is None:
        return None
    return f"its bars come from {bars.vendor} and the model's from {vendor_of(card.source)}: {problem} ({bars.note})"


def tolerance(card: ModelCard, bars: BarSet) -> float:
    """How far prices of the same session may differ, relative to the price.

    Bars of a broker differ from other vendors' by odd lots and rounding.
    """
    return TOLERANCE if any(map(_of_broker, (vendor_of(card.source), bars.vendor))) else SAME


def _of_broker(vendor: str) -> bool:
    """Whether bars come from a broker."""
    return registry.with_bars(vendor) is not None
