"""A life in an account of the TWS double that can be restored to an earlier state, and killed at numbered points.

A point is before or after a commit of the agent's or the account's journal, a change
of the latch, or a message to TWS that changes orders. A kill is an exception that
nothing catches; the next process is built from the files, and the double continues.
"""

import copy
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from ib_async.client import Client

from livetrading.adapters import journal, settings
from livetrading.adapters.brokers.ibkr.broker import IbkrBroker
from livetrading.adapters.halt import HaltLatch
from livetrading.adapters.home import Home
from livetrading.core import agent_ledger
from livetrading.core.events import Filled
from livetrading.execution.state.agent_repository import events_of
from tests.doubles.account_life import TEST
from tests.doubles.ibkr import await_that
from tests.doubles.lives import AGENT
from tests.doubles.tws import Bare, Ledger, TwsDouble

from .crash import replaced
from .ibkr_days import Played


class Killed(BaseException):
    """The process is killed."""


class Point(NamedTuple):
    step: int
    n: int
    what: str


@dataclass
class Points:
    """Counts the points that a process passes. At number ``fatal`` the process dies, and stays dead; or
    ``act`` is called there, once."""

    fatal: int = -1
    act: Callable[[], object] | None = None
    names: list[str] = field(default_factory=list)

    def hit(self, what: str) -> None:
        self.names.append(what)
        if self.fatal < 0 or len(self.names) <= self.fatal:
            return
        if self.act is None:
            raise Killed(what)
        if len(self.names) == self.fatal + 1:
            self.act()


@contextmanager
def watched(points: Points, reads: bool = False) -> Iterator[None]:
    """Every commit, and every message that changes orders, goes through ``points``; ``reads``: so does
    every question to the broker."""
    targets: list[tuple[Any, str, str]] = [
        (journal.Journal, "append", "commit"),
        (HaltLatch, "set", "latch"),
        (HaltLatch, "clear", "latch"),
        (Client, "placeOrder", "placeOrder"),
        (Client, "cancelOrder", "cancelOrder"),
    ]
    if reads:
        targets += [(IbkrBroker, name, name) for name in ("position", "executions", "find")]
    with replaced((owner, name, _around(getattr(owner, name), what, points)) for owner, name, what in targets):
        yield


def _around(call: Callable[..., Any], what: str, points: Points) -> Callable[..., Any]:
    def run(*args: Any, **more: Any) -> Any:
        name = f"account {what}" if what == "commit" and "accounts" in str(args[0].path) else what
        points.hit(f"before {name}")
        done = call(*args, **more)
        points.hit(f"after {name}")
        return done

    return run


# -- worlds -----------------------------------------------------------------


@dataclass
class Snapshot:
    """A home and an account, before a step."""

    home: Path
    ledger: Ledger
    next_id: int
    now: datetime


@dataclass
class World:
    """A double, a life in it, and violations that were seen."""

    tws: TwsDouble
    life: Played
    wrongs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bare = Bare(self.tws, "TEST")
        self.tws.watchers.append(self._watch)

    def _watch(self, ledger: Ledger) -> None:
        held, on_sale = ledger.holds("TEST"), ledger.on_sale("TEST")
        if on_sale > max(held, 0):
            self.wrongs.append(f"{on_sale} on sale, {held} held")
        for ref in {o.ref for o in ledger.orders}:
            mine = [o for o in ledger.orders if o.ref == ref and o.perm_id]
            if sum(o.live for o in mine) > 1 or len([o for o in mine if o.filled]) > 1:
                self.wrongs.append(f"{ref} was doubled")

    def reborn(self) -> None:
        """The process is dead; its sent messages arrive, and a new one starts from the files."""
        self.life.node.close()
        await_that(lambda: not self.tws.sessions, "the dead process' connection ended")
        self.life = opened(self.life.home.root, self.life, self.tws, self.life.now)


def opened(root: Path, like: Played, tws: TwsDouble, now: datetime) -> Played:
    settings.save(Home(root), "ibkr_port", tws.port)
    life = Played(Home(root), like.frame, like.model_id, like.csv, like.policy, like.terms, "ibkr", tws, now)
    tws.ledger.clock = lambda: life.now
    return life


@contextmanager
def restored(version: int, snapshot: Snapshot, like: Played, work: Path) -> Iterator[World]:
    shutil.copytree(snapshot.home, work)
    with TwsDouble(version) as tws:
        tws.listed.append(TEST)
        tws.ledger, tws.next_id = copy.deepcopy(snapshot.ledger), snapshot.next_id
        world = World(tws, opened(work, like, tws, snapshot.now))
        try:
            yield world
        finally:
            world.life.node.close()
            shutil.rmtree(work)


def snapshot(world: World, folder: Path) -> Snapshot:
    shutil.copytree(world.life.home.root, folder)
    ledger = world.tws.do(lambda: copy.deepcopy(world.tws.ledger))
    return Snapshot(folder, ledger, world.tws.next_id, world.life.now)


def outcome(world: World) -> dict[str, Any]:
    """All that must be the same: the book, the account, and the orders in both, by their keys."""
    life, ledger = world.life, world.tws.ledger
    facts = {
        "broker": sorted(
            {
                (_alike(o.ref), o.action, o.qty, o.type, o.tif, o.aux, o.status, o.filled)
                for o in ledger.orders
                if o.perm_id
            }
        ),
        "filled": [(_alike(f.order.ref), f.qty, round(f.price, 6), f.commission) for f in ledger.fills],
        "positions": {c: qty for c, (qty, _) in ledger.positions.items() if qty},
        "cash": round(ledger.cash, 6),
        "halted": life.node.latch.status() is not None,
    }
    if AGENT not in life.node.repositories:
        return facts
    state = life.node.repositories[AGENT].state
    events = [event for _, batch in events_of(life.home.agent(AGENT)) for event in batch]
    return {
        **facts,
        "rest": life.node.account.shares.unmanaged(state),
        "status": (str(state.status), state.status_reason),
        "orders": sorted(
            {
                (_alike(o.key), o.qty, o.tif, round(o.stop_price, 6), str(o.state), o.filled)
                for o in (*state.orders, *state.recent)
                if o.leg == "entry" or o.state != "REJECTED"
            }
        ),
        "fills": [
            (_alike(e.key), e.session, e.qty, e.price, e.fee, round(e.stop, 6)) for e in events if isinstance(e, Filled)
        ],
        "book": (state.book.shares, round(state.book.cash, 6), state.booked, state.settled, state.split_on),
        "ledger": agent_ledger.rows(events),
    }


def _alike(key: str) -> str:
    """A stop that could not be sent with its entry is sent at the fill, and a lost exit is sent again after the
    stop: both under the next number."""
    return key if ":entry:" in key else key.rpartition(":")[0]
