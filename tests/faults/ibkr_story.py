"""One agent's orders at the TWS double: killed at numbered points, disturbed by faults, started again.

The real executor, journal, adapter and ib_async over a real socket. A kill is an
exception that nothing catches; the successor is built from the journal alone.
"""

import itertools
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ib_async.client import Client

from livetrading.adapters.brokers.ibkr.broker import IbkrBroker, IbkrConnection
from livetrading.adapters.calendar import calendar
from livetrading.adapters.halt import HaltLatch
from livetrading.adapters.home import Home
from livetrading.core.agent import AgentConfig
from livetrading.core.errors import LivetradingError
from livetrading.core.events import Created, Deployed, Deposited, Filled, StatusChanged
from livetrading.core.types import AgentStatus, AgentType, Leg, Mode
from livetrading.execution.orders import order_recovery, protective_stop
from livetrading.execution.orders.order_executor import OrderExecutor
from livetrading.execution.orders.order_plans import planned_entry, planned_exit
from livetrading.execution.state.agent_repository import AgentRepository, events_of
from tests.doubles.ibkr import AGENT, BAR, QUICK, any_account, await_that, config
from tests.doubles.tws import Bare, Fault, Ledger, Manners, Spoil, TwsDouble

MORNING = datetime(2024, 6, 4, 12, 0, tzinfo=UTC)
DAY = datetime(2024, 6, 4, 14, 30, tzinfo=UTC)
QTY = 10
PASSES, LATE = 60, 5.0
"""Passes, and seconds if TWS reports late, within which a life must finish."""
SWIFT = replace(
    QUICK,
    connect=2.0,
    acknowledge=0.12,
    cancel=(0.015, 0.03),
    answer=1.0,
    optional=0.3,
    again=(0.1, 0.2),
    settle=0.02,
    between_looks=0.01,
    commission=0.2,
    pauses=(0.01, 0.02),
    refused_pause=0.1,
    refused_look=0.02,
)


class Killed(BaseException):
    """The process is killed."""


@dataclass
class Points:
    """Counts the points that a life passes; dies at ``target``."""

    target: int = 0
    names: list[str] = field(default_factory=list)

    def hit(self, name: str) -> None:
        self.names.append(name)
        if len(self.names) == self.target:
            raise Killed(name)

    def around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **more: Any) -> Any:
            self.hit(f"before {name}")
            answer = call(*args, **more)
            self.hit(f"after {name}")
            return answer

        return wrapped


@dataclass
class World:
    """The double, a home, and violations that were seen."""

    tws: TwsDouble
    home: Home
    wrongs: list[str] = field(default_factory=list)
    seconds: int = 0
    """Passes so far, of one second each, so that waiting times (such as for a refused stop) end."""

    def __post_init__(self) -> None:
        self.bare = Bare(self.tws, "TNA")
        self.tws.watchers.append(self._watch)

    def _watch(self, ledger: Ledger) -> None:
        held, on_sale = ledger.holds("TNA"), ledger.on_sale("TNA")
        if on_sale > max(held, 0):
            self.wrongs.append(f"{on_sale} on sale, {held} held")
        for ref in {o.ref for o in ledger.orders}:
            live = [o for o in ledger.orders if o.ref == ref and o.live and o.perm_id]
            filled = sum(o.filled for o in ledger.orders if o.ref == ref)
            if len(live) > 1 or filled > QTY:
                self.wrongs.append(f"{ref} doubled: {len(live)} live, {filled:g} filled")


