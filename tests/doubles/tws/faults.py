"""Faults on demand, and when they happen."""

from collections.abc import Callable
from dataclasses import dataclass, field

PLACE_ORDER, CANCEL_ORDER, GLOBAL_CANCEL = 3, 4, 58


@dataclass
class Fault:
    """A fault at a client's message, once or ``times`` times.

    ``kind``: ``drop_before`` (the connection dies, the message is lost),
    ``drop_after`` (it is executed, then the connection dies before an answer),
    ``swallow`` (lost, the connection stays), ``mute`` (executed without an answer),
    and for orders ``reject``, ``reject_held``, ``reject_inactive``, ``vanish``
    and ``grumble`` (an error, but the order works), for cancels ``refuse`` and ``stall`` (pending for
    ever). ``skip`` messages pass before it.

    For questions, whose answer ends with a marker: ``no_end`` (everything but the marker),
    ``end_first`` (the marker first), ``twice`` (all of it again), ``end_twice`` (the
    marker again, at the next question of the kind) and ``late`` (after ``seconds``).
    """

    kind: str
    message: int = PLACE_ORDER
    skip: int = 0
    times: int = 1
    text: str = "Order rejected - reason:the double says no"
    only: Callable[[list[str]], bool] = lambda fields: True
    seconds: float = 0.0


ANSWERS = frozenset({"no_end", "end_first", "twice", "end_twice", "late"})


@dataclass
class Spoil:
    """A field of a message of TWS is replaced by '', 'n/a', NaN …, ``times`` times, where ``only`` is true."""

    message: int
    field: int
    value: str
    only: Callable[[list[str]], bool] = lambda fields: True
    times: int = 1_000_000_000


@dataclass
class Faults:
    """Faults that are still to happen, and messages that are never answered."""

    waiting: list[Fault] = field(default_factory=list)
    silent: set[int] = field(default_factory=set)
    """Message ids that are never answered."""
    spoils: list[Spoil] = field(default_factory=list)

    def add(self, *faults: Fault) -> None:
        self.waiting.extend(faults)

    def take(self, message: int, fields: list[str]) -> Fault | None:
        """The fault for this message, None if there is none."""
        if message in self.silent:
            return Fault("swallow", message)
        for fault in self.waiting:
            if fault.message != message or not fault.only(fields):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.times -= 1
            if fault.times <= 0:
                self.waiting.remove(fault)
            return fault
        return None

    def spoiled(self, fields: list[str]) -> list[str]:
        """A message of TWS as it is sent."""
        changed = list(fields)
        for spoil in self.spoils:
            if changed[:1] == [str(spoil.message)] and spoil.only(fields) and spoil.times > 0:
                spoil.times -= 1
                changed[spoil.field] = spoil.value
        return changed
