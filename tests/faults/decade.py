"""``python -m tests.faults.decade``: twenty agents on five symbols for ten years unattended, with a fault a week.

``AGENTS`` and ``SESSIONS`` say how many (20 and 2,520; ``FAST=1``: 4 and 60). The agents live in ``HOMES`` homes
(2; ``FAST=1``: 1) of all five symbols, each with a scheduler of its own in a process of its own, so that two cores
are used. Prints counts and figures.
"""

import gc
import logging
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest import mock

from livetrading.core.events import Decided, Filled, Missed
from livetrading.execution import verification
from livetrading.execution.state import queries
from livetrading.execution.state.agent_repository import events_of
from tests.doubles.lives import Cycler, Known
from tests.faults.decade_world import FAULTS, World

WEEK = 5
GROWTH = 0.10
"""Allowed growth of memory after the first fifth."""
MEMORY_DISK, ROOM = Path("/dev/shm"), 1 << 30
"""Homes are kept in memory if there is room, because this sweep does not test the disk."""


@dataclass
class Part:
    """The result of one home: counts, megabytes and open files week by week, what was wrong."""

    agents: int
    seen: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    memory: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    repeated: int = 0
    lived: float = 0.0
    judged: float = 0.0
    cpu: float = 0.0


def main() -> int:
    logging.disable(logging.CRITICAL)
    fast = os.environ.get("FAST", "") not in ("", "0")
    agents = int(os.environ.get("AGENTS", "4" if fast else "20"))
    count = int(os.environ.get("SESSIONS", "60" if fast else "2520"))
    homes = min(agents, int(os.environ.get("HOMES", "1" if fast else "2")))
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=_where()) as root:
        shares = [(Path(root) / str(n), agents // homes + (n < agents % homes), count, n) for n in range(homes)]
        with ProcessPoolExecutor(homes, mp_context=get_context("fork")) as pool:
            parts = list(pool.map(decade, *zip(*shares, strict=True)))
    wrong = print_figures(parts, count, time.monotonic() - started)
    for text in wrong[:40]:
        print(f"WRONG {text}", file=sys.stderr)
    return 1 if wrong else 0


def _where() -> Path | None:
    if not os.access(MEMORY_DISK, os.W_OK):
        return None
    free = os.statvfs(MEMORY_DISK)
    return MEMORY_DISK if free.f_bavail * free.f_frsize > ROOM else None


def decade(root: Path, agents: int, count: int, number: int = 0) -> Part:
    """Run the agents, then check the results."""
    part, started = Part(agents), time.monotonic()
    root.mkdir(exist_ok=True)
    world = World(root, agents, count, number + 1)
    for day, session in enumerate(world.sessions):
        fault = FAULTS[day // WEEK % len(FAULTS)] if day % WEEK == 2 else None
        if fault is not None:
            part.faults[getattr(fault, "__name__", "")] += 1
        world.live(session, fault)
        if day % WEEK == WEEK - 1:
            gc.collect()
            part.memory.append(resident())
            part.files.append(len(os.listdir("/proc/self/fd")))
            if day % 100 == 99:
                print(
                    f"  home {number + 1}: {day + 1} sessions, {time.monotonic() - started:.0f} s,"
                    f" {part.memory[-1]:.0f} MB, {part.files[-1]} files open",
                    flush=True,
                )
    world.end()
    part.lived = time.monotonic() - started
    started = time.monotonic()
    part.wrong = _sessions(world) + _use(part) + _verified(world, part) + _rebuilt(world)
    part.seen, part.judged, part.cpu = world.seen, time.monotonic() - started, _cpu()
    return part


def print_figures(parts: list[Part], count: int, wall: float) -> list[str]:
    """Print the sums and figures; returns what was wrong."""
    agents, seen = sum(p.agents for p in parts), sum((p.seen for p in parts), Counter[str]())
    faults, wrong = sum((p.faults for p in parts), Counter[str]()), [text for p in parts for text in p.wrong]
    cpu, lived = sum(p.cpu for p in parts), max(p.lived for p in parts)
    print(
        f"{agents} agents in {len(parts)} homes, {count} sessions, {sum(faults.values())} faults ({_listed(faults)}); {_listed(seen)}"
    )
    print(
        f"lived in {lived:.0f} s, judged in {max(p.judged for p in parts):.0f} s, {wall:.0f} s in all and {cpu:.0f} s of"
        f" processor time, {1000 * cpu / agents / count:.0f} ms an agent and session"
    )
    for number, part in enumerate(parts, 1):
        early, late = part.memory[len(part.memory) // 5], part.memory[-1]
        print(
            f"home {number}: memory {early:.0f} MB after a fifth, {late:.0f} MB at the end ({100 * (late / early - 1):+.1f} %),"
            f" open files {min(part.files)} to {max(part.files)}"
        )
    print(
        f"verify: {sum(p.repeated for p in parts)} decisions repeated; decade: {f'{len(wrong)} WRONG' if wrong else 'all well'}",
        flush=True,
    )
    return wrong


def resident() -> float:
    """Megabytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def _cpu() -> float:
    """Seconds of processor time of this process and those that it forked."""
    uses = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(use.ru_utime + use.ru_stime for use in uses)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in sorted(counts.items()))


def _sessions(world: World) -> list[str]:
    """Each session of each agent decided once, or missed with a reason."""
    wrong = []
    for agent_id in world.node.active():
        settled: dict[str, Any] = {}
        for event in (e for _, batch in events_of(world.home.agent(agent_id)) for e in batch):
            if isinstance(event, Decided | Missed):
                if event.session in settled:
                    wrong.append(f"{agent_id}: {event.session} was recorded twice")
                settled[event.session] = event
                world.seen["sessions decided" if isinstance(event, Decided) else "sessions missed"] += 1
                if isinstance(event, Missed) and not event.reason:
                    wrong.append(f"{agent_id}: {event.session} was missed without a reason")
            world.seen["fills"] += isinstance(event, Filled)
        expected = [day.isoformat() for day in world.sessions]
        wrong += [f"{agent_id}: {day} was neither decided nor missed" for day in expected if day not in settled]
        wrong += [f"{agent_id}: {day} is no session" for day in settled if day not in expected]
    return wrong


def _use(part: Part) -> list[str]:
    growth = part.memory[-1] / part.memory[len(part.memory) // 5] - 1
    wrong = [f"memory grew by {100 * growth:.1f} %"] if growth > GROWTH else []
    few, many = min(part.files), max(part.files)
    return wrong if few == many else [*wrong, f"open files went from {few} to {many}"]


def _verified(world: World, part: Part) -> list[str]:
    """``verify`` finds no problem, and repeats every decision from journal and model."""
    with mock.patch.object(verification, "Registry", lambda home: Known(home, Cycler())):
        found = verification.audit(world.home)
    part.repeated = found["decisions_repeated"]
    wrong = [problem["text"] for problem in [*found["problems"], *found["pending"]]]
    made = world.seen["sessions decided"]
    return wrong if part.repeated == made else [*wrong, f"{made} decisions were made, {part.repeated} were repeated"]


def _rebuilt(world: World) -> list[str]:
    """All other files of an agent, rebuilt from its journal, are the same."""
    shown = {agent_id: _shown(world, agent_id) for agent_id in world.node.active()}
    for agent_id in shown:
        for path in world.home.agent(agent_id).glob("*.json"):
            path.unlink()
    world.start()
    return [
        f"{agent_id}: the files come out differently"
        for agent_id in shown
        if _shown(world, agent_id) != shown[agent_id]
    ]


def _shown(world: World, agent_id: str) -> Any:
    folder, trader = world.home.agent(agent_id), world.node.trader(agent_id)
    account = (
        trader.broker.position(),
        trader.broker.traded(),
        [trader.broker.find(o.key) for o in trader.repository.state.orders],
    )
    return (
        queries.agent(world.node.store, agent_id),
        queries.history(world.node.store, agent_id),
        account,
        sorted(p.name for p in folder.glob("history-*")),
    )


if __name__ == "__main__":
    sys.exit(main())
