"""Who holds the scheduler's lock, and whether it still works."""

import time
from dataclasses import dataclass

from ...adapters.home import Home
from ...adapters.locks import Holder, SchedulerLock
from ...core import liveness
from ...core.liveness import Liveness

SURE_SECONDS = 3.0
"""An old heartbeat may only mean that the computer has just woken up, so it is watched so long before it counts."""
SCHEDULER = "scheduler"


@dataclass(frozen=True)
class Sign:
    """The state of the lock. ``still``: seconds since the holder's last heartbeat, 0 if nobody holds it."""

    state: Liveness
    holder: Holder | None
    still: float = 0.0

    @property
    def scheduler(self) -> Liveness:
        """The scheduler's state; a command that holds the lock is not a scheduler."""
        return self.state if self.holder is not None and self.holder.role == SCHEDULER else Liveness.DEAD


def look(home: Home) -> Sign:
    """The lock's state now. A holder without a heartbeat so far counts as alive: its first heartbeat comes right
    after it has taken the lock."""
    lock = SchedulerLock(home)
    holder = lock.holder()
    beat = lock.heartbeat()
    ours = holder is not None and beat is not None and beat[0] == holder.pid
    still = max(time.monotonic() - beat[1], 0.0) if ours and beat is not None else 0.0
    return Sign(liveness.judge(holder is not None, still), holder, still)


def hangs(home: Home) -> Holder | None:
    """The lock's holder if it hangs for certain; None if nobody holds the lock, or somebody who works."""
    first = look(home)
    if first.state != Liveness.HUNG:
        return None
    end = time.monotonic() + SURE_SECONDS
    while time.monotonic() < end:
        time.sleep(0.1)
        if look(home).state != Liveness.HUNG:
            return None
    return first.holder
