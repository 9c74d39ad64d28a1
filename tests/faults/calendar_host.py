"""A host of the calendar sweep: the times of its passes, its clock, what it runs, and the result.

The trader, its orders and the paper broker are the real ones; the source knows no bar before it was complete.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from livetrading.adapters.bars.base import BarSet, as_of
from livetrading.adapters.brokers.paper import PaperBroker
from livetrading.adapters.calendar import KNOWN_UNTIL, calendar
from livetrading.adapters.halt import HaltLatch
from livetrading.adapters.home import Home
from livetrading.adapters.journal import Journal
from livetrading.adapters.store import Store
from livetrading.core import market
from livetrading.core.events import Decided, Filled, Missed, OrderMoved, StatusChanged, decode
from livetrading.core.features import FEATURES
from livetrading.core.windows import NEW_YORK
from livetrading.execution import replay_run
from livetrading.execution.orders.order_executor import OrderExecutor
from livetrading.execution.state.agent_repository import AgentRepository
from livetrading.execution.state.bar_series import Series
from livetrading.execution.trading.live_trader import LiveTrader
from tests.doubles.lives import Cycler
from tests.doubles.models import make_card
from tests.doubles.series import walk
from tests.faults.calendar_witness import DELAY, deadline_of, new_york, session_after, witness, witness_ready

LEAD = 40
Quarter = tuple[int, int]
"""Year, and 0 to 3."""


class HostPass(NamedTuple):
    """A pass: the true time, and the time of the host's clock."""

    true: datetime
    clock: datetime


def passes_of(days: list[date], rng: np.random.Generator) -> Iterator[tuple[str, list[HostPass]]]:
    """The passes of a host: (kind, passes) for each session, up to the next session's passes."""
    asleep = 0
    for at, day in enumerate(days[:-1]):
        close, following = witness()[day].closes, days[at + 1]
        if asleep:
            asleep -= 1
            yield "asleep", []
            continue
        kind = str(rng.choice(KINDS, p=SHARES))
        asleep = int(rng.integers(1, 7)) if kind == "asleep" else 0
        times = _of(kind, close, following, rng)
        yield (
            kind,
            [
                HostPass(true, clock)
                for true, clock in times
                if true < witness()[following].closes + DELAY - timedelta(seconds=1)
            ],
        )


KINDS = ("steady", "late", "closed lid", "too late", "asleep", "set back", "ahead", "every minute", "any time")
SHARES = (0.3, 0.12, 0.12, 0.1, 0.05, 0.1, 0.06, 0.03, 0.12)


def _of(kind: str, close: datetime, following: date, rng: np.random.Generator) -> list[tuple[datetime, datetime]]:
    """(true time, clock) of each pass from a close to before the next session's own pass."""
    minute, second = timedelta(minutes=1), timedelta(seconds=1)
    ready, deadline = close + DELAY, new_york(following, "09:20:00")
    evening = [close - second, ready - second, ready, ready + 3 * timedelta(hours=1)]
    morning = [
        new_york(following, c)
        for c in ("03:59:59", "04:00:00", "09:19:59", "09:20:01", "09:26:00", "09:31:00", "12:30:00")
    ]
    weekend = [ready + timedelta(days=n) for n in range(1, (following - ready.astimezone(NEW_YORK).date()).days)]
    span = (deadline - ready) / second
    match kind:
        case "steady":
            times = [*evening, *weekend, *morning]
        case "late":
            times = [new_york(following, "09:17:00"), deadline, *morning[3:]]
        case "closed lid":
            times = [close - 5 * minute, *weekend[:1], new_york(following, "07:00:00"), *morning[3:]]
        case "too late":
            times = [ready - second, deadline + second, *morning[4:]]
        case "every minute":
            times = [ready + n * minute for n in range(-2, 8)] + [deadline + n * minute for n in range(-8, 20)]
        case "any time":
            times = sorted(ready + timedelta(seconds=int(s)) for s in rng.uniform(-3600, span + 4 * 3600, 9))
        case "asleep":
            times = []
        case _:
            return _jumps(kind, [*evening, *weekend, *morning], rng)
    return [(t, t) for t in times]


def _jumps(kind: str, times: list[datetime], rng: np.random.Generator) -> list[tuple[datetime, datetime]]:
    """The clock is wrong for some of the passes in between, after one that saw the right time."""
    hours = float(rng.choice([1, 3, 8, 24, 100])) * (1 if kind == "ahead" else -1)
    first = int(rng.integers(3, len(times) - 3))
    wrong = range(first, first + int(rng.integers(1, 4)))
    return [(t, t + timedelta(hours=hours) if n in wrong else t) for n, t in enumerate(times)]


