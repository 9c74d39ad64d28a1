"""The model card: what was trained, on what, and all that is needed to run it again."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Any

from .errors import BadInput
from .scaler import Scaler
from .types import AgentType

SYMBOL = re.compile(r"[A-Z][A-Z0-9.\-]{0,9}")
MODEL_ID = re.compile(r"(PPO|SAC)_([A-Z][A-Z0-9.\-]{0,9})_(v\d{8}_\d{6})")
SHA256 = re.compile(r"[0-9a-f]{64}")
ACTIVATIONS = ("relu", "tanh")
MOST_MEMBERS = 25
OPTIONAL = ("members", "also", "lineage")
"""Keys that cards of earlier versions lack."""
QUICK_TRY = "one seed: a quick try"
ONE_SEED = "One seed is a quick try: another seed may give another result."


def check_symbol(symbol: str) -> str:
    """The symbol itself, or BadInput: it becomes part of a path."""
    if not isinstance(symbol, str) or not SYMBOL.fullmatch(symbol):
        raise BadInput(
            f"{symbol!r} is not a symbol: write 1 to 10 capital letters, digits, '.' or '-', "
            "a letter first, such as AAPL or BRK-B."
        )
    return symbol


@dataclass(frozen=True)
class TradingConfig:
    """When the model decides: at the end of each regular session."""

    time_frame: str = "daily"
    bar_size: str = "1 day"
    trading_hours: str = "RTH"
    check_frequency: str = "EOD"


@dataclass(frozen=True)
class Span:
    """Decided sessions, both ends included."""

    start: date
    end: date
    sessions: int

    def __post_init__(self) -> None:
        if self.start > self.end or self.sessions < 1:
            raise BadInput(f"a range from {self.start} to {self.end} with {self.sessions} sessions is empty.")


@dataclass(frozen=True)
class PolicySpec:
    """The form of the network. It is built from this, so only tensors are read from the zip."""

    net_arch: tuple[int, ...] = (64, 64)
    activation: str = "tanh"

    def __post_init__(self) -> None:
        sizes = [isinstance(n, int) and 1 <= n <= 4096 for n in self.net_arch]
        if not (1 <= len(sizes) <= 8 and all(sizes)):
            raise BadInput(f"net_arch is {self.net_arch!r}; it must be 1 to 8 widths from 1 to 4096.")
        if self.activation not in ACTIVATIONS:
            raise BadInput(f"activation is {self.activation!r}; it must be one of {', '.join(ACTIVATIONS)}.")


@dataclass(frozen=True)
class Member:
    """One network of an ensemble: the seed that it was made with, and the SHA-256 of its zip."""

    seed: int
    zip_sha256: str

    def __post_init__(self) -> None:
        if not isinstance(self.seed, int) or self.seed < 0:
            raise BadInput(f"a member's seed is {self.seed!r}; it must be a whole number of at least 0.")
        if not SHA256.fullmatch(self.zip_sha256):
            raise BadInput("a member's zip_sha256 is not a SHA-256 in lower-case hexadecimal.")


@dataclass(frozen=True)
class Also:
    """Bars of another symbol that were learned from: which, from where, and their decided sessions."""

    symbol: str
    source: str
    bars_sha256: str
    span: Span

    def __post_init__(self) -> None:
        check_symbol(self.symbol)
        if not SHA256.fullmatch(self.bars_sha256):
            raise BadInput("bars_sha256 of another symbol is not a SHA-256 in lower-case hexadecimal.")


@dataclass(frozen=True)
class ModelCard:
    """One trained model.

    ``first_bar`` is the session from which features are computed;
    ``bars_sha256`` identifies the training bars; bars of another source may differ from it;
    ``opened`` says how often a test range of this symbol that overlaps this
    one was opened, this time included; ``metrics`` holds ``test`` and
    ``buy_and_hold``. Dates are sessions, ``created`` is aware UTC. ``members`` are the networks of an ensemble in the
    order in which their outputs are averaged, the first of them that of ``zip_sha256``; empty on cards of a single
    network whose output was taken as Stable-Baselines3 gives it. ``also`` names other symbols that it learned from.
    ``lineage`` says where a model comes from that no plain training made (``core.lineage``); empty for all others.
    """

    model_id: str
    agent_type: AgentType
    symbol: str
    version: str
    first_bar: date
    feature_set: str
    features: tuple[str, ...]
    scaler: Scaler
    rules_version: int
    train: Span
    test: Span
    source: str
    source_note: str
    bars_sha256: str
    seed: int
    timesteps: int
    trials: int
    opened: int
    metrics: dict[str, Any]
    packages: dict[str, str]
    zip_sha256: str
    created: datetime
    policy: PolicySpec = field(default_factory=PolicySpec)
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    trading_config: TradingConfig = field(default_factory=TradingConfig)
    members: tuple[Member, ...] = ()
    also: tuple[Also, ...] = ()
    lineage: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check_names()
        width = len(self.features)
        if not width or len(set(self.features)) != width or not all(isinstance(f, str) for f in self.features):
            raise BadInput("features must be a list of different names.")
        if len(self.scaler.mean) != width or len(self.scaler.std) != width:
            raise BadInput(f"the scaler must have {width} means and deviations, one for each feature.")
        if not all(map(math.isfinite, self.scaler.mean)) or not all(0 < s < math.inf for s in self.scaler.std):
            raise BadInput("the scaler's means must be finite and its deviations positive.")
        if not self.first_bar < self.train.start or not self.train.end < self.test.start:
            raise BadInput("first bar, training and test must follow one another.")
        for name, least in (("rules_version", 0), ("seed", 0), ("timesteps", 1), ("trials", 1), ("opened", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise BadInput(f"{name} is {value!r}; it must be a whole number of at least {least}.")
        if self.created.utcoffset() is None:
            raise BadInput("created must carry its time zone.")
        if len(self.members) > MOST_MEMBERS:
            raise BadInput(f"there are {len(self.members)} members; {MOST_MEMBERS} are the most.")
        told = (self.metrics.get("members") or {}).get("count", len(self.members))
        if told != len(self.members):
            raise BadInput(f"there are {len(self.members)} members, and the measures are those of {told}.")
        if self.members and self.members[0].zip_sha256 != self.zip_sha256:
            raise BadInput("zip_sha256 is not that of the first member.")

    def _check_names(self) -> None:
        check_symbol(self.symbol)
        if self.model_id != f"{self.agent_type}_{self.symbol}_{self.version}" or not MODEL_ID.fullmatch(self.model_id):
            raise BadInput(
                f"model_id {self.model_id!r} is not made of agent type {self.agent_type}, "
                f"symbol {self.symbol} and version {self.version}."
            )
        for name in ("bars_sha256", "zip_sha256"):
            if not SHA256.fullmatch(getattr(self, name)):
                raise BadInput(f"{name} is not a SHA-256 in lower-case hexadecimal.")
        for part in ("test", "buy_and_hold"):
            if not isinstance(self.metrics.get(part), dict):
                raise BadInput(f"metrics lack {part!r}.")

    @property
    def seeds(self) -> int:
        """Networks, each of a seed of its own."""
        return len(self.members) or 1

    @property
    def is_quick_try(self) -> bool:
        """Whether it was asked for with one seed. Cards of earlier versions had no choice, and are not called so."""
        return len(self.members) == 1

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; ``from_dict`` gives an equal card back, floats to the last bit."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ModelCard":
        """The card of a parsed ``card.json``. Raises BadInput naming what does not fit."""
        _check_keys(cls, values, "the card", OPTIONAL)
        return cls(**{name: _PARSE.get(name, _same)(value, name) for name, value in values.items()})


def _plain(value: Any) -> Any:
    if isinstance(value, Scaler | Span | PolicySpec | TradingConfig | Member | Also):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, AgentType) else value


def _check_keys(cls: type, values: Any, where: str, optional: tuple[str, ...] = ()) -> None:
    if not isinstance(values, Mapping):
        raise BadInput(f"{where} is not a JSON object.")
    known = {f.name for f in fields(cls)}
    for text, names in (("lacks", known - set(values) - set(optional)), ("does not know", set(values) - known)):
        if names:
            raise BadInput(f"{where} {text} {', '.join(sorted(names))}.")


def _same(value: Any, name: str) -> Any:
    expected = _TYPES.get(name)
    if expected and (not isinstance(value, expected) or isinstance(value, bool)):
        raise BadInput(f"{name} is {value!r}; it must be of type {expected.__name__}.")
    return value


def _part(cls: type, value: Any, name: str, **parse: Any) -> Any:
    _check_keys(cls, value, name)
    return cls(**{key: parse.get(key, _same)(item, f"{name}.{key}") for key, item in value.items()})


def _sequence(kind: type) -> Any:
    def parse(value: Any, name: str) -> tuple[Any, ...]:
        if not isinstance(value, list) or not all(type(item) is kind for item in value):
            raise BadInput(f"{name} must be a list of {kind.__name__}.")
        return tuple(value)

    return parse


def _from_iso(kind: type[date]) -> Any:
    def parse(value: Any, name: str) -> Any:
        try:
            return kind.fromisoformat(value)
        except (TypeError, ValueError):
            raise BadInput(f"{name} is {value!r}; it must be a {kind.__name__} in ISO form.") from None

    return parse


def _agent_type(value: Any, name: str) -> AgentType:
    if value not in list(AgentType):
        raise BadInput(f"{name} is {value!r}; it must be one of {', '.join(AgentType)}.")
    return AgentType(value)


def _span(value: Any, name: str) -> Span:
    span: Span = _part(Span, value, name, start=_from_iso(date), end=_from_iso(date))
    return span


def _parts(cls: type, **parse: Any) -> Any:
    def parsed(value: Any, name: str) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise BadInput(f"{name} must be a list.")
        return tuple(_part(cls, item, f"{name}[{k}]", **parse) for k, item in enumerate(value))

    return parsed


_TYPES = {
    **dict.fromkeys(("model_id", "symbol", "version", "feature_set", "source", "source_note"), str),
    **dict.fromkeys(("bars_sha256", "zip_sha256"), str),
    **dict.fromkeys(("rules_version", "seed", "timesteps", "trials", "opened"), int),
    **dict.fromkeys(("train.sessions", "test.sessions"), int),
    **dict.fromkeys(("policy.activation",), str),
    **{f"trading_config.{f.name}": str for f in fields(TradingConfig)},
    **dict.fromkeys(("metrics", "packages", "hyperparameters", "lineage"), dict),
}
_PARSE = {
    "agent_type": _agent_type,
    "first_bar": _from_iso(date),
    "features": _sequence(str),
    "scaler": lambda v, n: _part(Scaler, v, n, mean=_sequence(float), std=_sequence(float)),
    "train": _span,
    "test": _span,
    "created": _from_iso(datetime),
    "policy": lambda v, n: _part(PolicySpec, v, n, net_arch=_sequence(int)),
    "trading_config": lambda v, n: _part(TradingConfig, v, n),
    "members": _parts(Member),
    "also": _parts(Also, span=_span),
}
