"""The card of a model that was trained elsewhere: what it was made on, so that it can be tested here.

JSON. Needed: agent_type, symbol, scaler {mean, std}, net_arch and activation (or policy {net_arch, activation}),
train and test {start, end}, and feature_set or features. A whole card of another home is such a card, too.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from .card import MOST_MEMBERS, Member, ModelCard, PolicySpec, check_symbol
from .errors import BadInput
from .features import FEATURE_SET, SETS
from .rules import RULES_VERSION
from .scaler import Scaler
from .types import AgentType

NEEDED = ("agent_type", "symbol", "scaler", "train", "test")
OWN = ("feature_set", "features", "net_arch", "activation", "policy", "source", "seed", "timesteps", "trials", "note")
KNOWN = frozenset({*NEEDED, *OWN, *(f.name for f in fields(ModelCard))})
MOST_TRIES = 10_000
"""More looks than anybody makes; a larger number would close the gate for every model with an overlapping test."""
LARGEST, SMALLEST = 1e12, 1e-12
"""Of a scaler: no feature has such a mean or deviation."""
WHOLE = 2**1023
"""The largest power of two that is a float; JSON knows larger whole numbers."""
Range = tuple[date, date]


@dataclass(frozen=True)
class ImportCard:
    """Read and checked. ``members`` are the networks of an ensemble in their order, empty for one network, whose
    ``zip_sha256`` may be named; ``first_bar`` is the session that features are computed from, None for the source's
    first."""

    agent_type: AgentType
    symbol: str
    feature_set: str
    scaler: Scaler
    policy: PolicySpec
    train: Range
    test: Range
    first_bar: date | None
    source: str | None
    seed: int
    timesteps: int | None
    trials: int
    members: tuple[Member, ...]
    zip_sha256: str
    note: str

    @property
    def features(self) -> tuple[str, ...]:
        return SETS[self.feature_set]


def parse(values: Any) -> ImportCard:
    """Raises BadInput naming what is missing or wrong."""
    if not isinstance(values, Mapping):
        raise BadInput("the card is not a JSON object.")
    if missing := [name for name in NEEDED if name not in values]:
        raise BadInput(f"the card lacks {', '.join(missing)}.")
    if unknown := sorted(set(values) - KNOWN):
        raise BadInput(f"the card does not know {', '.join(unknown)}.")
    if values.get("rules_version", RULES_VERSION) != RULES_VERSION:
        raise BadInput(f"the card is of version {values['rules_version']} of the rules and this is {RULES_VERSION}.")
    train, test = _range(values["train"], "train"), _range(values["test"], "test")
    if not train[1] < test[0]:
        raise BadInput(f"the test begins on {test[0]}, before the training ends on {train[1]}: it must come after.")
    chosen = _features(values)
    return ImportCard(
        agent_type=_agent_type(values["agent_type"]),
        symbol=check_symbol(values["symbol"]),
        feature_set=chosen,
        scaler=_scaler(values["scaler"], len(SETS[chosen])),
        policy=_policy(values),
        train=train,
        test=test,
        first_bar=_day(values["first_bar"], "first_bar") if values.get("first_bar") else None,
        source=_text(values, "source") or None,
        seed=_whole(values, "seed", 0, 0) or 0,
        timesteps=_whole(values, "timesteps", 1, None),
        trials=_tries(values),
        members=_members(values.get("members")),
        zip_sha256=_text(values, "zip_sha256"),
        note=_text(values, "note"),
    )


def _agent_type(value: Any) -> AgentType:
    if value not in list(AgentType):
        raise BadInput(f"agent_type is {value!r}; it must be one of {', '.join(AgentType)}.")
    return AgentType(value)


def _features(values: Mapping[str, Any]) -> str:
    """The name of the feature set, which may be given by its columns."""
    columns = values.get("features")
    given = tuple(map(str, columns)) if isinstance(columns, list) else None
    name = values.get("feature_set")
    if name is None:
        name = next((known for known, names in SETS.items() if names == given), None)
    if name not in SETS or (given is not None and given != SETS[name]):
        asked = ", ".join(given) if given else values.get("feature_set") or "none"
        known = "; ".join(f"{known} ({', '.join(names)})" for known, names in SETS.items())
        raise BadInput(f"the card's features are {asked}, and this version computes {known}.")
    return str(name)


def _scaler(value: Any, width: int) -> Scaler:
    lists = [value.get(name) for name in ("mean", "std")] if isinstance(value, Mapping) else [None, None]
    if not all(isinstance(each, list) and len(each) == width and all(map(_number, each)) for each in lists):
        raise BadInput(f"the scaler must have mean and std with {width} numbers each, one for each feature.")
    mean, std = (tuple(map(float, each or [])) for each in lists)
    if not all(map(math.isfinite, mean)) or not all(0 < each < math.inf for each in std):
        raise BadInput("the scaler's means must be finite and its deviations positive.")
    if not all(abs(each) <= LARGEST for each in mean) or not all(SMALLEST <= each <= LARGEST for each in std):
        raise BadInput(
            f"the scaler's means must be within ±{LARGEST:g} and its deviations from {SMALLEST:g} to {LARGEST:g}."
        )
    return Scaler(mean, std)


def _number(value: Any) -> bool:
    return isinstance(value, float) or (type(value) is int and abs(value) <= WHOLE)


def _policy(values: Mapping[str, Any]) -> PolicySpec:
    given = values.get("policy", values)
    if not isinstance(given, Mapping) or "net_arch" not in given or "activation" not in given:
        raise BadInput("the card lacks net_arch and activation, the form of the network.")
    widths = given["net_arch"]
    if not isinstance(widths, list) or not all(isinstance(n, int) and not isinstance(n, bool) for n in widths):
        raise BadInput(f"net_arch is {widths!r}; give the widths of the hidden layers, such as [64, 64].")
    return PolicySpec(tuple(widths), str(given["activation"]))


def _range(value: Any, name: str) -> Range:
    if not isinstance(value, Mapping) or not {"start", "end"} <= set(value):
        raise BadInput(f"{name} must have start and end, the first and the last decided session.")
    start, end = _day(value["start"], f"{name}.start"), _day(value["end"], f"{name}.end")
    if start > end:
        raise BadInput(f"{name} is from {start} to {end}; the start must come first.")
    return start, end


def _day(value: Any, name: str) -> date:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise BadInput(f"{name} is {value!r}; write YYYY-MM-DD.") from None


def _whole(values: Mapping[str, Any], name: str, least: int, absent: int | None) -> int | None:
    value = values.get(name, absent)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
        raise BadInput(f"{name} is {value!r}; it must be a whole number of at least {least}.")
    return value


def _tries(values: Mapping[str, Any]) -> int:
    """How many were tried before. The looks that a whole card of another home counted are no looks here, but must be
    believable."""
    for name in ("trials", "opened"):
        value = _whole(values, name, 1, 1) or 1
        if value > MOST_TRIES:
            raise BadInput(f"{name} is {value:,}; it must be from 1 to {MOST_TRIES:,}.")
    return _whole(values, "trials", 1, 1) or 1


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name, "")
    if not isinstance(value, str):
        raise BadInput(f"{name} is {value!r}; it must be text.")
    return value


def _members(value: Any) -> tuple[Member, ...]:
    """Seed and SHA-256 of each network of an ensemble."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(
        isinstance(each, dict) and each.keys() == {"seed", "zip_sha256"} for each in value
    ):
        raise BadInput("members must be a list of objects with seed and zip_sha256.")
    if len(value) > MOST_MEMBERS:
        raise BadInput(f"there are {len(value)} members; {MOST_MEMBERS} are the most.")
    return tuple(Member(each["seed"], str(each["zip_sha256"])) for each in value)


def template(card: ModelCard) -> dict[str, Any]:
    """The card that would import this model into another home."""
    whole = card.to_dict()
    names = ("agent_type", "symbol", "feature_set", "features", "scaler", "policy", "first_bar", "train", "test")
    kept = {name: whole[name] for name in (*names, "source", "seed", "timesteps", "trials")}
    return {**kept, "members": whole["members"]} if card.members else {**kept, "zip_sha256": card.zip_sha256}


def example() -> dict[str, Any]:
    """A card to fill in: the usual features, a scaler that changes nothing, and made-up ranges."""
    columns = SETS[FEATURE_SET]
    return {
        "agent_type": "PPO",
        "symbol": "AAPL",
        "feature_set": FEATURE_SET,
        "features": list(columns),
        "scaler": {"mean": [0.0] * len(columns), "std": [1.0] * len(columns)},
        "net_arch": [64, 64],
        "activation": "tanh",
        "train": {"start": "2004-01-02", "end": "2016-12-30"},
        "test": {"start": "2017-01-03", "end": "2020-09-30"},
        "source": "yahoo",
        "timesteps": 100_000,
        "trials": 1,
        "note": "where and how it was trained",
    }