# -- what the host runs -----------------------------------------------------


class Tape:
    """A source that knows no bar before it was truly complete, whatever the clock says."""

    name = "tape"

    def __init__(self, frame: Any) -> None:
        self.frame, self.true = frame, datetime.min.replace(tzinfo=UTC)

    def daily(self, symbol: str, *, now: datetime) -> BarSet:
        return as_of(symbol, self.frame, self.name, "", min(now, self.true))


class Watched(PaperBroker):
    """Records each order: its ticket, the clock at that time, and the latest clock so far."""

    sent: list[tuple[Any, datetime, datetime]]
    seen: datetime

    def submit(self, ticket: Any, child: Any, now: datetime) -> Any:
        self.sent.append((ticket, now, max(self.seen, now)))
        return super().submit(ticket, child, now)


def plain_market(frame: Any, scaler: Any, features: tuple[str, ...] = FEATURES) -> market.Market:
    """The real quotes with constant features, because this sweep does not test indicators."""
    count = len(frame)
    return market.Market(
        tuple(frame.index[-1:].date), market.quotes(frame), np.full(count, 1.0), np.zeros((count, len(features)))
    )


@lru_cache
def tape_of(year: int) -> Any:
    """Bars of every session that the hosts of a year may need."""
    days = calendar().sessions(date(year - 1, 10, 1), min(date(year + 1, 1, 25), KNOWN_UNTIL))
    return walk(year, days, daily=0.01)


