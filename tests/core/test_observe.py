"""What the agent sees, against the oracle's own reading of the design."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livetrading.core import rules
from livetrading.core.observe import ACCOUNT_FIELDS, observe
from tests.doubles.worlds import World, by_oracle, by_rules, worlds

SCALED = np.linspace(-5.0, 5.0, 14)


@settings(max_examples=80, deadline=None)
@given(worlds())
def test_the_accounts_part_is_the_oracles(world: World):
    for turn, (_, oracle, _), day in zip(by_rules(world), by_oracle(world), world.days, strict=True):
        seen = observe(SCALED, turn.account, np.float64(day.close))
        tail = np.clip(oracle.tail(day.close), -5, 5).astype(np.float32)
        assert seen[-4:] == pytest.approx(tail, rel=1e-6, abs=1e-7)


def test_it_is_little_endian_float32_of_features_and_account():
    flat = rules.open_account(np.float64(100.0))
    seen = observe(SCALED, flat, np.float64(3.0))
    assert seen.dtype == np.dtype("<f4") and seen.shape == (14 + len(ACCOUNT_FIELDS),)
    assert seen[:14].tolist() == SCALED.astype(np.float32).tolist() and seen[-4:].tolist() == [0, 0, 0, 0]


def test_a_position_by_hand():
    held = rules.Account(*map(np.float64, (500.0, 10, 100.0, 95.0, 25, 2_000.0)))
    assert observe(SCALED, held, np.float64(110.0))[-4:].tolist() == np.float32([1, 0.1, 0.5, 0.2]).tolist()


def test_flat_shows_zeros_but_for_the_drawdown():
    flat = rules.Account(*map(np.float64, (900.0, 0, 0, 0, 0, 1_000.0)))
    assert observe(SCALED, flat, np.float64(110.0))[-4:].tolist() == np.float32([0, 0, 0, 0.1]).tolist()


def test_the_tail_is_clipped():
    held = rules.Account(*map(np.float64, (-9_000.0, 1, 1.0, 0.5, 400, 1_000.0)))
    assert observe(SCALED, held, np.float64(100.0))[-4:].tolist() == [1, 5, 5, 5]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_n_views_at_once_are_each_one_alone_to_the_bit(seed: int):
    rng = np.random.default_rng(seed)
    n = 7
    shares = rng.integers(0, 3, n) * 7.0
    account = rules.Account(
        rng.normal(5_000, 4_000, n),
        shares,
        np.where(shares > 0, rng.uniform(1, 90, n), 0.0),
        np.zeros(n),
        np.where(shares > 0, rng.integers(1, 400, n), 0.0),
        rng.uniform(9_000, 20_000, n),
    )
    scaled, close = np.clip(rng.normal(0, 3, (n, 14)), -5, 5), rng.uniform(0.5, 200, n)
    together = observe(scaled, account, close)
    for i in range(n):
        alone = observe(scaled[i], rules.Account(*(v[i] for v in account)), close[i])
        assert together[i].tobytes() == alone.tobytes()
