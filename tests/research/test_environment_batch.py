"""n accounts, each at its own bar, are n single accounts to the bit, whatever happens on the market."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livetrading.core import observe, rules
from livetrading.core.market import Columns, Market
from livetrading.core.types import AgentType, Costs, Limits, Terms
from livetrading.research.environment import BatchTradingEnv, Task, TradingEnv
from tests.doubles.worlds import dealt

BARS = 60
GAPS = (1.0, 1.0, 1.01, 0.99, 1.04, 0.9, 0.6, 3.0)
FALLS = (1.0, 0.995, 0.97, 0.8, 0.1)
RATIOS = (*(1.0,) * 12, 2.0, 7.0, 1.1, 0.5, 1.0 / 3.0, 0.05)
PAID = (*(0.0,) * 8, 0.01, 0.1)
RANGES = (0.02, 0.02, 0.05, 0.001, 0.6, 0.0, np.nan)


def wild(seed: int, calm: bool = False) -> Market:
    """Splits, dividends, gaps, crashes, days without a range. ``calm``: neither splits nor dividends."""
    dice = np.random.default_rng(seed)
    split = np.where(calm, 1.0, dice.choice(RATIOS, BARS))
    opened, low, close = (np.empty(BARS) for _ in range(3))
    last = float(dice.choice([0.8, 17.5, 480.0]))
    for t in range(BARS):
        opened[t] = max(last / split[t] * dice.choice(GAPS), 0.02)
        low[t] = opened[t] * dice.choice(FALLS)
        last = close[t] = low[t] + (opened[t] * 1.02 - low[t]) * dice.choice([0.0, 0.3, 1.0])
    before = np.concatenate([close[:1], close[:-1]])
    paid = np.where(calm, 0.0, dice.choice(PAID, BARS)) * close
    fees = np.full(BARS, 46.8e-6), np.full(BARS, 0.000166), np.full(BARS, 8.3)
    days = tuple(date(2020, 1, 1) + timedelta(days=t) for t in range(BARS))
    scaled = np.clip(dice.normal(0.0, 3.0, (BARS, 3)), -5.0, 5.0)
    return Market(
        days, Columns(opened, low, close, before, paid, split, *fees), close * dice.choice(RANGES, BARS), scaled
    )


@dataclass(frozen=True)
class Noted(Task):
    """Writes down where the episodes start, in the order in which they start."""

    starts: list[int] = field(default_factory=list)

    def start(self, rng: np.random.Generator, size: int | None = None) -> Any:
        found = super().start(rng, size)
        self.starts.extend(np.atleast_1d(found).tolist())
        return found


def alone(task: Task) -> tuple[TradingEnv, np.ndarray]:
    """One account that begins where the batch's next episode began."""
    assert isinstance(task, Noted)
    single = TradingEnv(
        Task(task.market, task.starts.pop(0), task.last, task.agent_type, task.terms, episode=task.episode)
    )
    return single, single.reset()[0]


def held_against_single_accounts(task: Task, n: int, steps: int, seed: int) -> Counter[str]:
    """Compares each step of the batch with n single accounts; what happened, counted."""
    batch, dice, seen = BatchTradingEnv(task, n, seed), np.random.default_rng(seed), Counter()
    views = batch.reset()
    singles = [alone(task) for _ in range(n)]
    assert all(views[i].tobytes() == view.tobytes() for i, (_, view) in enumerate(singles))
    for _ in range(steps):
        sac = task.agent_type == AgentType.SAC
        actions = dice.uniform(-1, 1, (n, 1)).astype(np.float32) if sac else dice.integers(0, 3, n)
        views, rewards, done, infos = batch.step(actions)
        for i, (env, _) in enumerate(singles):
            view, reward, broke, cut, info = env.step(actions[i])
            shown = infos[i]["terminal_observation"] if done[i] else views[i]
            assert view.tobytes() == shown.tobytes() and done[i] == (broke or cut)
            assert np.float32(reward).tobytes() == rewards[i].tobytes()
            mine, theirs = info["account"], [value[i] for value in batch.last_account]
            assert np.array(mine).tobytes() == np.array(theirs).tobytes()
            deals = dealt(info["session"])
            assert deals == dealt(batch.last_session, i)
            seen.update(deal.leg for deal in deals)
            seen.update(broke=int(broke), cut=int(cut))
        for i in np.flatnonzero(done):
            assert infos[i]["TimeLimit.truncated"] == (not batch.last_session.equity[i] <= 0)
            singles[i] = alone(task)
            assert views[i].tobytes() == singles[i][1].tobytes()
    return seen


