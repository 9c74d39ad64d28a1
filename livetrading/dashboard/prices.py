"""Bars and fills as a chart shows them: split-adjusted, and limited to the chosen range."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

SPANS: dict[str, int | None] = {"1M": 21, "6M": 126, "1Y": 252, "All": None}
"""Sessions that a range button shows."""

COLUMNS = ("open", "high", "low", "close", "volume", "dividend", "split")


@dataclass(frozen=True)
class Mark:
    """One execution: ``session`` is ``YYYY-MM-DD``, ``price`` USD a share as traded.

    ``basis`` is the session in whose shares price and quantity are given, if
    it is another one: those of a closed trade are in shares of the exit.
    """

    session: str
    side: str
    leg: str
    qty: float
    price: float
    provisional: bool = False
    basis: str | None = None


def marks_of_fills(fills: Sequence[Mapping[str, Any]]) -> list[Mark]:
    """Of an agent's history: one mark a fill."""
    return [
        Mark(f["session"], str(f["side"]).upper(), f["leg"], f["qty"], f["price"], bool(f.get("provisional")))
        for f in fills
    ]


def marks_of_trades(trades: Sequence[Mapping[str, Any]]) -> list[Mark]:
    """Of closed round trips: the entry and the exit of each."""
    marks = []
    for t in trades:
        end = t["exit_session"]
        marks.append(Mark(t["entry_session"], "BUY", "entry", t["qty"], t["entry_price"], basis=end))
        marks.append(Mark(end, "SELL", t["leg"], t["qty"], t["exit_price"]))
    return marks


def frame_of(rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """``[[iso, o, h, l, c, v, d, s], …]`` as a frame on the ISO date, split-adjusted."""
    frame = pd.DataFrame([row[1:] for row in rows], columns=list(COLUMNS), index=[row[0] for row in rows])
    return split_adjusted(frame.astype("float64"))


def split_adjusted(frame: pd.DataFrame) -> pd.DataFrame:
    """In shares of the last bar, as a chart is read, with ``factor`` beside it.

    In prices as traded, a 10:1 split would look like a crash. ``factor`` is the product
    of all later splits: price / factor, volume · factor.
    """
    factor = frame["split"][::-1].cumprod()[::-1].shift(-1, fill_value=1.0)
    shown = frame.assign(factor=factor)
    shown[["open", "high", "low", "close"]] = frame[["open", "high", "low", "close"]].div(factor, axis=0)
    shown["volume"] = frame["volume"] * factor
    return shown


def adjusted_marks(marks: Sequence[Mark], frame: pd.DataFrame) -> list[Mark]:
    """The marks that lie on a bar of ``frame``, in the shares of its last bar."""
    factor = frame["factor"].to_dict()
    ratios = [(mark, factor.get(mark.basis or mark.session)) for mark in marks if mark.session in factor]
    return [replace(m, price=m.price / ratio, qty=m.qty * ratio) for m, ratio in ratios if ratio is not None]


def last_sessions(frame: pd.DataFrame, span: str) -> pd.DataFrame:
    """The rows that a range button shows."""
    length = SPANS[span]
    return frame if length is None else frame.iloc[-length:]


def _bands(close: pd.Series) -> dict[str, pd.Series]:
    middle, deviation = close.rolling(20).mean(), close.rolling(20).std(ddof=0)
    return {"Bollinger +2σ": middle + 2 * deviation, "Bollinger −2σ": middle - 2 * deviation}


INDICATORS: dict[str, Callable[[pd.Series], dict[str, pd.Series]]] = {
    "SMA 20": lambda close: {"SMA 20": close.rolling(20).mean()},
    "SMA 50": lambda close: {"SMA 50": close.rolling(50).mean()},
    "SMA 200": lambda close: {"SMA 200": close.rolling(200).mean()},
    "EMA 20": lambda close: {"EMA 20": close.ewm(span=20, adjust=False, min_periods=20).mean()},
    "Bollinger 20": _bands,
}
"""Lines that can be drawn over the candles, by the name of the indicator, on the index of the closes."""
