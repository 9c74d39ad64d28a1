"""A read-only connection to TWS for bars, for processes without a trading connection.

The scheduler's connection trades, and no other process may use its client id.
Training and backtests therefore make their own connection at the first request.
It needs no typed confirmation, because no order can be sent over it.
"""

import threading
from dataclasses import replace
from functools import cache
from pathlib import Path

from livetrading.core.errors import Refused, Unavailable

from ...home import Home
from ...settings import load
from ..base import AwayCause, Health, HealthState
from ..connection import AccountLink
from .config import IbkrConfig
from .connection import IbkrConnection
from .history import RawBar
from .orders import Instrument
from .setup import config_of

FIRST_ID, CLIENT_IDS = 2, 5
"""The scheduler uses the configured client id, connection tests the next one. Of the following ids the first
free one is used, because several processes may read at once."""

ENDS = frozenset({HealthState.REFUSED, HealthState.DISCONNECTED, HealthState.FAILED})
"""States in which further waiting is useless for a caller."""


class AccountFeed:
    """Bars over the connection that trades the account."""

    def __init__(self, link: AccountLink) -> None:
        self._link = link

    def instrument(self, symbol: str, con_id: int = 0, primary: str = "") -> Instrument:
        """See ``IbkrConnection``."""
        found = self._link.instrument(symbol, str(con_id or ""), primary)
        assert isinstance(found, Instrument)
        return found

    def bars(self, instrument: Instrument, size: str, duration: str, what: str = "TRADES") -> list[RawBar]:
        """See ``IbkrConnection``."""
        ready = self._link.ready()
        assert isinstance(ready, IbkrConnection)
        return ready.bars(instrument, size, duration, what)


class OwnLine:
    """A connection that is made at the first request, also at the first one after ``close``."""

    def __init__(self, config: IbkrConfig) -> None:
        self._config = replace(config, read_only=True)
        self._lock = threading.Lock()
        self._connection: IbkrConnection | None = None

    def __enter__(self) -> "OwnLine":
        return self

    def __exit__(self, *what: object) -> None:
        self.close()

    def instrument(self, symbol: str, con_id: int = 0, primary: str = "") -> Instrument:
        """See ``IbkrConnection``. Refused by the gates, Unavailable when TWS does not answer."""
        return self._ready().instrument(symbol, con_id, primary)

    def bars(self, instrument: Instrument, size: str, duration: str, what: str = "TRADES") -> list[RawBar]:
        """See ``IbkrConnection``."""
        return self._ready().bars(instrument, size, duration, what)

    def close(self) -> None:
        """Disconnect. A process can end without it: the connection's thread is a daemon."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _ready(self) -> IbkrConnection:
        with self._lock:
            if self._connection is None:
                self._connection = _connected(self._config)
            elif not self._connection.health().ready:
                health = _outcome(self._connection)
                if not health.ready:
                    raise _failure(health)
            return self._connection


def line_of(cache_dir: Path) -> OwnLine:
    """A connection with the settings of the home that ``cache_dir`` belongs to."""
    return OwnLine(_config(cache_dir))


def shared_line(cache_dir: Path) -> OwnLine:
    """The same connection for every source of this process."""
    return _shared(_config(cache_dir))


@cache
def _shared(config: IbkrConfig) -> OwnLine:
    return OwnLine(config)


def _config(cache_dir: Path) -> IbkrConfig:
    settings = load(Home(cache_dir.parent))
    return config_of(settings, client_id=settings.ibkr_client_id + FIRST_ID)


def _connected(config: IbkrConfig) -> IbkrConnection:
    """A connection that is ready, under the first client id that is free."""
    for client_id in range(config.client_id, config.client_id + CLIENT_IDS):
        connection = IbkrConnection(replace(config, client_id=client_id))
        connection.start()
        health = _outcome(connection)
        if health.ready:
            return connection
        connection.close()
        if health.cause != AwayCause.CLIENT_ID_TAKEN:
            raise _failure(health)
    raise _failure(health)


def _outcome(connection: IbkrConnection) -> Health:
    """The health once it is ready, or once an attempt to connect has failed."""
    timing = connection.config.timing
    seconds = 3 * timing.connect + timing.answer
    return connection.call(lambda: connection.session.until_ready(seconds, ENDS), seconds + 5)


def _failure(health: Health) -> Refused | Unavailable:
    return (Refused if health.state == HealthState.REFUSED else Unavailable)(health.detail)
