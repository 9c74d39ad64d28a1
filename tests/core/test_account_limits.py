"""A limit whose figure is absent or no number refuses: compared with NaN it would allow everything."""

from dataclasses import replace
from datetime import date

import pytest

from livetrading.core.account_limits import (
    AccountLimits,
    AccountSnapshot,
    entry_refused,
    over_allocated,
    pattern_day_trader,
)
from livetrading.core.orders import Order
from livetrading.core.types import Leg, Terms

NAN, INF = float("nan"), float("inf")
BAD = (NAN, INF, -INF, None)
NOW = AccountSnapshot(100_000.0, "USD", 50_000.0, before=100_000.0)
LIMITS = AccountLimits(max_order_notional=20_000.0)
ORDER = Order("A:2024-06-03:entry:1", Leg.ENTRY, 10, "2024-06-03", stop_price=90.0)
TERMS = Terms(10_000.0)


def refused(
    now: AccountSnapshot = NOW, order: Order = ORDER, close: float = 100.0, limits: AccountLimits = LIMITS
) -> str | None:
    return entry_refused(order, close, TERMS, now, limits)


def test_what_is_within_every_limit_may_go() -> None:
    assert refused() is None and over_allocated(90_000.0, NOW, AccountLimits()) is None


@pytest.mark.parametrize("field", ["net_liquidation", "cash_usd", "before", "reserved"])
@pytest.mark.parametrize("value", BAD)
def test_an_entry_is_refused_while_a_figure_of_the_account_is_no_number(field: str, value: float | None) -> None:
    if value is None and field in ("before", "reserved"):
        return  # these are this program's own
    said = refused(replace(NOW, **{field: value}))
    assert said is not None and "as a number" in said


@pytest.mark.parametrize("value", BAD[:3])
@pytest.mark.parametrize("field", ["max_day_loss", "max_order_notional"])
def test_an_entry_is_refused_while_a_limit_is_no_number(field: str, value: float) -> None:
    assert refused(limits=replace(LIMITS, **{field: value})) is not None


@pytest.mark.parametrize("value", BAD[:3])
def test_an_entry_whose_cost_is_no_number_is_refused(value: float) -> None:
    assert refused(close=value) is not None
    assert refused(order=replace(ORDER, stop_price=value)) is not None


@pytest.mark.parametrize("value", BAD)
def test_capital_is_not_given_against_a_worth_that_is_no_number(value: float | None) -> None:
    assert "as a number" in str(over_allocated(10_000.0, replace(NOW, net_liquidation=value), AccountLimits()))
    assert over_allocated(10_000.0, replace(NOW, net_liquidation=value), AccountLimits(max_capital=20_000.0)) is None
    if value is not None:
        assert over_allocated(value, NOW, AccountLimits()) is not None
        assert over_allocated(10_000.0, NOW, AccountLimits(max_capital=value)) is not None


@pytest.mark.parametrize("value", BAD)
def test_nobody_is_warned_of_a_worth_that_is_not_known(value: float | None) -> None:
    assert pattern_day_trader(9, replace(NOW, net_liquidation=value), date(2026, 1, 5)) == ""
