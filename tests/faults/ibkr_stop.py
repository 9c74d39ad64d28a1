"""An emergency stop of twenty agents in one account of the TWS double, through the whole shell.

Some have an entry planned, some one at the broker, some hold shares under a stop, some sell
at the open. The broker must report every purchase and every stop as cancelled within five
seconds, nothing more may be bought, and a person's own shares do not change.
"""

import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from livetrading.core.types import Action
from livetrading.execution.orders.order_plans import planned_entry, planned_exit
from tests.doubles.account_life import CAPITAL, TEST, in_account
from tests.doubles.lives import FIRST, Always, at
from tests.doubles.series import generated
from tests.doubles.tws import Fault, Ledger, TwsDouble
from tests.doubles.tws.ledger import Order

from .ibkr_days import Played
from .ibkr_worlds import Killed, Points, World, opened, watched

AGENTS, GROUP, QTY, OWN = 20, 5, 10, 300
WITHIN = 5.0
REQUEST = "the-stop"


@dataclass
class Stop:
    """One trial. ``trouble``: none, "drop" of the connection, "silence" about one cancel, or "kill" at a point."""

    version: int = 157
    trouble: str = ""
    all_orders: bool = False
    fatal: int = -1
    seconds: float = 0.0
    points: int = 0
    wrongs: list[str] = field(default_factory=list)

    def run(self) -> "Stop":
        with tempfile.TemporaryDirectory() as folder, TwsDouble(self.version) as tws:
            self.world = _world(Path(folder), tws, self.wrongs)
            try:
                self._prepare()
                self._stop()
                self._flatten()
            except AssertionError as error:
                self.wrongs.append(str(error))
            finally:
                self.life.node.close()
        return self

    @property
    def life(self) -> Played:
        return self.world.life

    # -- before -----------------------------------------------------------------

    def _prepare(self) -> None:
        """Agents 1-5 sell, 6-10 hold, 11-15 have an entry at the broker, 16-20 one that is planned."""
        life, ledger = self.life, self.life.tws.ledger
        for number in range(AGENTS):
            answer = life.deploy(at(life.sessions[FIRST - 1], "20:00"), request_id=f"create-{number}")
            assert answer["status"] == "done", answer
        life.passes(at(life.sessions[FIRST], "16:40"))
        self._plan(FIRST, range(2 * GROUP), "entry", "17:00")
        life.passes(at(life.sessions[FIRST + 1], "08:00"))
        life.auction(FIRST + 1)
        life.passes(at(life.sessions[FIRST + 1], "09:33"))
        life.passes(at(life.sessions[FIRST + 1], "16:40"))
        self._plan(FIRST + 1, range(2 * GROUP, 3 * GROUP), "entry", "17:00")
        life.passes(at(life.sessions[FIRST + 2], "08:00"))
        self._plan(FIRST + 1, range(GROUP), "exit", "17:01")
        life.passes(at(life.sessions[FIRST + 2], "08:10"))
        self._plan(FIRST + 1, range(3 * GROUP, AGENTS), "entry", "17:02")
        found = sorted((o.action, o.type) for o in ledger.open_orders())
        meant = [("BUY", "MKT")] * GROUP + [("SELL", "MKT")] * GROUP + [("SELL", "STP")] * 2 * GROUP
        assert found == sorted([*meant, ("BUY", "STP")]), found

    def _plan(self, t: int, numbers: range, leg: str, clock: str) -> None:
        life, bar = self.life, self.life.sessions[t].isoformat()
        for number in numbers:
            executor = life.node.executor(f"PPO_TEST_{number + 1:03d}")
            now = at(life.sessions[t], clock)
            low = round(float(life.quote(t)["close"]) * 0.9, 2)
            events = (
                planned_entry(executor.repository.state, bar, QTY, low, now)
                if leg == "entry"
                else planned_exit(executor.repository.state, bar, now)
            )
            executor.repository.commit(events, now)

    # -- the stop ----------------------------------------------------------------

    def _stop(self) -> None:
        life, tws = self.life, self.life.tws
        refs = {o.ref for o in tws.ledger.open_orders() if self.all_orders or ":entry:" in o.ref or ":stop:" in o.ref}
        refs = {r for r in refs if self.all_orders is False or ":exit:" not in r}
        if self.trouble == "drop":
            tws.fail(Fault("drop_after", message=4, skip=7), Fault("drop_before", message=58))
        if self.trouble == "silence":
            tws.fail(Fault("swallow", message=4, skip=4), Fault("refuse", message=4, skip=9))
        before, started, points = len(tws.received), time.monotonic(), Points(self.fatal)
        ended: list[float] = []

        def ends(ledger: Ledger) -> None:
            if not any(o.live for o in ledger.orders if o.ref in refs):
                ended.append(time.monotonic())

        tws.watchers.append(ends)
        now = at(life.sessions[FIRST + 2], "08:30")
        try:
            with watched(points):
                life.ask("emergency_stop", now, REQUEST, reason="test", all_orders=self.all_orders)
        except Killed:
            self.world.reborn()
            self.life.ask("emergency_stop", now, REQUEST, reason="test", all_orders=self.all_orders)
        self.life.passes(now)
        self.points = len(points.names)
        bought = [h for h in tws.received[before:] if h.id == 3 and "BUY" in h.fields]
        self.wrongs += [f"{len(bought)} purchases were sent after the stop"] if bought else []
        self.wrongs += (
            [] if ended else [f"never cancelled: {[o.ref for o in tws.ledger.orders if o.live and o.ref in refs]}"]
        )
        self.seconds = ended[0] - started if ended else 0.0
        if self.seconds > WITHIN:
            self.wrongs.append(f"took {self.seconds:.1f} s at a load of {os.getloadavg()[0]:.0f}")

    def _flatten(self) -> None:
        life, ledger = self.life, self.life.tws.ledger
        life.auction(FIRST + 2)
        life.passes(at(life.sessions[FIRST + 2], "09:33"))
        life.session(FIRST + 2)
        life.passes(at(life.sessions[FIRST + 2], "11:02"))
        left = [d.agent_id for d in life.node.repositories.values() if not d.state.idle or d.state.status != "stopped"]
        self.wrongs += [f"not flat and stopped: {left}"] if left else []
        if ledger.holds("TEST") != OWN:
            self.wrongs.append(f"the account holds {ledger.holds('TEST')}, a person's own are {OWN}")
        working = [o.ref for o in ledger.open_orders()]
        if working != ([] if self.all_orders else ["by hand"]):
            self.wrongs.append(f"afterwards there work {working}")


