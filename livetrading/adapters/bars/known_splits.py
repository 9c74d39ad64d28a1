"""Splits of well-known symbols, to ask about a file whose prices do not fit them. Not complete, and nothing is booked
by it: it only makes a question."""

from datetime import date

KNOWN: dict[str, tuple[tuple[date, float], ...]] = {
    "AAPL": ((date(2000, 6, 21), 2.0), (date(2005, 2, 28), 2.0), (date(2014, 6, 9), 7.0), (date(2020, 8, 31), 4.0)),
    "AMZN": ((date(2022, 6, 6), 20.0),),
    "GOOG": ((date(2022, 7, 18), 20.0),),
    "GOOGL": ((date(2022, 7, 18), 20.0),),
    "INTC": ((date(2000, 7, 31), 2.0),),
    "MSFT": ((date(2003, 2, 18), 2.0),),
    "NVDA": ((date(2021, 7, 20), 4.0), (date(2024, 6, 10), 10.0)),
    "TSLA": ((date(2020, 8, 31), 5.0), (date(2022, 8, 25), 3.0)),
}
"""By symbol: (session from which it holds, new shares for one old). Sources: the bundled bars (AAPL, GOOG, NVDA to 2023)
and the companies' announcements to their shareholders (all others)."""
