"""Regulatory fees on sales of US shares, by date.

SEC: the fee of Section 31 of the Securities Exchange Act, USD per million of
proceeds. FINRA (until 2007 NASD): the Trading Activity Fee, USD a share with a
maximum a trade. Both are charged on sales only; brokers pass them on.

Each row names its source, in three grades. Without a remark: a text of the
SEC or FINRA. "As quoted": their text, read in a journal or a reprint.
"Secondary source": the figures come from a broker's, newspaper's or other
public table and were not seen in the authority's text. A date in brackets is
the appropriation act whose 30 or 60 days give the effective date. Add a row
when an advisory appears: https://www.sec.gov/rules-regulations/fee-rate-advisories
and https://www.finra.org/rules-guidance/guidance/trading-activity-fee.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True)
class Regulatory:
    """Fees of a sale: a fraction of the proceeds, USD a share, USD at most a trade."""

    sec_rate: float
    taf_per_share: float
    taf_cap: float


@dataclass(frozen=True)
class RegulatoryArrays:
    """The same for each of n sessions: float64 arrays ``(n,)``."""

    sec_rate: np.ndarray
    taf_per_share: np.ndarray
    taf_cap: np.ndarray


class SecRow(NamedTuple):
    """From this date on: USD per million of proceeds."""

    start: str
    per_million: float
    source: str


class TafRow(NamedTuple):
    """From this date on: USD a share, at most USD a trade."""

    start: str
    per_share: float
    cap: float
    source: str


SEC_SECTION_31: tuple[SecRow, ...] = (
    SecRow("1970-01-01", 100.0 / 3.0, "1/300 of 1 %, Section 31 before the Fee Relief Act; secondary source"),
    SecRow("2001-12-28", 15.00, "15 USC 78ee(b) (Public Law 107-123); date: secondary source"),
    SecRow("2002-04-01", 30.10, "mid-year adjustment announced 2002-03-01; secondary source"),
    SecRow("2003-03-22", 25.20, "SEC Fee Rate Advisory #12 for FY2003, 2003-02-28, as quoted, citing #11"),
    SecRow("2003-04-01", 46.80, "SEC Fee Rate Advisory #12 for FY2003, 2003-02-28, as quoted"),
    SecRow("2004-02-22", 39.00, "announced 2004-01-26; secondary source"),
    SecRow("2004-04-01", 23.40, "SEC Fee Rate Advisory #8 for FY2004, 2004-02-27; secondary source"),
    SecRow("2005-01-07", 32.90, "announced 2004-12-09; secondary source"),
    SecRow("2005-04-01", 41.80, "SEC Fee Rate Advisory #7 for FY2005, 2005-03-01; secondary source"),
    SecRow("2005-12-22", 30.70, "rate: SEC press release 2006-194; date: secondary source"),
    SecRow("2007-03-17", 15.30, "rate: SEC press releases 2006-194, 2007-89; date (2007-02-15): secondary source"),
    SecRow("2008-01-25", 11.00, "rate: SEC press release 2007-89; date (2007-12-26): secondary source"),
    SecRow("2008-04-01", 5.60, "FINRA Information Notice 3/10/08"),
    SecRow("2009-04-10", 25.70, "rate: SEC press release 2009-100; date (2009-03-11): secondary source"),
    SecRow("2010-01-15", 12.70, "SEC press release 2009-270, as quoted"),
    SecRow("2010-04-01", 16.90, "FINRA Information Notice 3/10/10"),
    SecRow("2011-01-21", 19.20, "SEC press release 2010-255, Fee Rate Advisory #5 for FY2011"),
    SecRow("2012-02-21", 18.00, "SEC Fee Rate Advisory #5 for FY2012 (34-66202), as quoted"),
    SecRow("2012-04-01", 22.40, "rate: SEC press release 2012-232; date: secondary source"),
    SecRow("2013-05-25", 17.40, "rate: FINRA Information Notice 3/3/14; date (2013-03-26, 34-69449): secondary source"),
    SecRow("2014-03-18", 22.10, "FINRA Information Notice 3/3/14"),
    SecRow("2015-02-14", 18.40, "SEC order 34-74057, 2015-01-15; figures: secondary source"),
    SecRow("2016-02-16", 21.80, "rate: FINRA Information Notice 3/15/16; date: secondary source"),
    SecRow("2017-07-04", 23.10, "SEC order 34-80816, 2017-05-31; figures: secondary source"),
    SecRow("2018-05-22", 13.00, "FINRA Information Notice 5/7/18"),
    SecRow("2019-04-16", 20.70, "SEC Fee Rate Advisory #2 for FY2019, 2019-03-12, as quoted"),
    SecRow("2020-02-18", 22.10, "FINRA Information Notice 2/3/20, as quoted"),
    SecRow("2021-02-25", 5.10, "SEC Fee Rate Advisory #2 for FY2021, FINRA Information Notice 2/16/21, as quoted"),
    SecRow("2022-05-14", 22.90, "SEC Fee Rate Advisory #2 for FY2022; secondary source"),
    SecRow("2023-02-27", 8.00, "SEC order 34-96724, 2023-01-23; date: secondary source"),
    SecRow("2024-05-22", 27.80, "SEC Fee Rate Advisory #2 for FY2024 (34-99973), as quoted"),
    SecRow("2025-05-14", 0.00, "FINRA Information Notice 4/24/25 (34-102779), as quoted"),
    SecRow("2026-04-04", 20.60, "SEC order 34-104909, 2026-02-27; figures: secondary source"),
)

FINRA_TAF: tuple[TafRow, ...] = (
    TafRow("1970-01-01", 0.0, 0.0, "before the fee"),
    TafRow("2002-10-01", 0.000100, 10.00, "NASD announcement of 2002-10-17; secondary source"),
    # The rate was halved some time before September 2003; the day was not
    # found. The pilot was extended on 2002-12-31 (SR-NASD-2002-182).
    TafRow("2003-01-01", 0.000050, 5.00, "Traders Magazine 2003-09-30; date assumed; secondary source"),
    TafRow("2003-09-01", 0.000100, 10.00, "NASD Notice to Members 03-43; figures: secondary source"),
    TafRow("2004-11-01", 0.000075, 3.75, "NASD Notice to Members 04-84; figures: FINRA Regulatory Notice 11-27"),
    TafRow("2011-07-01", 0.000090, 4.50, "FINRA Regulatory Notice 11-27"),
    TafRow("2012-03-01", 0.000095, 4.75, "FINRA Regulatory Notice 12-06"),
    TafRow("2012-07-01", 0.000119, 5.95, "FINRA Regulatory Notice 12-31; secondary source"),
    TafRow("2022-01-01", 0.000130, 6.49, "SR-FINRA-2020-032, first step; secondary source"),
    TafRow("2023-01-01", 0.000145, 7.27, "SR-FINRA-2020-032, second step; secondary source"),
    TafRow("2024-01-01", 0.000166, 8.30, "SR-FINRA-2020-032, third step; secondary source"),
    TafRow("2026-01-01", 0.000195, 9.79, "SR-FINRA-2024-019 (34-101696); figures: secondary source"),
    TafRow("2026-10-01", 0.0, 0.0, "pause of the fee, SR-FINRA-2026-021 (34-106409); secondary source"),
    TafRow("2027-01-01", 0.000195, 9.79, "resumed, held to 2028 by SR-FINRA-2026-020; secondary source"),
)

_SEC_STARTS = np.array([row.start for row in SEC_SECTION_31], dtype="datetime64[D]")
_SEC_RATES = np.array([row.per_million / 1_000_000.0 for row in SEC_SECTION_31])
_TAF_STARTS = np.array([row.start for row in FINRA_TAF], dtype="datetime64[D]")
_TAF_RATES = np.array([row.per_share for row in FINRA_TAF])
_TAF_CAPS = np.array([row.cap for row in FINRA_TAF])


def regulatory(session: date) -> Regulatory:
    """The fees of a sale on this session, as floats.

    A session after the last row uses the last one, before the first the first.
    """
    fees = regulatory_arrays([session])
    return Regulatory(float(fees.sec_rate[0]), float(fees.taf_per_share[0]), float(fees.taf_cap[0]))


def regulatory_arrays(sessions: Sequence[date] | np.ndarray) -> RegulatoryArrays:
    """The fees of a sale on each of n sessions, as float64 arrays ``(n,)``."""
    days = np.array(sessions, dtype="datetime64[D]")
    sec = np.maximum(np.searchsorted(_SEC_STARTS, days, side="right") - 1, 0)
    taf = np.maximum(np.searchsorted(_TAF_STARTS, days, side="right") - 1, 0)
    return RegulatoryArrays(_SEC_RATES[sec], _TAF_RATES[taf], _TAF_CAPS[taf])
