"""Up to ten agents on one account: ``python -m tests.faults.shared_account``; HISTORIES=5000, FAST=1 for a slice.

After every event the agents' shares and the unmanaged ones are the broker's position,
money agrees to the cent with an oracle, and no agent is changed by another's close.
"""

import os
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

from livetrading.core import account
from livetrading.core import agent as agents
from livetrading.core.agent import AgentConfig, AgentState
from livetrading.core.events import (
    Created,
    Deposited,
    DividendPaid,
    Event,
    Marked,
    OrderMoved,
    OrderPlanned,
    SplitApplied,
    decode,
    encode,
)
from livetrading.core.order_key import OrderKey
from livetrading.core.orders import Order
from livetrading.core.types import AgentType, Leg, Mode
from livetrading.execution.orders import execution_reports
from livetrading.execution.orders.order_plans import ticket_of
from tests.doubles.account_oracle import AccountOracle
from tests.doubles.shared_account import SharedAccount, View

NOW = datetime(2024, 6, 3, 12, 0, tzinfo=UTC)
SYMBOLS = ("AAA", "BBB", "CCC")
RATIOS = (Fraction(2), Fraction(3), Fraction(3, 2), Fraction(1, 2), Fraction(1, 10), Fraction(7, 5), Fraction(1, 3))
CAPITAL = 10_000.0
EVENTS = 60
FAST_HISTORIES = 150
NUMBERS = ("001", "0010", "00100", "002", "0020")
"""Of agents: ``PPO_AAA_0010`` begins as ``PPO_AAA_001``, and neither may take the other's fills."""


