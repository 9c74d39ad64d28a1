"""Makes the connection's configuration from the settings of a home."""

from datetime import time

from ...settings import Settings
from .config import IbkrConfig
from .recorder import from_environment


def config_of(settings: Settings, confirmed: str = "", client_id: int | None = None) -> IbkrConfig:
    """The connection's configuration.

    ``confirmed`` is the account number that the user typed for real money;
    ``client_id`` is for a second connection besides the scheduler's.
    """
    return IbkrConfig(
        host=settings.ibkr_host,
        port=settings.ibkr_port,
        client_id=settings.ibkr_client_id if client_id is None else client_id,
        account=settings.ibkr_account,
        mode="live" if settings.ibkr_mode == "live" else "paper",
        confirmed=confirmed,
        zone=settings.ibkr_timezone,
        restart=time.fromisoformat(settings.ibkr_restart) if settings.ibkr_restart else None,
        recorder=from_environment(),
    )
