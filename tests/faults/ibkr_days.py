"""The exchange days of one agent's life in an account of the TWS double, and how the shell lives through them.

The exchange acts between the shell's steps, and exactly once; a step of the shell
may be interrupted anywhere; a new process then starts it again.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from livetrading.adapters import settings
from livetrading.adapters.brokers.ibkr.broker import IbkrConnection
from livetrading.adapters.brokers.ibkr.setup import config_of
from livetrading.adapters.home import Home
from livetrading.core.errors import LivetradingError, Unavailable
from livetrading.core.orders import OrderState
from livetrading.execution import pass_runner
from livetrading.execution.stopping import emergency_stop
from tests.doubles.account_life import AccountLife
from tests.doubles.ibkr import QUICK, await_that
from tests.doubles.lives import AGENT, FIRST, at, crash_bar
from tests.doubles.series import generated
from tests.doubles.tws.ledger import Order

BRISK = replace(QUICK, acknowledge=1.6, cancel=(0.2, 0.4), commission=1.0)
DAYS = 12
PASSES, BETWEEN = 15, timedelta(seconds=20)
DOUBT = (OrderState.PENDING_NEW, OrderState.PENDING_CANCEL)


def bars() -> pd.DataFrame:
    """A split while the shares are held, a dividend, and a low that triggers the stop."""
    t = FIRST
    frame = generated(1, t + DAYS + 2, splits={t + 2: 2.0}, dividends={t + 5: 0.25})
    return crash_bar(frame, t + 8)


@dataclass
class Played(AccountLife):
    """A life with passes every twenty seconds until nothing is left to do."""

    def _connect(self, home: Home, confirmed: str) -> IbkrConnection:
        return IbkrConnection(replace(config_of(settings.load(home), confirmed), timing=BRISK), clock=lambda: self.now)

    def caught_up(self) -> None:
        """The connection is ready and knows what the double has done."""
        await_that(self._usable, "ready")
        with suppress(Unavailable):  # the connection was lost meanwhile: the pass reports it
            self.await_reports()

    def _usable(self) -> bool:
        with suppress(Unavailable):
            return self.link.health().ready
        return False

    def passes(self, now: datetime) -> None:
        """Passes as of a scheduler, from ``now`` on."""
        for number in range(PASSES):
            self.now = now + number * BETWEEN
            self.caught_up()
            seqs = self._seqs()
            if self._pass() and seqs == self._seqs() and not self._doubts():
                return
        raise AssertionError(f"never finished: {[(o.key, str(o.state)) for o in self._open()]}")

    def _pass(self) -> bool:
        if self.node.latch.status() is not None and emergency_stop.unfinished(self.node):
            emergency_stop.stop(self.node, "", "halt latch", self.now)
        well = not pass_runner.run(self.node, self.now)[1]
        try:
            self.node.account.risk.value(
                self.node.calendar.last_complete(self.now, self.node.delay).isoformat(), self.now
            )
        except Unavailable:
            return False
        return well

    def _seqs(self) -> list[int]:
        return [d.seq for d in self.node.repositories.values()]

    def _open(self) -> list[Any]:
        return [o for d in self.node.repositories.values() for o in d.state.orders]

    def _doubts(self) -> bool:
        return any(o.state in DOUBT for o in self._open())

    def asked(self, kind: str, now: datetime, name: str, **args: Any) -> None:
        """A person's request, asked again while Interactive Brokers is away."""
        for number in range(5):
            self.now = now + number * BETWEEN  # what was refused keeps its stop for a moment before the next try
            self.caught_up()
            answer = self.ask(kind, self.now, f"{name}-{number}", **args)
            if answer["status"] == "done" or "nothing to close" in answer["message"]:
                return
        raise AssertionError(answer)

    # -- the exchange -------------------------------------------------------

    def auction(self, t: int, takes: Callable[[Order], bool] = lambda order: True) -> None:
        """At row ``t``'s open; IB ends an order that the auction does not fill."""
        self.now = at(self.sessions[t], "09:30")
        for order in list(self.tws.ledger.open_orders()):
            if order.tif == "OPG" and not takes(order):
                self.tws.happen(lambda book, ref=order.ref: book.expire(ref))
        self._trade(lambda order: order.tif == "OPG", float(self.quote(t)["open"]))

    def session(self, t: int) -> None:
        """Day orders fill at once, then stops that the low reaches."""
        self.now = at(self.sessions[t], "11:00")
        opened, low = float(self.quote(t)["open"]), float(self.quote(t)["low"])
        self._trade(lambda order: order.tif == "DAY", opened)
        self._trade(lambda order: order.type == "STP" and low <= order.aux, opened, low)

    def night(self, t: int) -> None:
        self.now = at(self.sessions[t], "03:00")
        self.split(t)

    def ended_early(self, t: int) -> None:
        """IB ends orders for the auction before it takes place."""
        self.now = at(self.sessions[t], "08:15")
        for order in [o for o in self.tws.ledger.open_orders() if o.tif == "OPG"]:
            self.tws.happen(lambda book, ref=order.ref: book.expire(ref))


