"""Order ids that are never used twice, whatever id TWS proposes.

Ids belong to a client id, and after a restart of Gateway they may start again. An id
of a working order would modify that order instead of sending a new one.
"""

from typing import Any

from .order_register import Register

FIRST = 1_000
LEAP = 1_000
"""How far ids are increased when one was taken already."""


class OrderIds:
    """Increasing ids, above all known ids and TWS's own next one."""

    def __init__(self) -> None:
        self._next = FIRST

    def used(self, register: Register, client_id: int) -> None:
        """Stay above the ids of all known orders."""
        mine = [s.order_id for s in register.order_reports.values() if s.client_id == client_id]
        self._next = max(self._next, *(i + 1 for i in mine), FIRST)

    def new(self, client: Any) -> int:
        """The next id; ``client`` uses the same sequence for its requests."""
        self._next = max(self._next, client.getReqId()) + 1
        client.updateReqId(self._next)
        return self._next - 1

    def leap(self) -> None:
        self._next += LEAP
