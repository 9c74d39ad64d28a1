"""Repeats with the adapter what was done when a cassette was recorded, message by message."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from livetrading.adapters.brokers.base import Ticket
from livetrading.adapters.brokers.ibkr.broker import IbkrBroker, IbkrConnection
from livetrading.adapters.brokers.ibkr.config import IbkrConfig
from livetrading.adapters.brokers.ibkr.orders import Instrument
from livetrading.core.errors import LivetradingError
from tests.doubles.ibkr import QUICK, any_account

from .cassette import CassetteTws

PATIENCE = 10.0
LOOKS = ("7", "16", "61", "99")
AT_THE_START = ("5", "6", "15", "62", "76")
"""Questions of the library when it connects; an adapter may ask fewer."""
TIMING = replace(QUICK, probe_every=20.0, answer=5.0, connect=5.0, history=5.0)


def config_for(tws: CassetteTws) -> IbkrConfig:
    """The account and client id of the recording."""
    recorded = tws.cassette
    return IbkrConfig(
        port=tws.port, client_id=recorded.client_id, account=recorded.account, restart=None, timing=TIMING
    )


def follow(tws: CassetteTws, connection: IbkrConnection) -> None:
    """Act until the end of the cassette; AssertionError if the adapter does not send the awaited message."""
    while not tws.over:
        wanted = _once_quiet(tws)
        if tws.over:
            return
        assert wanted, f"the cassette does not continue; so far: {tws.differences}"
        before = wanted, tws.awaited(wanted[0])
        try:
            _action(tws, connection, wanted)()
        except LivetradingError:
            pass  # the recorded call may have failed as well; the messages decide
        assert _moved(tws, before), f"the adapter did not send {wanted}; so far: {tws.differences}"


def _once_quiet(tws: CassetteTws) -> tuple[str, ...]:
    """The message that the cassette waits for, when no message is in transit."""
    end = time.monotonic() + PATIENCE
    last, since = tws.waits_for, time.monotonic()
    while time.monotonic() < end and not tws.over:
        time.sleep(0.005)
        now = tws.waits_for
        if now != last:
            last, since = now, time.monotonic()
        elif now and time.monotonic() - since > 0.05:
            return now
    return ()


def _moved(tws: CassetteTws, before: Any) -> bool:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        wanted = tws.waits_for
        if tws.over or not wanted or (wanted, tws.awaited(wanted[0])) != before:
            return True
        time.sleep(0.005)
    return False


def _action(tws: CassetteTws, connection: IbkrConnection, wanted: tuple[str, ...]) -> Callable[[], Any]:
    kind = wanted[0]
    if kind == "3":
        return lambda: _submit(tws, connection, wanted)
    if kind == "4":
        ids = {f[2] for f in tws.awaited("4")}
        lines = tws.cassette.lines
        refs = {x.fields[1]: x.fields[26 if x.sent else 23] for x in lines if x.fields[:1] == ("3" if x.sent else "5",)}
        return lambda: connection.cancel([refs[i] for i in ids])
    if kind == "58":
        return connection.cancel_everything
    if kind == "9":
        return lambda: connection.instrument(wanted[4].replace(" ", "-"), int(wanted[3] or 0), wanted[11])
    if kind == "20":
        instrument = Instrument(wanted[3], int(wanted[2]), wanted[10])
        return lambda: connection.bars(instrument, wanted[16], wanted[17], wanted[19])
    if kind in LOOKS:
        return connection.read_account
    if kind in AT_THE_START:
        return tws.skip
    raise AssertionError(f"nothing in the adapter sends {wanted}")


def _submit(tws: CassetteTws, connection: IbkrConnection, first: tuple[str, ...]) -> Any:
    child = next((f for f in tws.awaited("3")[1:] if f[28] == first[1]), None) if first[27] == "0" else None
    instrument = Instrument(first[3], int(first[2]), first[10])
    broker = IbkrBroker(connection, first[26].partition(":")[0], instrument, gate=any_account)
    return broker.submit(_ticket(first), _ticket(child) if child else None, connection.session.clock())


def _ticket(fields: tuple[str, ...]) -> Ticket:
    return Ticket(fields[26], fields[16], int(float(fields[17])), fields[18], fields[21], float(fields[20] or 0))