@dataclass(frozen=True)
class Step:
    """What happens next; ``ours``: the shell does it, and may be killed meanwhile."""

    name: str
    act: Callable[[Played], object]
    ours: bool = True


def _passes(day: int, clock: str) -> Step:
    return Step(f"passes {day} {clock}", lambda life: life.passes(at(life.sessions[FIRST + day], clock)))


def _asked(kind: str, day: int, clock: str, **args: Any) -> Step:
    return Step(
        f"{kind} {day} {clock}",
        lambda life: life.asked(kind, at(life.sessions[FIRST + day], clock), f"{kind}-{day}", **args),
    )


def _exchange(name: str, day: int, act: Callable[[Played, int], object]) -> Step:
    return Step(f"{name} {day}", lambda life: act(life, FIRST + day), ours=False)


def _create(life: Played) -> None:
    life.now = at(life.sessions[FIRST - 1], "20:00")
    life.caught_up()
    for number in range(5):
        if life.deploy(life.now, request_id=f"create-{number}", late_entry="day")["status"] == "done":
            return
        life.caught_up()
    raise AssertionError("never created")


def _day(day: int, *between: Step, takes: Callable[[Order], bool] = lambda order: True) -> list[Step]:
    return [
        _exchange("night", day, Played.night),
        _passes(day, "08:00"),
        *between,
        _exchange("auction", day, lambda life, t: life.auction(t, takes)),
        _passes(day, "09:33"),
        _exchange("session", day, Played.session),
        _passes(day, "11:02"),
        _passes(day, "16:40"),
    ]


def _ordered(kind: str, day: int) -> list[Step]:
    """A person's request in the session, which sells at once."""
    return [
        _exchange("night", day, Played.night),
        _passes(day, "08:00"),
        _exchange("auction", day, Played.auction),
        _passes(day, "09:33"),
        _asked(kind, day, "10:30"),
        _passes(day, "10:31"),
        _exchange("session", day, Played.session),
        _passes(day, "11:02"),
        _passes(day, "16:40"),
    ]


def story() -> list[Step]:
    """All steps of an agent's life in an account; the policy sells at every second close."""
    early = [_exchange("ended early", 6, Played.ended_early), _passes(6, "08:30")]
    return [
        Step("create", _create),
        _passes(0, "16:40"),
        *_day(1),
        *_day(2),
        *_day(3),
        *_day(4, takes=lambda order: order.action == "SELL"),
        *_day(5),
        *_day(6, *early),
        *_day(7),
        *_day(8),
        *_ordered("close", 9),
        *_day(10),
        *_ordered("emergency_stop", 11),
        _asked("rearm", 11, "20:00"),
        _asked("remove", 11, "20:10"),
    ]


__all__ = ["AGENT", "BRISK", "LivetradingError", "Played", "Step", "bars", "story"]
