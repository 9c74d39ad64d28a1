"""``python -m tests.faults.decade``: twenty agents on five symbols for ten years unattended, with a fault a week.

``AGENTS`` and ``SESSIONS`` say how many (20 and 2,520; ``FAST=1``: 2 and 60). Prints counts and figures.
"""

import gc
import logging
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

from livetrading.core.events import Decided, Filled, Missed
from livetrading.execution import audit, views
from livetrading.execution.dossier import events_of
from tests.doubles.lives import Cycler, Known
from tests.faults.decade_world import FAULTS, World

WEEK = 5
GROWTH = 0.10
"""Of memory, from the end of the first fifth on."""


def main() -> int:
    logging.disable(logging.CRITICAL)
    fast = os.environ.get("FAST", "") not in ("", "0")
    agents = int(os.environ.get("AGENTS", "2" if fast else "20"))
    count = int(os.environ.get("SESSIONS", "60" if fast else "2520"))
    with tempfile.TemporaryDirectory() as root:
        wrong = decade(Path(root), agents, count)
    for text in wrong[:40]:
        print(f"WRONG {text}", file=sys.stderr)
    return 1 if wrong else 0


def decade(root: Path, agents: int, count: int) -> list[str]:
    """Live, then judge; what was wrong."""
    started = time.monotonic()
    world, faults, memory, files = World(root, agents, count), Counter[str](), [], []
    for number, session in enumerate(world.sessions):
        fault = FAULTS[number // WEEK % len(FAULTS)] if number % WEEK == 2 else None
        if fault is not None:
            faults[getattr(fault, "__name__", "")] += 1
        world.live(session, fault)
        if number % WEEK == WEEK - 1:
            gc.collect()
            memory.append(resident())
            files.append(len(os.listdir("/proc/self/fd")))
            if number % 100 == 99:
                print(f"  {number + 1} sessions, {time.monotonic() - started:.0f} s, {memory[-1]:.0f} MB, {files[-1]} files open", flush=True)
    lived = time.monotonic() - started
    wrong = _sessions(world) + _use(memory, files)
    print(f"{agents} agents, {count} sessions, {sum(faults.values())} faults ({_listed(faults)}) in {lived:.0f} s, "
          f"{1000 * lived / agents / count:.0f} ms an agent and session; {_listed(world.seen)}")
    started = time.monotonic()
    wrong += _verified(world) + _rebuilt(world)
    print(f"verified in {time.monotonic() - started:.0f} s, {len(wrong)} wrong", flush=True)
    return wrong


def resident() -> float:
    """Megabytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in sorted(counts.items()))


def _sessions(world: World) -> list[str]:
    """Each session of each agent decided once, or missed with a reason."""
    wrong = []
    for agent_id in world.desk.active():
        settled: dict[str, Any] = {}
        for event in (e for _, batch in events_of(world.home.agent(agent_id)) for e in batch):
            if isinstance(event, Decided | Missed):
                if event.session in settled:
                    wrong.append(f"{agent_id}: {event.session} was settled twice")
                settled[event.session] = event
                world.seen["sessions decided" if isinstance(event, Decided) else "sessions missed"] += 1
                if isinstance(event, Missed) and not event.reason:
                    wrong.append(f"{agent_id}: {event.session} was missed without a reason")
            world.seen["fills"] += isinstance(event, Filled)
        expected = [day.isoformat() for day in world.sessions]
        wrong += [f"{agent_id}: {day} was passed over in silence" for day in expected if day not in settled]
        wrong += [f"{agent_id}: {day} is no session" for day in settled if day not in expected]
    return wrong


def _use(memory: list[float], files: list[int]) -> list[str]:
    early = len(memory) // 5
    growth = memory[-1] / memory[early] - 1
    print(f"memory {memory[early]:.0f} MB after a fifth, {memory[-1]:.0f} MB at the end ({100 * growth:+.1f} %), "
          f"open files {min(files)} to {max(files)}")
    wrong = [f"memory grew by {100 * growth:.1f} %"] if growth > GROWTH else []
    return wrong if min(files) == max(files) else [*wrong, f"open files went from {min(files)} to {max(files)}"]


def _verified(world: World) -> list[str]:
    """``verify`` finds nothing, and makes every decision again from journal and model."""
    with mock.patch.object(audit, "Registry", lambda home: Known(home, Cycler())):
        found = audit.audit(world.home)
    print(f"verify: {len(found['problems'])} problems, {len(found['pending'])} pending, {found['decisions_repeated']} decisions repeated")
    wrong = [problem["text"] for problem in [*found["problems"], *found["pending"]]]
    made = world.seen["sessions decided"]
    return wrong if found["decisions_repeated"] == made else [*wrong, f"{made} decisions were made"]


def _rebuilt(world: World) -> list[str]:
    """From the journals alone: whatever else an agent has on disk comes out the same."""
    shown = {agent_id: _shown(world, agent_id) for agent_id in world.desk.active()}
    for agent_id in shown:
        for path in world.home.agent(agent_id).glob("*.json"):
            path.unlink()
    world.start()
    return [f"{agent_id}: the files come out differently" for agent_id in shown if _shown(world, agent_id) != shown[agent_id]]


def _shown(world: World, agent_id: str) -> Any:
    folder, trader = world.home.agent(agent_id), world.desk.trader(agent_id)
    account = (trader.broker.position(), trader.broker.traded(), [trader.broker.find(o.key) for o in trader.dossier.state.orders])
    return views.agent(world.desk.store, agent_id), views.history(world.desk.store, agent_id), account, sorted(p.name for p in folder.glob("history-*"))


if __name__ == "__main__":
    sys.exit(main())
