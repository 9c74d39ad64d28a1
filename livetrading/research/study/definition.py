"""What a study is: all that its outcome follows from but for the content of the bars, which it names by their SHA-256."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import date
from typing import Any

from ...adapters.bars.base import BarSet
from ...core.card import MOST_MEMBERS, check_symbol
from ...core.errors import BadInput
from ...core.features import SETS
from ...core.types import AgentType
from .space import FEATURES

FORMAT = 1
ANY = "any"
"""As ``--agent``: the algorithm is a choice of the study."""
MOST_TRIALS, MOST_IN_A_GENERATION = 10_000, 1_000
TRIAL_SEEDS, GENERATION = 3, 4
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


@dataclass(frozen=True)
class Series:
    """Bars that a study learns from: whose, from where, and their SHA-256."""

    symbol: str
    source: str
    note: str
    sha256: str

    @staticmethod
    def of(barset: BarSet) -> "Series":
        return Series(barset.symbol, barset.source, barset.note, barset.sha256)


@dataclass(frozen=True)
class Definition:
    """``agents`` and ``features`` (``all``, ``price``) bound what may be chosen; ``generation`` trials know nothing of
    each other; each is judged with ``trial_seeds`` seeds. The rest is as in ``training.TrainRequest``."""

    symbol: str
    agents: tuple[str, ...]
    features: tuple[str, ...]
    bars: Series
    trials: int
    also: tuple[Series, ...] = ()
    generation: int = GENERATION
    trial_seeds: int = TRIAL_SEEDS
    folds: int = 4
    timesteps: int = 50_000
    seed: int = 0
    start: date | None = None
    end: date | None = None
    format: int = FORMAT

    def __post_init__(self) -> None:
        check_symbol(self.symbol)
        _from_to("trials", self.trials, MOST_TRIALS)
        _from_to("generation", self.generation, MOST_IN_A_GENERATION)
        _from_to("trial seeds", self.trial_seeds, MOST_MEMBERS)
        if self.folds < 1:
            raise BadInput(f"folds is {self.folds}; a study judges its trials on folds: give at least 1.")
        if not self.agents or not set(self.agents) <= set(AgentType):
            raise BadInput(f"the algorithms are {self.agents!r}; they must be of {', '.join(AgentType)}.")
        if not self.features or not set(self.features) <= set(FEATURES):
            raise BadInput(f"the feature sets are {self.features!r}; they must be of {', '.join(FEATURES)}.")

    @property
    def agent(self) -> str:
        """As ``--agent`` names it."""
        return self.agents[0] if len(self.agents) == 1 else ANY

    @property
    def usual_name(self) -> str:
        """The name of a study that was given none: other settings or bars, another name."""
        digest = hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()
        return f"{self.symbol}-{self.agent}-{digest[:10]}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; ``from_dict`` gives an equal one back."""
        values = asdict(self)
        return {**values, **{name: values[name] and values[name].isoformat() for name in ("start", "end")}}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> "Definition":
        """Raises BadInput if it is not what this version writes."""
        try:
            plain = {field.name: values[field.name] for field in fields(Definition)}
            days = {name: plain[name] and date.fromisoformat(plain[name]) for name in ("start", "end")}
            also = tuple(Series(**other) for other in plain["also"])
            lists = {name: tuple(plain[name]) for name in ("agents", "features")}
            return Definition(**{**plain, **days, **lists, "bars": Series(**plain["bars"]), "also": also})
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(f"the study was written by another version of livetrading ({error}).") from None

    def differences(self, other: "Definition") -> list[str]:
        """What of the two is not the same, in words, this one's value first. Where equal bars are from is no difference."""
        found = []
        for field in fields(Definition):
            ours, theirs = (_compared(getattr(side, field.name)) for side in (self, other))
            if ours != theirs:
                found.append(f"{field.name.replace('_', ' ')} {_shown(ours)} and not {_shown(theirs)}")
        return found


def feature_names(chosen: str | None) -> tuple[str, ...]:
    """The names that a study may choose among, by the feature set of ``--features``; None: all."""
    return tuple(name for name, known in FEATURES.items() if chosen in (None, known) and known in SETS)


def _from_to(name: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise BadInput(f"{name} is {value}; it must be from 1 to {most:,}.")


def _compared(value: Any) -> Any:
    if isinstance(value, Series):
        return replace(value, source="", note="")
    return tuple(_compared(item) for item in value) if isinstance(value, tuple) else value


def _shown(value: Any) -> str:
    if isinstance(value, Series):
        return f"{value.symbol} {value.sha256[:12]}…"
    if isinstance(value, tuple):
        return ", ".join(map(_shown, value)) or "none"
    return "none" if value is None else str(value)
