"""What is said of day trades is what holds on that day."""

from datetime import date

import pytest

from livetrading.core.account_limits import AccountSnapshot, pattern_day_trader

SMALL, LARGE = AccountSnapshot(9_000.0, "USD", 9_000.0), AccountSnapshot(25_000.0, "USD", 25_000.0)
BEFORE, FIRST, LAST, AFTER = date(2026, 6, 3), date(2026, 6, 4), date(2027, 10, 20), date(2027, 10, 21)


def test_before_the_intraday_margin_standards_the_count_binds():
    text = pattern_day_trader(3, SMALL, BEFORE)
    assert "3 day trades in five sessions with 9,000 USD" in text and "after a fourth" in text
    assert "replaced" not in text


@pytest.mark.parametrize("today", [FIRST, date(2026, 11, 27), LAST])
def test_while_brokers_phase_them_in_the_count_is_only_what_a_broker_may_still_do(today):
    text = pattern_day_trader(3, SMALL, today)
    assert "replaced on 2026-06-04" in text and "may still apply the old one until 2027-10-20" in text


def test_after_the_phase_in_nothing_is_counted():
    assert pattern_day_trader(40, SMALL, AFTER) == ""


@pytest.mark.parametrize("today", [BEFORE, FIRST, LAST, AFTER])
def test_few_day_trades_or_a_large_account_are_no_matter(today):
    assert pattern_day_trader(2, SMALL, today) == "" == pattern_day_trader(9, LARGE, today)
