"""Regulatory fees by date."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livetrading.core.fees import FINRA_TAF, SEC_SECTION_31, regulatory, regulatory_arrays


@pytest.mark.parametrize(
    ("day", "per_million"),
    [
        ("1999-12-31", 100 / 3),
        ("2001-12-27", 100 / 3),
        ("2001-12-28", 15.0),
        ("2003-03-21", 30.1),
        ("2003-03-31", 25.2),
        ("2003-04-01", 46.8),
        ("2008-06-02", 5.6),
        ("2011-01-20", 16.9),
        ("2011-01-21", 19.2),
        ("2014-03-17", 17.4),
        ("2014-03-18", 22.1),
        ("2018-05-22", 13.0),
        ("2021-02-24", 22.1),
        ("2021-02-25", 5.1),
        ("2024-05-21", 8.0),
        ("2024-05-22", 27.8),
        ("2025-05-13", 27.8),
        ("2025-05-14", 0.0),
        ("2026-04-03", 0.0),
        ("2026-04-04", 20.6),
    ],
)
def test_the_sec_rate_of_a_day(day: str, per_million: float):
    assert regulatory(date.fromisoformat(day)).sec_rate == pytest.approx(per_million / 1e6, rel=1e-15)


@pytest.mark.parametrize(
    ("day", "per_share", "cap"),
    [
        ("2002-09-30", 0.0, 0.0),
        ("2002-10-01", 0.0001, 10.0),
        ("2003-08-29", 0.00005, 5.0),
        ("2003-09-02", 0.0001, 10.0),
        ("2004-11-01", 0.000075, 3.75),
        ("2011-06-30", 0.000075, 3.75),
        ("2011-07-01", 0.00009, 4.5),
        ("2012-03-01", 0.000095, 4.75),
        ("2021-12-31", 0.000119, 5.95),
        ("2022-01-03", 0.00013, 6.49),
        ("2023-06-01", 0.000145, 7.27),
        ("2025-12-31", 0.000166, 8.3),
        ("2026-09-30", 0.000195, 9.79),
        ("2026-11-20", 0.0, 0.0),
        ("2027-01-04", 0.000195, 9.79),
    ],
)
def test_the_taf_of_a_day(day: str, per_share: float, cap: float):
    fees = regulatory(date.fromisoformat(day))
    assert (fees.taf_per_share, fees.taf_cap) == (per_share, cap)


def test_a_sale_of_2003_costs_what_it_cost_in_2003():
    """1,000 AAPL at 7.50 USD, as traded then: 35 cents to the SEC, 5 to the NASD."""
    fees = regulatory(date(2003, 5, 1))
    assert fees.sec_rate * 7_500 == pytest.approx(0.351)
    assert min(1_000 * fees.taf_per_share, fees.taf_cap) == pytest.approx(0.05)


def test_rows_are_in_order_each_with_its_source():
    for table in (SEC_SECTION_31, FINRA_TAF):
        starts = [date.fromisoformat(row.start) for row in table]
        assert starts == sorted(set(starts)) and all(row.source for row in table)
    assert all(0.0 <= row.per_million < 50.0 for row in SEC_SECTION_31)
    # FINRA sets the maximum at the fee of 50,000 shares, NASD set it at 100,000.
    assert all(row.cap == pytest.approx(row.per_share * 5e4, rel=0.01) for row in FINRA_TAF if row.start > "2004")


def test_after_the_last_row_the_last_one_holds():
    far = regulatory(date(2090, 1, 3))
    assert far.sec_rate == SEC_SECTION_31[-1].per_million / 1e6
    assert (far.taf_per_share, far.taf_cap) == (FINRA_TAF[-1].per_share, FINRA_TAF[-1].cap)
    assert regulatory(date(1950, 1, 3)).taf_per_share == 0.0


@given(st.lists(st.dates(date(1960, 1, 1), date(2060, 1, 1)), max_size=30))
def test_many_sessions_at_once_are_each_of_them_alone(days: list[date]):
    many = regulatory_arrays(days)
    alone = [regulatory(day) for day in days]
    for name in ("sec_rate", "taf_per_share", "taf_cap"):
        column = getattr(many, name)
        assert column.dtype == np.float64 and column.tolist() == [getattr(one, name) for one in alone]


def test_a_rate_changes_on_its_day_and_not_before():
    for before, row in zip(SEC_SECTION_31, SEC_SECTION_31[1:], strict=False):
        day = date.fromisoformat(row.start)
        assert regulatory(day).sec_rate == row.per_million / 1e6
        assert regulatory(day - timedelta(days=1)).sec_rate == before.per_million / 1e6
