"""Numbers from TWS: finite and in range, or absent with their name; one that is none costs nothing but itself."""

import logging
from collections.abc import Iterator

import pytest

from livetrading.adapters.brokers.ibkr.broker import IbkrConnection
from livetrading.adapters.brokers.ibkr.history import UNREADABLE, NoBars
from livetrading.adapters.brokers.ibkr.numbers import Unreadable, number, shares
from livetrading.core.errors import Unavailable
from livetrading.core.orders import OrderState
from tests.doubles.ibkr import (
    NOW,
    VERSIONS,
    again_ready,
    await_that,
    broker,
    config,
    connected,
    eventually,
    exit_,
    impatient,
    stop,
)
from tests.doubles.tws import Spoil, TwsDouble

BAD = ("", "n/a", "NaN", "Infinity", "1.7976931348623157E308")
NO_SHARES = (*BAD, "10.5", "-1")
TNA, AAPL = 38708990, 265598
VALUE, STATUS, OPEN, NEXT_ID, EXECUTION, CONTRACT, HISTORY, TIME, COMMISSION, POSITION, MULTI, COMPLETED = (
    6,
    3,
    5,
    9,
    11,
    10,
    17,
    49,
    59,
    61,
    73,
    101,
)
BARS = [("20240603", 1.0, 2.0, 0.5, 1.5, 100, 1.2, 10), ("20240604", 1.5, 2.5, 1.0, 2.0, 200, 1.7, 20)]


@pytest.fixture(params=VERSIONS)
def tws(request: pytest.FixtureRequest) -> Iterator[TwsDouble]:
    with TwsDouble(request.param, clock=lambda: NOW) as double:
        double.bars["TNA", "1 day", "TRADES"] = BARS
        yield double


@pytest.fixture
def connection(tws: TwsDouble) -> Iterator[IbkrConnection]:
    with connected(tws) as ready:
        yield ready


def spoil(tws: TwsDouble, *spoils: Spoil) -> None:
    tws.do(lambda: setattr(tws.faults, "spoils", list(spoils)))


def about(con_id: int):
    return lambda fields: fields[3] == str(con_id)


@pytest.mark.parametrize("value", [*BAD, "-1e300", None, "1e16"])
def test_what_is_no_number_is_told_with_its_name(value):
    with pytest.raises(Unreadable, match="the cash is"):
        number(value, "the cash")
    with pytest.raises(Unreadable, match="the shares is"):
        shares(value, "the shares")


@pytest.mark.parametrize(("value", "found"), [("0", 0), ("-3.0", -3), (7, 7), (2.0, 2)])
def test_whole_shares_are_read_however_they_are_written(value, found):
    assert shares(value, "x", -10) == found


# -- the account ---------------------------------------------------------------------


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize(
    ("tags", "field"), [(("NetLiquidation",), "net_liquidation"), (("CashBalance", "TotalCashValue"), "cash_usd")]
)
def test_a_figure_that_is_no_number_is_absent_with_its_name(tws, connection, tags, field, value):
    spoils = [Spoil(VALUE, 3, value, lambda f: f[2] in tags), Spoil(MULTI, 6, value, lambda f: f[5] in tags)]
    spoil(tws, *spoils)
    again_ready(connection, tws.drop_all)
    found = connection.account()
    other = {"net_liquidation", "cash_usd"} - {field}
    assert getattr(found, field) is None and getattr(found, other.pop()) == 100_000.0
    assert tags[0] in found.absent[0] and "DU1234567" in found.absent[0] and value in found.absent[0]
    assert connection.health().ready and broker(connection).submit(stop(), None, NOW).state == OrderState.NEW


# -- positions ---------------------------------------------------------------------------


