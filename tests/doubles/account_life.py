"""An agent in an account of the TWS double, on a virtual clock; the test plays the exchange's days."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from livetrading.adapters import settings
from livetrading.adapters.brokers.ibkr.broker import IbkrConnection
from livetrading.adapters.brokers.ibkr.setup import config_of
from livetrading.adapters.calendar import calendar
from livetrading.adapters.home import Home
from livetrading.core import rules
from livetrading.core.types import Costs, Terms
from livetrading.execution import pass_runner
from livetrading.execution.node import Node
from livetrading.execution.trading.pass_result import PassResult
from tests.doubles.ibkr import QUICK, await_that
from tests.doubles.lives import FIRST, Known, Life, a_life, at
from tests.doubles.tws import TwsDouble
from tests.doubles.tws.ledger import Listing

TEST = Listing(4711, "TEST")
COSTS = Costs(regulatory=False)
"""The double charges a commission and no regulatory fees."""
CAPITAL = Terms(10_000.0, costs=COSTS)


@dataclass
class AccountLife(Life):
    """A life whose broker is the double. ``now`` is the clock of program and double."""

    tws: TwsDouble = field(default=None)  # type: ignore[assignment]
    now: datetime = field(default=None)  # type: ignore[assignment]

    def restart(self) -> Node:
        if hasattr(self, "node"):
            self.node.close()
        node = Node(self.home, calendar(), patience=20.0)
        node.registry = Known(self.home, self.policy)
        node.account.connection.connect = self._connect
        node.open()
        self.node = node
        return node

    def _connect(self, home: Home, confirmed: str) -> IbkrConnection:
        return IbkrConnection(replace(config_of(settings.load(home), confirmed), timing=QUICK), clock=lambda: self.now)

    @property
    def link(self) -> IbkrConnection:
        return self.node.account.connection.ready()

    def deploy(self, now: datetime, request_id: str | None = None, **more: Any) -> dict[str, Any]:
        self.now = now
        return self.ask(
            "create",
            now,
            request_id,
            model_id=self.model_id,
            mode="ibkr",
            source=f"csv:{self.csv}",
            job_id="tested",
            capital=self.terms.capital,
            costs=vars(COSTS),
            **more,
        )

    def ask(self, kind: str, now: datetime, request_id: str | None = None, **args: Any) -> dict[str, Any]:
        self.now = now
        return super().ask(kind, now, request_id, **args)

    def check(self, now: datetime) -> PassResult:
        self.now = now
        return super().check(now)

    def tried(self, now: datetime) -> tuple[PassResult, dict[str, str]]:
        """A pass that may fail, and what failed."""
        self.now = now
        return pass_runner.run(self.node, now)

    # -- what the exchange does ---------------------------------------------

    def quote(self, t: int) -> pd.Series:
        return self.frame.iloc[t]

    def split(self, t: int) -> None:
        """In the night IB converts the position and cancels the working stops."""
        ratio, ledger = float(self.quote(t)["split"]), self.tws.ledger
        if ratio == 1.0:
            return
        for order in [o for o in ledger.open_orders() if o.type == "STP"]:
            self.tws.happen(lambda book, ref=order.ref: book.expire(ref))
        held, cost = ledger.positions.get(TEST.con_id, (0.0, 0.0))
        if held:
            ledger.positions[TEST.con_id] = (float(rules.whole(held, ratio)), cost / ratio)
            self.tws.happen(lambda book: [("position", TEST)])

    def opens(self, t: int) -> None:
        """The auction at row ``t``'s open, with the slippage that our costs assume."""
        self.now = at(self.sessions[t], "09:30")
        self._trade(lambda order: order.tif == "OPG", float(self.quote(t)["open"]))
        self.await_reports()

    def trades(self, t: int) -> None:
        """The session after the open: day orders at once, then stops that its low reaches."""
        self.now = at(self.sessions[t], "11:00")
        opened, low = float(self.quote(t)["open"]), float(self.quote(t)["low"])
        self._trade(lambda order: order.tif == "DAY", opened)
        self._trade(lambda order: order.type == "STP" and low <= order.aux, opened, low)
        self.await_reports()

    def _trade(self, wanted: Any, opened: float, low: float = np.inf) -> None:
        slip = rules.slip(COSTS)
        for order in list(self.tws.ledger.open_orders()):
            if order.listing.symbol == TEST.symbol and order.live and not order.waits and wanted(order):
                price = min(opened, order.aux) if order.type == "STP" else opened
                price *= 1 + slip if order.action == "BUY" else 1 - slip
                self.tws.happen(lambda book, o=order, p=price: book.fill(o, o.remaining, p))

    def await_reports(self) -> None:
        """Wait until all reports of the double have arrived at the connection."""
        register, ledger = self.link.session.register, self.tws.ledger
        today = [fill.exec_id for fill in ledger.todays_fills()]
        await_that(lambda: all(exec_id in register.commissions for exec_id in today), "fills reported")
        held = ledger.positions.get(TEST.con_id, (0.0, 0.0))[0]
        await_that(lambda: register.positions.get((ledger.account, TEST.con_id), 0) == held, "position reported")

    def live(self, t: int) -> PassResult:
        """The whole day of row ``t``: night, morning, open, trading, evening."""
        self.now = at(self.sessions[t], "03:00")
        self.split(t)
        done = self.check(at(self.sessions[t], "08:00"))
        self.opens(t)
        done.add(self.check(at(self.sessions[t], "09:33")))
        self.trades(t)
        done.add(self.check(at(self.sessions[t], "15:00")))
        done.add(self.check(at(self.sessions[t], "16:40")))
        return done


def in_account(
    root: Path, frame: pd.DataFrame, policy: Any, tws: TwsDouble, terms: Terms = CAPITAL, **set_up: Any
) -> AccountLife:
    """A home that trades the double's account; its agent is not deployed yet."""
    life = a_life(root, frame, policy, terms=terms, mode="ibkr")
    wanted = {"ibkr_port": tws.port, "ibkr_restart": "", "ibkr_paper_open": "auction", **set_up}
    for key, value in wanted.items():
        settings.save(life.home, key, value)
    tws.listed.append(TEST)
    tws.ledger.add(TEST)
    now = at(life.sessions[FIRST - 1], "20:00")
    made = AccountLife(life.home, frame, life.model_id, life.csv, policy, terms, "ibkr", tws, now)
    tws.ledger.clock = lambda: made.now
    return made
