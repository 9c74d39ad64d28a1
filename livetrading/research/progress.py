"""The progress of a long job, and its line for a terminal."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

BAR_WIDTH = 24


@dataclass(frozen=True)
class Progress:
    """``share`` of the whole work done, 0 to 1; steps as ``timesteps`` of fits, rates in steps a second.

    ``seconds_left`` is None until there is a rate to estimate it from. ``curves``: by part ("fold 1", …, "all"), one
    point each time its members were valued: ``share`` of its fit, and for each member ``reward``, the expected log
    return of a year on what it learns from, and ``sharpe`` on what the fold judges. ``walk_forward``: the documents of
    the agent and its witnesses by name (``WalkForward.to_dict``), once the folds are judged.
    """

    stage: str
    share: float
    steps: int
    total_steps: int
    steps_per_s: float = 0.0
    seconds_left: float | None = None
    curves: Mapping[str, Sequence[dict[str, Any]]] = field(default_factory=dict)
    walk_forward: dict[str, Any] | None = None


Listener = Callable[[Progress], None]


def line(progress: Progress) -> str:
    """``Training  [######    ]  25 %  12,500/50,000 steps  3,100 steps/s  12 s left``"""
    full = round(progress.share * BAR_WIDTH)
    parts = [
        f"{progress.stage:<9}[{'#' * full}{' ' * (BAR_WIDTH - full)}] {progress.share:4.0%}",
        f"{progress.steps:,}/{progress.total_steps:,} steps",
    ]
    if progress.steps_per_s > 0:
        parts.append(f"{progress.steps_per_s:,.0f} steps/s")
    if progress.seconds_left is not None:
        parts.append(f"{duration(progress.seconds_left)} left")
    return "  ".join(parts)


def duration(seconds: float) -> str:
    """``12 s``, ``3 min 05 s``, ``2 h 10 min``"""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class TerminalProgress:
    """Redraws one line of a terminal; if the stream is not a terminal, writes a line from time to time.

    Lines go to standard error: standard output belongs to the result.
    """

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._tty = self._stream.isatty()
        self._pause = 0.2 if self._tty else 5.0
        self._last: tuple[str, float] | None = None
        self._width = 0

    def __call__(self, progress: Progress) -> None:
        now = self._clock()
        if self._last and self._last[0] == progress.stage and now - self._last[1] < self._pause:
            return
        self._last = (progress.stage, now)
        text = line(progress)
        if self._tty:
            self._stream.write("\r" + text.ljust(self._width))
            self._width = len(text)
        else:
            self._stream.write(text + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Ends the line, so that the next output starts on a new one."""
        if self._tty and self._width:
            self._stream.write("\n")
            self._stream.flush()
            self._width = 0
