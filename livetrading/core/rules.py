"""The rules of money: branch-free, for one account or n at once.

Every value may be a float or an ``(n,)`` float64 array; the arithmetic is the
same element by element, so that one account and n accounts agree to the bit.
Only + - * / floor, minimum and maximum touch money: no transcendental function.

The order of a session: split, dividend on the shares held overnight, fill at
the open, protective stop, mark at the close. ``step`` runs all of it; the live
shell calls the same pieces as their events arrive.
"""

from typing import NamedTuple

import numpy as np

from .types import Costs, Limits

RULES_VERSION = 1
"""Raised whenever equal inputs may give another decision or another amount."""

Num = float | np.ndarray
_EPS = 1e-9


class Account(NamedTuple):
    """Money and position. USD and shares; zeros in entry, stop, held when flat."""

    cash: Num
    shares: Num
    entry: Num
    """average fill price, without fees, split-adjusted"""
    stop: Num
    held: Num
    """closes since the fill; the entry session counts 1"""
    peak: Num
    """highest equity at a close, at least the capital"""


class Plan(NamedTuple):
    """What the last decision wants at the next open: buy ``qty``, or sell all."""

    qty: Num
    stop: Num
    exit: Num


class Quote(NamedTuple):
    """One session as traded, with the regulatory fees on its sales."""

    open: Num
    low: Num
    close: Num
    previous_close: Num
    dividend: Num
    split: Num
    sec_rate: Num
    taf_per_share: Num
    taf_cap: Num


class Fill(NamedTuple):
    """Executed quantity (0: none), price in USD after slippage, fee in USD."""

    qty: Num
    price: Num
    fee: Num


class Session(NamedTuple):
    """What one session did: its fills, and the equity at its close."""

    entry: Fill
    exit: Fill
    stop: Fill
    equity: Num


NO_PLAN = Plan(0.0, 0.0, False)


def open_account(capital: Num) -> Account:
    """A flat account that holds nothing but its capital."""
    zero = np.zeros_like(capital, dtype=np.float64)[()]
    return Account(np.float64(capital) + zero, zero, zero, zero, zero, np.float64(capital) + zero)


def tick_down(price: Num) -> Num:
    """Round down to the tick: 0.01 USD from 1 USD, else 0.0001 (SEC Rule 612)."""
    tick = np.where(price >= 1.0, 0.01, 0.0001)
    return np.floor(price / tick + _EPS) * tick


def commission(qty: Num, value: Num, costs: Costs) -> Num:
    """In USD: per share, at least the minimum, at most a share of the value (source: IBKR, Fixed pricing)."""
    fixed = np.maximum(costs.minimum, costs.per_share * qty)
    return costs.multiple * np.minimum(fixed, costs.max_fraction * value)


def sale_fee(qty: Num, value: Num, quote: Quote, costs: Costs) -> Num:
    """Commission and the dated regulatory fees of a sale, in USD."""
    legal = quote.sec_rate * value + np.minimum(quote.taf_per_share * qty, quote.taf_cap)
    return commission(qty, value, costs) + costs.multiple * float(costs.regulatory) * legal


def slip(costs: Costs) -> float:
    """Slippage as a fraction of the price."""
    return costs.slip_bps * costs.multiple / 10_000.0


def buy_at(qty: Num, price: Num, costs: Costs) -> Fill:
    """A purchase at ``price`` moved against us."""
    paid = price * (1.0 + slip(costs))
    return Fill(qty, paid, commission(qty, qty * paid, costs))


def sell_at(qty: Num, price: Num, quote: Quote, costs: Costs) -> Fill:
    """A sale at ``price`` moved against us."""
    got = price * (1.0 - slip(costs))
    return Fill(qty, got, sale_fee(qty, qty * got, quote, costs))


def stop_price_hit(stop: Num, quote: Quote) -> Num:
    """Where a triggered stop trades before slippage: a gap fills at the open."""
    return np.minimum(quote.open, stop)


def whole(qty: Num, ratio: Num) -> Num:
    """Whole shares after a split; rounding noise just below a whole number does not lose a share."""
    return np.floor(qty * ratio + _EPS)


def apply_split(account: Account, ratio: Num, previous_close: Num) -> Account:
    """Shares x r, entry / r, stop / r; a fraction of a share is paid in cash."""
    raw = account.shares * ratio
    shares = np.floor(raw + _EPS)
    fraction = np.where(raw - shares > _EPS, raw - shares, 0.0)
    kept = shares > 0
    return account._replace(
        cash=account.cash + fraction * (previous_close / ratio),
        shares=shares,
        entry=np.where(kept, account.entry / ratio, 0.0)[()],
        stop=np.where(kept, account.stop / ratio, 0.0)[()],
        held=np.where(kept, account.held, 0.0)[()],
    )


