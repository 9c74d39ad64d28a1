from datetime import time

from livetrading.adapters.brokers.ibkr.config import IbkrConfig
from livetrading.adapters.brokers.ibkr.setup import config_of
from livetrading.adapters.settings import Settings


def test_plain_settings_make_the_plain_paper_connection() -> None:
    assert config_of(Settings()) == IbkrConfig()


def test_every_setting_of_the_connection_arrives() -> None:
    settings = Settings(
        ibkr_host="gateway",
        ibkr_port=4001,
        ibkr_client_id=5,
        ibkr_account="U7654321",
        ibkr_mode="live",
        ibkr_restart="01:15",
        ibkr_timezone="Europe/Berlin",
    )
    made = config_of(settings, confirmed="U7654321")
    assert (made.host, made.port, made.client_id, made.account) == ("gateway", 4001, 5, "U7654321")
    assert (made.mode, made.confirmed) == ("live", "U7654321")
    assert (made.restart, made.zone) == (time(1, 15), "Europe/Berlin")


def test_no_restart_is_none_and_another_client_id_may_be_given() -> None:
    made = config_of(Settings(ibkr_restart=""), client_id=18)
    assert made.restart is None
    assert made.client_id == 18
