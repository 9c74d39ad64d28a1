"""The connection to a broker account: made when first wanted, asked whether it can be used, closed.

There is one connection, and only the scheduler's lock's holder has it.
"""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...adapters import settings
from ...adapters.brokers.base import Health
from ...adapters.brokers.ibkr import account_gates as gates
from ...adapters.brokers.ibkr.config import IbkrConfig
from ...adapters.brokers.ibkr.setup import config_of
from ...adapters.home import Home
from ...core.agent import AgentState
from ...core.errors import Refused, Unavailable

if TYPE_CHECKING:
    from ...adapters.brokers.ibkr.broker import IbkrConnection
    from ...adapters.brokers.ibkr.history import RawBar
    from ...adapters.brokers.ibkr.order_register import Done
    from ...adapters.brokers.ibkr.orders import Instrument

AWAY = "Interactive Brokers cannot be used now:"


def new_connection(config: IbkrConfig) -> "IbkrConnection":
    """The real one; its library is imported when an account is first wanted."""
    from ...adapters.brokers.ibkr.broker import IbkrConnection

    return IbkrConnection(config)


@dataclass
class AccountConnection:
    """The connection that all agents of an account share.

    ``agents`` are those that trade an account; ``patience`` seconds the first use waits for
    the connection (a scheduler never does: it comes again).
    """

    home: Home
    agents: Callable[[], Iterable[AgentState]]
    patience: float = 0.0
    connect: "Callable[[IbkrConfig], IbkrConnection]" = new_connection
    pulse: Callable[[], object] = lambda: None
    """Called while an answer is awaited: a sign of life."""
    _link: "IbkrConnection | None" = None
    _instruments: "dict[tuple[str, int], Instrument]" = field(default_factory=dict)
    _read: tuple[object, ...] = ()
    _mutex: threading.RLock = field(default_factory=threading.RLock)
    """Bars are asked for in threads of their own."""

    def link(self, confirmed: str = "") -> "IbkrConnection":
        """The connection, made at first; never waits. ``confirmed``: the number typed for real money."""
        typed = confirmed or next((s.agent.confirmed_account for s in self.agents() if s.agent.confirmed_account), "")
        with self._mutex:
            link = self._link
            if link is not None and link.health().state == "refused" and typed != link.config.confirmed:
                self.close()
            if self._link is None:
                self._link = self.connect(config_of(settings.load(self.home), typed))
                self._link.pulse = self.pulse
                self._link.start()
            return self._link

    def ready(self, confirmed: str = "", patience: float = 0.0) -> "IbkrConnection":
        """The connection once it can be used; ``patience`` seconds are waited for it.

        Unavailable with the cure; to a person's request, Refused where a gate says no.
        """
        first = self._link is None
        link = self.link(confirmed)
        health = link.health()
        seconds = max(patience, self.patience if first else 0.0)
        if not health.ready and seconds:
            health = _awaited(link, seconds)
        if health.ready:
            return link
        if patience and health.state == "refused":
            raise Refused(health.detail)
        raise Unavailable(f"{AWAY} {health.detail}")

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
        when IB has pushed another position."""
        link = self._link
        return link is not None and link.health().ready and self._told(link) != self._read

    def version(self) -> tuple[object, ...]:
        """Changes with everything that the broker says of orders, fills, fees and positions: then it is time for a pass."""
        link = self._link
        if link is None or not link.health().ready:
            return ()
        return (*self._told(link), *link.session.register.version())

    def was_read(self) -> None:
        """The account was compared over the connection that there is."""
        if self._link is not None:
            self._read = self._told(self._link)

    @staticmethod
    def _told(link: "IbkrConnection") -> tuple[object, ...]:
        return link.session.connections, link.session.register.positions.copy()

    def executions(self) -> "list[Done]":
        """Executions that the broker has listed on this connection; none while there is no connection."""
        return [] if self._link is None else list(self._link.session.register.executions.values())

    def close(self) -> None:
        """Disconnect; orders at the broker stay."""
        if self._link is not None:
            self._link.close()
        self._link, self._read = None, ()
        self._instruments.clear()

    def instrument(self, symbol: str, con_id: int = 0, primary: str = "") -> "Instrument":
        """The contract of a symbol, asked for once a connection."""
        link = self.ready()
        key = (symbol, con_id)
        if key not in self._instruments:
            self._instruments[key] = link.instrument(symbol, con_id, primary)
        return self._instruments[key]

    def bars(self, instrument: "Instrument", size: str, duration: str, what: str = "TRADES") -> "list[RawBar]":
        """Historical bars over the account's own connection."""
        return self.ready().bars(instrument, size, duration, what)


def _awaited(link: "IbkrConnection", seconds: float) -> Health:
    """The connection's health once ready, refused, or the time is over. A client id that is taken may be
    that of a process which was just killed: TWS forgets it soon, so that is waited for."""
    end, taken = time.monotonic() + seconds, gates.client_id_taken(link.config.client_id)
    while True:
        health = link.wait_ready(max(end - time.monotonic(), 0.1))
        if health.detail != taken or time.monotonic() >= end:
            return health
        time.sleep(0.2)