class Process:
    """One start of the trading process for one agent."""

    def __init__(self, world: World, points: Points) -> None:
        self.world, self.points = world, points
        self.repository = AgentRepository(world.home, AGENT)
        if not self.repository.seq:
            self._create()
        # The connection finds what was not pushed by its own questions, every ``fresh`` seconds.
        timing = replace(SWIFT, fresh=0.1) if world.tws.manners.dropped else SWIFT
        self.connection = IbkrConnection(config(world.tws, timing=timing))
        self.connection.start()
        place = Client.placeOrder

        def placing(client: Client, *args: Any) -> None:
            self.points.hit("before bytes")
            place(client, *args)
            self.points.hit("after bytes")

        Client.placeOrder, self._place = placing, place
        self.ready()
        broker = IbkrBroker(
            self.connection, AGENT, self.connection.instrument("TNA"), booked=self.booked, gate=any_account
        )
        broker.submit = points.around("submit", broker.submit)
        broker.cancel = points.around("cancel", broker.cancel)
        self.repository.commit = points.around("commit", self.repository.commit)
        self.executor = OrderExecutor(self.repository, broker, calendar(), HaltLatch(world.home))

    def _create(self) -> None:
        agent = AgentConfig(
            AGENT, "PPO_TNA_v20240603_000000", AgentType.PPO, "TNA", Mode.BROKER, "yahoo", broker="ibkr"
        )
        self.repository.commit(
            [
                Created(agent.to_dict()),
                Deposited(10_000.0),
                Deployed("2024-06-03T20:40:00Z", BAR),
                StatusChanged(AgentStatus.RUNNING, "", "test"),
            ],
            MORNING,
        )

    def booked(self, ref: str) -> int:
        return sum(
            e.qty
            for _, batch in events_of(self.world.home.agent(AGENT))
            for e in batch
            if isinstance(e, Filled) and e.key == ref
        )

    def ready(self) -> None:
        await_that(lambda: self.connection.health().ready, "ready")

    def die(self) -> None:
        Client.placeOrder = self._place
        self.connection.close()

    def passes(self, now: datetime, finished: Callable[[], bool]) -> None:
        """Passes of the shell until nothing is left to do; errors of TWS are tried again."""
        until = time.monotonic() + (LATE if self.world.tws.manners.delayed else 0.0)
        for number in itertools.count():
            if number >= PASSES and time.monotonic() > until:
                break
            self.world.seconds += 1
            at = now + timedelta(seconds=self.world.seconds)
            try:
                order_recovery.recover(self.executor, at)
                self.executor.send_due(at)
                protective_stop.protect(self.executor, at)
                if finished():
                    return
            except LivetradingError:
                self.ready()
        raise AssertionError(f"never finished: {[(o.key, str(o.state)) for o in self.repository.state.orders]}")


# -- the story ----------------------------------------------------------------------


def plan(process: Process, leg: Leg) -> None:
    """Records the decision once, and again if the broker refused its order."""
    made = process.repository.state
    tried = [o for o in (*made.recent, *made.orders) if o.leg == leg and o.bar == BAR]
    if tried and tried[-1].state != "REJECTED":
        return
    events = (
        planned_entry(process.repository.state, BAR, QTY, 90.0, MORNING)
        if leg == Leg.ENTRY
        else planned_exit(process.repository.state, BAR, MORNING, "DAY", "the story's end")
    )
    process.repository.commit(events, MORNING)


def legs(process: Process) -> list[tuple[str, str]]:
    return sorted((str(o.leg), str(o.state)) for o in process.repository.state.orders)


def enter(process: Process) -> None:
    plan(process, Leg.ENTRY)
    if process.repository.state.flat and process.world.tws.ledger.holds("TNA") == 0:

        def works() -> bool:
            plan(process, Leg.ENTRY)  # what IB refused is decided again
            return ("entry", "NEW") in legs(process) and all(s in ("NEW", "REJECTED") for _, s in legs(process))

        process.passes(MORNING, works)
        process.world.tws.happen(lambda ledger: ledger.auction("TNA", 100.0))
    hold(process)


def hold(process: Process) -> None:
    """Held in full, with exactly one stop."""
    process.passes(DAY, lambda: process.repository.state.book.shares == QTY and legs(process) == [("stop", "NEW")])


def leave(process: Process) -> None:
    def works() -> bool:
        plan(process, Leg.EXIT)
        return ("exit", "NEW") in legs(process)

    plan(process, Leg.EXIT)
    if process.world.tws.ledger.holds("TNA") == QTY:
        process.passes(DAY, works)
        process.world.tws.happen(lambda ledger: ledger.market("TNA", 101.0))
    process.passes(DAY, lambda: process.repository.state.flat and not process.repository.state.orders)


def replace_stop(process: Process) -> None:
    hold(process)


