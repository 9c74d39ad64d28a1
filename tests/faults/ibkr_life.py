"""One agent's whole life in an account of the TWS double, killed at every point and disturbed at every order message.

    python -m tests.faults.ibkr_life        FAST=1 for a part

Prints its counts. Killed, or with a message lost, the life must end as the undisturbed
one; with a fill during a step of the shell, book and account must agree.
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
from functools import partial
from pathlib import Path
from typing import Any

from tests.doubles.account_life import CAPITAL, in_account
from tests.doubles.ibkr import VERSIONS
from tests.doubles.lives import AGENT, Cycler
from tests.doubles.tws import Fault, Ledger, Manners, TwsDouble

from .ibkr_days import Played, Step, bars, story
from .ibkr_worlds import Killed, Point, Points, Snapshot, World, opened, outcome, restored, snapshot, watched

KINDS = ("drop_before", "drop_after", "swallow")
PLACE, CANCEL = 3, 4
RANDOM_KINDS = (*KINDS, "mute", "grumble", "reject", "vanish", "refuse")
FAST_SECONDS = 25


# -- the undisturbed life -----------------------------------------------------


@dataclass
class Baseline:
    """The undisturbed life: snapshots, points and outcomes by step."""

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
        made.node.close()
        world = World(tws, opened(made.home.root, _played(made), tws, made.now))
        base = Baseline(version, world.life, story(), [], [], [], [], world.wrongs)
        for number, step in enumerate(base.steps):
            base.before.append(snapshot(world, root / f"before-{number}"))
            points, before = Points(), len(tws.received)
            with watched(points):
                step.act(world.life)
            if step.ours:
                base.points += [Point(number, n, what) for n, what in enumerate(points.names)]
                base.messages += _messages(number, [h.id for h in tws.received[before:]])
            base.after.append(outcome(world))
        world.life.node.close()
        return base


def _played(made: Any) -> Played:
    return Played(made.home, made.frame, made.model_id, made.csv, made.policy, made.terms, "ibkr", made.tws, made.now)


def _messages(step: int, ids: list[int]) -> list[Point]:
    """Order messages as (step, how many of its kind came before, kind)."""
    return [Point(step, ids[:i].count(kind), str(kind)) for i, kind in enumerate(ids) if kind in (PLACE, CANCEL)]


# -- disturbed lives ------------------------------------------------------------


def after_kill(base: Baseline, point: Point, work: Path, whole: bool = False) -> list[str]:
    """Differences after a kill at a point."""
    with restored(base.version, base.before[point.step], base.life, work) as world:
        try:
            with watched(Points(point.n)):
                base.steps[point.step].act(
                    world.life
                )  # on a busy machine one pass fewer may be enough: then nothing is killed
        except Killed:
            world.reborn()
        return world.wrongs + lived_on(base, world, point.step, whole)


def after_fault(base: Baseline, message: Point, kind: str, work: Path, whole: bool = False) -> list[str]:
    """Differences after a fault at one order message."""
    with restored(base.version, base.before[message.step], base.life, work) as world:
        world.tws.fail(Fault(kind, int(message.what), message.n))
        alike = without_ways_out if kind == "swallow" or in_a_stop(base, message) else None
        return lived_on(base, world, message.step, whole, alike=alike) + world.wrongs


def without_ways_out(found: dict[str, Any]) -> dict[str, Any]:
    """The outcome without exits and stops that ended. An exit that TWS drops counts as refused, so the stop is
    sent again and another exit follows; so is the stop of an emergency stop that loses TWS between cancel and exit.
    Fills, money and working orders must be the same."""
    ended = {"Filled", "Cancelled", "FILLED", "CANCELED"}
    kept = {
        name: [line for line in found[name] if ":entry" in line[0] or not ended & set(line)]
        for name in ("broker", "orders")
        if name in found
    }
    return {**found, **kept}


def after_drop(base: Baseline, point: Point, work: Path) -> list[str]:
    """Differences after the connection was lost at a point during a pass."""
    with restored(base.version, base.before[point.step], base.life, work) as world:
        lost = Points(point.n, world.tws.drop_all)
        alike = without_ways_out if in_a_stop(base, point) else None
        return lived_on(base, world, point.step, False, lost, alike) + world.wrongs


def in_a_stop(base: Baseline, point: Point) -> bool:
    return base.steps[point.step].name.startswith("emergency_stop")


def after_crossing(base: Baseline, point: Point, work: Path) -> list[str]:
    """What is wrong after every working stop filled at a point of a step."""
    with restored(base.version, base.before[point.step], base.life, work) as world:
        points = Points(point.n, lambda: world.tws.happen(stops_fill))
        with watched(points):
            base.steps[point.step].act(world.life)
        for step in base.steps[point.step + 1 : -1]:
            step.act(world.life)
        return world.wrongs + apart(world)


def stops_fill(ledger: Ledger) -> list[Any]:
    """The market triggers every stop."""
    found: list[Any] = []
    for order in [o for o in ledger.orders if o.type == "STP" and o.live and o.perm_id and not o.waits]:
        found += ledger.fill(order, order.remaining, order.aux)
    return found


def at_random(base: Baseline, seed: int, work: Path) -> list[str]:
    """What is wrong after a life with kills, lost messages, refusals and hours without a process at random times."""
    dice = random.Random(seed)
    with restored(base.version, base.before[1], base.life, work) as world:
        if seed % 2:
            world.tws.manners = Manners(seed, doubled=0.3, delayed=0.3, late=0.05, torn=True)
        for step in base.steps[1:-2]:
            if step.ours and step.name.startswith("passes") and dice.random() < 0.15:
                continue  # the process sleeps, or TWS is down
            if step.ours and dice.random() < 0.25:
                world.tws.fail(Fault(dice.choice(RANDOM_KINDS), dice.choice((PLACE, PLACE, CANCEL)), dice.randrange(2)))
            for _ in range(3):
                try:
                    with watched(Points(dice.randrange(12) if step.ours and dice.random() < 0.3 else -1)):
                        step.act(world.life)
                    break
                except Killed:
                    world.reborn()
            world.tws.faults.waiting.clear()
        world.life.passes(world.life.now)
        return world.wrongs + apart(world)


def apart(world: World) -> list[str]:
    """Where book and account differ."""
    life, ledger = world.life, world.tws.ledger
    state = life.node.repositories[AGENT].state
    ours, theirs = state.book.shares + life.node.account.shares.unmanaged(state), ledger.holds("TEST")
    wrongs = [f"{ours} in the books, {theirs} in the account"] if ours != theirs else []
    if state.status == "blocked":
        wrongs.append(state.status_reason)
    figures, booked = Counter[str](), Counter[str]()
    for fill in ledger.fills:
        figures[fill.order.ref] += int(fill.qty)
    for event in life.named("Filled"):
        booked[event.key] += event.qty
    return wrongs if figures == booked else [*wrongs, f"filled {figures - booked}, booked {booked - figures}"]


def lived_on(
    base: Baseline,
    world: World,
    first: int,
    whole: bool,
    points: Points | None = None,
    alike: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
) -> list[str]:
    """Runs from a step to the end, or until everything is as in the undisturbed life."""
    found: dict[str, Any] = {}
    for number in range(first, len(base.steps)):
        with watched(points if points is not None and number == first else Points()):
            base.steps[number].act(world.life)
        found = outcome(world)
        if not whole and base.steps[number].ours and found == base.after[number]:
            return []
    alike = alike or (lambda found: found)
    return differences(alike(base.after[-1]), alike(found))


def differences(meant: dict[str, Any], found: dict[str, Any]) -> list[str]:
    return [f"{k}: {_apart(meant[k], found.get(k))}" for k in meant if meant[k] != found.get(k)]


def _apart(meant: Any, found: Any) -> str:
    if isinstance(meant, list) and isinstance(found, list):
        meant, found = [x for x in meant if x not in found], [x for x in found if x not in meant]
    return f"{meant!r:.600} | {found!r:.600}"


# -- the sweep -------------------------------------------------------------------

Live = tuple[str, Callable[[], list[str]]]


def lives_of(base: Baseline, work: Path, random_lives: int) -> list[Live]:
    """Every disturbed life, named."""
    busy = {m.step for m in base.messages}
    found: list[Live] = []
    for i, p in enumerate(base.points):
        where = f"{p.what} in {base.steps[p.step].name}"
        found.append((f"killed {where}", partial(after_kill, base, p, work, i % 10 == 0)))
        found.append((f"connection lost {where}", partial(after_drop, base, p, work)))
        if p.step in busy:
            found.append((f"stops filled {where}", partial(after_crossing, base, p, work)))
    for m in base.messages:
        found += [
            (f"{kind} of message {m.what} in {base.steps[m.step].name}", partial(after_fault, base, m, kind, work))
            for kind in KINDS
        ]
    return [*found, *((f"random life {seed}", partial(at_random, base, seed, work)) for seed in range(random_lives))]


def sweep(
    version: int, share: float = 1.0, random_lives: int = 100, until: float = float("inf")
) -> tuple[str, list[str]]:
    """All of it, or a ``share``, at one server version: what was done, and what was wrong."""
    with tempfile.TemporaryDirectory() as root:
        base = undisturbed(Path(root), version)
        lives = lives_of(base, Path(root) / "work", random_lives)
        random.Random(version).shuffle(lives)
        tried, wrongs = Counter[str](), list(base.wrongs)
        for name, live in lives[: int(share * len(lives)) or 1]:
            if time.monotonic() > until:
                break
            tried[name.partition(" ")[0]] += 1
            wrongs += [f"{version}, {name}: {wrong}" for wrong in _wrongs_of(live)[:4]]
        kinds = Counter(p.what.split(" ", 1)[1] for p in base.points)
        return (
            f"version {version}: {sum(s.ours for s in base.steps)} steps, {len(base.points)} points ("
            + ", ".join(f"{n} {k}" for k, n in sorted(kinds.items()))
            + f"), {len(base.messages)} order messages; "
            + f"{sum(tried.values())} of {len(lives)} disturbed lives ("
            + ", ".join(f"{n} {k}" for k, n in sorted(tried.items()))
            + ")"
        ), wrongs


def _wrongs_of(live: Callable[[], list[str]]) -> list[str]:
    try:
        return live()
    except AssertionError as error:
        return [str(error)]


def main() -> int:
    logging.disable(logging.CRITICAL)
    fast, bad, started = os.environ.get("FAST", "") not in ("", "0"), 0, time.monotonic()
    for version, share in zip(VERSIONS, (1.0, 0.25), strict=True):
        figures, wrongs = sweep(version, share, until=time.monotonic() + FAST_SECONDS if fast else float("inf"))
        bad += len(wrongs)
        print(f"{figures}; {len(wrongs)} wrong; {time.monotonic() - started:.0f} s", flush=True)
        for wrong in wrongs[:20]:
            print(f"    {wrong}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
