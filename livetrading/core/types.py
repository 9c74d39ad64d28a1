"""The basic types. All frozen; a wrong value is refused when it is made."""

import math
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum, StrEnum

from .errors import BadInput

WARMUP_BARS = 500
"""After so many bars the start of a recursive indicator has no influence (ADX: 1e-15)."""


class Action(IntEnum):
    SELL = 0
    HOLD = 1
    BUY = 2


class AgentType(StrEnum):
    PPO = "PPO"
    SAC = "SAC"


class Mode(StrEnum):
    """Where an agent's orders go. BROKER comes with the broker's name beside it; pages, journals and
    requests use that name as the mode."""

    REPLAY = "replay"
    PAPER = "paper"
    BROKER = "broker"

    @staticmethod
    def of(name: str) -> "Mode":
        """The mode of a stored name: any name but replay and paper is a broker's."""
        return Mode(name) if name in (Mode.REPLAY, Mode.PAPER) else Mode.BROKER


InstrumentId = str
"""What a broker calls an instrument: a text that its adapter understands, empty where no broker is asked."""


def stored_id(known: InstrumentId) -> int | str:
    """An instrument id as journals hold it: a whole number as an integer, an empty id as 0."""
    return int(known or 0) if not known or (known.isdecimal() and str(int(known)) == known) else known


def instrument_id(stored: int | str) -> InstrumentId:
    """The id that ``stored_id`` stored."""
    return str(stored or "")


class Leg(StrEnum):
    ENTRY = "entry"
    EXIT = "exit"
    STOP = "stop"


class AgentStatus(StrEnum):
    STOPPED = "stopped"
    RUNNING = "running"
    PAUSED = "paused"
    BLOCKED = "blocked"
    FINISHED = "finished"
    REMOVED = "removed"


@dataclass(frozen=True)
class Bar:
    """One session as traded: prices in USD, volume in shares.

    ``dividend`` is USD a share with this session as ex-date, ``split`` the
    ratio of new to old shares that holds from this session's open.
    """

    session: date
    open: float
    high: float
    low: float
    close: float
    volume: float
    dividend: float = 0.0
    split: float = 1.0


def _check(name: str, value: float, low: float, high: float, *, open_low: bool = True, unit: str = "") -> None:
    inside = (value > low if open_low else value >= low) and value <= high
    if not (isinstance(value, int | float) and math.isfinite(value) and inside):
        raise BadInput(
            f"{name} is {value!r}; it must be {'above' if open_low else 'at least'} {low:g} and at"
            f" most {high:,.12g}.{unit}"
        )


COST_FIELDS = {"slippage_bps": "slip_bps", "commission_per_share": "per_share", "commission_minimum": "minimum"}
"""What people call the costs that they can set, and the field of ``Costs``."""


@dataclass(frozen=True)
class Costs:
    """What a trade of US stocks costs by a fixed price list (source: IBKR, Fixed pricing).

    Slippage in basis points of the price, commission in USD a share with its
    minimum in USD an order and its maximum as a fraction of the trade's value.
    ``multiple`` scales all of it (0: trades are free; 2: twice the costs, for a what-if).
    """

    slip_bps: float = 5.0
    per_share: float = 0.005
    minimum: float = 1.0
    max_fraction: float = 0.01
    regulatory: bool = True
    multiple: float = 1.0

    def __post_init__(self) -> None:
        _check("slippage in basis points", self.slip_bps, 0, 1_000, open_low=False)
        _check("commission per share", self.per_share, 0, 10, open_low=False)
        _check("commission minimum", self.minimum, 0, 1_000, open_low=False)
        _check("highest commission as a fraction", self.max_fraction, 0, 1, open_low=False)
        _check("multiple of the costs", self.multiple, 0, 100, open_low=False)

    @property
    def named(self) -> dict[str, float]:
        """The costs that can be set, by the names that people use."""
        return {name: getattr(self, field) for name, field in COST_FIELDS.items()}


PAUSE_SESSIONS: int | None = 20
"""How long a new deployment, and every test without other terms, pauses entries at the drawdown limit. Agents that
are deployed keep their own; those of a version without the term pause until a person resumes."""
MAX_PAUSE = 10_000
PAUSE_BOUNDS = f"it must be a whole number of sessions from 1 to {MAX_PAUSE:,}"


def is_pause(value: object) -> bool:
    """Whether a value can be ``pause_sessions``."""
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_PAUSE)


@dataclass(frozen=True)
class Limits:
    """How much an agent may risk. Fractions, not percents.

    ``risk_per_trade`` of equity is lost if the protective stop, ``stop_atr``
    ATR14 below the decision's close, fills at its price. A drawdown from the
    peak of ``max_drawdown`` pauses entries for ``pause_sessions`` decided sessions, the
    one that reaches it included (``core.limits``); None: until a person resumes.
    """

    max_position: float = 0.5
    risk_per_trade: float = 0.02
    stop_atr: float = 2.0
    max_drawdown: float = 0.15
    pause_sessions: int | None = PAUSE_SESSIONS

    def __post_init__(self) -> None:
        _check("max position", self.max_position, 0, 1, unit=" It is a fraction: 0.5 is 50 %.")
        _check("risk per trade", self.risk_per_trade, 0, 0.2, unit=" It is a fraction: 0.02 is 2 %.")
        _check("stop_atr", self.stop_atr, 0, 20)
        _check("max drawdown", self.max_drawdown, 0, 1, unit=" It is a fraction: 0.15 is 15 %.")
        if not is_pause(self.pause_sessions):
            raise BadInput(f"pause sessions is {self.pause_sessions!r}; {PAUSE_BOUNDS}, or none: until you resume.")


@dataclass(frozen=True)
class Terms:
    """What belongs to the agent and not to the model: capital, limits, costs."""

    capital: float = 10_000.0
    limits: Limits = field(default_factory=Limits)
    costs: Costs = field(default_factory=Costs)

    def __post_init__(self) -> None:
        _check("capital", self.capital, 0, 1e12)
