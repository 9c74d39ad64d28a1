"""The progress of a long job, and its line for a terminal."""

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

BAR_WIDTH = 24
WIDE = 1000
FOLDS, TRIALS = "Folds", "Trials"
"""The stages in which folds are walked, and the trials of a study run: both count."""


@dataclass(frozen=True)
class Progress:
    """``share`` of the whole work done, 0 to 1; steps as ``timesteps`` of fits, rates in steps a second.

    ``seconds_left`` is None until there is a rate to estimate it from. ``curves``: by part ("fold 1", …, "all"), one
    point each time its members were valued: ``share`` of its fit, and for each member ``reward``, the expected log
    return of a year on what it learns from, and ``sharpe`` on what the fold judges. ``walk_forward``: the documents of
    the agent and its witnesses by name (``WalkForward.to_dict``), once the folds are judged. ``folds``: how many are
    judged already, and how many there are; of a study its trials.
    """

    stage: str
    share: float
    steps: int
    total_steps: int
    steps_per_s: float = 0.0
    seconds_left: float | None = None
    curves: Mapping[str, Sequence[dict[str, Any]]] = field(default_factory=dict)
    walk_forward: dict[str, Any] | None = None
    folds: tuple[int, int] = (0, 0)

    @property
    def named(self) -> str:
        """The stage as people read it: ``Folds 1/4`` while one of four is judged."""
        judged, of = self.folds
        return f"{self.stage} {judged}/{of}" if self.stage in (FOLDS, TRIALS) else self.stage


Listener = Callable[[Progress], None]


def line(progress: Progress, bar: int = BAR_WIDTH) -> str:
    """``Training [######    ]  25 %  12,500/50,000 steps  3,100 steps/s  12 s left``; ``bar`` characters in brackets."""
    full = round(progress.share * bar)
    parts = [
        f"{progress.named:<8} [{'#' * full}{' ' * (bar - full)}] {progress.share:4.0%}",
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
    """Redraws one line of a terminal, fitted to its width; elsewhere, writes a line from time to time.

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
            most = _columns(self._stream) - 1  # a line that wraps cannot be overwritten
            if len(text) > most:
                text = line(progress, max(0, BAR_WIDTH - len(text) + most))[:most]
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


def _columns(stream: TextIO) -> int:
    """The width of the terminal; as wide as any line where it does not say."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or WIDE
    except OSError:
        return WIDE
