"""A message of TWS that the register cannot take in: logged, told, and never taken for an answer of nothing."""

from collections.abc import Iterator
from typing import Any

import pytest

from livetrading.adapters import logs
from livetrading.adapters.brokers.ibkr import IbkrConnection
from livetrading.adapters.brokers.ibkr_register import Register
from livetrading.core.errors import Unavailable
from tests.doubles.ibkr import NOW, await_that, broker, connected, entry, stop
from tests.doubles.tws import TwsDouble

KINDS = ("open_order", "status", "position", "execution", "commission", "completed", "positions_end")


@pytest.fixture
def tws() -> Iterator[TwsDouble]:
    with TwsDouble(178, clock=lambda: NOW) as double:
        yield double


@pytest.fixture
def connection(tws: TwsDouble) -> Iterator[IbkrConnection]:
    with connected(tws) as ready:
        yield ready


def broken(connection: IbkrConnection, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(*_: Any) -> None:
        raise OverflowError("cannot convert float infinity to integer")

    raising.__name__ = kind
    monkeypatch.setattr(connection.session.register, kind, raising)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_logged_and_told_and_the_connection_lives(
    tws: TwsDouble, connection: IbkrConnection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    logs._logged.clear()
    tna = broker(connection)
    tna.submit(entry(), stop(), NOW)
    broken(connection, kind, monkeypatch)
    tws.happen(lambda book: book.auction("TNA", 100.0))
    connection.look()
    told = await_that(lambda: connection.session.register.unread.get(kind), f"{kind} was heard")
    assert connection.health().ready and connection.server_time()
    assert "OverflowError" in told and "the log" in told
    assert [r for r in caplog.records if r.exc_info and kind in r.getMessage()]


@pytest.mark.parametrize("kind", ["open_order", "execution"])
def test_an_order_that_was_not_heard_of_is_not_said_to_be_unknown(
    connection: IbkrConnection, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """What follows from "unknown" is a second order."""
    tna = broker(connection)
    assert tna.find("PPO_TNA_001:2024-06-03:entry:9") is None
    connection.session.register.unread[kind] = "A message could not be read."
    with pytest.raises(Unavailable, match="TWS"):
        tna.find("PPO_TNA_001:2024-06-03:entry:9")


def test_a_position_that_was_not_heard_of_is_not_no_position(connection: IbkrConnection) -> None:
    tna = broker(connection)
    assert tna.position() == 0
    connection.session.register.unread["position"] = "A message could not be read."
    with pytest.raises(Unavailable, match="TWS"):
        tna.position()


def test_a_new_connection_reads_everything_anew() -> None:
    register = Register()
    register.unread["position"] = "A message could not be read."
    register.renew()
    register.require_read()
