"""Planted leaks: well-known ways to look ahead, each as a Subject that the check must find."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from livetrading.core import ledger, rules
from livetrading.core import market as markets
from livetrading.core.atr import atr14
from livetrading.core.features import FEATURE_SET, SETS, adjusted
from livetrading.core.market import Market
from livetrading.core.observe import observe
from livetrading.core.scaler import Scaler, fit
from livetrading.core.types import AgentType, Limits, Terms
from livetrading.research.lookahead import Subject, engine, probe
from tests.doubles.series import usual_features

TERMS = Terms(100_000.0, Limits(max_drawdown=1.0))
Column = Callable[[pd.DataFrame], Any]


def prepared(scaler: Scaler) -> Callable[[pd.DataFrame, np.ndarray], Market]:
    def build(frame: pd.DataFrame, features: np.ndarray) -> Market:
        scaled = np.nan_to_num(scaler.transform(features))
        return Market(tuple(frame.index.date.tolist()), markets.quotes(frame), atr14(frame), scaled)

    return build


def honest(frame: pd.DataFrame) -> Subject:
    """What ships, scaled by rows 300 to 500."""
    build = prepared(fit(usual_features(frame)[300:500]))
    return Subject(SETS[FEATURE_SET], usual_features, build, (engine(AgentType.PPO, probe, TERMS),))


def with_column(column: Column) -> Callable[[pd.DataFrame], Subject]:
    """An honest return and one more feature, made of forward-adjusted bars (and ``raw`` close, dividend, split)."""

    def features(frame: pd.DataFrame) -> np.ndarray:
        table = adjusted(frame)
        table["raw"], table["dividend"], table["split"] = frame["close"], frame["dividend"], frame["split"]
        return np.column_stack([return_1(table), np.asarray(column(table), dtype=np.float64)])

    def make(frame: pd.DataFrame) -> Subject:
        build = prepared(fit(np.nan_to_num(features(frame)[300:500])))
        return Subject(("return", "planted"), features, build, (engine(AgentType.PPO, probe, TERMS),))

    return make


def with_market(change: Callable[[pd.DataFrame, Market], Market]) -> Callable[[pd.DataFrame], Subject]:
    """Honest features; the market that the engine reads is doctored."""

    def make(frame: pd.DataFrame) -> Subject:
        clean = honest(frame)
        return replace(clean, market=lambda f, x: change(f, clean.market(f, x)))

    return make


def with_engine(run: Callable[[Market, range], list[dict[str, Any]]]) -> Callable[[pd.DataFrame], Subject]:
    return lambda frame: replace(honest(frame), trades=(run,))


def columns(view: Market, **changed: np.ndarray) -> Market:
    return replace(view, columns=view.columns._replace(**changed))


def ahead(values: np.ndarray) -> np.ndarray:
    """Each value is its successor's."""
    return np.concatenate([values[1:], values[-1:]])


def back_adjusted(b: pd.DataFrame) -> pd.Series:
    """Prices adjusted backwards from the last day: a later dividend moves all before it."""
    paid = (1 - b["dividend"] * b["split"] / b["raw"].shift(1)).fillna(1.0) / b["split"]
    factor = paid[::-1].cumprod()[::-1].shift(-1).fillna(1.0)
    return b["raw"] * factor


def centred(window: int) -> Column:
    return lambda b: b["close"] / b["close"].rolling(window, center=True).mean() - 1


def return_1(b: pd.DataFrame) -> pd.Series:
    return b["close"].pct_change()


def pivots(b: pd.DataFrame) -> pd.Series:
    """A swing low is marked on its day, but only the next two days show it."""
    low = b["low"]
    return (low == low.rolling(5, center=True).min()).astype(float)


def zigzag(b: pd.DataFrame) -> pd.Series:
    """Distance to the next turning point."""
    up = return_1(b) > 0
    return (up != up.shift(-1)).astype(float)[::-1].cumsum()[::-1] % 7


def kalman_smoother(b: pd.DataFrame) -> pd.Series:
    forward = b["close"].ewm(span=10).mean()
    return b["close"] / forward[::-1].ewm(span=10).mean()[::-1] - 1


def regression_on_all(b: pd.DataFrame) -> pd.Series:
    """Distance from a trend line fitted to the whole series."""
    x, y = np.arange(len(b)), np.log(b["close"].to_numpy())
    slope, level = np.polyfit(x, y, 1)
    return pd.Series(y - slope * x - level, b.index)


def month_end_known(b: pd.DataFrame) -> pd.Series:
    """The month's last close, on each of its days."""
    last = b["close"].groupby([b.index.year, b.index.month]).transform("last")
    return b["close"] / last - 1


def resampled_week(b: pd.DataFrame) -> pd.Series:
    """A weekly bar labelled by its first day, joined to its days."""
    weekly = b["close"].resample("W-FRI", label="left", closed="right").last()
    return b["close"] / weekly.reindex(b.index, method="ffill") - 1


