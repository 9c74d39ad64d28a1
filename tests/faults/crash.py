"""Kills at numbered points of an agent's life, restarts from disk, and compares the results.

A point is the moment before, or after, or in the middle of one commit or one call of the broker. The
victim is a forked process that ends with ``os._exit`` there; its successor is built from the files alone.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from livetrading.adapters import files, journal, store
from livetrading.adapters.brokers.paper import PaperBroker
from livetrading.adapters.halt import HaltLatch
from livetrading.adapters.home import Home
from livetrading.core.types import AgentStatus, Leg
from livetrading.execution.state import queries
from tests.doubles.lives import AGENT, FIRST, Cycler, Life, a_life, at, crash_bar
from tests.doubles.series import generated

KILLED, SHORT, UNHARMED = 9, 77, 3
Step = tuple[str, Callable[[Life], object]]


class Point(NamedTuple):
    """Number ``n`` of step ``step``; ``what`` says which call and which side of it."""

    step: int
    n: int
    what: str


# -- the life ---------------------------------------------------------------

ROWS = 34
"""Sessions of the story, from row FIRST on."""


def bars() -> Any:
    """Splits and dividends on entry and exit days, and a low that triggers the stop."""
    t = FIRST
    frame = generated(
        1,
        FIRST + ROWS + 2,
        splits={t + 5: 2.0, t + 15: 1.5},
        dividends={t + 1: 0.1, t + 4: 0.08, t + 5: 0.05, t + 15: 0.04, t + 20: 0.05},
    )
    return crash_bar(frame, t + 10)


def _ask(kind: str, day: int, clock: str, name: str) -> Step:
    def run(life: Life) -> object:
        return life.ask(kind, at(life.sessions[FIRST + day], clock), request_id=name)

    return f"{kind} {name}", run


def _check(day: int, clock: str) -> Step:
    return f"check {day} {clock}", lambda life: life.check(at(life.sessions[FIRST + day], clock))


def _days(first: int, last: int) -> list[Step]:
    return [_check(d, clock) for d in range(first, last) for clock in ("08:00", "16:40")]


def _create(life: Life) -> object:
    return life.create(at(life.sessions[FIRST - 1], "20:00"), request_id="create")


def _latch(day: int, clock: str) -> Step:
    def run(life: Life) -> object:
        now = at(life.sessions[FIRST + day], clock)
        HaltLatch(life.home).set("test", "test", now)
        return life.check(now)

    return "latch", run


def story() -> list[Step]:
    """All steps of the agent's life, each at a fixed time."""
    return [
        ("create", _create),
        *_days(0, 12),
        _check(12, "08:00"),
        _ask("close", 12, "11:00", "close-in-session"),
        _check(12, "16:40"),
        *_days(13, 15),
        _ask("pause", 14, "17:00", "pause"),
        _ask("start", 14, "17:10", "start"),
        *_days(15, 18),
        _check(18, "08:00"),
        _ask("emergency_stop", 18, "11:00", "stop-in-session"),
        _check(18, "16:40"),
        *_days(19, 21),
        _ask("rearm", 20, "17:00", "rearm"),
        _ask("start", 20, "17:10", "start-again"),
        *_days(21, 24),
        _ask("close", 23, "20:00", "close-at-night"),
        *_days(24, 28),
        _latch(27, "21:00"),
        *_days(28, 30),
        _ask("remove", 29, "20:00", "remove"),
        _ask("rearm", 29, "20:10", "rearm-again"),
    ]


def begin(root: Path) -> Life:
    return a_life(root, bars(), Cycler())


def reopened(life: Life, root: Path) -> Life:
    """The same life over a copy of its home, started as a new process."""
    files.sweep(root)
    return Life(Home(root), life.frame, life.model_id, life.csv, life.policy, life.terms, life.mode)


# -- points -----------------------------------------------------------------


@dataclass
class Points:
    """Counts the points that a process passes, and ends it at number ``fatal``."""

    fatal: int = -1
    count: int = 0
    names: tuple[str, ...] = ()

    def passed(self, what: str) -> None:
        if self.count == self.fatal:
            os._exit(KILLED)
        self.count += 1
        self.names += (what,)

    @property
    def next_is_fatal(self) -> bool:
        return self.count == self.fatal


@contextmanager
def watched(points: Points) -> Iterator[None]:
    """Every commit and every call of the broker goes through ``points``."""
    targets: list[tuple[Any, str, str]] = [
        (journal.Journal, "append", "journal"),
        (store, "atomic_write", "file"),
        (PaperBroker, "submit", "submit"),
        (PaperBroker, "cancel", "cancel"),
        (PaperBroker, "advance", "advance"),
        (HaltLatch, "set", "latch"),
        (HaltLatch, "clear", "clear"),
    ]
    torn = (journal, "write_all", _torn(journal.write_all, points))
    with replaced(
        [*((owner, name, _around(getattr(owner, name), what, points)) for owner, name, what in targets), torn]
    ):
        yield


@contextmanager
def replaced(targets: Iterable[tuple[Any, str, Any]]) -> Iterator[None]:
    """Replaces these functions inside the ``with``."""
    with ExitStack() as stack:
        for owner, name, other in targets:
            stack.enter_context(mock.patch.object(owner, name, other))
        yield


def _around(call: Callable[..., Any], what: str, points: Points) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        points.passed(f"before {what}")
        done = call(*args, **kwargs)
        if isinstance(args[0], PaperBroker):
            _never_short(args[0])
        points.passed(f"after {what}")
        return done

    return run


