"""What TWS may do within its protocol: send messages in pieces, twice, late, and out of order.

Answers to a question keep their order, since their end marker closes them. Messages pushed
without a question (orders, statuses, executions, commissions, positions) have no fixed order.
"""

import asyncio
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .session import Session


@dataclass
class Manners:
    """Chances in [0, 1] for each pushed message; ``late`` seconds at most; ``torn``: every write
    is sent in pieces of a few bytes."""

    seed: int = 0
    doubled: float = 0.0
    dropped: float = 0.0
    delayed: float = 0.0
    late: float = 0.3
    torn: bool = False
    _dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)

    def push(self, session: "Session", frame: bytes, kind: str) -> None:
        """One pushed message. Executions and positions are never dropped here: ``Faults`` drops them."""
        if kind in ("open", "status") and self._dice.random() < self.dropped:
            return
        for _ in range(2 if self._dice.random() < self.doubled else 1):
            # A position is a state, not a change: an older one after a newer one would be wrong.
            if kind != "position" and self._dice.random() < self.delayed:
                asyncio.get_running_loop().call_later(self._dice.random() * self.late, session.send, frame)
            else:
                session.send(frame)

    def pieces(self, data: bytes) -> list[bytes]:
        """A write, as the pieces that the network delivers."""
        if not self.torn:
            return [data]
        found, at = [], 0
        while at < len(data):
            size = self._dice.randint(1, 400)
            found.append(data[at : at + size])
            at += size
        return found
