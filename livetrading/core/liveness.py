"""Whether a process still works: the one rule, by how long its heartbeat has stood still.

A loop beats between any two waits, and no wait lasts longer than ``STEP_SECONDS``. A
heartbeat is any value that its process keeps changing.
"""

from dataclasses import dataclass
from enum import StrEnum

BEAT_SECONDS = 1.0
"""At most so often a heartbeat is written."""
STEP_SECONDS = 10.0
LATE_SECONDS = 15.0
HUNG_SECONDS = 30.0
FIRST_BEAT_SECONDS = 40.0
"""So long a process that was just started may take for its first beat."""
RESTART_SECONDS = 45.0
"""A process that hangs has been started again by then."""
GLANCE_SECONDS = 1.0
"""So much a single look may add to the time that a heartbeat is seen to stand still."""


class Liveness(StrEnum):
    ALIVE = "alive"
    LATE = "late"
    HUNG = "hung"
    DEAD = "dead"

    @property
    def works(self) -> bool:
        """Whether requests are answered and agents trade: otherwise they wait for the scheduler."""
        return self in (Liveness.ALIVE, Liveness.LATE)


def judge(exists: bool, still: float) -> Liveness:
    """The state of a process whose heartbeat has stood still for so many seconds."""
    if not exists:
        return Liveness.DEAD
    if still < LATE_SECONDS:
        return Liveness.ALIVE
    return Liveness.LATE if still < HUNG_SECONDS else Liveness.HUNG


@dataclass
class Watch:
    """How long a heartbeat was *seen* to stand still, by somebody who looks several times a second.

    A look counts ``GLANCE_SECONDS`` at most: after a sleep of the whole machine, or when this
    process itself was stopped, nobody has had the chance to beat.
    """

    still: float = 0.0
    _value: object = None
    _looked: float | None = None

    def look(self, value: object, now: float) -> float:
        """Seconds that ``value`` has not changed; ``now`` is of a clock that only goes forward."""
        passed = 0.0 if self._looked is None else min(max(now - self._looked, 0.0), GLANCE_SECONDS)
        self.still = self.still + passed if value == self._value else 0.0
        self._value, self._looked = value, now
        return self.still