@pytest.mark.parametrize("value", [*BAD, "10.5"])
@pytest.mark.parametrize("pushed", [False, True])
def test_a_position_that_cannot_be_read_is_not_known_and_the_others_go_on(tws, connection, value, pushed):
    tws.ledger.positions |= {TNA: (25.0, 90.0), AAPL: (7.0, 10.0)}
    tna, aapl = broker(connection), broker(connection, symbol="AAPL")
    spoil(tws, Spoil(POSITION, 14, value, about(TNA)))
    if pushed:
        tws.happen(lambda ledger: [("position", ledger.listings["TNA"]), ("position", ledger.listings["AAPL"])])
        await_that(lambda: connection.session.unreadable and eventually(aapl.position) == 7)
    else:
        again_ready(connection, tws.drop_all)
    with pytest.raises(Unavailable, match="What the account holds of TNA"):
        tna.position()
    with pytest.raises(Unavailable, match="compare with TWS"):
        connection.positions().get(TNA, 0)
    assert aapl.position() == 7 and connection.positions()[AAPL] == 7
    spoil(tws)
    connection.read_account()
    assert tna.position() == 25


def test_a_position_of_no_readable_contract_could_be_any(tws):
    """That is no answer to the question for positions, and there is no connection without one."""
    tws.ledger.positions[TNA] = (25.0, 90.0)
    spoil(tws, Spoil(POSITION, 3, "n/a"))
    with IbkrConnection(config(tws)) as connection:
        await_that(lambda: connection.health().failures and "positions" in connection.health().trouble)
        with pytest.raises(Unavailable):
            connection.positions()
        spoil(tws)
        assert eventually(connection.positions) == {TNA: 25}


# -- orders ------------------------------------------------------------------------------


@pytest.mark.parametrize("value", NO_SHARES)
@pytest.mark.parametrize("field", [3, 5])
def test_a_status_that_cannot_be_read_ends_nothing_and_fills_nothing(tws, connection, field, value):
    tna = broker(connection)
    tna.submit(stop(), None, NOW)
    spoil(tws, Spoil(STATUS, field, value))
    tws.happen(lambda ledger: ledger.market("TNA", 90.0, 4))
    await_that(lambda: [e.qty for e in eventually(tna.executions)] == [4])
    assert tna.find(stop().ref).state in (OrderState.NEW, OrderState.PARTIALLY_FILLED)
    spoil(tws)
    connection.read_account()
    assert (tna.find(stop().ref).state, tna.find(stop().ref).filled) == (OrderState.PARTIALLY_FILLED, 4)


@pytest.mark.parametrize(("message", "field"), [(OPEN, 14), (OPEN, 17), (OPEN, 25)])
@pytest.mark.parametrize("value", NO_SHARES)
def test_an_order_that_cannot_be_read_is_in_doubt_and_never_absent(tws, connection, message, field, value):
    """A key that was told unreadably must not look free: what is sent under it would be sent twice."""
    tna = broker(connection)
    tna.submit(stop(), None, NOW)
    spoil(tws, Spoil(message, field, value), Spoil(STATUS, 6, "n/a"))
    again_ready(connection, tws.drop_all)
    if (field, value) == (25, "-1") or (field, value) == (17, "10.5"):  # a number that may be meant
        return
    with pytest.raises(Unavailable, match="whether it works is not known"):
        tna.find(stop().ref)
    assert tna.find(exit_().ref) is None
    assert connection.cancel([stop().ref]) == [stop().ref]  # not confirmed
    spoil(tws)
    connection.read_account()
    assert tna.find(stop().ref).state == OrderState.NEW


@pytest.mark.parametrize("value", ["n/a", "NaN", "10.5"])
def test_an_ended_order_that_cannot_be_read_is_in_doubt_and_never_absent(tws, connection, value):
    tna = broker(connection)
    tna.submit(stop(), None, NOW)
    tna.cancel(stop().ref, NOW)
    spoil(tws, Spoil(COMPLETED, 13, value))
    again_ready(connection, tws.drop_all)
    with pytest.raises(Unavailable, match="whether it works is not known"):
        tna.find(stop().ref)
    spoil(tws)
    connection.read_account()
    assert tna.find(stop().ref).state == OrderState.CANCELED


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *((19, v) for v in NO_SHARES),
        *((24, v) for v in NO_SHARES),
        *((20, v) for v in (*BAD, "-1")),
        (15, ""),
        (15, "n/a"),
        (15, "19690101 00:00:00 UTC"),
        (25, "n/a"),
        (7, "n/a"),
        (22, "n/a"),
    ],
)
def test_an_execution_that_cannot_be_read_is_asked_for_again_and_booked_once(tws, connection, field, value):
    tna = broker(connection)
    tna.submit(exit_(), None, NOW)
    spoil(tws, Spoil(EXECUTION, field, value))
    tws.happen(lambda ledger: ledger.market("TNA", 100.0))
    await_that(lambda: connection.session.unreadable or field in (25, 7, 22))
    told = await_that(lambda: eventually(tna.executions))
    assert sum(e.qty for e in told) == 10 and (field in (25, 7, 22) or all(e.estimated for e in told))
    spoil(tws)
    connection.read_account()
    assert [(e.qty, e.price, e.estimated) for e in tna.executions()] == [(10, 100.0, False)]
    assert tna.find(exit_().ref).state == OrderState.FILLED


