"""The rules of money: branch-free, for one account or n at once.

Every value may be a float or an ``(n,)`` float64 array; the arithmetic is the
same element by element, so that one account and n accounts agree to the bit.
Only + - * / floor, minimum and maximum touch money: no transcendental function.

Shares are whole and not negative; entry, stop and held are finite, not negative, and 0 when flat. So a product with
0 or 1 chooses exactly, and costs a third of ``np.where`` on a few accounts.

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
# As arrays without a dimension: NumPy converts a Python number anew each time it meets an array.
_ZERO: Num = np.array(0.0)
_ONE: Num = np.array(1.0)


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
    """What one session did: its fills, and the equity at its close. An account sells all or nothing, at most once."""

    entry: Fill
    sale: Fill
    at_open: Num
    """the sale was planned; otherwise the stop made it"""
    equity: Num

    @property
    def exit(self) -> Fill:
        """The planned sale at the open."""
        return Fill(*(np.where(self.at_open, field, 0.0)[()] for field in self.sale))

    @property
    def stop(self) -> Fill:
        """The sale by the protective stop."""
        return Fill(*(np.where(self.at_open, 0.0, field)[()] for field in self.sale))


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
    return _times(costs.multiple, np.minimum(fixed, costs.max_fraction * value))


def _times(factor: float, amount: Num) -> Num:
    """Times one is nothing to do."""
    return amount if factor == 1.0 else factor * amount


def sale_fee(qty: Num, value: Num, quote: Quote, costs: Costs) -> Num:
    """Commission and the dated regulatory fees of a sale, in USD."""
    legal = quote.sec_rate * value + np.minimum(quote.taf_per_share * qty, quote.taf_cap)
    return commission(qty, value, costs) + _times(costs.multiple * float(costs.regulatory), legal)


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


def is_long(account: Account) -> np.ndarray:
    """Whether shares are held; of a single account an array without a dimension."""
    return np.asarray(account.shares > _ZERO)


def held_of(shares: Num) -> Num:
    """1.0 while shares are held, else 0.0."""
    return np.minimum(shares, _ONE)


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
    cash, shares, entry, stop, held, peak = account
    return Account(cash + overnight * amount, shares, entry, stop, held, peak)


def settle_buy(account: Account, fill: Fill, stop: Num) -> Account:
    """Shares in, cash out. ``fill.qty`` may be 0: then nothing changes."""
    cash, held, entry, old_stop, age, peak = account
    shares = held + fill.qty
    # Written as a moving mean, so that a single fill leaves its price untouched.
    weight = fill.qty / np.maximum(shares, _ONE)
    return Account(
        cash - fill.qty * fill.price - fill.fee,
        shares,
        entry + (fill.price - entry) * weight,
        np.where(fill.qty > _ZERO, stop, old_stop)[()],
        age,
        peak,
    )


def settle_sell(account: Account, fill: Fill) -> Account:
    """Shares out, cash in; when all shares are sold, entry, stop and age become 0."""
    cash, held, entry, stop, age, peak = account
    shares = held - fill.qty
    kept = held_of(shares)
    return Account(cash + fill.qty * fill.price - fill.fee, shares, entry * kept, stop * kept, age * kept, peak)


def equity_of(account: Account, close: Num) -> Num:
    """Cash and shares at the close, in USD."""
    return account.cash + account.shares * close


def mark(account: Account, close: Num) -> Account:
    """At the close the position is one session older, and the peak may rise."""
    return _marked(account, equity_of(account, close))


def _marked(account: Account, equity: Num) -> Account:
    cash, shares, entry, stop, age, peak = account
    return Account(cash, shares, entry, stop, age + held_of(shares), np.maximum(peak, equity))


def step(account: Account, plan: Plan, quote: Quote, costs: Costs) -> tuple[Account, Session]:
    """One whole session for one account or n: the account at its close, and its fills."""
    if np.count_nonzero(quote.split != _ONE):  # a ratio of 1 changes nothing, nor does a dividend of 0
        account = apply_split(account, quote.split, quote.previous_close)
        plan = split_plan(plan, quote.split)
    if np.count_nonzero(quote.dividend):
        account = credit_dividend(account, account.shares, quote.dividend)
    entry = buy_at(plan.qty, quote.open, costs)
    account = settle_buy(account, entry, plan.stop)
    # An exit sells all at the open, and nothing is left that the stop could sell.
    sold = np.asarray(plan.exit) | (quote.low <= account.stop)
    price = np.where(plan.exit, quote.open, stop_price_hit(account.stop, quote))[()]
    sale = sell_at(account.shares * sold, price, quote, costs)
    account = settle_sell(account, sale)
    equity = equity_of(account, quote.close)
    return _marked(account, equity), Session(entry, sale, plan.exit, equity)


class Basis(NamedTuple):
    """What a decision's bar alone says about an entry, whatever the account. USD a share, as are all prices."""

    close: Num
    reach: Num
    """the close and three ATR14: an open up to here is affordable"""
    risk: Num
    """the stop's distance; infinite without an ATR14 or a positive stop, which allows no share"""
    stop: Num
    """protective stop; 0 where none is possible"""


