"""The rules of money against an oracle that was written apart from them."""

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livetrading.core import decide, rules
from livetrading.core.types import Costs, Limits
from tests.doubles.oracle import Day, Oracle
from tests.doubles.worlds import World, by_oracle, by_rules, dealt, quote, worlds

MANY = settings(max_examples=300, deadline=None)
SOME = settings(max_examples=60, deadline=None)
FREE = Costs(multiple=0.0)


def near(value: float, other: float) -> bool:
    return value == pytest.approx(other, rel=1e-11, abs=1e-8)


def holding(shares: float, stop: float = 0.0, cash: float = 1_000.0, entry: float = 100.0) -> rules.Account:
    return rules.Account(*map(np.float64, (cash, shares, entry, stop, 3.0, 20_000.0)))


def day(opened: float, low: float, close: float, **more: float) -> rules.Quote:
    high = max(opened, low, close)
    return quote(Day(opened, high, low, close, **more), previous_close=100.0)


@MANY
@given(worlds())
def test_every_fill_fee_and_cent_is_the_oracles(world: World):
    for mine, (deals, oracle, qty) in zip(by_rules(world), by_oracle(world), strict=True):
        assert [d[:2] for d in mine.deals] == [d[:2] for d in deals]
        for ours, theirs in zip(mine.deals, deals, strict=True):
            assert near(ours.price, theirs.price) and near(ours.fee, theirs.fee)
        assert mine.qty == qty and mine.account.shares == oracle.shares
        assert near(mine.account.cash, oracle.cash) and near(mine.equity, oracle.equity)
        assert near(mine.account.entry, oracle.paid) and near(mine.account.stop, oracle.stop)
        assert mine.account.held == oracle.age and near(mine.account.peak, oracle.peak)


@SOME
@given(st.lists(worlds(least=12, most=12), min_size=2, max_size=6))
def test_one_account_and_n_accounts_at_once_are_equal_to_the_bit(many: list[World]):
    n, limits, costs = len(many), Limits(), Costs()
    many = [w._replace(risk=limits.risk_per_trade, max_position=limits.max_position) for w in many]
    alone = [by_rules(w) for w in many]
    account, plan = rules.open_account(np.array([w.capital for w in many])), None
    for i in range(12):
        quotes = [quote(w.days[i], w.days[max(i - 1, 0)].close) for w in many]
        together = rules.Quote(*(np.array(column) for column in zip(*quotes, strict=True)))
        if plan is not None:
            account, session = rules.step(account, plan, together, costs)
            assert [dealt(session, k) for k in range(n)] == [turns[i].deals for turns in alone]
        atr, action = np.array([w.atrs[i] for w in many]), np.array([w.actions[i] for w in many])
        plan = decide.intend(action, account, together.close, atr, False, limits, costs).plan
        for k, turns in enumerate(alone):
            assert [float(v[k]) for v in account] == [float(v) for v in turns[i].account]
            assert [float(v[k]) for v in plan] == [float(v) for v in turns[i].plan]


def test_a_gap_through_the_stop_fills_at_the_open():
    _, session = rules.step(holding(10, stop=95.0), rules.NO_PLAN, day(90.0, 85.0, 93.0), FREE)
    assert dealt(session) == [("stop", 10, 90.0, 0.0)]


def test_a_stop_inside_the_bar_fills_at_its_price_and_slips():
    _, session = rules.step(holding(10, stop=95.0), rules.NO_PLAN, day(99.0, 94.0, 98.0), Costs())
    assert float(session.stop.price) == 95.0 * (1 - 0.0005)


@pytest.mark.parametrize(("low", "fires"), [(95.0, True), (95.01, False)])
def test_touching_the_stop_is_enough_and_one_tick_above_is_not(low: float, fires: bool):
    after, _ = rules.step(holding(10, stop=95.0), rules.NO_PLAN, day(99.0, low, 98.0), FREE)
    assert (after.shares == 0) == fires


def test_the_entry_bar_is_checked_and_leaves_nothing_behind():
    plan = rules.Plan(np.float64(10), np.float64(97.0), False)
    after, session = rules.step(rules.open_account(np.float64(2_000.0)), plan, day(100.0, 96.0, 99.0), FREE)
    assert dealt(session) == [("entry", 10, 100.0, 0.0), ("stop", 10, 97.0, 0.0)]
    assert (after.shares, after.entry, after.stop, after.held) == (0, 0, 0, 0) and after.cash == 1_970.0


