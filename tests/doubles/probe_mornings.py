"""A virtual morning at a TWS double, for ``doctor --probe-open``."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from livetrading.adapters.brokers.ibkr import evidence
from livetrading.adapters.home import Home
from livetrading.adapters.store import Store
from livetrading.cli.ibkr import probe_open
from livetrading.core import windows
from tests.doubles.ibkr import QUICK
from tests.doubles.tws import TwsDouble
from tests.doubles.tws.ledger import Event, Ledger

MONDAY, ACCOUNT = date(2024, 6, 3), "DU1234567"
ALWAYS_LOOK = replace(QUICK, fresh=0.0)
Happens = dict[str, Callable[[Ledger], list[Event]]]


@dataclass
class Morning:
    """A clock that only pauses move, and events at the broker at given times."""

    now: datetime
    tws: TwsDouble | None = None
    to_come: Happens = field(default_factory=dict)

    def __call__(self) -> datetime:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        for clock in [c for c in sorted(self.to_come) if windows.at(MONDAY, time.fromisoformat(c)) <= self.now]:
            assert self.tws is not None
            self.tws.happen(self.to_come.pop(clock))


def probe(home: Home, morning: Morning, confirm: str = ACCOUNT, **timing: Any) -> dict[str, Any]:
    patience = replace(ALWAYS_LOOK, **timing)
    return probe_open.probe(home, confirm, "INTC", clock=morning, pause=morning.pause, timing=patience)


def sent(tws: TwsDouble) -> list[tuple[str, float, str]]:
    return [(o.action, o.qty, o.tif) for o in tws.ledger.orders]


def filled_then_gone(tws: TwsDouble) -> Callable[[Ledger], list[Event]]:
    """The auction fills the order, and TWS closes before it can report the fill."""

    def act(ledger: Ledger) -> list[Event]:
        tws.close_port()
        return ledger.auction("INTC", 30.0)

    return act


def on(clock: str, day: int = 3) -> datetime:
    return datetime.fromisoformat(f"2024-06-{day:02} {clock}").replace(tzinfo=windows.NEW_YORK).astimezone(UTC)


def what_was_found(home: Home) -> list[tuple[bool, int]]:
    return [(p.holds, p.server_version) for p in evidence.proofs(Store(home))["paper-auction"]]
