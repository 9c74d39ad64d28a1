"""``python -m tests.faults.clean_bars``: how many true days the check of fresh bars would refuse.

Each session of the bundled samples, and of every daily file in ``BARS``, is checked as on its
evening, when no later bar is known. ``FAST=1`` takes the last three years of each.
"""

import os
import sys
import time
from pathlib import Path

import pandas as pd

from livetrading.core import sanity
from livetrading.core.bars import COLUMNS, canonical
from tests.doubles.series import sample

SYMBOLS = ("AAPL", "GOOG", "NVDA")
WINDOW = 60
"""Bars before each session; ATR14 and the usual volume need no more."""
YEAR = 252
BAD = {
    # The volume on file is 0.01 to 3 % of what was traded; no such session exists.
    "INTC": ["2000-12-01"],
    "IWM": ["2008-03-25", "2008-03-28", "2008-04-04", "2008-04-22", "2008-04-24", "2008-07-03", "2019-07-30"],
    # Splits that this file, as traded, has no record of.
    "AAPL_raw_with_splits": ["2000-06-21", "2005-02-28"],
}
"""Wrong bars of the reference files, which the check must find."""


def held(frame: pd.DataFrame) -> dict[str, str]:
    """Session -> reason, for each session that would be refused on its evening."""
    found = {}
    for at in range(WINDOW, len(frame)):
        part = frame.iloc[at - WINDOW : at + 1]
        day = part.index[-1].date()
        reason = sanity.doubt(part.iloc[:-1], part, day, [day], "it")
        if reason:
            found[day.isoformat()] = reason
    return found


def series() -> dict[str, pd.DataFrame]:
    found = {symbol: sample(symbol) for symbol in SYMBOLS}
    folder = os.environ.get("BARS")
    for path in sorted(Path(folder).glob("*.csv")) if folder else []:
        frame = pd.read_csv(path)
        if "date" in frame.columns:
            found[path.stem] = canonical(
                frame.assign(**{c: v for c, v in (("dividend", 0.0), ("split", 1.0)) if c not in frame.columns})[
                    ["date", *COLUMNS]
                ],
                path.name,
            )
    return found


def main() -> int:
    wrong = 0
    for name, frame in series().items():
        started = time.monotonic()
        if os.environ.get("FAST", "") not in ("", "0"):
            frame = frame.iloc[-3 * YEAR - WINDOW :]
        reasons = held(frame)
        bad = [d for d in BAD.get(name, []) if frame.index[WINDOW] <= pd.Timestamp(d)]
        missed, false = [d for d in bad if d not in reasons], {d: r for d, r in reasons.items() if d not in bad}
        years = (len(frame) - WINDOW) / YEAR
        allowed = max(1, round(years / 10))
        wrong += bool(missed) or len(false) > allowed
        print(
            f"{name}: {len(frame) - WINDOW} sessions, {years:.1f} years, {len(false)} false blocks (at most {allowed}),"
            f" {len(bad) - len(missed)} of {len(bad)} known bad bars found, {time.monotonic() - started:.0f} s",
            flush=True,
        )
        for day, reason in false.items():
            print(f"  false: {day} {reason}")
        for day in missed:
            print(f"  not found: {day}")
    print("clean bars: " + ("FAILED" if wrong else "all well"))
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