def _torn(write_all: Callable[..., None], points: Points) -> Callable[..., None]:
    def run(fd: int, raw: bytes) -> None:
        if points.next_is_fatal:
            write_all(fd, raw[: len(raw) // 2])
        points.passed("half a journal line")
        write_all(fd, raw)

    return run


def _never_short(broker: PaperBroker) -> None:
    """The shares on sale at the broker never exceed the agent's position."""
    on_sale = sum(o.ticket.qty for o in broker._ledger.orders if o.working and o.ticket.side == "SELL" and not o.waits)
    if on_sale > broker.position():
        os._exit(SHORT)


# -- runs -------------------------------------------------------------------


def run_steps(life: Life, steps: list[Step], first: int, progress: Path | None = None) -> None:
    for number in range(first, len(steps)):
        if progress is not None:
            progress.write_text(str(number))
        steps[number][1](life)


@dataclass
class Baseline:
    """The undisturbed life: a copy of its home before each step, all points, and its end."""

    life: Life
    steps: list[Step]
    homes: list[Path]
    points: list[Point]
    after: list[dict[str, Any]]
    end: dict[str, Any]


def undisturbed(root: Path) -> Baseline:
    life, steps = begin(root), story()
    homes, found, after = [], [], []
    for number, (_, act) in enumerate(steps):
        homes.append(root / f"before-{number}")
        shutil.copytree(life.home.root, homes[-1])
        points = Points()
        with watched(points):
            act(reopened(life, life.home.root))
        found += [Point(number, n, what) for n, what in enumerate(points.names)]
        after.append(outcome(reopened(life, life.home.root)))
    return Baseline(life, steps, homes, found, after, summary(reopened(life, life.home.root)))


def die_at(base: Baseline, work: Path, step: int, fatal: int) -> int:
    """Run from ``step`` in a forked process that ends at its point ``fatal``; its exit code."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            with watched(Points(fatal)):
                run_steps(reopened(base.life, work), base.steps, step, work / "step.txt")
            code = UNHARMED
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def after_kill(base: Baseline, point: Point, work: Path, *, whole: bool = True) -> dict[str, Any]:
    """Killed at a point, restarted from disk, run to the end.

    Not ``whole``: only until a step ends exactly as in the undisturbed life;
    from equal files, steps at fixed times lead to the same end.
    """
    shutil.copytree(base.homes[point.step], work)
    code = die_at(base, work, point.step, point.n)
    assert code == KILLED, f"{point}: exit code {code}"
    return lived_on(base, work, whole)


def lived_on(base: Baseline, work: Path, whole: bool) -> dict[str, Any]:
    life = reopened(base.life, work)
    for number in range(int((work / "step.txt").read_text()), len(base.steps)):
        base.steps[number][1](life)
        if not whole and outcome(life) == base.after[number]:
            shutil.rmtree(work)
            return base.end
    found = summary(reopened(base.life, work))
    shutil.rmtree(work)
    return found


def after_two_kills(base: Baseline, first: Point, second: int, work: Path, *, whole: bool = True) -> dict[str, Any]:
    """Killed again ``second`` points into the restart."""
    shutil.copytree(base.homes[first.step], work)
    assert die_at(base, work, first.step, first.n) == KILLED
    code = die_at(base, work, int((work / "step.txt").read_text()), second)
    assert code in (KILLED, UNHARMED), f"{first}, then {second}: exit code {code}"
    if code == UNHARMED:
        (work / "step.txt").write_text(str(len(base.steps)))
    return lived_on(base, work, whole)


def outcome(life: Life) -> dict[str, Any]:
    """The state on which the next steps depend, and all results so far."""
    paper = life.home.agent(AGENT) / "paper.json"
    return {
        **summary(life),
        "state": life.node.repositories[AGENT].state,
        "halted": life.node.latch.status() is not None,
        "account": paper.read_bytes() if paper.exists() else b"",
    }


def summary(life: Life) -> dict[str, Any]:
    """All that must be the same: ledger, fills, orders, money, answers, and the files that others read."""
    state = life.node.repositories[AGENT].state
    orders: dict[str, Any] = {}
    for event in life.events:
        kind = type(event).__name__
        if kind == "OrderPlanned":
            orders[event.order["key"]] = ["PLANNED", event.order["qty"]]
        elif kind == "OrderMoved":
            orders[event.key][0] = event.state
            orders[event.key][1] = orders[event.key][1] if event.qty is None else event.qty
    shown = queries.history(life.store, AGENT)
    return {
        "ledger": life.ledger,
        "fills": [(e.exec_id, e.session, e.qty, e.price, e.fee) for e in life.named("Filled")],
        "orders": orders,
        "shares": state.book.shares,
        "cash": state.book.cash,
        "status": str(state.status),
        "broker": PaperBroker(life.store, life.home.agent(AGENT) / "paper.json", life.terms.costs).position(),
        "answers": {r["id"]: r["status"] for r in life.store.read("requests")["requests"].values()},
        "shown": {name: shown[name] for name in ("fills", "trades", "equity", "decisions")},
        "on sale": sum(o.qty for o in state.open_orders() if o.leg != Leg.ENTRY and o.at_broker),
        "removed": state.status == AgentStatus.REMOVED,
    }


def differences(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    return [f"{k}: {ours[k]!r:.700} | {theirs[k]!r:.700}" for k in ours if ours[k] != theirs[k]]
