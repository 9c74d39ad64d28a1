"""The double itself: a port, its clients, the account behind it, and the received messages."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from .faults import CANCEL_ORDER, PLACE_ORDER, Fault, Faults
from .ledger import Event, Ledger, Listing
from .manners import Manners
from .session import Session
from .wire import frame, greeting, read_payload, split

T = TypeVar("T")
DEFAULT = (Listing(265598, "AAPL"), Listing(270639, "INTC"), Listing(38708990, "TNA", "ARCA"))


@dataclass(frozen=True)
class Received:
    """One message of a client, in the order of arrival."""

    client_id: int
    fields: tuple[str, ...]
    size: int

    @property
    def id(self) -> int:
        return int(self.fields[0])


class TwsDouble:
    """TWS as far as its wire protocol is known; ``version`` is the highest that it announces.

    As a context manager it runs in a thread of its own; ``await start()`` runs it
    in the caller's loop. The ledger stays when the port closes, as IB's servers do.
    """

    def __init__(
        self, version: int = 157, accounts: Sequence[str] = ("DU1234567",), clock: Callable[[], datetime] | None = None
    ) -> None:
        self.version, self.accounts = version, list(accounts)
        self.ledger = Ledger(clock or (lambda: datetime.now(UTC)), accounts[0])
        self.listed = list(DEFAULT)
        for listing in DEFAULT:
            self.ledger.add(listing)
        self.faults = Faults()
        self.received: list[Received] = []
        self.sessions: list[Session] = []
        self.bars: dict[tuple[str, str, str], list[tuple[Any, ...]]] = {}
        self.history_trouble: dict[str, Any] = {}
        self.next_id, self.link, self.read_only = 1, True, False
        self.naive_times, self.zone, self.commissions = False, "US/Eastern", True
        self.fills_at: float | None = None
        """The price at which day orders fill as soon as they work."""
        self.manners = Manners()
        self.reported_fee: Callable[[Any], Any] = lambda fill: None
        """The fee in commission reports of a fill, None for the charged one."""
        self.muted: Session | None = None
        self.notices: list[tuple[int, str]] = []
        """Sent to every client at its start."""
        self.watchers: list[Callable[[Ledger], None]] = []
        """Called after every change of the account."""
        self.port = 0
        self._server: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    # -- running ----------------------------------------------------------

    def __enter__(self) -> "TwsDouble":
        ready = threading.Event()
        loop = self._loop = asyncio.new_event_loop()

        def serve() -> None:
            asyncio.set_event_loop(loop)
            loop.run_until_complete(self.start())
            ready.set()
            loop.run_forever()

        self._thread = threading.Thread(target=serve, daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *what: object) -> None:
        assert self._loop is not None and self._thread is not None
        self.close_port()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def do(self, act: Callable[[], T]) -> T:
        """Run something inside the double's loop, from any thread."""
        assert self._loop is not None
        if self._thread is None or threading.current_thread() is self._thread:
            return act()

        async def acting() -> T:
            return act()

        return asyncio.run_coroutine_threadsafe(acting(), self._loop).result(10)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session: Session | None = None
        try:
            version = min(self.version, await greeting(reader))
            session = Session(self, writer, version)
            self.sessions.append(session)
            writer.write(frame(version, f"{self.ledger.clock():%Y%m%d %H:%M:%S} {self.zone}"))
            while True:
                payload = await read_payload(reader)
                fields = split(payload)
                self.received.append(Received(session.client_id, tuple(fields), len(payload) + 4))
                session.receive(fields)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has gone, or was dropped
        finally:
            if session is not None and session in self.sessions:
                self.sessions.remove(session)
                self.ledger.forget_untransmitted()
            writer.close()

    # -- pushed messages -------------------------------------------------

    def publish(self, events: list[Event]) -> None:
        """Send every client the events that concern it, unless the client is muted."""
        for watch in self.watchers:
            watch(self.ledger)
        for event in events:
            for session in self.sessions:
                if session is not self.muted and self.link:
                    session.notify(event)
        for session in self.sessions:
            if session is not self.muted and self.link:
                session.push_values()

    def happen(self, act: Callable[[Ledger], list[Event]]) -> None:
        """Something happens at the broker: an auction, a trade, an expiry."""
        self.do(lambda: self.publish(act(self.ledger)))

    def announce(self, code: int, text: str = "") -> None:
        """A notice to every client: 1100 ends the link to IB, 1101 and 1102 restore it."""

        def say() -> None:
            for session in self.sessions:
                session.error(-1, code, text or f"notice {code}")
            self.link = code != 1100 and (self.link or code in (1101, 1102))

        self.do(say)

    def complain(self, client_id: int, order_id: int, code: int, text: str = "a notice") -> None:
        """An error about one order, which itself does not change."""
        self.happen(lambda ledger: [("error", (client_id, order_id, code, text))])

    def fail(self, *faults: Fault) -> None:
        self.do(lambda: self.faults.add(*faults))

    def close_port(self) -> None:
        """Gateway closes: no client can connect, and all are disconnected."""

        def close() -> None:
            if self._server is not None:
                self._server.close()
            for session in list(self.sessions):
                session.drop()

        self.do(close)

    def open_port(self, roll_back: bool = False) -> None:
        """Gateway is back; ``roll_back`` resets its order ids."""
        assert self._loop is not None and self._thread is not None
        if roll_back:
            self.next_id = self.do(self.ledger.roll_back)
        asyncio.run_coroutine_threadsafe(self.start(), self._loop).result(10)

    def drop_all(self) -> None:
        self.do(lambda: [session.drop() for session in list(self.sessions)])

    # -- received --------------------------------------------------------

    def orders_reported(self) -> list[Received]:
        return self.do(lambda: [h for h in self.received if h.id == PLACE_ORDER])

    def order_bytes(self) -> int:
        """Bytes of order and cancel messages since the double began."""
        return sum(h.size for h in self.do(lambda: list(self.received)) if h.id in (PLACE_ORDER, CANCEL_ORDER, 58))
