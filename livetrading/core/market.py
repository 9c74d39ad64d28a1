"""A series of bars, made ready for the rules: quotes, ATR14, scaled features."""

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd

from .atr import atr14
from .features import FEATURE_SET, SETS, compute, select
from .fees import regulatory_arrays
from .rules import Quote
from .scaler import Scaler
from .shared import Memory, fingerprint
from .types import WARMUP_BARS


class Columns(NamedTuple):
    """The fields of ``Quote`` for T sessions: float64 arrays ``(T,)``."""

    open: np.ndarray
    low: np.ndarray
    close: np.ndarray
    previous_close: np.ndarray
    dividend: np.ndarray
    split: np.ndarray
    sec_rate: np.ndarray
    taf_per_share: np.ndarray
    taf_cap: np.ndarray


@dataclass(frozen=True)
class Market:
    """Columns of equal length T; ``scaled`` is ``(T, n_features)`` float64, ``features`` names its columns.

    Row t was computed from rows up to t alone, so the market of a prefix is the
    prefix of the market, to the bit.
    """

    sessions: tuple[date, ...]
    columns: Columns
    atr: np.ndarray
    scaled: np.ndarray
    features: tuple[str, ...] = SETS[FEATURE_SET]

    def __len__(self) -> int:
        return len(self.sessions)

    def quote(self, t: int | np.ndarray) -> Quote:
        """The session at index t, or one for each index of an array."""
        return Quote(*(column[t] for column in self.columns))

    def index(self, session: date) -> int:
        """The index of a session in the series."""
        return self.sessions.index(session)

    def last(self) -> "Market":
        """Its last session alone, with nothing kept of the others."""
        columns = Columns(*(column[-1:].copy() for column in self.columns))
        return Market(self.sessions[-1:], columns, self.atr[-1:].copy(), self.scaled[-1:].copy(), self.features)

    def decidable(self, start: date | None = None, end: date | None = None) -> range:
        """Indexes of the sessions within [start, end] that have the warm-up bars before them."""
        low = next((i for i, s in enumerate(self.sessions) if start is None or s >= start), len(self))
        high = sum(1 for s in self.sessions if end is None or s <= end)
        return range(max(low, WARMUP_BARS), max(high, low, WARMUP_BARS))


def quotes(frame: pd.DataFrame) -> Columns:
    """Columns of a canonical frame as the rules take them."""
    close = frame["close"].to_numpy(np.float64)
    fees = regulatory_arrays(frame.index.to_numpy().astype("datetime64[D]"))
    return Columns(
        open=frame["open"].to_numpy(np.float64),
        low=frame["low"].to_numpy(np.float64),
        close=close,
        previous_close=np.concatenate([close[:1], close[:-1]]),
        dividend=frame["dividend"].to_numpy(np.float64),
        split=frame["split"].to_numpy(np.float64),
        sec_rate=fees.sec_rate,
        taf_per_share=fees.taf_per_share,
        taf_cap=fees.taf_cap,
    )


def build(frame: pd.DataFrame, scaler: Scaler, features: tuple[str, ...] = SETS[FEATURE_SET]) -> Market:
    """The market of a canonical frame, its features standardised by ``scaler``."""
    return Market(
        sessions=tuple(frame.index.date.tolist()),
        columns=quotes(frame),
        atr=atr14(frame),
        scaled=scaler.transform(select(compute(frame), features)),
        features=features,
    )


_newest: Memory[Market] = Memory(32)


def newest(frame: pd.DataFrame, scaler: Scaler, features: tuple[str, ...] = SETS[FEATURE_SET]) -> Market:
    """The last session of ``build(frame, scaler, features)``, made once for all agents that ask for the same.

    Its arrays have length 1.
    """
    return _newest.get((fingerprint(frame), scaler, features), lambda: build(frame, scaler, features).last())
