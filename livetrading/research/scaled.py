"""A market before it is scaled, and as a part of its own sessions scales it."""

from dataclasses import replace

import pandas as pd

from ..core import market as markets
from ..core import scaler as scalers
from ..core.atr import atr14
from ..core.features import FEATURE_SET, SETS, compute, select
from ..core.market import Market
from ..core.scaler import Scaler


def unscaled(frame: pd.DataFrame, features: tuple[str, ...] = SETS[FEATURE_SET]) -> Market:
    """The market of a canonical frame with its features as computed: its ``scaled`` is not scaled yet."""
    sessions = tuple(stamp.date() for stamp in frame.index)
    return Market(sessions, markets.quotes(frame), atr14(frame), select(compute(frame), features), features)


def scaled_by(market: Market, rows: range) -> tuple[Market, Scaler]:
    """An unscaled market standardised by those of its rows, and the scaler."""
    scaler = scalers.fit(market.scaled[rows.start : rows.stop])
    return replace(market, scaled=scaler.transform(market.scaled)), scaler