def lose_stop(world: World) -> None:
    """IB cancels the stop by itself, as it does on a split."""
    stop = next(o for o in world.tws.ledger.orders if o.type == "STP" and o.live)
    world.tws.happen(lambda ledger: ledger.expire(stop.ref))


LEGS: dict[str, Callable[[Process], None]] = {"entry": enter, "exit": leave, "stop replaced": replace_stop}
FAULTS = ("", "drop_before", "drop_after", "swallow", "mute", "grumble", "vanish")


def run_life(
    version: int, leg: str, target: int, faults: list[Fault], spoils: list[Spoil] | None = None
) -> tuple[list[str], list[str]]:
    """One life: (points passed, wrongs seen)."""
    with tempfile.TemporaryDirectory() as folder, TwsDouble(version, clock=lambda: DAY) as tws:
        world = World(tws, Home.resolve(str(Path(folder) / "home")))
        if leg != "entry":
            first = Process(world, Points())
            try:
                enter(first)
            finally:
                first.die()
            if leg == "stop replaced":
                lose_stop(world)
        tws.fail(*faults)
        tws.do(lambda: tws.faults.spoils.extend(spoils or []))
        points = Points(target)
        for _ in range(4):
            process = Process(world, points)
            try:
                LEGS[leg](process)
                return points.names, world.wrongs + check(process, leg)
            except Killed:
                pass
            finally:
                process.die()
        return points.names, [*world.wrongs, "died more than once"]


def check(process: Process, leg: str) -> list[str]:
    """Book and broker agree, and the plan was executed exactly once."""
    ledger, state = process.world.tws.ledger, process.repository.state
    held = 0 if leg == "exit" else QTY
    found = (
        []
        if (ledger.holds("TNA"), state.book.shares) == (held, held)
        else [f"held {ledger.holds('TNA')} at the broker, {state.book.shares} in the book, {held} meant"]
    )
    if ledger.on_sale("TNA") != held:
        found.append(f"{ledger.on_sale('TNA')} on sale, {held} meant")
    fills = {e.exec_id for e in ledger.fills}
    if not fills <= state.book.executions:
        found.append("an execution is not in the book")
    return found


# -- at random -----------------------------------------------------------------------

RANDOM_KINDS = ("drop_before", "drop_after", "swallow", "mute", "grumble", "vanish")
RANDOM_MESSAGES = (3, 3, 3, 4, 4, 16, 61, 99, 7)


@dataclass
class RandomLife:
    wrongs: list[str]
    killed: int
    struck: int


RUDE = {"doubled": 0.3, "dropped": 0.2, "delayed": 0.4, "torn": True}
"""Order messages come twice, not at all, late or out of order; every write in pieces."""


def random_life(version: int, dice: random.Random, rude: bool = False) -> RandomLife:
    """Entry, partial fills, perhaps a lost stop, exit: with faults and kills at random points."""
    with tempfile.TemporaryDirectory() as folder, TwsDouble(version, clock=lambda: DAY) as tws:
        if rude:
            tws.manners = Manners(dice.randrange(1_000_000), **RUDE)
        world = World(tws, Home.resolve(str(Path(folder) / "home")))
        faults = [
            Fault(dice.choice(RANDOM_KINDS), message=dice.choice(RANDOM_MESSAGES), skip=dice.randrange(6))
            for _ in range(dice.randrange(5))
        ]
        tws.fail(*faults)
        killed, todo = 0, [enter, *([_losing] if dice.random() < 0.4 else []), leave]
        while todo:
            points = Points(dice.randrange(1, 30) if killed < 3 and dice.random() < 0.7 else 0)
            process = Process(world, points)
            try:
                while todo:
                    if dice.random() < 0.2:
                        tws.drop_all()
                    todo[0](process)
                    todo.pop(0)
            except Killed:
                killed += 1
            except AssertionError as error:
                return RandomLife([str(error)], killed, len(faults))
            finally:
                if not todo:
                    world.wrongs += check(process, "exit")
                process.die()
        return RandomLife(world.wrongs, killed, len(faults) - len(tws.faults.waiting))


def _losing(process: Process) -> None:
    if any(o.type == "STP" and o.live for o in process.world.tws.ledger.orders):
        lose_stop(process.world)
    hold(process)


__all__ = ["FAULTS", "LEGS", "random_life", "run_life"]
