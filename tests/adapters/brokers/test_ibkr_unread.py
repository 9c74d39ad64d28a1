"""A message of TWS on which something here breaks: logged with its traceback, and never taken for an answer of nothing."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from livetrading.adapters.brokers.ibkr.broker import IbkrConnection
from livetrading.core.errors import Unavailable
from tests.doubles.ibkr import NOW, await_that, broker, connected, entry, stop
from tests.doubles.tws import TwsDouble

PUSHED = ("open_order", "status", "position", "execution", "commission")


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
        raise RuntimeError("a fault of the program")

    monkeypatch.setattr(connection.session.register, kind, raising)


@pytest.mark.parametrize("kind", PUSHED)
def test_it_is_logged_and_counted_and_the_connection_lives(
    tws: TwsDouble,
    connection: IbkrConnection,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    kind: str,
) -> None:
    tna = broker(connection)
    tna.submit(entry(), stop(), NOW)
    broken(connection, kind, monkeypatch)
    tws.happen(lambda book: book.auction("TNA", 100.0))
    await_that(lambda: connection.health().unreadable, f"{kind} was heard")
    assert connection.health().ready and connection.server_time()
    assert [r for r in caplog.records if r.exc_info and isinstance(r.exc_info[1], RuntimeError)]


@pytest.mark.parametrize("kind", ["open_order", "execution"])
def test_an_order_that_was_not_heard_of_is_not_said_to_be_unknown(
    tws: TwsDouble, connection: IbkrConnection, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """What follows from "unknown" is a second order."""
    tna = broker(connection)
    tna.submit(entry(), stop(), NOW)
    broken(connection, kind, monkeypatch)
    tws.happen(lambda book: book.auction("TNA", 100.0, 4))
    await_that(lambda: connection.health().unreadable, f"{kind} was heard")
    connection.session.register.order_reports.clear()
    with suppress(Unavailable):  # or another list names it
        assert tna.find(entry().ref) is not None
