"""An order's life in FIX terms: states, what moves them, and nothing else."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .errors import Damaged
from .frozen import replace
from .types import Leg


class OrderState(StrEnum):
    PLANNED = "PLANNED"
    PENDING_NEW = "PENDING_NEW"
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    PENDING_CANCEL = "PENDING_CANCEL"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


class Cause(StrEnum):
    """Why we changed an order, where later steps depend on it. The ``reason`` text is for people."""

    NONE = ""
    CLOSE = "close"
    """A person closes the position: shares that the entry still buys are sold."""


_S = OrderState
TERMINAL = frozenset({_S.FILLED, _S.CANCELED, _S.REJECTED, _S.EXPIRED})
AT_BROKER = frozenset({_S.PENDING_NEW, _S.NEW, _S.PARTIALLY_FILLED, _S.PENDING_CANCEL})
WORKING = frozenset({_S.NEW, _S.PARTIALLY_FILLED})
DEAD = frozenset({_S.CANCELED, _S.REJECTED, _S.EXPIRED})
"""Ended without being filled in full."""

NEXT: dict[OrderState, frozenset[OrderState]] = {
    _S.PLANNED: frozenset({_S.PENDING_NEW, _S.CANCELED, _S.EXPIRED}),
    _S.PENDING_NEW: frozenset(
        # PENDING_NEW again: the broker twice did not list it, so it is sent again under the same key.
        {
            _S.PENDING_NEW,
            _S.NEW,
            _S.PARTIALLY_FILLED,
            _S.FILLED,
            _S.CANCELED,
            _S.REJECTED,
            _S.EXPIRED,
            _S.PENDING_CANCEL,
        }
    ),
    _S.NEW: frozenset({_S.PARTIALLY_FILLED, _S.FILLED, _S.PENDING_CANCEL, _S.CANCELED, _S.REJECTED, _S.EXPIRED}),
    _S.PARTIALLY_FILLED: frozenset({_S.PARTIALLY_FILLED, _S.FILLED, _S.PENDING_CANCEL, _S.CANCELED, _S.EXPIRED}),
    # A fill can arrive before the cancel, or the broker can refuse the cancel.
    _S.PENDING_CANCEL: frozenset(
        {_S.PENDING_CANCEL, _S.NEW, _S.PARTIALLY_FILLED, _S.FILLED, _S.CANCELED, _S.REJECTED, _S.EXPIRED}
    ),
    _S.FILLED: frozenset(),
    _S.CANCELED: frozenset(),
    _S.REJECTED: frozenset(),
    _S.EXPIRED: frozenset(),
}


@dataclass(frozen=True)
class Order:
    """An order to a broker, under the key by which it is found again.

    ``qty`` in whole shares; ``type`` MKT or STP; ``tif`` OPG (market on open),
    DAY or GTC; ``stop_price`` in USD for STP and, on an entry, the trigger of
    the protective stop of that position. ``bar`` is the session that decided
    it. ``filled`` shares so far. ``parent`` is the entry that activates a stop.
    ``withdrawn``: we asked to cancel it. ``complaint``: the broker's message about an order that it
    then did not list; empty if it was listed, or if there was no message. ``cause`` is the code of
    ``reason``; a planned order has none.
    """

    key: str
    leg: Leg
    qty: int
    bar: str
    type: str = "MKT"
    tif: str = "OPG"
    stop_price: float = 0.0
    parent: str | None = None
    state: OrderState = OrderState.PLANNED
    filled: int = 0
    broker_id: str | None = None
    reason: str = ""
    withdrawn: bool = False
    complaint: str = ""
    cause: Cause = Cause.NONE
    created: str = ""
    updated: str = ""

    @property
    def side(self) -> str:
        return "BUY" if self.leg == Leg.ENTRY else "SELL"

    @property
    def open(self) -> bool:
        return self.state not in TERMINAL

    @property
    def at_broker(self) -> bool:
        """The broker may have it, so it can fill."""
        return self.state in AT_BROKER

    def to_dict(self) -> dict[str, Any]:
        fields = {name: value for name, value in vars(self).items() if name != "cause"}
        return {**fields, "leg": str(self.leg), "state": str(self.state), "side": self.side}

    @staticmethod
    def from_dict(data: dict[str, Any]) -> "Order":
        fields = {k: v for k, v in data.items() if k != "side"}
        return Order(**{**fields, "leg": Leg(data["leg"]), "state": OrderState(data["state"])})


def advance(order: Order, state: OrderState, **changes: Any) -> Order:
    """The order in its next state; a transition that is not in the table is Damaged."""
    if state not in NEXT[order.state]:
        raise Damaged(
            f"Order {order.key} cannot go from {order.state} to {state}; "
            "run 'python -m livetrading verify' and check its journal."
        )
    return replace(order, state=state, **changes)
