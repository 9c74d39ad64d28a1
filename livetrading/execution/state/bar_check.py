"""The bars that an agent is to trade on: can they be read, do they fit its model, how far do they reach?

Asked before a deployment, by the form and by ``doctor``. A source that is away is
Unavailable and refuses a deployment, too: what it would have answered is not known,
nothing is lost by deploying later, and a typing error in a source looks the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from ...adapters.bars import agreement, ask_once
from ...adapters.bars.base import BarSet, vendor_of
from ...adapters.calendar import calendar
from ...core import gate
from ...core.card import ModelCard
from ...core.errors import BadBars
from ...core.wording import counted
from .bar_series import Series

CURES = {
    "sample": "the bundled sample is history and does not go on; choose a source that does, such as yahoo",
    "csv": "add the later bars to that file, or choose a source that is kept up to date, such as yahoo",
}
CURE = "choose a source that is kept up to date, or check whether it knows the symbol"
DAILY_LAG = 2
"""Sessions; a file that is brought up to date each evening is one behind until then."""

NO_BARS_AFTER = 3
"""Sessions in a row without a bar after which a paper position counts as one that nothing can sell."""


@dataclass(frozen=True)
class Reach:
    """How far a source's bars of a symbol reach: ``end`` is the last, ``expected`` the last complete session."""

    symbol: str
    source: str
    end: date
    expected: date

    @property
    def current(self) -> bool:
        return self.end >= self.expected

    @property
    def age(self) -> int:
        """Complete sessions after the last bar."""
        return max(0, len(calendar().sessions(self.end, self.expected)) - 1)

    def __str__(self) -> str:
        behind = "" if self.current else f", {counted(self.age, 'session')} before the last complete one"
        return f"end at {self.end}{behind} ({self.expected})"

    def warning(self) -> str | None:
        """What to say when the agent could trade nothing on them; None when they are current."""
        if self.current:
            return None
        advice = cure(self.source)
        return (
            f"The bars of {self.symbol} from {self.source} {self}: this agent cannot trade until later bars arrive."
            f" {advice[:1].upper()}{advice[1:]}."
        )


def cure(source: str) -> str:
    """What to do about bars of this source that do not go on."""
    return CURES.get(vendor_of(source), CURE)


def read(source: str, cache_dir: Path, symbol: str, now: datetime) -> tuple[Reach, BarSet]:
    """A source's bars at ``now``, asked as an evening's pass asks for them. Raises as ``BarSource.daily`` does."""
    bars = ask_once(source, cache_dir, symbol, now=now, recent=True)
    return Reach(bars.symbol, source, bars.frame.index[-1].date(), calendar().last_complete(now)), bars


def read_for(card: ModelCard, own: pd.DataFrame, source: str, cache_dir: Path, now: datetime) -> Reach:
    """The same for an agent of this model. BadBars also when they cannot go on from ``own``, the model's bars."""
    reach, bars = read(source, cache_dir, card.symbol, now)
    Series(own, []).check(bars.frame, agreement.tolerance(card, bars))
    problem = agreement.undecidable(card, source, own, bars) or _gap(own, bars)
    if problem:
        raise BadBars(f"The bars of {card.symbol} from {source} cannot go on from the model's: {problem}.")
    return reach


def _gap(own: pd.DataFrame, bars: BarSet) -> str | None:
    """Why the source's bars leave sessions after the model's last one out."""
    known, end = own.index[-1].date(), bars.frame.index[-1].date()
    if end <= known:
        return None
    return gate.gap(bars.frame, [s for s in calendar().sessions(known, end) if s > known], bars.symbol)


def no_bars_since(doc: Mapping[str, Any]) -> str | None:
    """The last bar of an agent that runs without getting any more, from its own record; None while all is well.

    Either the source was behind already when the agent was deployed (``bars_until``), or a
    session of a paper agent was settled as MISSED that could not be booked; at a broker's
    account that may have been the broker's silence. No clock is needed: an agent that
    nobody looks after has settled nothing either.
    """
    if doc["status"] != "running" or doc["mode"] == "replay" or not doc["first_session"]:
        return None
    booked, until = doc["booked"] or "", doc.get("bars_until") or ""
    deployed = calendar().previous_session(date.fromisoformat(doc["first_session"]))
    if doc["mode"] == "paper" and (doc["settled"] or "") > booked:
        return max(booked, until) or deployed.isoformat()
    if booked or not until:
        return None
    reach = Reach(doc["symbol"], doc["source"], date.fromisoformat(until), deployed)
    return until if reach.age >= DAILY_LAG else None


def ended(doc: Mapping[str, Any]) -> str | None:
    """The last bar (ISO date) of a paper agent whose source seems to have no further ones: the last
    ``NO_BARS_AFTER`` sessions or more were settled without a bar, so that no exit can fill. None for every other."""
    booked, settled = doc["booked"] or "", doc["settled"] or ""
    if doc["mode"] != "paper" or not booked or settled <= booked:
        return None
    without = len(calendar().sessions(date.fromisoformat(booked), date.fromisoformat(settled))) - 1
    return booked if without >= NO_BARS_AFTER else None
