"""Error codes that real TWS sends about orders which go on working."""

import pytest

from livetrading.core.orders import OrderState
from tests.doubles.ibkr import VERSIONS, await_that, broker, connected, entry, stop
from tests.doubles.tws import TwsDouble

CODES = (
    103,
    104,
    105,
    109,
    110,
    116,
    125,
    133,
    135,
    136,
    140,
    141,
    161,
    163,
    200,
    201,
    202,
    203,
    321,
    322,
    329,
    354,
    382,
    388,
    391,
    399,
    404,
    434,
    436,
    451,
    460,
    492,
    2109,
    2148,
    10147,
    10148,
    10167,
    10197,
    10243,
    10318,
    10349,
    10052,
)


@pytest.mark.parametrize("version", VERSIONS)
def test_no_error_code_ends_a_working_order(version):
    with TwsDouble(version) as tws, connected(tws) as connection:
        tna = broker(connection)
        tna.submit(entry(), stop(), tws.ledger.clock())
        ids = [int(h.fields[1]) for h in tws.orders_reported()]
        for code in CODES:
            for order_id in ids:
                tws.complain(17, order_id, code, "Error processing the request")
        trades = connection.session.ib.wrapper.trades
        await_that(
            lambda: {t.orderStatus.status for t in trades.values()} <= {"Cancelled", "ValidationError"}
        )  # the library's lie
        connection.read_account()
        for ref in (entry().ref, stop().ref):
            assert tna.find(ref).state == OrderState.NEW
        assert len(connection.open_orders()) == 2
