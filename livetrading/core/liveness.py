"""Whether a process still works: the one rule, by how long its heartbeat has not changed.

A loop writes a heartbeat between any two waits, and no wait lasts longer than ``STEP_SECONDS``. A
heartbeat is any value that its process keeps changing.
"""

from dataclasses import dataclass
from enum import StrEnum

BEAT_SECONDS = 1.0
"""A heartbeat is written at most once in so many seconds."""
STEP_SECONDS = 10.0
LATE_SECONDS = 15.0
HUNG_SECONDS = 30.0
FIRST_BEAT_SECONDS = 40.0
"""A process that was just started may take so long for its first heartbeat."""
RESTART_SECONDS = 45.0
"""Within so many seconds a process that hangs is restarted."""
CHECK_SECONDS = 1.0
"""A single check adds at most so many seconds to the time without a change."""


class Liveness(StrEnum):
    ALIVE = "alive"
    LATE = "late"
    HUNG = "hung"
    DEAD = "dead"

    @property
    def works(self) -> bool:
        """Whether requests are answered and agents trade; otherwise both wait for the scheduler."""
        return self in (Liveness.ALIVE, Liveness.LATE)


def judge(exists: bool, still: float) -> Liveness:
    """The state of a process whose heartbeat has not changed for ``still`` seconds."""
    if not exists:
        return Liveness.DEAD
    if still < LATE_SECONDS:
        return Liveness.ALIVE
    return Liveness.LATE if still < HUNG_SECONDS else Liveness.HUNG


@dataclass
class Watch:
    """How long a heartbeat has not changed, as seen by an observer that checks several times a second.

    A check adds ``CHECK_SECONDS`` at most: when the whole machine slept, or this process itself was
    stopped, the other process could not write a heartbeat either.
    """

    still: float = 0.0
    _value: object = None
    _observed_at: float | None = None

    def observe(self, value: object, now: float) -> float:
        """Seconds that ``value`` has not changed; ``now`` is of a clock that only goes forward."""
        passed = 0.0 if self._observed_at is None else min(max(now - self._observed_at, 0.0), CHECK_SECONDS)
        self.still = self.still + passed if value == self._value else 0.0
        self._value, self._observed_at = value, now
        return self.still
