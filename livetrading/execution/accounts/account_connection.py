"""The connection to a broker account: opened when first needed, checked, closed.

There is one connection; only the process that holds the scheduler's lock opens it.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ...adapters.brokers.base import BEGINNING, AccountAway, HealthState
from ...adapters.brokers.connection import BrokerDescription, Connection, Instrument, Report
from ...adapters.home import Home
from ...core.agent import AgentState
from ...core.errors import Refused


@dataclass
class AccountConnection:
    """The connection that all agents of an account share.

    ``agents`` are those that trade an account, ``broker`` describes their broker. The first use waits up to
    ``patience`` seconds for the connection; a scheduler does not wait, because its next pass tries again.
    """

    home: Home
    agents: Callable[[], Iterable[AgentState]]
    broker: Callable[[], BrokerDescription]
    patience: float = 0.0
    connect: Callable[[Home, str], Connection] | None = None
    """Opens the connection; None: ``BrokerDescription.open``."""
    pulse: Callable[[], object] = lambda: None
    """Called while an answer is awaited: a heartbeat."""
    _link: Connection | None = None
    _instruments: dict[tuple[str, str], Instrument] = field(default_factory=dict)
    _read: tuple[object, ...] = ()
    _mutex: threading.RLock = field(default_factory=threading.RLock)
    """Threads that fetch bars use the connection, too."""

    def link(self, confirmed: str = "") -> Connection:
        """The connection, opened at the first call; never waits. ``confirmed``: the account number that the user
        typed to confirm real money."""
        typed = confirmed or next((s.agent.confirmed_account for s in self.agents() if s.agent.confirmed_account), "")
        with self._mutex:
            link = self._link
            if link is not None and link.health().state == HealthState.REFUSED and typed != link.confirmed():
                self.close()
            if self._link is None:
                self._link = (self.connect or self.broker().open)(self.home, typed)
                self._link.pulse = self.pulse
                self._link.start()
            return self._link

    def ready(self, confirmed: str = "", patience: float = 0.0) -> Connection:
        """The connection, once it can be used; waits up to ``patience`` seconds for it.

        Raises AccountAway with the reason; for a user's request, Refused if an account gate refuses.
        """
        first = self._link is None
        link = self.link(confirmed)
        health = link.health()
        seconds = max(patience, self.patience if first else 0.0)
        if not health.ready and seconds:
            health = link.await_ready(seconds)
        if health.ready:
            return link
        if patience and health.state == HealthState.REFUSED:
            raise Refused(health.detail)
        raise AccountAway(f"{self.broker().words.title} cannot be used now: {health.detail}")

    @property
    def usable(self) -> bool:
        """Whether the account can be asked at this moment."""
        return self._link is not None and self._link.health().ready

    @property
    def connecting(self) -> bool:
        """Whether the first attempt to connect is running: agents then wait for the outcome. After a failed
        attempt they do not wait: their sessions are recorded as held, with the reason."""
        if self._link is None or self.patience:
            return False
        health = self._link.health()
        return health.state in BEGINNING and not health.failures

    @property
    def unread(self) -> bool:
        """Whether positions have to be compared: after a start, after a lost connection, and when the broker
        has reported another position."""
        link = self._link
        return link is not None and link.health().ready and link.positions_version() != self._read

    def version(self) -> tuple[object, ...]:
        """Changes with each report of orders, fills, fees or positions: then a pass is due."""
        link = self._link
        if link is None or not link.health().ready:
            return ()
        return (*link.positions_version(), *link.reports_version())

    def was_read(self) -> None:
        """Note that the account was compared over the current connection."""
        if self._link is not None:
            self._read = self._link.positions_version()

    def executions(self) -> list[Report]:
        """Executions that the broker has reported on this connection; none while there is no connection."""
        return [] if self._link is None else list(self._link.reports())

    def close(self) -> None:
        """Disconnect; orders at the broker stay."""
        if self._link is not None:
            self._link.close()
        self._link, self._read = None, ()
        self._instruments.clear()

    def instrument(self, symbol: str, known: str = "", primary: str = "", /) -> Instrument:
        """The instrument of a symbol, asked for once per connection."""
        link = self.ready()
        key = (symbol, known)
        if key not in self._instruments:
            self._instruments[key] = link.instrument(symbol, known, primary)
        return self._instruments[key]
