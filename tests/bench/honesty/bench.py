"""The bench itself: how often luck reaches real money, how often skill does, and what is flagged.

Lives without skill (calibrated: cheap policies through the real rules; and of real trainings), lives with skill, and
injected look-ahead. Each unit of work is one line of ``--out`` under a key of what it depends on: what is there is not
run again. ``--json`` writes rates, counts, bounds and seconds. Exit 1 if a promise is broken.
"""

import argparse
import hashlib
import inspect
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from livetrading.core import decide, limits, real_money, rules, significance  # noqa: E402
from livetrading.research import gate, skill  # noqa: E402

from . import leaks, lives, series, skilled, summary, trained, tries, verdict, walk  # noqa: E402

Source = ModuleType | Callable[..., Any]
ASKED = (real_money.SHARPE, real_money.SESSIONS, real_money.ROUND_TRIPS, real_money.DEFLATED, real_money.P_VALUE)
GATE: tuple[Source, ...] = (real_money.Evidence, real_money.conditions, significance, skill, gate.evidence)
RULES: tuple[Source, ...] = (rules, decide, limits)
PARTS: dict[str, tuple[Source, ...]] = {
    "null": (*GATE, *RULES, series, tries, walk, verdict, lives),
    "skill": (*GATE, *RULES, series, tries, walk, verdict, lives, skilled),
    "trained": (*GATE, *RULES, series, trained),
    "leaks": (leaks,),
}
"""What the result of each part depends on: their source is in its key, and the thresholds ``ASKED``."""

SLICE = 100
"""With fewer lives with skill it is not measured again what the tries are worth, which takes as long as 100 lives."""


class Unit(Protocol):
    """Some lives."""

    @property
    def key(self) -> str: ...

    def done(self) -> list[dict[str, Any]]: ...


def version(part: str) -> str:
    text = "".join(inspect.getsource(source) for source in PARTS[part])
    return hashlib.sha256(f"{ASKED} {text}".encode()).hexdigest()[:10]


def units(options: argparse.Namespace) -> dict[str, list[Unit]]:
    """What is asked for, by part."""
    made: dict[str, list[Unit]] = {
        "leaks": [leaks.Series(number) for number in range(options.series)],
        "null": [*lives.chunks(tuple(lives.MARKETS), options.lives)],
        "skill": [
            unit
            for unit in skilled.chunks(options.planted, options.power)
            if options.planted >= SLICE or isinstance(unit, skilled.Chunk)
        ],
        "trained": [*trained.wanted(options.trained)],
    }
    return {part: some for part, some in made.items() if part in options.parts}


def measured(part: str, unit: Unit) -> dict[str, Any]:
    """One line of the file."""
    began, cpu = time.monotonic(), time.process_time()
    rows = [{"part": part, **row} for row in unit.done()]
    spent = {"seconds": round(time.monotonic() - began, 2), "cpu": round(time.process_time() - cpu, 2)}
    return {"key": f"{unit.key}/{version(part)}", "part": part, "rows": rows, **spent}


def lines(wanted: dict[str, list[Unit]], out: Path | None, processes: int) -> Iterator[dict[str, Any]]:
    """Those on file, then the others as they are done, each written at once."""
    stored = _stored(out)
    left: list[tuple[str, Unit]] = []
    for part, some in wanted.items():
        for unit in some:
            line = stored.get(f"{unit.key}/{version(part)}")
            if line is None:
                left.append((part, unit))
            else:
                yield line
    for number, line in enumerate(_made(left, processes), 1):
        if out is not None:
            with out.open("a") as file:
                file.write(json.dumps(line, sort_keys=True) + "\n")
        print(f"{number:5d} of {len(left)}  {line['seconds']:7.1f} s  {line['key']}", file=sys.stderr, flush=True)
        yield line


def _made(left: list[tuple[str, Unit]], processes: int) -> Iterator[dict[str, Any]]:
    if processes <= 1:
        yield from (measured(*one) for one in left)
        return
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        for future in as_completed([pool.submit(measured, *one) for one in left]):
            yield future.result()


def _stored(out: Path | None) -> dict[str, dict[str, Any]]:
    """Lines on file by key; a last one that a stop cut off is not one."""
    found: dict[str, dict[str, Any]] = {}
    if out is None or not out.exists():
        return found
    for text in out.read_text().splitlines():
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            continue
        found[line["key"]] = line
    return found


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    listed: Callable[[str], list[str]] = lambda text: text.split(",")  # noqa: E731
    parser = argparse.ArgumentParser(prog="python -m tests.bench.honesty", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--parts", type=listed, default=list(PARTS), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--lives", type=int, default=250, help="without skill, of each market and length")
    parser.add_argument("--planted", type=int, default=200, help="with skill, of each kind of signal")
    parser.add_argument("--power", type=int, default=100, help="with skill, of each place of the table of power")
    parser.add_argument("--trained", type=int, default=102, help="of real trainings")
    parser.add_argument("--series", type=int, default=20, help="on which look-ahead is injected")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, help="JSON lines to read from and to append to")
    parser.add_argument("--json", type=Path, help="where the figures go")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.parts if name not in PARTS]:
        parser.error(f"there is no part {unknown[0]}; choose of {', '.join(PARTS)}")
    return options


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    for path in (options.out, options.json):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
    done = list(lines(units(options), options.out, options.processes))
    made = summary.summary(row for line in done for row in line["rows"])
    spent = {part: round(sum(line["cpu"] for line in done if line["part"] == part), 1) for part in options.parts}
    print(summary.text(made))
    print("processor seconds: " + ", ".join(f"{part} {seconds:g}" for part, seconds in spent.items()))
    if options.json is not None:
        options.json.write_text(json.dumps({**made, "cpu_seconds": spent}, indent=1))
    return 1 if made["broken"] else 0