def days_of(year: int, quarter: int) -> list[date]:
    """A quarter's sessions and the first of the next quarter; the calendar's last one has no next."""
    sessions = sorted(witness())
    inside = [d for d in sessions if d.year == year and (d.month - 1) // 3 == quarter]
    return [*inside, *[d for d in sessions if d > inside[-1]][:1]]


class Lived(NamedTuple):
    """A quarter: counts, the digest of its journal, and what was wrong."""

    counts: Counter[str]
    digest: str
    wrong: list[str]


def live(year: int, quarter: int, root: Path) -> Lived:
    """One agent through a quarter on one host."""
    host = Host(year, quarter, root)
    kinds: Counter[str] = Counter()
    for kind, passes in passes_of(host.days, np.random.default_rng([year, quarter])):
        kinds[kind] += 1
        if passes and host.rng.random() < 0.2:
            host.restart()
        for due in passes:
            host.run_pass(due)
    noon = new_york(host.days[-1], "12:00:00")  # by then every session of the quarter is decided or missed
    host.run_pass(HostPass(noon, noon))
    return host.judge(kinds)


class Host:
    """A home with one agent, its trader and a clock."""

    def __init__(self, year: int, quarter: int, root: Path) -> None:
        self.days, self.rng = days_of(year, quarter), np.random.default_rng([year, quarter, 1])
        self.home = Home.resolve(str(root / f"{year}-{quarter}"))
        self.lead = tape_of(year).index.searchsorted(np.datetime64(self.days[0]))
        self.frame = tape_of(year).iloc[self.lead - LEAD :]
        self.card, self.tape = make_card(symbol="TEST"), Tape(self.frame)
        self.agent_id = replay_run.begin(self.home, self.card, replay_run.Terms(), self.days[0]).agent_id
        self.sent: list[tuple[Any, datetime, datetime]] = []
        self.seen = datetime.min.replace(tzinfo=UTC)
        self.honest: set[date] = set()
        self.spoilt: set[date] = set()
        self.restart()

    def restart(self) -> None:
        """As a new process: everything from disk."""
        repository = AgentRepository(self.home, self.agent_id)
        broker = Watched(Store(self.home), repository.directory / "paper.json", repository.state.agent.terms.costs)
        broker.sent, broker.seen = self.sent, self.seen
        executor = OrderExecutor(repository, broker, calendar(), HaltLatch(self.home))
        series = Series(self.frame.iloc[:LEAD], repository.rows)
        self.trader = LiveTrader(
            repository, broker, executor, self.tape, calendar(), self.card, series, lambda: Cycler(2), DELAY
        )

    def run_pass(self, due: HostPass) -> None:
        broker: Any = self.trader.broker
        self.seen = broker.seen = max(self.seen, due.clock)
        self.tape.true = due.true
        self.trader.run(due.clock)
        for day in self.days[:-1]:
            if witness_ready(day) > due.clock:
                break
            if due.clock > due.true:
                self.spoilt.add(day)
            elif self.seen <= deadline_of(day):  # a clock set back opens no window again
                self.honest.add(day)
        repository = self.trader.repository
        if repository.state.status == "blocked":  # a person checks it and starts it again
            repository.commit([StatusChanged("running", "", "a person")], due.clock)

    # -- the result ---------------------------------------------------------

    def judge(self, counts: Counter[str]) -> Lived:
        lines = list(Journal.open(self.trader.repository.directory / "journal.jsonl").lines())
        dated = [(line.at, decode(event)) for line in lines for event in line.events]
        settled = [(at, e) for at, e in dated if isinstance(e, Decided | Missed)]
        late = [(at, e.key) for at, e in dated if isinstance(e, OrderMoved) and e.tif == "DAY"]
        fills = [e for _, e in dated if isinstance(e, Filled)]
        wrong = [*self._sessions(settled), *self._orders(), *self._late_exits(late), *self._fills(fills)]
        inside = [e for _, e in settled if e.session < self.days[-1].isoformat()]
        counts["decided"] = sum(isinstance(e, Decided) for e in inside)
        counts["missed"] = sum(isinstance(e, Missed) for e in inside)
        counts["orders"] = len(self.sent)
        counts["fills"], counts["late exits"] = len(fills), len(late)
        digest = hashlib.sha256("".join(line.hash for line in lines).encode()).hexdigest()
        return Lived(counts, digest, wrong)

    def _sessions(self, settled: list[tuple[datetime, Any]]) -> Iterator[str]:
        """Each session once, in order, in its time, and decided if a pass came in time."""
        names = [e.session for _, e in settled]
        expected = [d.isoformat() for d in self.days[:-1]]
        # If the clock is ahead, sessions of the next quarter may be recorded as missed.
        if sorted(set(names)) != names:
            yield f"{self.days[0]}: sessions were recorded twice or out of order"
        yield from (f"{n} is no session but was recorded" for n in names if date.fromisoformat(n) not in witness())
        yield from (f"{n} was neither decided nor missed" for n in expected if n not in names)
        for at, event in settled:
            day = date.fromisoformat(event.session)
            if isinstance(event, Missed):
                if not event.reason:
                    yield f"{day} is missed without a reason"
                if day in self.honest and day not in self.spoilt:
                    yield f"{day} was missed ({event.reason}) though a pass came in time"
            elif not witness_ready(day) <= at <= deadline_of(day):
                yield f"{day} was decided at {at}"

    def _orders(self) -> Iterator[str]:
        for ticket, now, _ in self.sent:
            bar, leg = ticket.ref.split(":")[1:3]
            day, clock = session_after(date.fromisoformat(bar)), now.astimezone(NEW_YORK)
            if ticket.tif == "OPG" and not (clock.date() == day and "04:00" <= f"{clock:%H:%M:%S}" <= "09:20:00"):
                yield f"{ticket.ref} OPG was sent at {clock}"
            if ticket.tif == "DAY" and clock.date() in witness() and "16:00" <= f"{clock:%H:%M}" < "16:06":
                yield f"{ticket.ref} DAY was sent at {clock}, when brokers refuse it"
            if leg == "entry" and ticket.tif != "OPG":
                yield f"{ticket.ref} is an entry sent as {ticket.tif}"

    def _late_exits(self, late: list[tuple[datetime, str]]) -> Iterator[str]:
        """An exit that missed the open is sent in its session, until 15 minutes before the close."""
        for at, key in late:
            day = session_after(date.fromisoformat(key.split(":")[1]))
            if not new_york(day, "09:20:00") < at <= witness()[day].closes - timedelta(minutes=15):
                yield f"{key} was sent as DAY at {at.astimezone(NEW_YORK)}, the session closed at {witness()[day].closes.astimezone(NEW_YORK):%H:%M}"

    def _fills(self, fills: list[Any]) -> Iterator[str]:
        """No fill at an open that the clock had already passed when the order was accepted."""
        accepted = {ticket.ref: seen for ticket, _, seen in self.sent}
        for fill in fills:
            opened = calendar().open_at(date.fromisoformat(fill.session))
            if fill.leg != "stop" and accepted[fill.key] >= opened:
                yield f"{fill.key} filled at the open of {fill.session}, durable only at {accepted[fill.key]}"
        if len({fill.exec_id for fill in fills}) != len(fills):
            yield "an execution was booked twice"
