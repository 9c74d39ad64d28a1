"""An unforeseen exception, raised once in every function that works for one of three agents:
``python -m tests.faults.exceptions``; ``FAST=1`` for a part.

The real scheduler's loop on a virtual clock: passes, requests, replays. After each injection the
other two agents' journals are those of an undisturbed run to the byte, the process continues, the
traceback is in the log, and the agent is blocked with the reason or continued by itself; nothing
is lost or done twice.
"""

import logging
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

from livetrading.adapters import logs
from livetrading.adapters.brokers.paper import PaperBroker
from livetrading.adapters.home import CHECKOUT, Home
from livetrading.adapters.store import Store
from livetrading.core.types import AgentStatus, Leg
from livetrading.execution.agent_manager import AgentManager
from livetrading.execution.state import queries
from livetrading.execution.state.agent_repository import AgentRepository
from livetrading.execution.stopping import emergency_stop
from tests.doubles.lives import FIRST, Life, a_life, at
from tests.doubles.series import generated
from tests.faults.bad_broker import cheap
from tests.faults.exceptions_world import AGENTS, MADE, STORIES, A, B, C, Step, World

INJECTED = "injected: nobody foresaw this"
INSIDE = tuple(str(CHECKOUT / "livetrading" / room) for room in ("execution", "core", "adapters"))
PURE = str(CHECKOUT / "livetrading" / "core")
GENERATORS = 0x20 | 0x80 | 0x200
"""Generators: their frames are entered repeatedly, the function that makes them once."""
OF_REQUESTS = (AgentManager.create.__code__, emergency_stop.rearm.__code__)
"""Requests that concern no existing agent, or all agents."""
OUTERMOST = ("attempt", "alarm", "_warn", "caught", "_place")
"""Functions that catch everything, and those that report it."""
FAST_TRIALS, SEED, SECONDS = 60, 1, 900
STEPS = 3
"""At most so many steps of a story are tried for each function and caller."""
IN_ACCOUNT, FAST_IN_ACCOUNT = 200, 6
"""Lives in an account take a second each, so only so many places are drawn."""


class Place(NamedTuple):
    """A function and its caller, while step ``step`` works for agent B."""

    step: int
    file: str
    name: str
    caller: str


GENERATED = "<string>"
"""The file of functions that dataclasses generate."""


# -- injections -------------------------------------------------------------


def _serves(frame: FrameType | None, agent_id: str) -> bool:
    """Whether a frame works for this agent: the outermost one of the program that names an agent decides. In a
    shared account the pass of one agent also reads the orders and shares of the others."""
    serves = False
    while frame is not None:
        if frame.f_code in OF_REQUESTS:
            return True
        if frame.f_code.co_filename.startswith(INSIDE):
            serves = _named(frame, agent_id, serves)
        if frame.f_code is World.run_loop.__code__:
            return serves
        frame = frame.f_back
    return serves


def _named(frame: FrameType, agent_id: str, otherwise: bool) -> bool:
    """Whether the agent that a frame names is this one; ``otherwise`` if it names none."""
    known = frame.f_locals
    names = [known.get("agent_id")]
    with suppress(Exception):
        names.append(known["self"].agent_id)
    with suppress(Exception):
        names.append(known["self"].repository.agent_id)
    found = [name for name in names if isinstance(name, str) and name]
    return agent_id in found if found else otherwise


def _key(frame: FrameType) -> tuple[CodeType, CodeType] | None:
    code = frame.f_code
    if (
        not code.co_filename.startswith(INSIDE)
        or code.co_flags & GENERATORS
        or code.co_name in OUTERMOST
        or frame.f_back is None
    ):
        return None
    caller = frame.f_back.f_code
    # The caller cannot distinguish a failure inside a nested pure function from one of the outer function. A
    # constructor that dataclasses generated belongs to its class: its ``agent_id`` names no agent that is served.
    pure = caller.co_filename.startswith(PURE) or caller.co_filename == GENERATED
    return None if code.co_filename.startswith(PURE) and pure else (code, caller)


@contextmanager
def entered(step: int, found: dict[Place, tuple[CodeType, CodeType]]) -> Iterator[None]:
    """Record every function that is entered for B, with its caller."""
    seen: set[tuple[CodeType, CodeType]] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        key = _key(frame) if event == "call" else None
        if key is not None and key not in seen and _serves(frame, B):
            seen.add(key)
            code, caller = key
            found[Place(step, code.co_filename[len(str(CHECKOUT)) + 1 :], code.co_qualname, caller.co_qualname)] = key

    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)