@dataclass
class History:
    """One generated history; ``wrongs`` says what did not hold, and after which event."""

    seed: int
    wrongs: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.symbols = self._named(self.chance.randint(1, 10))
        self.shared = SharedAccount(random.Random(self.seed + 1))
        self.oracle = AccountOracle(self.symbols, CAPITAL)
        self.states = {name: self._born(name) for name in self.symbols}
        self.journals: dict[str, list[Event]] = {name: [] for name in self.symbols}
        self.unmanaged = dict.fromkeys(SYMBOLS, 0)
        self.prices = {symbol: round(self.chance.uniform(5, 300), 2) for symbol in SYMBOLS}
        self.day = date(2024, 6, 3)
        self.views = {name: self._view(name) for name in self.symbols}

    def _named(self, count: int) -> dict[str, str]:
        of_all = [(f"PPO_{s}_{n}", s) for s in SYMBOLS[: self.chance.randint(1, 3)] for n in NUMBERS]
        more = [(f"SAC_AAA_{n:03d}", "AAA") for n in range(1, 11)]
        return dict(self.chance.sample(of_all + more, count))

    def _born(self, name: str) -> AgentState:
        config = AgentConfig(
            name, "model", AgentType(name[:3]), self.symbols[name], Mode.BROKER, "yahoo", broker="ibkr"
        )
        return agents.fold([Created(config.to_dict()), Deposited(CAPITAL)])

    def _view(self, name: str) -> View:
        symbol = self.symbols[name]
        holdings = lambda: {n: self.states[n].book.shares for n in self.oracle.on(symbol)}  # noqa: E731
        return View(self.shared, name, symbol, holdings, lambda: self.unmanaged[symbol])

    # -- events -----------------------------------------------------------

    def live(self) -> None:
        acts = {
            self._enter: 14,
            self._leave: 9,
            self._fill: 30,
            self._cancel: 4,
            self._close: 4,
            self._by_hand: 9,
            self._split: 4,
            self._dividend: 4,
            self._mark: 6,
        }
        for n in range(EVENTS):
            (act,) = self.chance.choices(list(acts), list(acts.values()))
            what = act.__name__.strip("_")
            if act():
                self.counts[what] += 1
                self._sync()
                self._judge(f"event {n}, {what}")
        self._mark()
        self._judge("the last mark")
        self._judge_journals()

    def _apply(self, name: str, *events: Event) -> None:
        self.states[name] = agents.fold(events, self.states[name])
        self.journals[name] += events

    def _sync(self) -> None:
        for name, view in self.views.items():
            self._apply(name, *execution_reports.news(self.states[name], view))

    def _any(self) -> str:
        return self.chance.choice(list(self.symbols))

    def _order(self, name: str, leg: Leg, qty: int) -> str:
        state, bar = self.states[name], self.day.isoformat()
        order = Order(state.next_key(bar, leg), leg, qty, bar, "STP" if leg == Leg.STOP else "MKT", stop_price=1.0)
        self._apply(name, OrderPlanned(order.to_dict()), OrderMoved(order.key, "PENDING_NEW"))
        self.views[name].submit(ticket_of(order), None, NOW)
        return order.key

    def _enter(self) -> bool:
        name = self._any()
        if not self.states[name].idle:
            return False
        self._order(name, Leg.ENTRY, self.chance.randint(1, 300))
        return True

    def _leave(self) -> bool:
        name = self._any()
        state = self.states[name]
        if state.flat or any(o.side == "SELL" for o in state.orders):
            return False
        self._order(name, self.chance.choice([Leg.EXIT, Leg.STOP]), state.book.shares)
        return True

    def _fill(self) -> bool:
        refs = [r for symbol in SYMBOLS for r in self.shared.live(symbol)]
        return bool(refs) and self._deal(self.chance.choice(refs), whole=self.chance.random() < 0.4)

    def _deal(self, ref: str, whole: bool) -> bool:
        order, name = self.shared.orders[ref], next(n for n, s in self.states.items() if s.order(ref))
        left = order.qty - order.filled
        if order.side == "SELL":
            left = min(left, self.states[name].book.shares)
        if left < 1:
            return False
        symbol = self.symbols[name]
        price = round(self.prices[symbol] * self.chance.uniform(0.95, 1.05), 4)
        qty, fee = left if whole else self.chance.randint(1, left), round(self.chance.uniform(0.3, 3.0), 2)
        signed = self.shared.fill(ref, qty, self.day.isoformat(), price, fee)
        self.oracle.deal(name, symbol, signed, price, fee)
        return True

    def _cancel(self) -> bool:
        refs = [r for symbol in SYMBOLS for r in self.shared.live(symbol)]
        if refs:
            self.shared.cancel(self.chance.choice(refs))
        return bool(refs)

    def _close(self) -> bool:
        """One agent cancels its orders and sells all its shares; the others do not change."""
        name = self._any()
        others = {n: (s, self.views[n].position()) for n, s in self.states.items() if n != name}
        theirs = {r: o for r, o in self.shared.orders.items() if OrderKey.owner(r) != name}
        for order in self.states[name].open_orders():
            self.shared.cancel(order.key)
        self._sync()
        if not self.states[name].flat:
            key = self._order(name, Leg.EXIT, self.states[name].book.shares)
            while not self.states[name].flat:
                self._deal(key, whole=self.chance.random() < 0.5)
                self._sync()
        moved = [n for n, before in others.items() if (self.states[n], self.views[n].position()) != before]
        if moved or not self.states[name].idle or theirs != {r: self.shared.orders[r] for r in theirs}:
            self.wrongs.append(f"the close of {name} moved {moved or 'orders of others, or left something open'}")
        return True

    def _by_hand(self) -> bool:
        symbol = self.chance.choice(SYMBOLS)
        signed = max(self.chance.choice([-200, -30, -1, 1, 5, 100]), -self.shared.positions.get(symbol, 0))
        if not signed:
            return False
        ref = self.chance.choice(["", "myprogram", "PPO_AAA_0015:2024-06-03:entry:1", "PPO_AAA_001"])
        self.shared.by_hand(symbol, signed, self.day.isoformat(), self.prices[symbol], ref)
        self.oracle.deal("", symbol, signed, 0.0, 0.0)
        self.unmanaged[symbol] += signed
        return True

    def _split(self) -> bool:
        symbol, ratio = self.chance.choice(SYMBOLS), self.chance.choice(RATIOS)
        before, on = self.prices[symbol], self.oracle.on(symbol)
        self.unmanaged[symbol] = account.unmanaged_after_split(
            self.unmanaged[symbol], [self.states[n].book.shares for n in on], float(ratio)
        )
        self.prices[symbol] = round(before / float(ratio), 4)
        self.shared.split(symbol, float(ratio))
        self.oracle.split(symbol, ratio, before)
        for name in on:
            self._apply(name, SplitApplied(self.day.isoformat(), float(ratio), before))
        return True

    def _dividend(self) -> bool:
        symbol, amount = self.chance.choice(SYMBOLS), round(self.chance.uniform(0.01, 2.0), 4)
        for name in self.oracle.on(symbol):
            shares = self.states[name].book.shares
            if shares:
                self._apply(name, DividendPaid(self.day.isoformat(), amount, shares))
        self.oracle.dividend(symbol, amount)
        return True

    def _mark(self) -> bool:
        for symbol in SYMBOLS:
            self.prices[symbol] = max(round(self.prices[symbol] * self.chance.uniform(0.9, 1.1), 2), 0.01)
        for name, symbol in self.symbols.items():
            self._apply(name, Marked(self.day.isoformat(), self.prices[symbol]))
            self._cents(
                name, "P&L", self.states[name].book.total_pnl, self.oracle.owners[name].pnl(self.prices[symbol])
            )
        self.day += timedelta(days=1)
        return True

    # -- what must hold ---------------------------------------------------

    def _judge(self, when: str) -> None:
        before = len(self.wrongs)
        by_books = account.unmanaged(
            self.shared.positions, [(self.symbols[n], s.book.shares) for n, s in self.states.items()]
        )
        for symbol in set(self.symbols.values()):
            said = {by_books.get(symbol, 0), self.unmanaged[symbol], self.oracle.unmanaged(symbol)}
            if len(said) > 1 or self.shared.positions.get(symbol, 0) != self.oracle.total[symbol]:
                self.wrongs.append(f"{symbol}: the unmanaged shares are {said}")
        for name, state in self.states.items():
            owner, book = self.oracle.owners[name], state.book
            if not book.shares == owner.shares == self.views[name].position() or book.num_trades != owner.trades:
                self.wrongs.append(
                    f"{name} holds {book.shares}, oracle {owner.shares}, broker {self.views[name].position()}"
                )
            self._cents(name, "cash", book.cash, owner.cash)
            self._cents(name, "realized", book.realized, owner.realized)
            self._cents(name, "dividends", book.dividends, owner.dividends)
        self.wrongs[before:] = [f"{when}: {w}" for w in self.wrongs[before:]]

    def _cents(self, name: str, what: str, ours: float, theirs: Fraction) -> None:
        if abs(ours - float(theirs)) >= 0.005:
            self.wrongs.append(f"{name}: {what} {ours:.4f}, oracle {float(theirs):.4f}")

    def _judge_journals(self) -> None:
        for name, events in self.journals.items():
            if agents.fold([decode(encode(e)) for e in events], self._born(name)) != self.states[name]:
                self.wrongs.append(f"{name}: its journal folds to another state")


def run(seeds: range) -> tuple[Counter[str], list[str]]:
    """Counts of what happened, and what was wrong, by seed."""
    counts: Counter[str] = Counter()
    wrongs: list[str] = []
    for seed in seeds:
        history = History(seed)
        history.live()
        counts += history.counts
        counts.update(histories=1, agents=len(history.symbols), executions=len(history.shared.done))
        wrongs += [f"seed {seed}: {w}" for w in history.wrongs]
    return counts, wrongs


def main() -> int:
    fast = os.environ.get("FAST", "") not in ("", "0")
    started, count = time.monotonic(), int(os.environ.get("HISTORIES", FAST_HISTORIES if fast else 5_000))
    counts, wrongs = run(range(count))
    facts = ", ".join(f"{n} {k}" for k, n in counts.most_common())
    print(f"shared account: {facts}; {len(wrongs)} wrong; {time.monotonic() - started:.0f} s")
    for wrong in wrongs[:40]:
        print(f"  {wrong}", file=sys.stderr)
    return 1 if wrongs else 0


if __name__ == "__main__":
    sys.exit(main())