def task(seed: int, agent_type: AgentType, **changes: Any) -> Noted:
    limits = (Limits(), Limits(max_position=1.0, risk_per_trade=0.2, stop_atr=0.5))[seed % 2]
    costs = (Costs(), Costs(multiple=2.0), Costs(multiple=0.0), Costs(regulatory=False))[seed % 4]
    terms = Terms((10_000.0, 300.0, 1_000_000.0)[seed % 3], limits, costs)
    given_ = {"market": wild(seed), "first": 2, "last": BARS - 1, "terms": terms, "episode": 9, "random_start": True}
    return Noted(agent_type=agent_type, **{**given_, **changes})


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.sampled_from(list(AgentType)), st.sampled_from([None, 1, 9]))
def test_n_accounts_are_n_single_accounts_to_the_bit(seed, n, agent_type, episode):
    held_against_single_accounts(task(seed, agent_type, episode=episode), n, 15, seed)


def test_also_on_a_market_without_splits_and_dividends():
    held_against_single_accounts(task(3, AgentType.PPO, market=wild(3, calm=True)), 20, 40, 3)


def test_the_markets_hold_all_that_may_happen():
    seen: Counter[str] = Counter()
    for seed in range(6):
        seen += held_against_single_accounts(task(seed, AgentType.PPO), 12, 40, seed)
    assert min(seen[kind] for kind in ("entry", "exit", "stop", "cut")) > 50 and seen["broke"] > 5


def test_what_was_handed_out_does_not_change_afterwards():
    """SB3 keeps the last observation, and callbacks keep infos, accounts and sessions."""
    batch, dice, kept = BatchTradingEnv(task(1, AgentType.PPO), 8, 1), np.random.default_rng(1), []
    for handed in [batch.reset(), *(batch.step(dice.integers(0, 3, 8)) for _ in range(40))]:
        view = handed if isinstance(handed, np.ndarray) else handed[0]
        kept.append((view, view.tobytes()))
    batch.reset()
    for _ in range(40):
        seen = batch.step(dice.integers(0, 3, 8))
        arrays = [*seen[:3], *batch.last_account, batch.last_session.equity, *batch.last_session.sale]
        kept += [(array, array.tobytes()) for array in arrays]
        kept += [(info["terminal_observation"], info["terminal_observation"].tobytes()) for info in seen[3] if info]
    assert all(array.tobytes() == then for array, then in kept)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_ratio_of_one_and_a_dividend_of_nothing_change_nothing(seed):
    """So the session may leave them out; checked on the accounts that random actions make."""
    batch, dice = BatchTradingEnv(task(seed, AgentType.PPO), 16, seed), np.random.default_rng(seed)
    batch.reset()
    for _ in range(12):
        batch.step(dice.integers(0, 3, 16))
        account = batch.last_account
        same = rules.apply_split(account, np.ones(16), np.full(16, 7.0))
        same = rules.credit_dividend(same, same.shares, np.zeros(16))
        assert np.array(same).tobytes() == np.array(account).tobytes()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_shares_are_whole_and_a_flat_account_has_neither_entry_nor_stop_nor_age(seed):
    """What the products with 0 and 1 rest on."""
    batch, dice = BatchTradingEnv(task(seed, AgentType.PPO), 16, seed), np.random.default_rng(seed)
    batch.reset()
    for _ in range(12):
        batch.step(dice.integers(0, 3, 16))
        cash, shares, *position, peak = batch.last_account
        assert (shares == np.floor(shares)).all() and (shares >= 0).all() and not np.signbit(shares).any()
        assert np.isfinite(np.array(position)).all() and not np.signbit(np.array(position)).any()
        assert not np.array(position)[:, shares == 0].any()


@pytest.mark.parametrize("shape", [(), (5,)])
def test_an_observation_filled_in_later_is_the_one_observed_at_once(shape):
    dice = np.random.default_rng(0)
    scaled, close = dice.normal(0.0, 1.0, (*shape, 4)), np.float64(12.0) + np.zeros(shape)
    account = rules.open_account(np.full(shape, 100.0)[()])._replace(cash=np.full(shape, 50.0)[()])
    later = observe.filled_in(observe.blank(scaled), account, close)
    assert later.tobytes() == observe.observe(scaled, account, close).tobytes()
