"""An injected look-ahead is flagged every time, and what does not look ahead never is, on fresh series."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from livetrading.research import lookahead
from tests.parity.leaks import HONEST, LEAKS

from . import series

ROOT = 0x0_1EAC
SESSIONS, DECIDED, SAMPLES = 700, range(500, 699), 3
INJECTED = (
    "tomorrow's return",
    "a centred window of 21",
    "a scaler fitted on all",
    "a scaler fitted on the last year",
    "fills at the session's low",
    "fills at the close that decided",
    "a policy that holds the market",
    "min-max over all",
)
CLEAN = ("what ships", "distance from a mean", "forward-filled holes")


@dataclass(frozen=True)
class Series:
    """One fresh series, and every leak and honest subject on it."""

    number: int

    @property
    def key(self) -> str:
        return f"leaks/{self.number}"

    def done(self) -> list[dict[str, Any]]:
        """A row a subject."""
        rng = np.random.default_rng(np.random.SeedSequence(ROOT, spawn_key=(self.number,)))
        frame = series.noise(rng, 1, SESSIONS, len(DECIDED)).frame(0)
        subjects = {name: LEAKS[name] for name in INJECTED} | {name: HONEST[name] for name in CLEAN}
        return [
            {
                "subject": name,
                "leaks": name in INJECTED,
                "flagged": bool(lookahead.check(make(frame), frame, DECIDED, samples=SAMPLES).problems),
            }
            for name, make in subjects.items()
        ]
