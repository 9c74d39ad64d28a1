"""``python -m tests.faults.calendar_sweep``: every session of 2000..2028 on hosts in six time zones.

First the exchange's calendar against a second library; then a year at a time with the real trader, orders and
paper broker, on a host that is late, asleep over the close, asleep for days, restarted, and whose clock jumps
ahead and back. The results are checked by the second library's hours and New York's clock, not by our calendar.
``FAST=1`` runs five quarters in two zones.
"""

import logging
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from unittest import mock

from livetrading.core import market
from livetrading.core.errors import Refused
from livetrading.execution.state.read_model import ReadModel
from tests.doubles.processes import in_child
from tests.faults.calendar_host import KINDS, Host, HostPass, Lived, Quarter, live, plain_market
from tests.faults.calendar_witness import EARLY_CLOSE, LATE_OPENS, differences, witness_ready

ZONES = ("UTC", "America/New_York", "Europe/Berlin", "Asia/Kathmandu", "Pacific/Auckland", "Australia/Lord_Howe")
YEARS, FAST = range(2000, 2029), ((2001, 2), (2007, 0), (2007, 3), (2012, 3), (2020, 3))
"""The fast quarters hold a closed week, both changes of the clock under its new rule, Sandy, and two half days."""


def unknown_years(root: Path) -> list[str]:
    """A clock in a year that the calendar does not know: refused; nothing is booked, decided or sent."""
    host, wrong = Host(2028, 0, root), []
    host.run_pass(HostPass(witness_ready(date(2028, 1, 3)), witness_ready(date(2028, 1, 3))))
    for text in ("2029-01-02T22:00:00", "2035-06-01T12:00:00", "1989-12-31T12:00:00"):
        before, sent = host.trader.repository.state, len(host.sent)
        try:
            host.trader.run(datetime.fromisoformat(text).replace(tzinfo=UTC))
            wrong.append(f"{text} was not refused")
        except Refused as error:
            if "known from 1990-01-01 to 2028-12-31" not in str(error):
                wrong.append(str(error))
        after = host.trader.repository.state
        if (after.booked, after.settled, after.held, len(host.sent)) != (
            before.booked,
            before.settled,
            before.held,
            sent,
        ):
            wrong.append(f"something was done at {text}")
    return wrong


def in_zone(zone: str, quarters: Iterable[Quarter], root: Path) -> dict[Quarter, Lived]:
    """Quarters on hosts of this zone, in a separate process."""

    def body() -> dict[Quarter, Lived]:
        os.environ["TZ"] = zone
        time.tzset()
        with cheap():
            return {quarter: live(*quarter, root / zone.replace("/", "_")) for quarter in quarters}

    return in_child(body)


@contextmanager
def cheap() -> Iterator[None]:
    """Without parts that this sweep does not test: power cuts, indicators, and the files that pages read."""
    with (
        mock.patch("os.fsync", lambda fd: None),
        mock.patch.object(market, "newest", plain_market),
        mock.patch.object(ReadModel, "write", lambda self, *_: self.settle()),
    ):
        logging.disable()
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)


def main() -> int:
    fast = os.environ.get("FAST", "") not in ("", "0")
    zones = ZONES[::3] if fast else ZONES
    known, wrong = differences()
    print(
        f"calendar: {known} sessions of 2000..2028 in both libraries, {len(EARLY_CLOSE)} close and {len(LATE_OPENS)}"
        f" opens differ as they are known to, {len(wrong)} otherwise",
        flush=True,
    )
    first: dict[Quarter, str] = {}
    quarters = list(FAST) if fast else [(year, quarter) for year in YEARS for quarter in range(4)]
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        for zone in zones:
            started, total = time.monotonic(), Counter()
            for quarter, lived in in_zone(zone, quarters, Path(folder)).items():
                total += lived.counts
                wrong += [f"{zone}: {text}" for text in lived.wrong]
                if first.setdefault(quarter, lived.digest) != lived.digest:
                    wrong.append(f"{zone}: the journal of {quarter} differs from that of {zones[0]}")
            nights = ", ".join(f"{total.pop(kind)} {kind}" for kind in KINDS)
            print(f"{zone}: {dict(total)}; nights: {nights}; {time.monotonic() - started:.0f} s", flush=True)
        with cheap():
            beyond = unknown_years(Path(folder))
    print(f"unknown years: {'refused' if not beyond else beyond}")
    for text in [*wrong, *beyond][:40]:
        print(f"  {text}")
    print("calendar sweep: " + (f"{len(wrong) + len(beyond)} FAILED" if wrong or beyond else "all well"))
    return int(bool(wrong or beyond))


if __name__ == "__main__":
    sys.exit(main())
