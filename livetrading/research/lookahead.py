"""Tests for look-ahead: the bars after a session are changed, and nothing up to it may change.

The functions to be checked are given, so that a person's own features, scaler or
engine can be checked as well as this package's. A function passes if features, ATR14,
scaled rows, observations, actions, quantities, fills and money up to session t are the
same to the last bit whatever follows t; if fills of t do not depend on what happens
after them inside the bar; and if features depend neither on the unit of price or volume
nor on a split.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..core import market as markets
from ..core.atr import atr14
from ..core.features import FEATURE_SET, SETS, compute, select
from ..core.market import Market
from ..core.scaler import Scaler
from ..core.types import AgentType, Leg, Terms
from . import backtest, perturb
from .backtest import RawPolicy

Rows = list[dict[str, Any]]
SAMPLES = 40
WINDOW = 60
"""Each repeated run trades through so many sessions before the one that is checked."""
CLOSE_ENOUGH = 1e-6
"""In deviations of the feature. After a change of units the bits cannot be the same."""


@dataclass(frozen=True)
class Subject:
    """The functions that are checked. ``features``: frame -> ``(T, F)`` unscaled; ``market``: frame and
    features -> Market; ``trades``: engines, each Market and range -> ledger rows."""

    names: tuple[str, ...]
    features: Callable[[pd.DataFrame], np.ndarray]
    market: Callable[[pd.DataFrame, np.ndarray], Market]
    trades: tuple[Callable[[Market, range], Rows], ...]


@dataclass
class Report:
    """``problems`` has one entry for each check and each value that changed, with its first session."""

    sessions: int = 0
    values: int = 0
    decisions: int = 0
    fills: int = 0
    problems: list[dict[str, Any]] = field(default_factory=list)

    def found(self, check: str, what: str, session: str, text: str) -> None:
        for known in self.problems:
            if (known["check"], known["what"]) == (check, what):
                known["times"] += 1
                return
        self.problems.append({"check": check, "what": what, "session": session, "times": 1, "text": text})


def subject(
    scaler: Scaler,
    agent_type: AgentType,
    raw: RawPolicy | None,
    terms: Terms,
    names: tuple[str, ...] = SETS[FEATURE_SET],
) -> Subject:
    """This package's own features, scaler and engine, driven by a policy and by a probe."""

    def prepared(frame: pd.DataFrame, features: np.ndarray) -> Market:
        sessions = tuple(frame.index.date.tolist())
        return Market(sessions, markets.quotes(frame), atr14(frame), scaler.transform(features), names)

    policies = [probe] if raw is None else [_remembered(raw), _probe_for(agent_type)]
    trades = tuple(engine(agent_type, policy, terms) for policy in policies)
    return Subject(names, lambda frame: select(compute(frame), names), prepared, trades)


def engine(agent_type: AgentType, raw: RawPolicy, terms: Terms) -> Callable[[Market, range], Rows]:
    """The backtest as a function of market and range."""
    return lambda view, bars: backtest.run(view, bars, agent_type, raw, terms).rows


def probe(observation: np.ndarray) -> int:
    """A policy that decides by a hash: it trades often, and one changed bit changes the decision."""
    digest = hashlib.blake2b(np.ascontiguousarray(observation, "<f4").tobytes(), digest_size=4).digest()
    return int.from_bytes(digest, "little") % 3


def _probe_for(agent_type: AgentType) -> RawPolicy:
    return probe if agent_type == AgentType.PPO else lambda seen: probe(seen) - 1.0


def _remembered(raw: RawPolicy) -> RawPolicy:
    """Caches the policy's outputs, because a policy is a pure function."""
    known: dict[bytes, float] = {}

    def answer(observation: np.ndarray) -> float:
        key = observation.tobytes()
        if key not in known:
            known[key] = raw(observation)
        return known[key]

    return answer