def basis(close: Num, atr: Num, limits: Limits) -> Basis:
    """The basis of entries at one close or n."""
    ranged = np.asarray(atr > 0)
    stop = protective_stop(close, atr, limits)
    possible = ranged & (stop > 0)
    risk = np.where(possible, limits.stop_atr * atr, np.inf)[()]
    return Basis(close, close + 3.0 * np.where(ranged, atr, 1.0), risk, np.where(possible, stop, 0.0)[()])


class Size(NamedTuple):
    """Whole shares that each bound allows; the smallest is bought."""

    by_risk: Num
    by_cap: Num
    by_cash: Num
    qty: Num


def size(account: Account, equity: Num, basis: Basis, limits: Limits, costs: Costs) -> Size:
    """How many shares a BUY takes, at the decision's close.

    By risk: the stop's distance loses at most ``risk_per_trade`` of equity.
    By cap: at most ``max_position`` of equity at the close. By cash: affordable,
    with its commission, even if the open gaps up by three ATR14 (slippage included), and
    always if it does not gap up, however small the ATR14 and whatever splits before it.
    """
    by_risk = np.floor(limits.risk_per_trade * equity / basis.risk)
    by_cap = np.floor(limits.max_position * equity / basis.close)
    wanted = np.maximum(np.minimum(by_risk, by_cap), _ZERO)
    fee = commission(wanted, wanted * basis.close, costs)
    by_cash = np.floor((account.cash - fee) / basis.reach)
    # A flat account wants at most max_position of its cash, so this bound binds only close to the whole of it. The
    # default limits, with which models are trained, tested and replayed, give the same size without it: so it came
    # without another RULES_VERSION. Above, it cuts only what could have cost more than there was.
    if np.count_nonzero(limits.max_position * (dearest := _dearest(costs)) > 1.0):
        by_cash = np.minimum(by_cash, np.floor(account.cash / (basis.close * dearest)))
    return Size(by_risk, by_cap, by_cash, np.maximum(np.minimum(wanted, by_cash), _ZERO))


def _dearest(costs: Costs) -> float:
    """What a dollar of shares costs at most when it is bought: slippage, and the highest commission that there is.

    Commission goes by the share, and a split before the open multiplies the shares. A hair is added against rounding.
    """
    return (1.0 + slip(costs)) * (1.0 + costs.multiple * costs.max_fraction) * (1.0 + 1e-12)


def protective_stop(close: Num, atr: Num, limits: Limits) -> Num:
    """``stop_atr`` ATR14 below the decision's close, down to the tick."""
    return tick_down(close - limits.stop_atr * atr)


def drawdown(equity: Num, peak: Num) -> Num:
    """Fraction below the peak, positive."""
    return _ONE - equity / peak
