"""Two agents on one symbol in one account of the TWS double, at random: part fills in any order, trades by
hand, one closed while the other holds, and fills that arrive in the middle of a pass.

After every event the two books and the unmanaged shares are the account's position; one agent is never blocked,
nor its orders withdrawn, because of the other. A trade by hand blocks both until a person says whose it is.
"""

import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from livetrading.execution.agent_manager import AgentManager
from livetrading.execution.state import requests
from livetrading.execution.state.agent_repository import events_of
from tests.doubles.account_life import CAPITAL, TEST, in_account
from tests.doubles.lives import FIRST, Cycler, at
from tests.doubles.series import generated
from tests.doubles.tws import Ledger, TwsDouble
from tests.doubles.tws.ledger import Event, Order

from .ibkr_days import Played
from .ibkr_worlds import Points, World, opened, watched

AGENTS = ("PPO_TEST_001", "PPO_TEST_002")
DAYS = 7
TAKEN_BACK = "the broker holds"
"""Start of the reason of a sale that is withdrawn because the shares are not in the account."""


@dataclass
class Two:
    """One generated history."""

    seed: int
    version: int = 157
    counts: Counter[str] = field(default_factory=Counter)
    wrongs: list[str] = field(default_factory=list)

    def live(self) -> "Two":
        self.dice = random.Random(self.seed)
        splits = {FIRST + self.dice.randrange(2, DAYS): self.dice.choice((2.0, 1.5))}
        frame = generated(self.seed % 7 + 1, FIRST + DAYS + 2, splits=splits, daily=0.03)
        with tempfile.TemporaryDirectory() as folder, TwsDouble(self.version) as tws:
            made = in_account(Path(folder), frame, Cycler(self.dice.choice((1, 2))), tws, CAPITAL)
            made.node.close()
            tws.ledger.positions[TEST.con_id] = (float(self.dice.choice((0, 31))), 9.0)
            self.life = opened(made.home.root, _played(made), tws, made.now)
            self.world = World(tws, self.life, self.wrongs)
            tws.watchers.append(self._one_side)
            try:
                self._days()
            except AssertionError as error:
                self.wrongs.append(str(error))
            finally:
                self.life.node.close()
        return self

    def _days(self) -> None:
        late = self.dice.randrange(0, 3)
        self._create(AGENTS[0], 0)
        for day in range(DAYS):
            if day == late:
                self._create(AGENTS[1], day)
            if day:
                self._day(FIRST + day)
            self._passes(FIRST + day, "16:40")

    def _day(self, t: int) -> None:
        life = self.life
        life.night(t)
        self._passes(t, "08:00")
        life.now = at(life.sessions[t], "09:30")
        for clock in ("09:30", "09:31", "09:32"):
            self._some(t, lambda o: o.tif == "OPG")
            self._passes(t, clock)
        for order in self._working(lambda o: o.tif == "OPG"):  # what the auction did not take
            life.tws.happen(lambda book, ref=order.ref: book.expire(ref))
        self._passes(t, "09:34")
        if self.dice.random() < 0.15:
            self._by_hand(t)
        if self.dice.random() < 0.3:
            self._close(t, self.dice.choice(AGENTS))
        for clock in ("10:40", "11:20"):
            self._some(t, lambda o: o.tif == "DAY" or (o.type == "STP" and self.dice.random() < 0.15))
            self._passes(t, clock)
        life.now = at(life.sessions[t], "15:00")
        life.tws.happen(lambda book: _all(book, lambda o: o.tif == "DAY", self._price(t)))
        self._passes(t, "15:01")

    # -- what happens ---------------------------------------------------------

    def _create(self, agent_id: str, day: int) -> None:
        life = self.life
        life.now = at(life.sessions[FIRST + day - 1], "20:00")
        life.caught_up()
        answer = life.deploy(life.now, request_id=agent_id, late_entry=self.dice.choice(("skip", "day")))
        assert answer["status"] == "done", answer

    def _working(self, wanted: Callable[[Order], bool]) -> list[Order]:
        ledger = self.life.tws.ledger
        return [o for o in ledger.orders if o.live and o.perm_id and not o.waits and wanted(o)]

    def _price(self, t: int) -> float:
        return float(self.life.quote(t)["open"])

    def _some(self, t: int, wanted: Callable[[Order], bool]) -> None:
        """Fills parts of the working orders, in any order; some during the next pass."""
        orders = self._working(wanted)
        self.dice.shuffle(orders)
        self._later: list[tuple[Order, float, float]] = []
        for order in orders:
            qty = order.remaining if self.dice.random() < 0.5 else float(self.dice.randint(1, int(order.remaining)))
            price = order.aux if order.type == "STP" else self._price(t)
            self.counts[f"fill of a {order.type} {order.action}"] += 1
            if self.dice.random() < 0.5:
                self._later.append((order, qty, price))
            else:
                self.life.tws.happen(lambda book, o=order, q=qty, p=price: book.fill(o, q, p))

    def _strike(self) -> None:
        for order, qty, price in self._later:
            if order.live and order.remaining >= qty:
                self.counts["fill during a pass"] += 1
                self.life.tws.happen(lambda book, o=order, q=qty, p=price: book.fill(o, q, p))
        self._later = []

    def _passes(self, t: int, clock: str) -> None:
        later = getattr(self, "_later", [])
        points = Points(fatal=self.dice.randrange(20), act=self._strike) if later else Points()
        with watched(points, reads=True):
            self.life.passes(at(self.life.sessions[t], clock))
        if later:
            self._strike()
            self.life.passes(self.life.now)
        self._check(f"{self.life.sessions[t]} {clock}")

    def _by_hand(self, t: int) -> None:
        """A person trades the same shares: the program cannot know whose they are until the person says so."""
        self.counts["trade by hand"] += 1
        signed = (
            self.dice.choice((7.0, -7.0)) if self.life.node.account.shares.unmanaged(self._states()[0]) > 7 else 7.0
        )
        life, ledger = self.life, self.life.tws.ledger
        life.now = at(life.sessions[t], "09:50")
        ledger.positions[TEST.con_id] = (ledger.positions[TEST.con_id][0] + signed, 9.0)
        life.tws.happen(lambda book: [("position", TEST)])
        life.passes(at(life.sessions[t], "09:50"))
        life.passes(at(life.sessions[t], "09:55"))
        blocked = [s.agent.agent_id for s in self._states() if s.status == "blocked"]
        if len(blocked) != len(self._states()):
            self.wrongs.append(f"after a trade by hand only {blocked} are blocked")
        self._ask("ignore", self.dice.choice(blocked), t, "09:56")
        for agent_id in blocked:
            self._ask("start", agent_id, t, "09:57")
        self._passes(t, "09:58")

    def _close(self, t: int, agent_id: str) -> None:
        repository = self.life.node.repositories.get(agent_id)
        if repository is None or repository.state.flat:
            return
        self.counts["close"] += 1
        self._ask("close", agent_id, t, "10:30")
        self._passes(t, "10:31")

    def _ask(self, kind: str, agent_id: str, t: int, clock: str) -> None:
        life = self.life
        life.now = at(life.sessions[t], clock)
        life.caught_up()
        made = requests.submit(life.store, kind, agent_id=agent_id, args={}, by="test", request_id=None, now=life.now)
        AgentManager(life.node).apply_pending(life.now)
        answer = requests.outcome(life.store, made)
        assert answer is not None and answer["status"] == "done", answer

    # -- what must hold ----------------------------------------------------------

    def _states(self) -> list[Any]:
        return [d.state for d in self.life.node.repositories.values()]

    def _check(self, when: str) -> None:
        states, held = self._states(), self.life.tws.ledger.holds("TEST")
        ours = sum(s.book.shares for s in states) + self.life.node.account.shares.unmanaged(states[0])
        if ours != held:
            self.wrongs.append(f"{when}: {ours} in the books and unmanaged, {held} in the account")
        for state in states:
            name = state.agent.agent_id
            if state.status != "running":
                self.wrongs.append(f"{when}: {name} is {state.status}: {state.status_reason}")
            moves = [e for _, batch in events_of(self.life.home.agent(name)) for e in batch]
            taken = [e.reason for e in moves if type(e).__name__ == "OrderMoved" and e.reason.startswith(TAKEN_BACK)]
            if taken:
                self.wrongs.append(f"{when}: {name}: {taken}")
            bare = not state.flat and not state.open_orders()
            if bare:
                self.wrongs.append(f"{when}: {name} holds {state.book.shares} without a stop")
        assert not self.wrongs, self.wrongs[0]

    def _one_side(self, ledger: Ledger) -> None:
        """No agent buys in the auction in which another one sells."""
        sides = {o.action for o in ledger.orders if o.live and o.perm_id and o.type == "MKT" and o.tif == "OPG"}
        if len(sides) > 1:
            self.wrongs.append("both sides in one auction")


def _played(made: Any) -> Played:
    return Played(made.home, made.frame, made.model_id, made.csv, made.policy, made.terms, "ibkr", made.tws, made.now)


def _all(book: Ledger, wanted: Callable[[Order], bool], price: float) -> list[Event]:
    found: list[Event] = []
    for order in [o for o in book.orders if o.live and o.perm_id and not o.waits and wanted(o)]:
        found += book.fill(order, order.remaining, price)
    return found


def run(seeds: Iterable[int], version: int = 157) -> tuple[Counter[str], list[str]]:
    counts: Counter[str] = Counter()
    wrongs: list[str] = []
    for seed in seeds:
        two = Two(seed, version).live()
        counts += two.counts
        wrongs += [f"seed {seed}: {w}" for w in two.wrongs[:3]]
    return counts, wrongs
