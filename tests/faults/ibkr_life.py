"""One agent's whole life in an account of the TWS double, killed at every point and struck at every order message.

    python -m tests.faults.ibkr_life        FAST=1 for a slice

Prints its counts. Killed, or with a message lost, the life must end as the undisturbed
one; with a fill that crosses what the shell does, book and account must agree.
"""

import logging
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.doubles.account_life import CAPITAL, in_account
from tests.doubles.ibkr import VERSIONS
from tests.doubles.lives import AGENT, Cycler
from tests.doubles.tws import Fault, Ledger, TwsDouble

from .ibkr_days import Played, Step, bars, story
from .ibkr_worlds import Killed, Point, Points, Snapshot, World, opened, restored, snapshot, standing, watched

KINDS = ("drop_before", "drop_after", "swallow")
PLACE, CANCEL = 3, 4
FAST_SECONDS = 25


# -- the undisturbed life -----------------------------------------------------

@dataclass
class Baseline:
    """What becomes of an agent that nothing disturbs: snapshots, points and standings by step."""

    version: int
    life: Played
    steps: list[Step]
    before: list[Snapshot]
    points: list[Point]
    messages: list[Point]
    after: list[dict[str, Any]]
    wrongs: list[str]


def undisturbed(root: Path, version: int) -> Baseline:
    with TwsDouble(version) as tws:
        made = in_account(root / "first", bars(), Cycler(2), tws, CAPITAL)
        made.desk.close()
        world = World(tws, opened(made.home.root, _played(made), tws, made.now))
        base = Baseline(version, world.life, story(), [], [], [], [], world.wrongs)
        for number, step in enumerate(base.steps):
            base.before.append(snapshot(world, root / f"before-{number}"))
            points, heard = Points(), len(tws.heard)
            with watched(points):
                step.act(world.life)
            if step.ours:
                base.points += [Point(number, n, what) for n, what in enumerate(points.names)]
                base.messages += _messages(number, [h.id for h in tws.heard[heard:]])
            base.after.append(standing(world))
        world.life.desk.close()
        return base


def _played(made: Any) -> Played:
    return Played(made.home, made.frame, made.model_id, made.csv, made.policy, made.terms, "ibkr", made.tws, made.now)


def _messages(step: int, ids: list[int]) -> list[Point]:
    """Order messages as (step, how many of its kind came before, kind)."""
    return [Point(step, ids[:i].count(kind), str(kind)) for i, kind in enumerate(ids) if kind in (PLACE, CANCEL)]


# -- disturbed lives ------------------------------------------------------------

def after_kill(base: Baseline, point: Point, work: Path, whole: bool = False) -> list[str]:
    """What went another way after a kill at a point."""
    with restored(base.version, base.before[point.step], base.life, work) as world:
        try:
            with watched(Points(point.n)):
                base.steps[point.step].act(world.life)
            return [f"point {point.n} was not reached"]
        except Killed:
            world.reborn()
        return world.wrongs + lived_on(base, world, point.step, whole)


def after_fault(base: Baseline, message: Point, kind: str, work: Path, whole: bool = False) -> list[str]:
    """What went another way after one order message met a fault."""
    with restored(base.version, base.before[message.step], base.life, work) as world:
        world.tws.fail(Fault(kind, int(message.what), message.n))
        wrongs = lived_on(base, world, message.step, whole)
        return world.wrongs + wrongs + (["the fault struck nothing"] if world.tws.faults.waiting else [])


def after_crossing(base: Baseline, point: Point, work: Path) -> list[str]:
    """What is wrong after every stop that works filled at a point of a step."""
    with restored(base.version, base.before[point.step], base.life, work) as world:
        points = Points(act=lambda: world.tws.happen(stops_fill), fatal=point.n)
        with watched(points):
            base.steps[point.step].act(world.life)
        for step in base.steps[point.step + 1 : -1]:
            step.act(world.life)
        return world.wrongs + apart(world)


def stops_fill(ledger: Ledger) -> list[Any]:
    """The market falls through every stop."""
    found: list[Any] = []
    for order in [o for o in ledger.orders if o.type == "STP" and o.live and o.perm_id and not o.waits]:
        found += ledger.fill(order, order.remaining, order.aux)
    return found


