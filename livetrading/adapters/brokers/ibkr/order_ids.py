"""Order ids that are never used twice, whatever TWS says is next.

They are per client, and after a restart of Gateway they can begin anew: an id
of a working order would change that order instead of sending another.
"""

from typing import Any

from .order_register import Register

FIRST = 1_000
LEAP = 1_000
"""How far ids leap when one turned out to be taken."""


class OrderIds:
    """Rises for as long as the process lives, above all ids seen and TWS's own next one."""

    def __init__(self) -> None:
        self._next = FIRST

    def used(self, register: Register, client_id: int) -> None:
        """Stay above the ids of the orders that are known."""
        mine = [s.order_id for s in register.statements.values() if s.client_id == client_id]
        self._next = max(self._next, *(i + 1 for i in mine), FIRST)

    def new(self, client: Any) -> int:
        """The next id; ``client`` numbers its questions from the same sequence."""
        self._next = max(self._next, client.getReqId()) + 1
        client.updateReqId(self._next)
        return self._next - 1

    def leap(self) -> None:
        self._next += LEAP
