"""Checks the bars that an agent will trade on: are they readable and current, and do they fit its model?

Used before a deployment, by the form and by ``doctor``. A source that does not answer
(Unavailable) refuses a deployment, too: a later deployment loses nothing, and a typing
error in a source looks the same.
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
"""Sessions; a file that is updated each evening is one session behind until then."""

NO_BARS_AFTER = 3
"""After so many sessions in a row without a bar a paper position counts as one that cannot be sold."""


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
        """A message if the agent cannot trade on these bars; None when they are current."""
        if self.current:
            return None
        advice = cure(self.source)
        return (
            f"The bars of {self.symbol} from {self.source} {self}: this agent cannot trade until later bars arrive."
            f" {advice[:1].upper()}{advice[1:]}."
        )


def cure(source: str) -> str:
    """What to do if this source has no later bars."""
    return CURES.get(vendor_of(source), CURE)


def read(source: str, cache_dir: Path, symbol: str, now: datetime) -> tuple[Reach, BarSet]:
    """A source's bars at ``now``, requested as a daily pass does. Raises as ``BarSource.daily`` does."""
    bars = ask_once(source, cache_dir, symbol, now=now, recent=True)
    return Reach(bars.symbol, source, bars.frame.index[-1].date(), calendar().last_complete(now)), bars


def read_for(card: ModelCard, own: pd.DataFrame, source: str, cache_dir: Path, now: datetime) -> Reach:
    """The same for an agent of this model. Raises BadBars if they do not continue ``own``, the model's bars."""
    reach, bars = read(source, cache_dir, card.symbol, now)
    Series(own, []).check(bars.frame, agreement.tolerance(card, bars))
    problem = agreement.undecidable(card, source, own, bars) or _gap(own, bars)
    if problem:
        raise BadBars(f"The bars of {card.symbol} from {source} cannot go on from the model's: {problem}.")
    return reach


def _gap(own: pd.DataFrame, bars: BarSet) -> str | None:
    """The gap in the source's bars after the model's last session, if there is one."""
    known, end = own.index[-1].date(), bars.frame.index[-1].date()
    if end <= known:
        return None
    return gate.gap(bars.frame, [s for s in calendar().sessions(known, end) if s > known], bars.symbol)


def no_bars_since(doc: Mapping[str, Any]) -> str | None:
    """The last bar of a running agent that gets no more bars, from its own document; None if it gets bars.

    Either the source was behind already at the deployment (``bars_until``), or a session of a
    paper agent was missed and could not be booked (in a broker account the broker may be the
    reason). No clock is needed: without a scheduler nothing is recorded as missed.
    """
    if doc["status"] != "running" or doc["mode"] == "replay" or not doc["first_session"]:
        return None
    booked, until = doc["booked"] or "", doc.get("bars_until") or ""
    deployed = calendar().previous_session(date.fromisoformat(doc["first_session"]))
    if doc["mode"] == "paper" and (doc["settled"] or "") > _answered(doc):
        return max(booked, until) or deployed.isoformat()
    if booked or not until:
        return None
    reach = Reach(doc["symbol"], doc["source"], date.fromisoformat(until), deployed)
    return until if reach.age >= DAILY_LAG else None


def _answered(doc: Mapping[str, Any]) -> str:
    """The last session that does not tell of missing bars: booked, or missed before a correction was accepted, whose
    lack may have been the reason. Documents of earlier versions do not know of corrections."""
    return max(doc["booked"] or "", doc.get("corrected") or "")


def ended(doc: Mapping[str, Any]) -> str | None:
    """The last bar (ISO date) of a paper agent whose source seems to have no more: ``NO_BARS_AFTER`` or more
    sessions passed without a bar, so no exit can fill. None for every other agent."""
    booked, settled = doc["booked"] or "", doc["settled"] or ""
    answered = _answered(doc)
    if doc["mode"] != "paper" or not booked or settled <= answered:
        return None
    without = len(calendar().sessions(date.fromisoformat(answered), date.fromisoformat(settled))) - 1
    return booked if without >= NO_BARS_AFTER else None