def split_plan(plan: Plan, ratio: Num) -> Plan:
    """A split between decision and fill rescales quantity (floored) and stop."""
    return plan._replace(qty=whole(plan.qty, ratio), stop=plan.stop / ratio)


def credit_dividend(account: Account, overnight: Num, amount: Num) -> Account:
    """``amount`` USD on each share held overnight, also if it is sold today."""
    return account._replace(cash=account.cash + overnight * amount)


def settle_buy(account: Account, fill: Fill, stop: Num) -> Account:
    """Shares in, cash out. ``fill.qty`` may be 0: then nothing changes."""
    shares = account.shares + fill.qty
    bought = fill.qty > 0
    # Written as a moving mean, so that a single fill leaves its price untouched.
    weight = fill.qty / np.where(bought, shares, 1.0)
    return account._replace(
        cash=account.cash - fill.qty * fill.price - fill.fee,
        shares=shares,
        entry=account.entry + (fill.price - account.entry) * weight,
        stop=np.where(bought, stop, account.stop)[()],
    )


def settle_sell(account: Account, fill: Fill) -> Account:
    """Shares out, cash in; when all shares are sold, entry, stop and age become 0."""
    shares = account.shares - fill.qty
    kept = shares > 0
    return account._replace(
        cash=account.cash + fill.qty * fill.price - fill.fee,
        shares=shares,
        entry=np.where(kept, account.entry, 0.0)[()],
        stop=np.where(kept, account.stop, 0.0)[()],
        held=np.where(kept, account.held, 0.0)[()],
    )


def equity_of(account: Account, close: Num) -> Num:
    """Cash and shares at the close, in USD."""
    return account.cash + account.shares * close


def mark(account: Account, close: Num) -> Account:
    """At the close the position is one session older, and the peak may rise."""
    return account._replace(
        held=np.where(account.shares > 0, account.held + 1.0, 0.0)[()],
        peak=np.maximum(account.peak, equity_of(account, close)),
    )


def step(account: Account, plan: Plan, quote: Quote, costs: Costs) -> tuple[Account, Session]:
    """One whole session for one account or n: the account at its close, and its fills."""
    account = apply_split(account, quote.split, quote.previous_close)
    plan = split_plan(plan, quote.split)
    account = credit_dividend(account, account.shares, quote.dividend)
    entry = buy_at(plan.qty, quote.open, costs)
    account = settle_buy(account, entry, plan.stop)
    exit_ = sell_at(np.where(plan.exit, account.shares, 0.0)[()], quote.open, quote, costs)
    account = settle_sell(account, exit_)
    hit = (account.shares > 0) & (quote.low <= account.stop)
    stop = sell_at(np.where(hit, account.shares, 0.0)[()], stop_price_hit(account.stop, quote), quote, costs)
    account = mark(settle_sell(account, stop), quote.close)
    return account, Session(entry, exit_, stop, equity_of(account, quote.close))


class Size(NamedTuple):
    """Whole shares that each bound allows; the smallest is bought."""

    by_risk: Num
    by_cap: Num
    by_cash: Num
    qty: Num


def size(account: Account, equity: Num, close: Num, atr: Num, limits: Limits, costs: Costs) -> Size:
    """How many shares a BUY takes, at the decision's close.

    By risk: the stop's distance loses at most ``risk_per_trade`` of equity.
    By cap: at most ``max_position`` of equity at the close. By cash: affordable,
    with its commission, even if the open gaps up by three ATR14.
    """
    safe = np.where(atr > 0, atr, 1.0)
    by_risk = np.floor(limits.risk_per_trade * equity / (limits.stop_atr * safe))
    by_cap = np.floor(limits.max_position * equity / close)
    wanted = np.maximum(np.minimum(by_risk, by_cap), 0.0)
    fee = commission(wanted, wanted * close, costs)
    by_cash = np.floor((account.cash - fee) / (close + 3.0 * safe))
    qty = np.maximum(np.minimum(np.minimum(by_risk, by_cap), by_cash), 0.0)
    return Size(by_risk, by_cap, by_cash, np.where(atr > 0, qty, 0.0)[()])


def protective_stop(close: Num, atr: Num, limits: Limits) -> Num:
    """``stop_atr`` ATR14 below the decision's close, down to the tick."""
    return tick_down(close - limits.stop_atr * atr)


def drawdown(equity: Num, peak: Num) -> Num:
    """Fraction below the peak, positive."""
    return 1.0 - equity / peak