def _world(root: Path, tws: TwsDouble, wrongs: list[str]) -> World:
    made = in_account(root, generated(1, FIRST + 5), Always(Action.HOLD), tws, CAPITAL, max_orders_a_day=1000)
    made.node.close()
    tws.ledger.positions[TEST.con_id], tws.ledger.cash = (float(OWN), 9.0), 1_000_000.0
    own = Order(1, 0, TEST, "BUY", 3.0, "STP", 0.01, "GTC", "by hand", tws.ledger.account, 0, True)
    tws.happen(lambda ledger: ledger.place(own))
    like = Played(made.home, made.frame, made.model_id, made.csv, made.policy, made.terms, "ibkr", tws, made.now)
    return World(tws, opened(made.home.root, like, tws, made.now), wrongs)


def sweep(version: int, step: int = 10) -> tuple[int, float, list[str]]:
    """Every trouble in both scopes, and a kill at every ``step``th point: trials, slowest cancel, wrongs."""
    plain = [Stop(version, trouble, scope).run() for trouble in ("", "drop", "silence") for scope in (False, True)]
    done = plain + [Stop(version, "kill", n % (2 * step) == 0, n).run() for n in range(0, plain[0].points, step)]
    return (
        len(done),
        max(s.seconds for s in done),
        [f"{s.version} {s.trouble} {'all' if s.all_orders else 'ours'} {s.fatal}: {w}" for s in done for w in s.wrongs],
    )
