"""In every refused case not one byte of an order is on the wire."""

import pytest

from livetrading.adapters.brokers.ibkr.broker import IbkrBroker, IbkrConnection
from livetrading.adapters.brokers.ibkr.orders import Instrument
from livetrading.core.errors import Unavailable
from tests.doubles.ibkr import DEADLINE, NOW, VERSIONS, any_account, await_that, config, connected, entry, exit_, stop
from tests.doubles.tws import TwsDouble

TNA = Instrument("TNA", 38708990, "ARCA")
PAPER, REAL = "DU1234567", "U7654321"


def refused(tws: TwsDouble, **settings) -> str:
    """Why a connection with these settings is refused; it tries to send all the same."""
    with IbkrConnection(config(tws, **settings)) as connection:
        health = connection.wait_ready(DEADLINE)
        assert (health.ready, health.state) == (False, "refused")
        tna = IbkrBroker(connection, "PPO_TNA_001", TNA, gate=any_account)
        for ticket, child in ((entry(), stop()), (exit_(), None)):
            with pytest.raises(Unavailable):
                tna.submit(ticket, child, NOW)
        with pytest.raises(Unavailable):
            tna.cancel(stop().ref, NOW)
        with pytest.raises(Unavailable):
            connection.cancel_everything()
        return health.detail


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("accounts", "settings", "words"),
    [
        ((REAL,), {}, "not a paper account"),
        ((PAPER, "DU2"), {}, "several accounts"),
        ((PAPER,), {"account": "DU2"}, "not to account DU2"),
        ((PAPER,), {"account": REAL}, "mode is paper"),
        ((PAPER,), {"mode": "live", "account": PAPER}, "no known live port"),
        ((REAL,), {"mode": "live", "account": REAL, "confirmed": REAL}, "no known live port"),
    ],
)
def test_settings_that_disagree_send_nothing(version, accounts, settings, words):
    with TwsDouble(version, accounts) as tws:
        assert words in refused(tws, **settings)
        assert tws.order_bytes() == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_read_only_mode_is_named_with_its_cure(version):
    with TwsDouble(version) as tws:
        tws.read_only = True
        assert "clear Read-Only API" in refused(tws)
        assert tws.order_bytes() == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_a_competing_client_id_is_named_at_once_and_taken_over_when_free(version):
    with TwsDouble(version) as tws:
        with connected(tws):
            with IbkrConnection(config(tws)) as second:
                health = second.wait_ready(DEADLINE)
                assert (health.state, "client id 17" in health.detail) == ("refused", True)
                assert tws.order_bytes() == 0
        with IbkrConnection(config(tws)) as third:
            await_that(lambda: third.health().ready)


def test_real_money_without_its_typed_number_does_not_even_connect(monkeypatch):
    from livetrading.adapters.brokers.ibkr import account_gates

    with TwsDouble(157, (REAL,)) as tws:
        monkeypatch.setitem(account_gates.LIVE_PORTS, tws.port, "the double")
        assert f"--confirm {REAL}" in refused(tws, mode="live", account=REAL)
        assert not tws.received
        with connected(tws, mode="live", account=REAL, confirmed=REAL) as connection:
            assert connection.health().account == REAL


def test_nothing_is_sent_near_the_gateways_restart():
    from livetrading.adapters.brokers.ibkr.config import IbkrConfig
    from tests.doubles.ibkr import QUICK

    with TwsDouble(157) as tws:
        at = NOW.replace(tzinfo=None).time()
        settings = IbkrConfig(port=tws.port, restart=at, zone="UTC", timing=QUICK)
        with IbkrConnection(settings, clock=lambda: NOW) as connection:
            assert connection.wait_ready(DEADLINE).ready
            with pytest.raises(Unavailable, match="Gateway restarts at 13:00"):
                IbkrBroker(connection, "PPO_TNA_001", TNA, gate=any_account).submit(entry(), stop(), NOW)
            assert tws.order_bytes() == 0


def test_a_closed_port_says_what_to_start():
    with TwsDouble(157) as tws:
        port = tws.port
    with IbkrConnection(config(tws, port=port)) as connection:
        await_that(lambda: "start TWS or Gateway" in connection.health().detail)