def test_an_entry_that_opens_below_its_stop_is_sold_at_that_open():
    plan = rules.Plan(np.float64(10), np.float64(97.0), False)
    _, session = rules.step(rules.open_account(np.float64(2_000.0)), plan, day(90.0, 89.0, 99.0), FREE)
    assert dealt(session) == [("entry", 10, 90.0, 0.0), ("stop", 10, 90.0, 0.0)]


def test_the_exit_at_the_open_comes_before_the_stop_and_sells_once():
    plan = rules.Plan(np.float64(0), np.float64(0), True)
    after, session = rules.step(holding(10, stop=95.0), plan, day(99.0, 80.0, 81.0), FREE)
    assert dealt(session) == [("exit", 10, 99.0, 0.0)] and after.shares == 0


def test_the_stop_comes_before_the_close_and_the_mark_sees_only_cash():
    after, session = rules.step(holding(10, stop=95.0), rules.NO_PLAN, day(99.0, 94.0, 150.0), FREE)
    assert session.equity == after.cash == 1_950.0 and after.peak == 20_000.0


@SOME
@given(worlds())
def test_shares_are_whole_never_negative_and_zero_sizes_are_no_fill(world: World):
    for turn in by_rules(world):
        assert turn.account.shares >= 0 and turn.account.shares == math.floor(turn.account.shares)
        assert all(d.qty >= 1 for d in turn.deals) and turn.qty >= 0
        assert turn.plan.qty == math.floor(turn.plan.qty)


@SOME
@given(worlds())
def test_cash_is_never_spent_twice(world: World):
    turns = by_rules(world)
    for before, now in zip(turns, turns[1:], strict=False):
        bought = [d for d in now.deals if d.leg == "entry"]
        assert len(bought) <= 1
        assert not (bought and before.account.shares > 0)
        if before.plan.qty > 0:
            assert before.account.shares == 0 and not before.plan.exit


@SOME
@given(worlds())
def test_an_entry_is_paid_from_cash_unless_the_open_gaps_beyond_three_atr(world: World):
    turns = by_rules(world)
    for i, (before, now) in enumerate(zip(turns, turns[1:], strict=False), 1):
        bought = [d for d in now.deals if d.leg == "entry"]
        reach = (world.days[i - 1].close + 3 * world.atrs[i - 1]) / world.days[i].split
        fee_drift = 0.011 * bought[0].qty * reach if bought else 0.0
        if bought and bought[0].price <= reach and before.account.cash > 0:
            spent = bought[0].qty * bought[0].price + bought[0].fee
            assert spent <= before.account.cash + fee_drift


WHOLE = Limits(max_position=1.0, risk_per_trade=0.2)
PRICES = st.floats(0.05, 5_000)
SPLITS = st.sampled_from([1.0, 1.5, 2.0, 3.0, 7.0, 20.0, 50.0, 1_000.0, 0.5, 1.0 / 3.0, 0.05])


@MANY
@given(
    cash=st.floats(1, 1e9),
    close=PRICES,
    atr=st.floats(1e-9, 0.05),
    ratio=SPLITS,
    fall=st.floats(0, 0.3),
    costs=st.builds(Costs, st.floats(0, 100), st.floats(0, 0.1), st.floats(0, 20), multiple=st.floats(0, 5)),
)
def test_an_entry_that_does_not_gap_up_never_makes_cash_negative_whatever_splits_before_it(
    cash: float, close: float, atr: float, ratio: float, fall: float, costs: Costs
):
    """``atr`` and ``fall`` are fractions of the close."""
    account = rules.open_account(np.float64(cash))
    plan = decide.intend(np.int64(2), account, np.float64(close), np.float64(atr * close), False, WHOLE, costs).plan
    opened = close / ratio * (1.0 - fall)
    entry = rules.buy_at(rules.split_plan(plan, np.float64(ratio)).qty, np.float64(opened), costs)
    assert rules.settle_buy(account, entry, plan.stop).cash >= 0.0


def test_slippage_after_a_split_with_a_tiny_atr_is_paid_from_cash_by_hand():
    account = rules.open_account(np.float64(1_000_000.0))
    sized = rules.size(account, account.cash, rules.basis(10.0, 1e-6, WHOLE), WHOLE, Costs())
    # 20 new shares for each of them at 0.5 USD, 5 basis points and 0.005 USD a share: 10.105 USD.
    assert 98_900 < sized.qty <= 1_000_000 / 10.105
    assert sized.by_cap == 100_000 and sized.by_risk > sized.by_cap


