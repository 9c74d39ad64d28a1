"""Do two sources report the same prices? Checked before one replaces the other."""

import numpy as np
import pandas as pd

from livetrading.core.bars import PRICES
from livetrading.core.card import ModelCard
from livetrading.core.features import READS_VOLUME
from livetrading.core.wording import counted

from .base import BarSet, vendor_of

OVERLAP_BARS = 500
SAME, TOLERANCE = 1e-4, 1e-3
"""A vendor repeats itself within rounding; two of them differ in odd lots, and 0.1 % is what a decision may rest on."""

IBKR, REPLAY = "ibkr", "replay"
"""The vendor that others may have to stand in for, and a model's own bars shown once more."""


def disagreement(ours: pd.DataFrame, theirs: pd.DataFrame, bars: int = OVERLAP_BARS) -> str | None:
    """One clause if the last common bars differ in a price by more than 0.1 %, or are fewer than ``bars``."""
    common = ours.index.intersection(theirs.index)[-bars:]
    if len(common) < bars:
        return f"they share {counted(len(common), 'bar')}, and at least {bars} are needed to compare them"
    for name in PRICES:
        mine, yours = ours.loc[common, name].to_numpy(), theirs.loc[common, name].to_numpy()
        differs = ~(np.abs(mine - yours) <= TOLERANCE * np.abs(mine))
        if differs.any():
            row = int(np.argmax(differs))
            return f"{name} of {common[row]:%Y-%m-%d} is {mine[row]:.10g} here and {yours[row]:.10g} there"
    return None


def may_stand_in(model: pd.DataFrame, other: pd.DataFrame, features: tuple[str, ...]) -> str | None:
    """Why bars of another vendor than the model's cannot decide for it, or None."""
    by_volume = sorted(READS_VOLUME.intersection(features))
    if by_volume:
        return f"the model reads the volume ({', '.join(by_volume)}), which vendors count differently"
    problem = disagreement(model, other)
    return f"the sources disagree: {problem}" if problem else None


def undecidable(card: ModelCard, asked: str, series: pd.DataFrame, bars: BarSet) -> str | None:
    """Why these bars cannot decide for the model, or None. ``series`` are the bars it decides on so far.

    Where Interactive Brokers priced the model's bars, or was ``asked`` for new
    ones, bars of another vendor must prove that they can stand in. Between the
    other sources the choice was the user's own.
    """
    vendors = {vendor_of(card.source), vendor_of(asked), bars.vendor}
    if IBKR not in vendors or bars.vendor in (vendor_of(card.source), REPLAY):
        return None
    problem = may_stand_in(series, bars.frame, card.features)
    if problem is None:
        return None
    return f"its bars come from {bars.vendor} and the model's from {vendor_of(card.source)}: {problem} ({bars.note})"


def tolerance(card: ModelCard, bars: BarSet) -> float:
    """How far prices of the same session may differ, relative to the price.

    Interactive Brokers restates its bars by odd lots and rounding.
    """
    return TOLERANCE if IBKR in (vendor_of(card.source), bars.vendor) else SAME
