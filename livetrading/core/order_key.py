"""The key of an order: how it is made and read, and how other texts are recognised."""

from dataclasses import dataclass
from datetime import date
from typing import Self

from .errors import BadInput
from .types import Leg

_SIGN = ":"


@dataclass(frozen=True)
class OrderKey:
    """``<agent_id>:<bar>:<leg>:<n>``, the name under which a broker carries an order.

    ``bar`` is the session that decided it, an ISO date. ``n`` counts the orders of one leg for one
    decision from 1, and rises only after order n-1 has ended; 0 marks a difference in shares that a person adopted.
    """

    agent_id: str
    bar: str
    leg: Leg
    n: int

    def __post_init__(self) -> None:
        if not self.agent_id or _SIGN in self.agent_id or self.n < 0 or not _is_day(self.bar):
            raise BadInput(f"{self} is not an order key; it must be agent:YYYY-MM-DD:leg:number.")

    def __str__(self) -> str:
        return f"{self.series}{_SIGN}{self.n}"

    @property
    def series(self) -> str:
        """What the orders of one leg for one decision have in common."""
        return _SIGN.join((self.agent_id, self.bar, self.leg))

    @property
    def decision(self) -> tuple[str, str]:
        """Agent and session: the entry, exit and stops of one decision share it."""
        return self.agent_id, self.bar

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The text as a key; None for any other text, such as the reference of a person's own order."""
        parts = text.split(_SIGN)
        if len(parts) != 4 or parts[2] not in tuple(Leg) or not (parts[3].isascii() and parts[3].isdigit()):
            return None
        if not parts[0] or not _is_day(parts[1]):
            return None
        return cls(parts[0], parts[1], Leg(parts[2]), int(parts[3]))

    @classmethod
    def of(cls, text: str) -> Self:
        """As ``parse``, but BadInput for a text that is not a key."""
        key = cls.parse(text)
        if key is None:
            raise BadInput(f"{text!r} is not an order key; it must be agent:YYYY-MM-DD:leg:number.")
        return key

    @classmethod
    def owner(cls, text: str) -> str:
        """The agent id in a key; empty for any other text."""
        key = cls.parse(text)
        return key.agent_id if key is not None else ""


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
