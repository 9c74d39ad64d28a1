"""The settings of an account at Interactive Brokers: their form fields, and what they mean."""

from dataclasses import dataclass, replace

from ...settings import LAST_CLIENT_ID, Settings, ibkr_configured
from ..account_setup import SettingField
from . import account_gates
from .setup import config_of

ROWS = (
    (
        SettingField("ibkr_host", "Host", "text", width=2),
        SettingField(
            "ibkr_port",
            "Port",
            "whole",
            "TWS: 7497 paper, 7496 live. Gateway: 4002 paper, 4001 live.",
            low=1,
            high=65_535,
        ),
        SettingField(
            "ibkr_client_id",
            "Client id",
            "whole",
            "One number for this program alone; tests and bars use the next ones.",
            low=1,
            high=LAST_CLIENT_ID,
        ),
    ),
    (
        SettingField(
            "ibkr_restart",
            "Daily restart",
            "text",
            "TWS's time of Auto restart as HH:MM; empty if it has none.",
            empty="none",
        ),
        SettingField("ibkr_timezone", "Zone of that time", "zone", empty="This computer's", width=3),
    ),
    (
        SettingField(
            "ibkr_mode",
            "Mode",
            "choice",
            "Real money also needs the account's number typed at each deployment.",
            choices={"paper": "Paper money", "live": "Real money"},
        ),
        SettingField(
            "ibkr_account",
            "Account",
            "text",
            "Paper accounts begin with DU.",
            empty="the only paper account",
            most_characters=32,
        ),
        SettingField(
            "ibkr_paper_open",
            "Entries on a paper account",
            "choice",
            "`doctor --probe-open` finds out whether it simulates the auction.",
            choices={"day": "As DAY orders after 09:30", "auction": "In the opening auction"},
        ),
    ),
)


@dataclass(frozen=True)
class IbkrAccountSetup:
    """``AccountSetup`` of Interactive Brokers."""

    rows: tuple[tuple[SettingField, ...], ...] = ROWS

    def is_configured(self, settings: Settings) -> bool:
        return ibkr_configured(settings)

    def account(self, settings: Settings) -> str:
        return settings.ibkr_account

    def is_real_money(self, settings: Settings) -> bool:
        return settings.ibkr_mode == "live"

    def is_paper(self, account: str) -> bool:
        return account_gates.is_paper(account)

    def enters_in_auction(self, settings: Settings) -> bool:
        return settings.ibkr_paper_open == "auction"

    def check(self, settings: Settings) -> None:
        # The typed number belongs to a deployment; it is not checked here.
        account_gates.check_settings(replace(config_of(settings).gate, read_only=True))

    def check_deployment(self, settings: Settings, confirmed: str) -> None:
        account_gates.check_settings(config_of(settings, confirmed).gate)