@MANY
@given(cash=st.floats(1, 1e9), close=PRICES, atr=st.floats(1e-9, 0.4), most=st.floats(0.01, 0.98))
def test_limits_that_leave_two_percent_in_cash_are_sized_as_ever(cash: float, close: float, atr: float, most: float):
    """Whatever was tested with such limits, the default ones among them, comes out as before to the bit."""
    account, limits, costs = rules.open_account(np.float64(cash)), Limits(most, 0.2), Costs()
    basis = rules.basis(np.float64(close), np.float64(atr * close), limits)
    sized = rules.size(account, account.cash, basis, limits, costs)
    wanted = max(min(sized.by_risk, sized.by_cap), 0.0)
    fee = rules.commission(wanted, wanted * close, costs)
    assert sized.by_cash == np.floor((cash - fee) / basis.reach)


@SOME
@given(worlds())
def test_money_comes_from_somewhere(world: World):
    """What cash gained is what was sold, paid out and split off, less what was bought and paid in fees."""
    turns = by_rules(world)
    for i, (before, now) in enumerate(zip(turns, turns[1:], strict=False), 1):
        bar, last = world.days[i], world.days[i - 1]
        raw = float(before.account.shares) * bar.split
        overnight = math.floor(raw + 1e-9)
        cash = float(before.account.cash) + overnight * bar.dividend
        cash += (raw - overnight if raw - overnight > 1e-9 else 0.0) * last.close / bar.split
        for deal in now.deals:
            cash += (-1 if deal.leg == "entry" else 1) * deal.qty * deal.price - deal.fee
        assert near(float(now.account.cash), cash)


# -- costs ------------------------------------------------------------------


@MANY
@given(st.integers(1, 200_000), st.floats(0.01, 10_000), st.floats(0, 1e-4), st.floats(0, 0.001), st.floats(0, 10))
def test_costs_are_exact(qty: int, price: float, sec: float, taf: float, cap: float):
    sale = quote(Day(price, price, price, price, sec=sec, taf=taf, taf_cap=cap), price)
    value = Decimal(qty) * Decimal(price)
    base = min(max(Decimal(1), Decimal("0.005") * qty), Decimal("0.01") * value)
    law = Decimal(sec) * value + min(Decimal(taf) * qty, Decimal(cap))
    amount = np.float64(qty * price)
    assert near(float(rules.commission(np.float64(qty), amount, Costs())), float(base))
    assert near(float(rules.sale_fee(np.float64(qty), amount, sale, Costs())), float(base + law))
    assert near(float(rules.sale_fee(np.float64(qty), amount, sale, Costs(multiple=2.0))), float(2 * (base + law)))
    assert rules.sale_fee(np.float64(qty), amount, sale, FREE) == 0.0


@pytest.mark.parametrize(
    ("qty", "price", "fee"),
    [(100, 50.0, 1.0), (200, 50.0, 1.0), (201, 50.0, 1.005), (1000, 50.0, 5.0), (1, 50.0, 0.5), (10, 0.25, 0.025)],
)
def test_commission_is_ibkr_fixed_by_hand(qty: int, price: float, fee: float):
    assert float(rules.commission(np.float64(qty), np.float64(qty * price), Costs())) == pytest.approx(fee, abs=1e-15)


def test_slippage_moves_every_price_against_us():
    quoted = day(100.0, 99.0, 100.0)
    assert rules.buy_at(np.float64(1), 100.0, Costs()).price == 100.0 * 1.0005
    assert rules.sell_at(np.float64(1), 100.0, quoted, Costs()).price == 100.0 * 0.9995


@MANY
@given(st.floats(0.0002, 50_000))
def test_a_stop_is_rounded_down_to_its_tick(price: float):
    rounded = float(rules.tick_down(np.float64(price)))
    size = Decimal("0.01") if price >= 1 else Decimal("0.0001")
    steps = rounded / float(size)
    assert abs(steps - round(steps)) < 1e-5
    # A billionth of a tick below the next one counts as that one.
    assert -1e-9 * float(size) - 1e-11 <= price - rounded < float(size)
    assert near(rounded, Oracle.tick(price))


@pytest.mark.parametrize(
    ("price", "tick"),
    [
        (95.019999, 95.01),
        (95.02, 95.02),
        (1.0, 1.0),
        (0.99999, 0.9999),
        (0.12345, 0.1234),
        (1.009, 1.0),
        (123.45, 123.45),
    ],
)
def test_ticks_by_hand(price: float, tick: float):
    assert float(rules.tick_down(np.float64(price))) == pytest.approx(tick, abs=1e-12)


# -- splits and dividends ---------------------------------------------------


