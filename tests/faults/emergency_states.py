"""All states of an order's life in which an emergency stop may find an agent, each made by running an agent up to it."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

from livetrading.adapters import files
from livetrading.adapters.brokers.paper import PaperBroker
from livetrading.adapters.home import Home
from livetrading.core.errors import Unavailable
from livetrading.core.events import StatusChanged
from livetrading.core.types import Leg
from livetrading.execution.trading import replay
from tests.doubles.lives import AGENT, FIRST, Cycler, Life, a_life, at, crash_bar, until
from tests.doubles.series import generated

ROWS = FIRST + 30
Make = Callable[[Life], datetime]


@dataclass(frozen=True)
class Template:
    """A home in some state, and the time at which it reached it."""

    name: str
    life: Life
    home: Path
    since: datetime

    def copy(self, root: Path) -> Life:
        """The same home, opened as by a new process."""
        shutil.copytree(self.home, root, ignore=shutil.ignore_patterns("*.lock"))
        return reopened(self.life, root)


def reopened(life: Life, root: Path) -> Life:
    files.sweep(root)
    return Life(Home(root), life.frame, life.model_id, life.csv, life.policy, life.terms, life.mode)


def template(root: Path, name: str, agents: int = 1) -> Template:
    """Bring a home of ``agents`` equal agents into the named state."""
    mode, make = STATES[name]
    frame = generated(1, ROWS)
    if make is _stop_hit:
        frame = crash_bar(frame, FIRST + 2)
    folder = root / f"{name.replace(' ', '-')}-{agents}"
    folder.mkdir(parents=True)
    life = a_life(folder, frame, Cycler(), mode=mode, model_rows=ROWS if mode == "replay" else None)
    for number in range(agents):
        life.create(at(life.sessions[FIRST - 1], "20:00"), request_id=f"create{number}")
    return Template(name, life, life.home.root, make(life))


# -- how to reach each state ------------------------------------------------


def _now(life: Life, row: int, clock: str) -> datetime:
    return at(life.sessions[row], clock)


def _check(life: Life, row: int, clock: str) -> datetime:
    life.check(_now(life, row, clock))
    return _now(life, row, clock)


def _fresh(life: Life) -> datetime:
    return _now(life, FIRST - 1, "20:00")


def _planned(life: Life) -> datetime:
    return _check(life, FIRST, "16:40")


def _sent(life: Life) -> datetime:
    _planned(life)
    return _check(life, FIRST + 1, "08:00")


def _unanswered(arrived: bool) -> Make:
    def make(life: Life) -> datetime:
        _planned(life)
        real = PaperBroker.submit

        def silent(self: PaperBroker, *args: Any) -> None:
            if arrived:
                real(self, *args)
            raise Unavailable("The broker does not answer; it is asked again.")

        with mock.patch.object(PaperBroker, "submit", silent):
            return _check(life, FIRST + 1, "08:00")

    return make


def _held(life: Life) -> datetime:
    return _now(life, until(lambda: not life.state.flat, life, FIRST) - 1, "16:40")


def _exit_planned(life: Life) -> datetime:
    return _now(life, until(lambda: bool(life.state.open_orders(Leg.EXIT)), life, FIRST) - 1, "16:40")


def _exit_sent(life: Life) -> datetime:
    return _check(life, until(lambda: bool(life.state.open_orders(Leg.EXIT)), life, FIRST), "08:00")


def _asked(first: Make, kind: str, clock: str, later: int = 0) -> Make:
    def make(life: Life) -> datetime:
        day = first(life).date()
        row = life.sessions.index(day) + later
        answer = life.ask(kind, _now(life, row, clock))
        assert answer["status"] == "done", answer
        return _now(life, row, clock)

    return make


def _blocked(life: Life) -> datetime:
    since = _held(life)
    life.repository.commit([StatusChanged("blocked", "a test", "test")], since)
    return since


def _stop_hit(life: Life) -> datetime:
    life.day(FIRST)
    life.day(FIRST + 1)
    assert not life.state.flat
    return _now(life, FIRST + 2, "09:45")


def _replayed(condition: Callable[[Any], bool]) -> Make:
    def make(life: Life) -> datetime:
        trader = life.node.trader(AGENT)
        while not condition(life.state) and replay.advance(trader):
            pass
        assert condition(life.state)
        return datetime(2013, 1, 2, 15, tzinfo=UTC)

    return make


STATES: dict[str, tuple[str, Make]] = {
    "nothing decided": ("paper", _fresh),
    "entry planned": ("paper", _planned),
    "entry at the broker": ("paper", _sent),
    "entry arrived without an answer": ("paper", _unanswered(True)),
    "entry lost on its way": ("paper", _unanswered(False)),
    "position with its stop": ("paper", _held),
    "stop hit and not yet known": ("paper", _stop_hit),
    "exit planned": ("paper", _exit_planned),
    "exit at the broker": ("paper", _exit_sent),
    "close at night": ("paper", _asked(_held, "close", "20:00")),
    "close in session": ("paper", _asked(_held, "close", "11:00", 1)),
    "entry crossed by a close": ("paper", _asked(_sent, "close", "11:00")),
    "paused holding": ("paper", _asked(_held, "pause", "17:00")),
    "paused with a cancel in doubt": ("paper", _asked(_sent, "pause", "11:00")),
    "blocked holding": ("paper", _blocked),
    "removed": ("paper", _asked(_fresh, "remove", "20:30")),
    "replay with an entry planned": ("replay", _replayed(lambda s: bool(s.open_orders(Leg.ENTRY)))),
    "replay holding": ("replay", _replayed(lambda s: not s.flat)),
    "replay with an exit planned": ("replay", _replayed(lambda s: bool(s.open_orders(Leg.EXIT)))),
    "replay finished": ("replay", _replayed(lambda s: s.status == "finished")),
}