def filled_backwards(b: pd.DataFrame) -> pd.Series:
    """A value known only every fifth day, back-filled into the days before."""
    sparse = return_1(b).where(np.arange(len(b)) % 5 == 4)
    return sparse.bfill()


def interpolated(b: pd.DataFrame) -> pd.Series:
    sparse = b["close"].where(np.arange(len(b)) % 5 == 4)
    return b["close"] / sparse.interpolate(limit_direction="both") - 1


def spectrum(b: pd.DataFrame) -> np.ndarray:
    """A low-pass filter over the whole series."""
    waves = np.fft.rfft(return_1(b).fillna(0.0).to_numpy())
    waves[len(waves) // 8 :] = 0
    return np.fft.irfft(waves, len(b))


def ranked(b: pd.DataFrame) -> pd.Series:
    return return_1(b).rank(pct=True)


def scaled_on_all(frame: pd.DataFrame, view: Market) -> Market:
    raw = np.nan_to_num(usual_features(frame))
    return replace(view, scaled=fit(raw).transform(raw))


def scaled_by_its_own_max(frame: pd.DataFrame, view: Market) -> Market:
    raw = np.nan_to_num(usual_features(frame))
    return replace(view, scaled=raw / np.abs(raw).max(axis=0))


def scaled_on_the_last_year(frame: pd.DataFrame, view: Market) -> Market:
    raw = np.nan_to_num(usual_features(frame))
    return replace(view, scaled=fit(raw[-252:]).transform(raw))


def same_close(view: Market, bars: range) -> list[dict[str, Any]]:
    """Decides at the close and fills at that very close: the complaint about FinRL."""
    cash, shares, rows = TERMS.capital, 0, []
    for t in bars:
        close, fills = float(view.columns.close[t]), []
        account = rules.Account(cash, float(shares), close if shares else 0.0, 0.0, 0.0, TERMS.capital)
        seen = observe(view.scaled[t], account, close)
        action = probe(seen)
        if action == 2 and not shares:
            shares = int(cash // close)
            cash, fills = cash - shares * close, [("entry", shares, close, 0.0)]
        elif action == 0 and shares:
            cash, fills = cash + shares * close, [("exit", shares, close, 0.0)]
            shares = 0
        rows.append(
            ledger.row(
                view.sessions[t].isoformat(),
                action,
                0,
                ledger.obs_sha256(seen),
                cash,
                cash + shares * close,
                shares,
                fills,
            )
        )
    return rows


def sizes_by_the_next_open(view: Market, bars: range) -> list[dict[str, Any]]:
    """An engine that sizes by tomorrow's open, which it calls today's estimate."""
    tomorrow = columns(view, close=ahead(view.columns.open))
    return engine(AgentType.PPO, probe, TERMS)(tomorrow, bars)


def peeking_policy(view: Market, bars: range) -> list[dict[str, Any]]:
    """Buys when the next close is higher, by way of a closure over the market."""
    seen_at = {view.scaled[t].astype("<f4").tobytes(): t for t in range(len(view))}

    def raw(observation: np.ndarray) -> int:
        t = seen_at[observation[:-4].tobytes()]
        following = min(t + 1, len(view) - 1)
        return 2 if view.columns.close[following] > view.columns.close[t] else 0

    return engine(AgentType.PPO, raw, TERMS)(view, bars)


def ends_knowingly(view: Market, bars: range) -> list[dict[str, Any]]:
    """A policy salted with the length of the series."""
    salt = str(len(view)).encode()

    def raw(seen: np.ndarray) -> int:
        return hashlib.blake2b(salt + seen.tobytes(), digest_size=2).digest()[0] % 3

    return engine(AgentType.PPO, raw, TERMS)(view, bars)


LEAKS: dict[str, Callable[[pd.DataFrame], Subject]] = {
    # shifted the wrong way
    "tomorrow's return": with_column(lambda b: return_1(b).shift(-1)),
    "the return over the next five days": with_column(lambda b: b["close"].shift(-5) / b["close"] - 1),
    "tomorrow's open over today's close": with_column(lambda b: b["open"].shift(-1) / b["close"] - 1),
    "tomorrow's volume": with_column(lambda b: b["volume"].shift(-1) / b["volume"].rolling(20).mean()),
    "a rolled array that wraps around": with_column(lambda b: np.roll(return_1(b).fillna(0.0), -1)),
    "a column wrapped the other way": with_column(lambda b: np.roll(b["close"] / b["open"], 1)),
    # windows that reach forward
    "a centred window of three": with_column(centred(3)),
    "a centred window of 21": with_column(centred(21)),
    "a window reversed in time": with_column(lambda b: b["close"] / b["close"][::-1].rolling(10).mean()[::-1] - 1),
    "the best price of the next ten days": with_column(lambda b: b["high"][::-1].rolling(10).max()[::-1] / b["close"]),
    "swing lows marked on their day": with_column(pivots),
    "distance to the next turn": with_column(zigzag),
    "smoothed in both directions": with_column(kalman_smoother),
    "a low-pass filter over all": with_column(spectrum),
    # statistics of the whole series
    "close over the mean of all closes": with_column(lambda b: b["close"] / b["close"].mean()),
    "close over the highest of all": with_column(lambda b: b["close"] / b["close"].max()),
    "min-max over all": with_column(lambda b: (b["close"] - b["close"].min()) / (b["close"].max() - b["close"].min())),
    "z-score over all": with_column(lambda b: (return_1(b) - return_1(b).mean()) / return_1(b).std()),
    "rank among all days": with_column(ranked),
    "quantile bins of all days": with_column(lambda b: pd.qcut(return_1(b).fillna(0.0), 7, labels=False)),
    "clipped at quantiles of all": with_column(lambda b: return_1(b).clip(upper=return_1(b).quantile(0.7))),
    "trend fitted to all": with_column(regression_on_all),
    "filled with the mean of all": with_column(
        lambda b: return_1(b).where(np.arange(len(b)) % 4 != 3).fillna(return_1(b).mean())
    ),
    "the share of the series behind": with_column(lambda b: np.arange(len(b)) / len(b)),
    # holes filled from later
    "back-filled holes": with_column(filled_backwards),
    "interpolated holes": with_column(interpolated),
    "the month's last close": with_column(month_end_known),
    "a week labelled by its first day": with_column(resampled_week),
    # adjustments
    "prices adjusted backwards": with_column(back_adjusted),
    "adjusted by the last factor": with_column(lambda b: b["close"] / b["close"].iloc[-1]),
    "a dividend known a day early": with_column(lambda b: b["dividend"].shift(-1) / b["raw"]),
    "a split known a day early": with_column(lambda b: b["split"].shift(-1)),
    # units
    "the price itself": with_column(lambda b: b["close"]),
    "the logarithm of volume": with_column(lambda b: np.log1p(b["volume"])),
    "returns that take a split for a crash": with_column(lambda b: b["raw"].pct_change()),
    # scaling
    "a scaler fitted on all": with_market(scaled_on_all),
    "scaled by the whole column's maximum": with_market(scaled_by_its_own_max),
    "a scaler fitted on the last year": with_market(scaled_on_the_last_year),
    # the market that the engine reads
    "observations of tomorrow": with_market(lambda f, m: replace(m, scaled=np.vstack([m.scaled[1:], m.scaled[-1:]]))),
    "tomorrow's ATR": with_market(lambda f, m: replace(m, atr=ahead(m.atr))),
    "sized by tomorrow's close": with_market(lambda f, m: columns(m, close=ahead(m.columns.close))),
    "fills at the session's close": with_market(lambda f, m: columns(m, open=m.columns.close)),
    "fills at the session's low": with_market(lambda f, m: columns(m, open=m.columns.low)),
    "fills at the mean of open and close": with_market(
        lambda f, m: columns(m, open=(m.columns.open + m.columns.close) / 2)
    ),
    "fills at the better of open and close": with_market(
        lambda f, m: columns(m, open=np.minimum(m.columns.open, m.columns.close))
    ),
    "fills at tomorrow's open": with_market(lambda f, m: columns(m, open=ahead(m.columns.open))),
    "stops see the close and not the low": with_market(lambda f, m: columns(m, low=m.columns.close)),
    "a dividend paid a day early": with_market(lambda f, m: columns(m, dividend=ahead(m.columns.dividend))),
    # engines and policies
    "fills at the close that decided": with_engine(same_close),
    "sizes by tomorrow's open": with_engine(sizes_by_the_next_open),
    "a policy that holds the market": with_engine(peeking_policy),
    "a policy that knows how long the series is": with_engine(ends_knowingly),
}

HONEST: dict[str, Callable[[pd.DataFrame], Subject]] = {
    "what ships": honest,
    "return": with_column(return_1),
    "yesterday's return": with_column(lambda b: return_1(b).shift(1)),
    "distance from a mean": with_column(lambda b: b["close"] / b["close"].rolling(50).mean() - 1),
    "exponential mean": with_column(lambda b: b["close"] / b["close"].ewm(span=30, adjust=False).mean() - 1),
    "deviation": with_column(lambda b: return_1(b).rolling(20).std()),
    "highest so far": with_column(lambda b: b["close"] / b["close"].cummax() - 1),
    "range of the day": with_column(lambda b: (b["high"] - b["low"]) / b["close"]),
    "place in the window": with_column(lambda b: b["close"].rolling(30).rank(pct=True)),
    "forward-filled holes": with_column(lambda b: return_1(b).where(np.arange(len(b)) % 5 == 4).ffill()),
    "last month's close": with_column(lambda b: b["close"] / b["close"].shift(21) - 1),
    "volume over its median": with_column(lambda b: b["volume"] / b["volume"].rolling(20).median()),
    "day of the week": with_column(lambda b: b.index.day_of_week.to_numpy(dtype=float)),
    "overnight gap": with_column(lambda b: b["open"] / b["close"].shift(1) - 1),
}