def apart(world: World) -> list[str]:
    """Where book and account differ."""
    life, ledger = world.life, world.tws.ledger
    state = life.desk.dossiers[AGENT].state
    ours, theirs = state.book.shares + life.desk.account.rest(state), ledger.holds("TEST")
    wrongs = [f"{ours} in the books, {theirs} in the account"] if ours != theirs else []
    if state.status == "blocked":
        wrongs.append(state.status_reason)
    if missing := {f.exec_id for f in ledger.fills} - state.book.executions:
        wrongs.append(f"not in the book: {missing}")
    return wrongs


def lived_on(base: Baseline, world: World, first: int, whole: bool) -> list[str]:
    """From a step to the end, or to where everything is as it was in the undisturbed life."""
    found: dict[str, Any] = {}
    for number in range(first, len(base.steps)):
        base.steps[number].act(world.life)
        found = standing(world)
        if not whole and base.steps[number].ours and found == base.after[number]:
            return []
    return differences(base.after[-1], found)


def differences(meant: dict[str, Any], found: dict[str, Any]) -> list[str]:
    return [f"{k}: {_apart(meant[k], found.get(k))}" for k in meant if meant[k] != found.get(k)]


def _apart(meant: Any, found: Any) -> str:
    if isinstance(meant, list) and isinstance(found, list):
        meant, found = [x for x in meant if x not in found], [x for x in found if x not in meant]
    return f"{meant!r:.600} | {found!r:.600}"


# -- the sweep -------------------------------------------------------------------

def sweep(version: int, root: Path, share: float, until: float) -> int:
    """Every point and every message at one server version, or a ``share`` of them; how many went wrong."""
    base = undisturbed(root, version)
    kinds = Counter(p.what.split(" ", 1)[1] for p in base.points)
    print(f"version {version}: {sum(s.ours for s in base.steps)} steps, {len(base.points)} points ("
          + ", ".join(f"{n} {k}" for k, n in sorted(kinds.items())) + f"), {len(base.messages)} order messages", flush=True)
    lives = [(f"killed {p.what} in {base.steps[p.step].name}", _kill(base, p, root / "work", i % 10 == 0))
             for i, p in enumerate(base.points)]
    lives += [(f"{kind} of message {m.what} in {base.steps[m.step].name}", _fault(base, m, kind, root / "work"))
              for m in base.messages for kind in KINDS]
    busy = {m.step for m in base.messages}
    lives += [(f"stops filled {p.what} in {base.steps[p.step].name}", _cross(base, p, root / "work"))
              for p in base.points if p.step in busy]
    random.Random(version).shuffle(lives)
    bad = len(base.wrongs)
    tried = 0
    for name, live in lives[: int(share * len(lives)) or 1]:
        if time.monotonic() > until:
            break
        tried += 1
        if tried % 50 == 0:
            print(f"  {tried} lives, {bad} with another outcome", flush=True)
        wrongs = _told(live)
        bad += bool(wrongs)
        for wrong in wrongs[:4]:
            print(f"    {name}: {wrong}", flush=True)
    print(f"version {version}: {tried} of {len(lives)} disturbed lives, {bad} with another outcome", flush=True)
    return bad


def _kill(base: Baseline, point: Point, work: Path, whole: bool) -> Callable[[], list[str]]:
    return lambda: after_kill(base, point, work, whole)


def _fault(base: Baseline, message: Point, kind: str, work: Path) -> Callable[[], list[str]]:
    return lambda: after_fault(base, message, kind, work)


def _cross(base: Baseline, point: Point, work: Path) -> Callable[[], list[str]]:
    return lambda: after_crossing(base, point, work)


def _told(live: Callable[[], list[str]]) -> list[str]:
    try:
        return live()
    except AssertionError as error:
        return [str(error)]


def main() -> int:
    logging.disable(logging.CRITICAL)
    fast = os.environ.get("FAST", "") not in ("", "0")
    bad, started = 0, time.monotonic()
    for version, share in zip(VERSIONS, (1.0, 0.25), strict=True):
        until = time.monotonic() + (FAST_SECONDS if fast else 7_200)
        with tempfile.TemporaryDirectory() as root:
            bad += sweep(version, Path(root), share, until)
    print(f"{time.monotonic() - started:.0f} s", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
