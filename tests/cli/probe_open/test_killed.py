"""``doctor --probe-open`` killed at each of its steps."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ib_async.client import Client

from livetrading.adapters import settings
from livetrading.adapters.brokers.ibkr.broker import IbkrBroker
from livetrading.adapters.home import Home
from livetrading.adapters.store import Store
from livetrading.cli.ibkr import probe_record
from livetrading.core import windows
from livetrading.core.errors import Refused
from tests.doubles.probe_mornings import Morning, on, probe
from tests.doubles.tws import TwsDouble


class Killed(BaseException):
    """What no handler of the program catches."""


@pytest.mark.parametrize("resumed", ["2024-06-03 11:00", "2024-06-04 11:00"])
def test_a_kill_at_any_point_leaves_nothing_that_a_later_run_does_not_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resumed: str
) -> None:
    """Before and after each message to the broker and each note; never a second share, never short."""
    real = {name: getattr(IbkrBroker, name) for name in ("submit", "cancel")} | {"save": probe_record.save}
    for missed in (False, True):  # filled in the auction, or left by it
        for n in itertools.count(1):
            steps, killed = itertools.count(1), []

            def wrapped(name: str) -> Callable[..., Any]:
                def call(*args: Any) -> Any:
                    if next(steps) == n:
                        killed.append(f"before {name}")
                        raise Killed
                    answer = real[name](*args)
                    if next(steps) == n:
                        killed.append(f"after {name}")
                        raise Killed
                    return answer

                return call

            with monkeypatch.context() as patched, TwsDouble(178) as tws:
                morning = Morning(on("09:10"), tws)
                tws.ledger.clock = morning
                home = Home.resolve(str(tmp_path / f"{missed}{n}"))
                settings.save_all(home, {"ibkr_port": tws.port, "ibkr_restart": ""})
                auction = {} if missed else {"09:30:02": lambda x: x.auction("INTC", 30.0)}
                morning.to_come = {**auction, "09:30:20": lambda x: x.market("INTC", 30.1)}
                for name in ("submit", "cancel"):
                    patched.setattr(IbkrBroker, name, wrapped(name))
                patched.setattr(probe_record, "save", wrapped("save"))
                try:
                    probe(home, morning)
                except Killed:
                    pass
                patched.undo()
                patched.setattr(Client, "MaxRequests", 0)
                if not killed:
                    break
                if not missed:
                    tws.happen(lambda x: x.auction("INTC", 30.0))
                morning.to_come, tws.fills_at = {}, 30.1
                morning.now = datetime.fromisoformat(resumed).replace(tzinfo=windows.NEW_YORK).astimezone(UTC)
                tws.happen(lambda x: x.market("INTC", 30.1))
                try:
                    probe(home, morning)
                except Refused as refused:  # nothing was left, so it is a new probe at the wrong hour
                    assert "04:00 and 09:20" in str(refused)
                where = (killed, missed, [(o.action, o.status) for o in tws.ledger.orders])
                assert tws.ledger.holds("INTC") == 0 and not tws.ledger.open_orders(), where
                assert len([o for o in tws.ledger.orders if o.action == "BUY"]) <= 1, where
                assert not [r for r in probe_record.load(Store(home)) if not r.done], where
        assert n > 6