@pytest.mark.parametrize("value", ["", "n/a", "NaN", "Infinity"])
def test_a_commission_that_is_no_number_is_not_known_yet(tws, connection, value):
    tna = broker(connection)
    tna.submit(exit_(), None, NOW)
    spoil(tws, Spoil(COMMISSION, 3, value))
    tws.happen(lambda ledger: ledger.market("TNA", 100.0))
    with impatient(connection, commission=0.1):
        (fill,) = await_that(lambda: eventually(tna.executions))
        assert not fill.final and fill.fee == pytest.approx(1.03, abs=0.01)  # an estimate, the fees of a sale included
        spoil(tws)
        connection.read_account()
        assert [e.final for e in tna.executions()] == [True]


# -- what else is asked ---------------------------------------------------------------------


@pytest.mark.parametrize("value", [*BAD, "-1"])
@pytest.mark.parametrize("field", [6, 9, 10])
def test_bars_that_cannot_be_read_are_none_at_once(tws, connection, field, value):
    """The second bar's field, or the first's: high, close, volume."""
    spoil(tws, Spoil(HISTORY, field + (7 if field == 6 else 0), value))
    with pytest.raises(NoBars, match="cannot be read") as told:
        connection.bars(broker(connection).instrument, "1 day", "1 Y")
    assert told.value.code == UNREADABLE and connection.health().ready


@pytest.mark.parametrize("value", [*BAD, "-1"])
def test_a_time_that_cannot_be_read_is_told_and_is_no_silence(tws, connection, value):
    spoil(tws, Spoil(TIME, 2, value))
    with pytest.raises(Unavailable, match="time of the server"):
        connection.server_time()
    connection.read_account()
    assert connection.session.connections == 1 and connection.health().ready


@pytest.mark.parametrize("value", [*BAD, "-1", "2147483647"])
def test_a_next_order_id_that_cannot_be_read_is_no_connection_and_heals(tws, value, caplog):
    """-1 is a number: ids are counted on from this program's own."""
    spoil(tws, Spoil(NEXT_ID, 2, value))
    with IbkrConnection(config(tws)) as connection:
        if value not in ("-1", "2147483647"):
            await_that(lambda: connection.health().failures)
            assert connection.health().state in ("failed", "connecting") and "again" in connection.health().trouble
            assert any(r.exc_info for r in caplog.records if r.levelno >= logging.ERROR)
        spoil(tws)
        await_that(lambda: connection.health().ready)
        assert broker(connection).submit(stop(), None, NOW).state == OrderState.NEW


@pytest.mark.parametrize("value", ["n/a", "NaN", "-1", "1.7976931348623157E308"])
def test_a_tick_that_is_no_number_trades_nothing(tws, connection, value):
    spoil(tws, Spoil(CONTRACT, 13 if tws.version >= 164 else 14, value))
    with pytest.raises(Unavailable, match="asked again|cannot|answered"):
        connection.instrument("TNA")
    assert connection.health().ready


def test_each_message_that_is_lost_is_counted_and_logged(tws, connection, caplog):
    before = connection.session.unreadable
    spoil(tws, Spoil(POSITION, 14, "n/a"))
    tws.ledger.positions[TNA] = (25.0, 90.0)
    tws.happen(lambda ledger: [("position", ledger.listings["TNA"])])
    await_that(lambda: connection.health().unreadable == before + 1)
    await_that(lambda: any("position is 'n/a'" in r.getMessage() for r in caplog.records), "the log")
