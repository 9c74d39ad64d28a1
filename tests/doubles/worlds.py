"""Hypothesis' worlds: a few wild sessions with an ATR and an action each, and how to run them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from livetrading.core import decide, rules
from livetrading.core.types import AgentType, Costs, Limits

from .oracle import Day, Deal, Oracle

RATIOS = (1.0,) * 30 + (2.0, 3.0, 4.0, 7.0, 1.5, 1.1, 0.5, 1.0 / 3.0, 0.1, 0.05)


class World(NamedTuple):
    days: list[Day]
    atrs: list[float]
    actions: list[int]
    capital: float
    risk: float
    max_position: float


GAPS = (0.0, 0.001, -0.002, 0.01, 0.002, -0.03, 0.005, 0.02, -0.2, 0.3, 0.001, -0.6)
FALLS = (0.004, 0.0, 0.002, 0.01, 0.001, 0.03, 0.003, 0.2)
RISES = (0.0, 0.01, 0.1)
WITHIN = (0.0, 0.1, 0.5, 0.97, 1.0)
PAID = (0.0,) * 6 + (0.01, 0.125)
LAWS = ((0.0, 0.0, 0.0), (46.8e-6, 0.000166, 8.3), (5.1e-6, 0.01, 0.05))
ATRS = (0.02, 0.02, 0.05, 0.03, 0.08, 0.002, 0.6, 0.0)
ACTIONS = (2, 2, 1, 1, 0, 2)


class _Dice:
    """Choices from one integer: one draw for each session keeps Hypothesis fast."""

    def __init__(self, number: int) -> None:
        self._left = number

    def pick(self, choices: Sequence[Any]) -> Any:
        self._left, at = divmod(self._left, len(choices))
        return choices[at]


def _session(number: int, close: float) -> tuple[Day, float, int]:
    dice = _Dice(number)
    action, gap, fall, rise = dice.pick(ACTIONS), dice.pick(GAPS), dice.pick(FALLS), dice.pick(RISES)
    split, within, paid = dice.pick(RATIOS), dice.pick(WITHIN), dice.pick(PAID)
    opened = max(round(close / split * (1 + gap), 4), 0.01)
    low, high = opened * (1 - fall), opened * (1 + rise)
    close = low + (high - low) * within
    law, atr = dice.pick(LAWS), close * dice.pick(ATRS)
    return Day(opened, high, low, close, paid * close, split, *law), atr, action


@st.composite
def worlds(draw: st.DrawFn, least: int = 6, most: int = 30) -> World:
    """Gaps up to 60 %, splits both ways, fees of all ages, actions that trade."""
    close = draw(st.sampled_from([60.0, 17.5, 3.0, 0.8, 480.0, 5000.0]))
    found = []
    for number in draw(st.lists(st.integers(0, 10**9), min_size=least, max_size=most)):
        found.append(_session(number, close))
        close = found[-1][0].close
    days, atrs, actions = (list(column) for column in zip(*found, strict=True))
    capital = draw(st.sampled_from([10_000.0, 1_000_000.0, 1_000.0, 150.0]))
    risk, most_held = draw(st.sampled_from([(0.02, 0.5), (0.2, 1.0), (0.02, 0.5), (0.001, 0.05)]))
    return World(days, atrs, actions, capital, risk, most_held)


def quote(day: Day, previous_close: float) -> rules.Quote:
    """A day as a quote for the rules."""
    values = (day.open, day.low, day.close, previous_close, day.dividend, day.split, day.sec, day.taf, day.taf_cap)
    return rules.Quote(*map(np.float64, values))


class SessionResult(NamedTuple):
    """One session of a run: its fills, the account at its close, and the next order's size."""

    deals: list[Deal]
    account: rules.Account
    equity: float
    qty: int
    plan: rules.Plan


def dealt(session: rules.Session, i: int | None = None) -> list[Deal]:
    """The fills of a session that are not empty, in the order of the rules."""
    found = []
    for leg, fill in (("entry", session.entry), ("exit", session.exit), ("stop", session.stop)):
        qty, price, fee = (float(v if i is None else v[i]) for v in fill)
        if qty:
            found.append(Deal(leg, int(qty), price, fee))
    return found


def by_rules(world: World, costs: Costs = Costs()) -> list[SessionResult]:
    """Runs the product's rules over a world, with one account."""
    limits = Limits(max_position=world.max_position, risk_per_trade=world.risk)
    account, plan, results = rules.open_account(np.float64(world.capital)), rules.NO_PLAN, []
    before = world.days[0].close
    for i, (day, atr, action) in enumerate(zip(world.days, world.atrs, world.actions, strict=True)):
        deals: list[Deal] = []
        if i:
            account, session = rules.step(account, plan, quote(day, before), costs)
            deals = dealt(session)
        chosen = decide.action_of(AgentType.PPO, action)
        plan = decide.intend(chosen, account, np.float64(day.close), np.float64(atr), False, limits, costs).plan
        qty = int(account.shares) if plan.exit else int(plan.qty)
        results.append(SessionResult(deals, account, float(rules.equity_of(account, day.close)), qty, plan))
        before = day.close
    return results


def by_oracle(world: World, costs: Costs = Costs()) -> list[tuple[list[Deal], Oracle, int]]:
    """Runs the oracle over the same world; each entry has a copy of it at that close."""
    oracle = Oracle(world.capital, world.max_position, world.risk, slip=costs.slip_bps / 10_000, times=costs.multiple)
    found, before = [], world.days[0].close
    for i, (day, atr, action) in enumerate(zip(world.days, world.atrs, world.actions, strict=True)):
        deals = oracle.live(day, before) if i else []
        qty = oracle.decide(action, day.close, atr)
        copy = Oracle(oracle.capital)
        copy.__dict__.update(oracle.__dict__)
        found.append((deals, copy, qty))
        before = day.close
    return found
