"""The connection to a broker account: made when first wanted, asked whether it can be used, closed.

There is one connection, and only the scheduler's lock's holder has it.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ...adapters.brokers.base import AccountAway
from ...adapters.brokers.connection import BrokerDescription, Connection, Instrument, Report
from ...adapters.home import Home
from ...core.agent import AgentState
from ...core.errors import Refused


@dataclass
class AccountConnection:
    """The connection that all agents of an account share.

    ``agents`` are those that trade an account, ``broker`` describes their broker; ``patience`` seconds the first use waits for
    the connection (a scheduler never does: it comes again).
    """

    home: Home
    agents: Callable[[], Iterable[AgentState]]
    broker: Callable[[], BrokerDescription]
    patience: float = 0.0
    connect: Callable[[Home, str], Connection] | None = None
    """Makes the connection, as ``BrokerDescription.open`` does; None: that of the broker."""
    pulse: Callable[[], object] = lambda: None
    """Called while an answer is awaited: a sign of life."""
    _link: Connection | None = None
    _instruments: dict[tuple[str, str], Instrument] = field(default_factory=dict)
    _read: tuple[object, ...] = ()
    _mutex: threading.RLock = field(default_factory=threading.RLock)
    """Bars are asked for in threads of their own."""

    def link(self, confirmed: str = "") -> Connection:
        """The connection, made at first; never waits. ``confirmed``: the number typed for real money."""
        typed = confirmed or next((s.agent.confirmed_account for s in self.agents() if s.agent.confirmed_account), "")
        with self._mutex:
            link = self._link
            if link is not None and link.health().state == "refused" and typed != link.confirmed():
                self.close()
            if self._link is None:
                self._link = (self.connect or self.broker().open)(self.home, typed)
                self._link.pulse = self.pulse
                self._link.start()
            return self._link

    def ready(self, confirmed: str = "", patience: float = 0.0) -> Connection:
        """The connection once it can be used; ``patience`` seconds are waited for it.

        AccountAway with the cure; to a person's request, Refused where a gate says no.
        """
        first = self._link is None
        link = self.link(confirmed)
        health = link.health()
        seconds = max(patience, self.patience if first else 0.0)
        if not health.ready and seconds:
            health = link.await_ready(seconds)
        if health.ready:
            return link
        if patience and health.state == "refused":
            raise Refused(health.detail)
        raise AccountAway(f"{self.broker().words.title} cannot be used now: {health.detail}")

    @property
    def usable(self) -> bool:
        """Whether the account can be asked at this moment."""
        return self._link is not None and self._link.health().ready

    @property
    def settling(self) -> bool:
        """Whether the connection is just being made: what needs it waits for the outcome. Not when an
        attempt has failed: what needs it is then held with the reason, however often it is tried again."""
        if self._link is None or self.patience:
            return False
        health = self._link.health()
        return health.state in ("starting", "connecting") and not health.failures

    @property
    def unread(self) -> bool:
        """Whether there is something to compare: after a start, after each loss of the connection, and
        when the broker has reported another position."""
        link = self._link
        return link is not None and link.health().ready and link.positions_version() != self._read

    def version(self) -> tuple[object, ...]:
        """Changes with everything that the broker says of orders, fills, fees and positions: then it is time for a pass."""
        link = self._link
        if link is None or not link.health().ready:
            return ()
        return (*link.positions_version(), *link.reports_version())

    def was_read(self) -> None:
        """The account was compared over the connection that there is."""
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
        """The instrument of a symbol, asked for once a connection."""
        link = self.ready()
        key = (symbol, known)
        if key not in self._instruments:
            self._instruments[key] = link.instrument(symbol, known, primary)
        return self._instruments[key]
