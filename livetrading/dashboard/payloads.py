"""What a REST body may hold: known fields of the right type within their bounds."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from livetrading.adapters import request_ids
from livetrading.adapters.brokers.registry import names
from livetrading.core import deployment
from livetrading.core.errors import BadInput
from livetrading.core.frozen import replace
from livetrading.core.types import COST_FIELDS, PAUSE_BOUNDS, AgentType, Limits, Mode, Terms, is_pause

Body = Mapping[str, Any]
LONGEST = 200
"""Characters of a wrong value in the sentence that refuses it."""
_NEW_AGENT = (
    "model_id",
    "agent_type",
    "symbol",
    "initial_capital",
    "max_position_pct",
    "risk_per_trade",
    "pause_sessions",
    *COST_FIELDS,
    "time_frame",
    "mode",
    "source",
    "pace",
    "confirm",
    "late_entry",
    "request_id",
)


@dataclass(frozen=True)
class NewAgent:
    """A deployment: ``options`` are the long options of the command ``deploy``."""

    model_id: str
    agent_type: str | None
    symbol: str | None
    options: dict[str, Any]
    request_id: str


@dataclass(frozen=True)
class EmergencyStop:
    reason: str
    all_orders: bool
    request_id: str


def new_agent(body: Body) -> NewAgent:
    """Checked; capital and limits are fractions and USD. Raises BadInput."""
    _known(body, _NEW_AGENT)
    model_id = _text(body, "model_id")
    if model_id is None:
        raise BadInput("model_id is missing; list the models with `python -m livetrading models`.")
    terms = Terms(
        _number(body, "initial_capital", deployment.CAPITAL),
        Limits(
            _position(body),
            _number(body, "risk_per_trade", deployment.LIMITS.risk_per_trade),
            pause_sessions=_pause(body),
        ),
        replace(deployment.COSTS, **{field: _number(body, name, 0.0) for name, field in _costs(body)}),
    )
    options = {
        "capital": terms.capital,
        "max-position": terms.limits.max_position,
        "risk-per-trade": terms.limits.risk_per_trade,
        "pause-sessions": deployment.pause_option(terms.limits.pause_sessions),
        **{name.replace("_", "-"): getattr(terms.costs, field) for name, field in _costs(body)},
        "time-frame": _time_frame(body),
        "mode": _choice(body, "mode", (str(Mode.REPLAY), str(Mode.PAPER), *names())) or str(deployment.MODE),
        "source": _text(body, "source"),
        "pace": None if body.get("pace") is None else _number(body, "pace", deployment.PACE),
        "confirm": _text(body, "confirm"),
        "late-entry": _choice(body, "late_entry", deployment.LATE_ENTRIES),
    }
    return NewAgent(
        model_id, _choice(body, "agent_type", tuple(AgentType)), _text(body, "symbol"), options, request_id(body)
    )


def check_match(order: NewAgent, agent_type: str, symbol: str) -> None:
    """Agent type and symbol of the request must be those of the model. Raises BadInput."""
    for name, asked, has in (("agent_type", order.agent_type, agent_type), ("symbol", order.symbol, symbol)):
        if asked is not None and asked != has:
            raise BadInput(
                f"{name} is {_as_sent(asked)}, but the model {order.model_id} is for {_as_sent(has)}; name a model that matches."
            )


def emergency_stop(body: Body) -> EmergencyStop:
    """``{"reason"?, "all_orders"?, "request_id"?}``. Raises BadInput."""
    _known(body, ("reason", "all_orders", "request_id"))
    all_orders = body.get("all_orders", False)
    if not isinstance(all_orders, bool):
        raise BadInput(f"all_orders is {_as_sent(all_orders)}; it must be true or false.")
    reason = (_text(body, "reason") or "emergency stop by REST")[:500]
    return EmergencyStop(reason, all_orders, request_id(body))


def check_time(body: Body) -> str | None:
    _known(body, ("check_time",))
    return _text(body, "check_time")


def request_only(body: Body) -> str:
    """The id of a body that may hold nothing else. Raises BadInput."""
    _known(body, ("request_id",))
    return request_id(body)


def confirm_cash(body: Body) -> tuple[str, float | None]:
    """``{"difference"?, "request_id"?}``: the USD that the caller saw as unexplained. Raises BadInput."""
    _known(body, ("difference", "request_id"))
    return request_id(body), None if body.get("difference") is None else _number(body, "difference", 0.0)


def request_id(body: Body) -> str:
    """The caller's id, or a new one, so that a repeated call is one request."""
    given = _text(body, "request_id")
    if given is None:
        return request_ids.new()
    if not request_ids.CALLER.allows(given):
        raise BadInput("request_id must be 8 to 56 letters, digits, '-' or '_'; leave it out to have one made.")
    return given


def _known(body: Body, names: tuple[str, ...]) -> None:
    unknown = sorted(set(body) - set(names))
    if unknown:
        raise BadInput(f"The field {unknown[0]} is not known here; use only {', '.join(names)}.")


def _as_sent(value: Any) -> str:
    """A value as JSON writes it: null, true, "text"."""
    shown = json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"


def _text(body: Body, name: str) -> str | None:
    value = body.get(name)
    if value is None or (isinstance(value, str) and value):
        return value
    raise BadInput(f"{name} is {_as_sent(value)}; it must be text and must not be empty.")


def _number(body: Body, name: str, default: float) -> float:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
        raise BadInput(f"{name} is {_as_sent(value)}; it must be a number.")
    return float(value)


def _finite(value: int | float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # JSON allows whole numbers that are larger than any float
        return False


def _position(body: Body) -> float:
    """A fraction in requests; answers use the same name for a percentage, so the refusal explains it."""
    value = _number(body, "max_position_pct", deployment.LIMITS.max_position)
    if not 0 < value <= 1:
        raise BadInput(f"max_position_pct is {value:g}; it is a fraction above 0 and at most 1: 0.5 is 50 %.")
    return value


def _pause(body: Body) -> int | None:
    value = body.get("pause_sessions", deployment.LIMITS.pause_sessions)
    if not is_pause(value):
        raise BadInput(f"pause_sessions is {_as_sent(value)}; {PAUSE_BOUNDS}, or null: until you resume.")
    return None if value is None else int(value)


def _costs(body: Body) -> list[tuple[str, str]]:
    """The costs that the body sets, with their fields."""
    return [(name, field) for name, field in COST_FIELDS.items() if name in body]


def _choice(body: Body, name: str, choices: tuple[str, ...]) -> str | None:
    value = _text(body, name)
    if value is not None and value not in choices:
        raise BadInput(f"{name} is {_as_sent(value)}; it must be one of {', '.join(choices)}.")
    return None if value is None else str(value)


def _time_frame(body: Body) -> str:
    value = _text(body, "time_frame") or deployment.TIME_FRAME
    if value.lower() not in ("daily", "daily/eod", "eod", "1d"):
        raise BadInput(f"time_frame is {_as_sent(value)}; it must be 'daily': this version trades end-of-day.")
    return deployment.TIME_FRAME
