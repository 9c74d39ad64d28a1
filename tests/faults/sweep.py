"""The full crash sweep: ``make faults``; ``FAST=1`` for a slice of under a minute. Prints its counts."""

import logging
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.faults import crash

FAST_SECONDS = 20
PAIRS, SEED = 500, 1


def main() -> int:
    logging.disable(logging.CRITICAL)  # a warning for every restart
    fast = os.environ.get("FAST", "") not in ("", "0")
    with tempfile.TemporaryDirectory() as root:
        base = crash.undisturbed(Path(root))
        kinds = Counter(p.what for p in base.points)
        print(
            f"{len(base.steps)} steps, {len(base.points)} points: "
            + ", ".join(f"{n} {k}" for k, n in sorted(kinds.items())),
            flush=True,
        )
        points, pairs = list(base.points), PAIRS
        if fast:
            random.Random(SEED).shuffle(points)
        bad = _each(base, points, Path(root), time.monotonic() + FAST_SECONDS * 0.7 if fast else None)
        bad += _pairs(base, pairs, Path(root), time.monotonic() + FAST_SECONDS * 0.3 if fast else None)
    return 1 if bad else 0


def _each(base: crash.Baseline, points: list[crash.Point], root: Path, until: float | None) -> int:
    tried = bad = 0
    for point in points:
        if until is not None and time.monotonic() > until:
            break
        tried += 1
        if tried % 100 == 0:
            print(f"  {tried} points, {bad} with another outcome", flush=True)
        bad += _wrongs_of(point, base, lambda p=point: crash.after_kill(base, p, root / "work", whole=False))
    print(f"one kill: {tried} of {len(points)} points, {bad} with another outcome", flush=True)
    return bad


def _pairs(base: crash.Baseline, count: int, root: Path, until: float | None) -> int:
    chance, tried, bad = random.Random(SEED), 0, 0
    for _ in range(count):
        if until is not None and time.monotonic() > until:
            break
        tried += 1
        first, second = chance.choice(base.points), chance.randrange(60)
        bad += _wrongs_of(
            first, base, lambda f=first, s=second: crash.after_two_kills(base, f, s, root / "work", whole=False)
        )
    print(f"two kills: {tried} of {count} schedules, {bad} with another outcome", flush=True)
    return bad


def _wrongs_of(point: crash.Point, base: crash.Baseline, live: object) -> int:
    wrong = crash.differences(base.end, live())  # type: ignore[operator]
    for text in wrong:
        print(f"after {point} ({base.steps[point.step][0]}): {text}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