def check(
    what: Subject,
    frame: pd.DataFrame,
    bars: range,
    *,
    every: bool = False,
    samples: int = SAMPLES,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Report:
    """Check sessions ``bars`` (indexes) for look-ahead: every one, or a sample.

    A sample always includes sessions at splits and dividends. Nothing is raised:
    the report holds what was found.
    """
    report = Report()
    base = _World(what, frame)
    _other_units(what, base, report)
    chosen = list(bars) if every else spread(frame, bars, samples)
    for done, t in enumerate(chosen, 1):
        window = range(max(bars.start, t - WINDOW), t + 1)
        rows = [trade(base.view, window) for trade in what.trades]
        if not every:
            t, window, rows = _cut_where_it_shows(done, window, rows)
        _later(what, base, t, window, rows, report)
        _inside(what, base, rows, report)
        report.sessions += 1
        progress(done, len(chosen))
    return report


def _cut_where_it_shows(number: int, window: range, rows: list[Rows]) -> tuple[int, range, list[Rows]]:
    """The run as it is, or cut after its last order, or after its last close with shares: look-ahead would
    show in an order or a position. ``number`` chooses among the three."""
    tests = (lambda row: True, lambda row: row["qty"] > 0, lambda row: row["shares"] > 0)
    fits = [i for i, row in enumerate(rows[-1]) if tests[number % 3](row)]
    kept = fits[-1] + 1 if fits else len(window)
    return window[kept - 1], window[:kept], [each[:kept] for each in rows]


class _World:
    """A history with everything that is computed from it."""

    def __init__(self, what: Subject, frame: pd.DataFrame) -> None:
        self.frame = frame
        self.features = np.asarray(what.features(frame), dtype=np.float64)
        self.view = what.market(frame, self.features)

    def columns(self, names: Sequence[str]) -> Iterator[tuple[str, np.ndarray]]:
        """Each computed column with its name."""
        for i, name in enumerate(names):
            yield name, self.features[:, i]
            yield f"{name} (scaled)", self.view.scaled[:, i]
        yield "ATR14", self.view.atr


def _same(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a == b) | (np.isnan(a) & np.isnan(b))


def _later(what: Subject, base: _World, t: int, window: range, rows: list[Rows], report: Report) -> None:
    """Other bars after t: nothing up to t may change."""
    if t + 1 >= len(base.frame):
        return
    for cause, change in perturb.LATER.items():
        other = _World(what, change(base.frame, t))
        for (name, ours), (_, theirs) in zip(base.columns(what.names), other.columns(what.names), strict=True):
            report.values += t + 1
            same = _same(ours[: t + 1], theirs[: t + 1])
            if not same.all():
                _moved(report, base, name, cause, t, int(np.argmin(same)), ours, theirs)
        for trade, expected in zip(what.trades, rows, strict=True):
            _compare_rows(expected, trade(other.view, window), cause, report)


def _moved(
    report: Report, base: _World, name: str, cause: str, t: int, at: int, ours: np.ndarray, theirs: np.ndarray
) -> None:
    changed, end = (base.frame.index[i].date().isoformat() for i in (at, t))
    text = f"{name} of {changed} is {ours[at]!r}, and {theirs[at]!r} when after {end} {cause}"
    report.found("future", name, changed, text)


def _compare_rows(ours: Rows, theirs: Rows, cause: str, report: Report) -> None:
    report.decisions += len(ours)
    report.fills += sum(len(row["fills"]) for row in ours)
    for mine, other in zip(ours, theirs, strict=True):
        for key in mine:
            if mine[key] != other[key]:
                text = f"{key} of {mine['bar']} is {mine[key]!r}, and {other[key]!r} when afterwards {cause}"
                return report.found("decision", key, mine["bar"], text)
    return None


def _inside(what: Subject, base: _World, rows: list[Rows], report: Report) -> None:
    """A fill must not know what comes after it within its own bar."""
    for trade, ours in zip(what.trades, rows, strict=True):
        latest = {fill[0]: i for i, row in enumerate(ours) for fill in row["fills"]}
        for i in sorted(set(latest.values())):
            t = base.view.sessions.index(pd.Timestamp(ours[i]["bar"]).date())
            window = range(t - i, t + 1)
            for cause, change, legs in (
                ("its high, close and volume", perturb.rest_of_the_bar, tuple(Leg)),
                ("its low", perturb.deeper_low, (Leg.ENTRY, Leg.EXIT)),
            ):
                other = trade(_World(what, change(base.frame, t)).view, window)[i]
                before, after = ([f for f in row["fills"] if f[0] in legs] for row in (ours[i], other))
                if before != after:
                    text = f"the fills of {other['bar']} are {before}, and {after} when {cause} differ"
                    report.found("fill", cause, other["bar"], text)


def _other_units(what: Subject, base: _World, report: Report) -> None:
    """Features must not depend on the unit of price or volume, nor on a split in the middle."""
    start = base.frame.index[0].date().isoformat()
    middle = len(base.frame) - min(len(base.frame) // 4, 250)
    for cause, changed in (
        ("prices and dividends are given in another unit", perturb.in_other_units(base.frame, 3.7, 1.0)),
        ("volume is given in another unit", perturb.in_other_units(base.frame, 1.0, 0.13)),
        ("a split is given in new shares", perturb.later_split(base.frame, middle)),
    ):
        other = np.asarray(what.features(changed), dtype=np.float64)
        for i, name in enumerate(what.names):
            ours, theirs = base.features[:, i], other[:, i]
            known = np.isfinite(ours)
            scale = float(np.std(ours[known])) if known.any() else 0.0
            slack = CLOSE_ENOUGH * (scale if scale > 0 else 1.0)
            differs = ~(_same(ours, theirs) | (np.abs(ours - theirs) <= slack))
            report.values += len(ours)
            if differs.any():
                at = int(np.argmax(differs))
                session = base.frame.index[at].date().isoformat()
                text = f"{name} of {session} is {ours[at]!r}, and {theirs[at]!r} when {cause}"
                report.found("scale", name, session if session > start else start, text)


def spread(frame: pd.DataFrame, bars: range, samples: int) -> list[int]:
    """Evenly spread sessions, and those on and before splits and dividends."""
    special = ((frame["split"] != 1.0) | (frame["dividend"] > 0.0)).to_numpy().nonzero()[0]
    near = [t for s in special.tolist() for t in (s - 1, s) if t in bars]
    near = near[:: max(1, -(-len(near) // max(1, samples // 3)))]
    even = np.linspace(bars.start, bars.stop - 1, max(1, samples - len(near))).astype(int).tolist()
    return sorted({*near, *even})
