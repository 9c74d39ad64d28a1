"""A fill's session is New York's date, wherever TWS runs and however it writes times."""

from datetime import UTC, datetime

import pytest

from tests.doubles.ibkr import NOW, await_that, broker, connected, exit_
from tests.doubles.tws import TwsDouble


@pytest.mark.parametrize(
    ("at", "session"),
    [
        (datetime(2024, 6, 3, 13, 30, tzinfo=UTC), "2024-06-03"),
        (datetime(2024, 6, 4, 3, 59, tzinfo=UTC), "2024-06-03"),
        (datetime(2024, 6, 4, 4, 1, tzinfo=UTC), "2024-06-04"),
    ],
)
@pytest.mark.parametrize("zone", ["US/Eastern", "Europe/Berlin"])
@pytest.mark.parametrize("naive", [True, False])
def test_a_fill_belongs_to_new_yorks_date_wherever_tws_runs(at, session, zone, naive):
    with TwsDouble(157, clock=lambda: at) as tws:
        tws.naive_times, tws.zone = naive, zone
        with connected(tws, zone=zone) as connection:
            tna = broker(connection)
            tna.submit(exit_(), None, NOW)
            tws.happen(lambda ledger: ledger.market("TNA", 100.0))
            (fill,) = await_that(tna.executions)
            assert fill.session == session