@MANY
@given(
    st.integers(1, 5_000),
    st.sampled_from([2.0, 3.0, 7.0, 20.0, 1.5, 1.1, 0.5, 1 / 3, 0.1, 0.04]),
    st.integers(50, 500_000),
)
def test_a_split_leaves_equity_unchanged_to_the_cent(shares: int, ratio: float, cents: int):
    close = cents / 100
    before = holding(shares, stop=close * 0.9, entry=close * 1.1)
    after = rules.apply_split(before, np.float64(ratio), np.float64(close))
    worth = float(before.cash) + shares * close
    assert float(after.cash) + float(after.shares) * close / ratio == pytest.approx(worth, abs=0.005)
    assert after.shares == math.floor(round(shares * ratio, 6))
    if after.shares:
        assert near(float(after.entry), close * 1.1 / ratio) and near(float(after.stop), close * 0.9 / ratio)
        assert after.held == before.held
    else:
        assert (after.entry, after.stop, after.held) == (0, 0, 0)


def test_a_fraction_of_a_share_is_paid_at_the_previous_close_over_the_ratio():
    after = rules.apply_split(holding(25), np.float64(0.1), np.float64(40.0))
    assert after.shares == 2 and float(after.cash) == pytest.approx(1_000.0 + 0.5 * 400.0)


def test_a_reverse_split_may_leave_cash_alone():
    after = rules.apply_split(holding(4, stop=9.0), np.float64(0.1), np.float64(10.0))
    assert after.shares == after.entry == after.stop == after.held == 0
    assert float(after.cash) == pytest.approx(1_040.0)


def test_a_split_between_decision_and_fill_rescales_quantity_and_stop():
    plan = rules.Plan(np.float64(7), np.float64(90.0), False)
    flat = rules.open_account(np.float64(1_000.0))
    bar = day(50.0, 48.0, 51.0, split=2.0)
    after, session = rules.step(flat, plan, bar, FREE)
    assert dealt(session) == [("entry", 14, 50.0, 0.0)] and after.stop == 45.0
    after, session = rules.step(flat, plan, day(300.0, 299.0, 301.0, split=1 / 3), FREE)
    assert dealt(session) == [("entry", 2, 300.0, 0.0)] and after.stop == 270.0
    after, session = rules.step(flat, plan, day(1_000.0, 990.0, 1_001.0, split=0.1), FREE)
    assert dealt(session) == [] and after == flat


def test_a_dividend_between_decision_and_fill_changes_neither():
    plan = rules.Plan(np.float64(7), np.float64(90.0), False)
    flat = rules.open_account(np.float64(1_000.0))
    with_it, one = rules.step(flat, plan, day(100.0, 98.0, 101.0, dividend=5.0), FREE)
    without, other = rules.step(flat, plan, day(100.0, 98.0, 101.0), FREE)
    assert dealt(one) == dealt(other) and with_it == without


def test_the_dividend_goes_to_shares_held_overnight_also_when_they_are_sold_that_day():
    sold, _ = rules.step(holding(10), rules.Plan(0.0, 0.0, True), day(99.0, 98.0, 99.0, dividend=0.5), FREE)
    stopped, _ = rules.step(holding(10, stop=98.5), rules.NO_PLAN, day(99.0, 98.0, 99.0, dividend=0.5), FREE)
    kept, _ = rules.step(holding(10), rules.NO_PLAN, day(99.0, 98.0, 99.0, dividend=0.5), FREE)
    assert sold.cash == 1_990.0 + 5.0 and stopped.cash == 1_985.0 + 5.0 and kept.cash == 1_005.0


def test_a_dividend_on_a_split_session_counts_the_new_shares():
    after, _ = rules.step(holding(10), rules.NO_PLAN, day(50.0, 49.0, 50.0, split=2.0, dividend=0.25), FREE)
    assert after.shares == 20 and after.cash == 1_005.0


@SOME
@given(worlds())
def test_a_split_moves_no_decision_of_the_same_money(world: World):
    """The same story quoted in new shares from some session on: the same equity to the cent."""
    calm = [d._replace(split=1.0, dividend=0.0) for d in world.days]
    ratio, at = 2.0, len(calm) // 2

    def quoted(d: Day) -> Day:
        return d._replace(open=d.open / ratio, high=d.high / ratio, low=d.low / ratio, close=d.close / ratio)

    told = [d if i < at else quoted(d)._replace(split=ratio if i == at else 1.0) for i, d in enumerate(calm)]
    atrs = [a if i < at else a / ratio for i, a in enumerate(world.atrs)]
    # From the split on only sales: a new size is floored in other units.
    actions = [a if i < at else min(a, 1) for i, a in enumerate(world.actions)]
    one = by_rules(world._replace(days=calm, actions=actions), FREE)
    two = by_rules(world._replace(days=told, atrs=atrs, actions=actions), FREE)
    for mine, other in zip(one, two, strict=True):
        assert mine.equity == pytest.approx(other.equity, rel=1e-9, abs=0.005)
