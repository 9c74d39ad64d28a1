"""How far a training is, from the news of its folds and of its last fit."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from .learner import Taught
from .progress import FOLDS, Listener, Progress
from .walk_forward import FoldNews, WalkForward

FOLD_JUDGED = 0.15
"""The share of a fold's work that is judging the agent and its witnesses."""
TEST_SHARE = 0.04
AGENT = "agent"


class TrainingProgress:
    """Turns news into Progress. Work is counted in steps of the members' fits: the folds', then the last one's."""

    def __init__(self, steps: int, folds: Sequence[int], listener: Listener) -> None:
        """``steps`` of each fit."""
        self._steps, self._listener = steps, listener
        self._parts: dict[str, float] = {**{_named(number): 0.0 for number in folds}, "all": 0.0}
        self._curves: dict[str, list[dict[str, Any]]] = {name: [] for name in self._parts}
        self._walked: dict[str, Any] | None = None
        self._judged: set[int] = set()
        self._began = time.monotonic()
        self._say(FOLDS if folds else "Fitting")

    def fold(self, news: FoldNews) -> None:
        """Of a fold at work."""
        name = _named(news.fold)
        if news.procedure == AGENT and isinstance(news.told, Taught):
            self._taught(name, news.told, 1.0 - FOLD_JUDGED)
        elif news.told is None:
            if news.procedure == AGENT:
                self._judged.add(news.fold)
            self._parts[name] = max(self._parts[name], 1.0 - FOLD_JUDGED)
        self._say(FOLDS)

    def walked(self, walked: Mapping[str, WalkForward]) -> None:
        """The folds are judged; the test is not open yet."""
        if not walked:
            return
        self._parts |= dict.fromkeys([name for name in self._parts if name != "all"], 1.0)
        self._walked = {name: walk.to_dict() for name, walk in walked.items()}
        self._say("Fitting")

    def fitting(self, taught: Taught) -> None:
        """Of the fit to the whole training part."""
        self._taught("all", taught, 1.0)
        self._say("Fitting")

    def testing(self) -> None:
        self._say("Testing")

    def done(self) -> None:
        self._say("Done", 1.0)

    def _folds(self) -> tuple[int, int]:
        return len(self._judged), len(self._parts) - 1

    def _taught(self, name: str, taught: Taught, most: float) -> None:
        self._parts[name] = most * taught.updates / taught.total
        point = {"share": taught.updates / taught.total, "reward": list(taught.reward), "sharpe": list(taught.sharpe)}
        self._curves[name].append(point)

    def _say(self, stage: str, share: float | None = None) -> None:
        done = sum(self._parts.values()) / len(self._parts)
        part = (1.0 - TEST_SHARE) * done if share is None else share
        seconds = time.monotonic() - self._began
        total = self._steps * len(self._parts)
        steps = round(total * done)
        rate = steps / seconds if seconds > 0 else 0.0
        left = 0.0 if part >= 1.0 else seconds * (1.0 - part) / part if part > 0.01 else None
        self._listener(Progress(stage, part, steps, total, rate, left, self._curves, self._walked, self._folds()))


def _named(fold: int) -> str:
    return f"fold {fold + 1}"