@contextmanager
def raising(key: tuple[CodeType, CodeType]) -> Iterator[list[bool]]:
    """Raises once, where that caller enters that function for B."""
    struck: list[bool] = []

    def strike(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is key[0] and frame.f_back is not None and frame.f_back.f_code is key[1]:
            if not struck and _serves(frame, B):
                struck.append(True)
                raise RuntimeError(INJECTED)

    sys.setprofile(strike)
    try:
        yield struck
    finally:
        sys.setprofile(None)


class Tracebacks(logging.Handler):
    """Whether the exception was logged as such."""

    def __init__(self) -> None:
        super().__init__()
        self.logged = False

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        while error is not None:
            self.logged = self.logged or INJECTED in str(error)
            error = error.__cause__ or error.__context__


# -- one story, undisturbed and disturbed -----------------------------------


@dataclass
class Baseline:
    """The undisturbed story: its home before each step, the places where it can fail, and the journals of A and C."""

    life: Life
    steps: list[Step]
    homes: list[Path] = field(default_factory=list)
    places: dict[Place, tuple[CodeType, CodeType]] = field(default_factory=dict)
    journals: dict[str, bytes] = field(default_factory=dict)
    end: dict[str, Any] = field(default_factory=dict)


def _journals(home: Home) -> dict[str, bytes]:
    return {a: (home.agent(a) / "journal.jsonl").read_bytes() for a in (A, C)}


def undisturbed(root: Path, story: str) -> Baseline:
    steps, mode, policy = STORIES[story]
    rows = FIRST + 12
    life = a_life(root, generated(1, rows), policy, mode=mode, model_rows=rows if mode == "replay" else None)
    for agent_id in AGENTS:
        life.create(at(life.sessions[FIRST - 1], "20:00"), request_id=f"create-{agent_id}")
    base = Baseline(life, steps())
    for number, (_, act) in enumerate(base.steps):
        base.homes.append(root / f"before-{number}")
        shutil.copytree(life.home.root, base.homes[-1])
        world = World(life, life.home, at(life.sessions[FIRST], "16:40"))
        with entered(number, base.places):
            act(world)
    base.journals, base.end = _journals(life.home), _become(life.home)
    return base


def disturbed(base: Baseline, place: Place, work: Path) -> tuple[bool, list[str]]:
    """Fails at one place and runs to the end; returns whether it failed there, and what is wrong."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(base.homes[place.step], work)
    logs.logged.clear()
    tracebacks, logger = Tracebacks(), logging.getLogger("livetrading")
    logger.addHandler(tracebacks)
    world = World(base.life, Home(work), at(base.life.sessions[FIRST], "16:40"))
    try:
        with raising(base.places[place]) as struck:
            base.steps[place.step][1](world)
        reason = world.node.repositories[B].state.status_reason if B in world.node.repositories else "set apart"
        blocked = world.node.repositories[B].state.status == AgentStatus.BLOCKED
        world.person()
        for _, act in base.steps[place.step + 1 :]:
            act(world)
        world.catch_up(base.end["settled"])
    except Exception as error:  # what would have ended the process
        logging.getLogger(__name__).exception("%s", place)
        return True, [f"it ended the process: {type(error).__name__}: {error}"]
    finally:
        logger.removeHandler(tracebacks)
    wrongs = _wrongs(base, world, blocked)
    if struck and not tracebacks.logged:
        wrongs.append("no traceback in the log")
    if blocked and not ("RuntimeError: " + INJECTED in reason and "start the agent again" in reason):
        wrongs.append(f"blocked for {reason!r}")
    return bool(struck), wrongs


def _become(home: Home) -> dict[str, Any]:
    """The result of B, from its journal."""
    state = AgentRepository(home, B).state
    fills = [(f["key"], f["qty"], f["price"]) for f in queries.history(Store(home), B)["fills"]]
    return {"settled": state.settled, "booked": state.booked, "shares": state.book.shares, "fills": fills}


def _wrongs(base: Baseline, world: World, blocked: bool) -> list[str]:
    wrongs = [
        f"{a} is not as it would have been" for a, raw in _journals(world.home).items() if raw != base.journals[a]
    ]
    state = AgentRepository(world.home, B).state
    if state != world.node.repositories[B].state:
        wrongs.append("memory and journal differ")
    broker = PaperBroker(world.node.store, world.home.agent(B) / "paper.json", state.agent.terms.costs)
    if broker.position() != state.book.shares:
        wrongs.append(f"the book holds {state.book.shares}, the broker {broker.position()}")
    on_sale = sum(o.qty for o in state.open_orders() if o.leg != Leg.ENTRY and o.at_broker)
    if state.book.shares and on_sale != state.book.shares and state.status != AgentStatus.FINISHED:
        wrongs.append(f"{on_sale} of {state.book.shares} shares are on sale")
    decided = [d["session"] for d in queries.history(world.node.store, B)["decisions"]]
    if decided != sorted(set(decided)):
        wrongs.append(f"sessions were decided twice: {decided}")
    after = _become(world.home)
    if not blocked and after != base.end:
        wrongs.append(f"it went on and became {after}, not {base.end}")
    return wrongs + _unanswered(world)


def _unanswered(world: World) -> list[str]:
    """Every request has its result, and an agent exists if and only if its creation was answered."""
    known = world.node.store.read("requests")["requests"].values()
    wrongs = [f"the request {r['id']} was never answered" for r in known if r["status"] == "pending"]
    created = [r["status"] == "done" for r in known if r["kind"] == "create" and not r["id"].endswith(AGENTS)]
    there = [(world.home.agent(a) / "journal.jsonl").exists() for a in (MADE, MADE[:-1] + "5")]
    if created and there != [created[0], False]:
        wrongs.append(f"an agent was made: {there}, the answer was {created}")
    return wrongs


def _spread(places: list[Place]) -> list[Place]:
    """A few of the steps in which a caller enters a function: the first, the last, and some between."""
    steps: dict[tuple[str, str, str], list[Place]] = {}
    for place in places:
        steps.setdefault((place.file, place.name, place.caller), []).append(place)
    chance = random.Random(SEED)
    return [
        place
        for of in steps.values()
        for place in ([of[0], of[-1], *chance.sample(of[1:-1], STEPS - 2)] if len(of) > STEPS else of)
    ]


def run(stories: list[str], trials: int | None = None, verbose: bool = False) -> tuple[Counter[str], list[str]]:
    """Counts, and what was wrong; ``trials``: so many places of each story, drawn by a fixed seed."""
    counts, wrongs = Counter[str](), list[str]()
    until = time.monotonic() + SECONDS
    for story in stories:
        with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as root, cheap():
            base = undisturbed(Path(root), story)
            places = _spread(list(base.places))
            counts["places"] += len(places)
            if trials is not None:
                places = random.Random(SEED).sample(places, min(trials, len(places)))
            for place in places:
                if time.monotonic() > until:
                    break
                struck, found = disturbed(base, place, Path(root) / "work")
                counts["struck"] += struck
                counts["tried"] += 1
                counts[story] += 1
                for wrong in found:
                    wrongs.append(
                        f"{story}, {base.steps[place.step][0]}, {place.name} from {place.caller} ({place.file}): {wrong}"
                    )
                    if verbose:
                        print(f"  {wrongs[-1]}", flush=True)
    return counts, wrongs


def main() -> int:
    logging.getLogger("livetrading").addHandler(logging.NullHandler())
    logging.getLogger("livetrading").propagate = False
    fast, started = os.environ.get("FAST", "") not in ("", "0"), time.monotonic()
    counts, wrongs = run(list(STORIES), FAST_TRIALS if fast else None, verbose=True)
    places, lives, more = _in_account(FAST_IN_ACCOUNT if fast else IN_ACCOUNT)
    for wrong in more:
        print(f"  {wrong}")
    print(
        f"exceptions: {counts['tried']} of {counts['places']} places ("
        + ", ".join(f"{counts[s]} {s}" for s in STORIES)
        + f"), {counts['struck']} struck; in an account {lives} of {places}; {len(wrongs + more)} wrong; {time.monotonic() - started:.0f} s"
    )
    return 1 if wrongs + more else 0


def _in_account(trials: int) -> tuple[int, int, list[str]]:
    from tests.faults import exceptions_account  # imported here, because it imports this module

    with tempfile.TemporaryDirectory() as root, cheap():
        return exceptions_account.run(Path(root), trials, time.monotonic() + SECONDS)


if __name__ == "__main__":
    sys.exit(main())
