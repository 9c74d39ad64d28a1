"""ib_async with a register that gets each message before the library processes it."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ib_async import IB
from ib_async.client import Client
from ib_async.objects import IBDefaults
from ib_async.wrapper import Wrapper

from . import decoder as wire
from .numbers import Unreadable
from .order_register import Register
from .recorder import Recorder

log = logging.getLogger(__name__)

# These loggers write whole orders with each message; what matters is raised, or in the register.
for _loud in ("ib_async.wrapper", "ib_async.client", "ib_async.ib"):
    logging.getLogger(_loud).setLevel(logging.CRITICAL)

OPEN_ORDERS, POSITIONS, COMPLETED, EXECUTIONS = "open orders", "positions", "completed orders", "executions"
ABORT_SECONDS = 2.0
"""After so long a closed connection is cut, also if TWS does not read what was written last."""


COMMISSION_REPORT, COMMISSION = 59, 3
"""The message's number, and the field that holds the amount."""


class _RegisteringWrapper(Wrapper):
    """The library's wrapper; names of methods and arguments are the protocol's."""

    register: Register
    ended: Callable[[str, int], None]
    """Called when the answer to a question is complete, with its name and number (0 if the protocol has none)."""
    spoiled: Callable[[str, str], None]
    """Called for an unreadable message, with the question that it was an answer to (or empty), and the reason."""

    def openOrder(self, orderId: int, contract: Any, order: Any, orderState: Any) -> None:
        if not order.whatIf:
            self.register.open_order(contract, order, orderState)
        # The library continues its own ids after any id that it sees, even after the mark for an unset number.
        super().openOrder(orderId if orderId < wire.LAST_ID else 0, contract, order, orderState)

    def completedOrder(self, contract: Any, order: Any, orderState: Any) -> None:
        self.register.completed(contract, order, orderState)
        if "completedOrders" in self._results:
            super().completedOrder(contract, order, orderState)

    def completedOrdersEnd(self) -> None:
        super().completedOrdersEnd()
        self.ended(COMPLETED, 0)

    def orderStatus(
        self,
        orderId: int,
        status: str,
        filled: float,
        remaining: float,
        avgFillPrice: float,
        permId: int,
        parentId: int,
        lastFillPrice: float,
        clientId: int,
        whyHeld: str,
        mktCapPrice: float = 0.0,
    ) -> None:
        self.register.status(permId, status, filled, avgFillPrice, whyHeld)
        super().orderStatus(
            orderId,
            status,
            filled,
            remaining,
            avgFillPrice,
            permId,
            parentId,
            lastFillPrice,
            clientId,
            whyHeld,
            mktCapPrice,
        )

    def execDetails(self, reqId: int, contract: Any, execution: Any) -> None:
        self.register.execution(execution)
        super().execDetails(reqId, contract, execution)

    def execDetailsEnd(self, reqId: int) -> None:
        super().execDetailsEnd(reqId)
        self.ended(EXECUTIONS, reqId)

    def position(self, account: str, contract: Any, posSize: float, avgCost: float) -> None:
        self.register.position(account, contract.conId, posSize)
        super().position(account, contract, posSize, avgCost)

    def commissionReport(self, commissionReport: Any) -> None:
        self.register.commission(commissionReport.execId, commissionReport.commission, commissionReport.currency)
        super().commissionReport(commissionReport)

    # -- what cannot be read ------------------------------------------------

    def unreadable(self, fields: list[str], error: Exception) -> None:
        """Mark what is unknown now, and end the question whose answer cannot be read."""
        kind = fields[0] if fields else ""
        why = str(error) if isinstance(error, Unreadable) else f"{type(error).__name__}: {error}"
        if not isinstance(error, ValueError):  # an error of this program, not an unreadable number
            log.error("IBKR: message %s could not be processed", kind, exc_info=error)
        if kind == str(wire.POSITION):
            self._odd_position(fields, why)
        elif key := wire.key_of(fields):
            self.register.doubt(key, why)
            self.spoiled("", why)
        elif kind in _SPOILS:
            # Without a key it may concern any order. An empty key is that of an order which is not ours.
            self.spoiled("" if key == "" else _SPOILS[kind], why)
        else:
            self._give_up(kind, fields, why)
            self.spoiled("", why)

    def _odd_position(self, fields: list[str], why: str) -> None:
        known = len(fields) > 3 and fields[3].isdigit()
        if known:
            self.register.odd_position(fields[2], int(fields[3]), f"{fields[4] or 'contract ' + fields[3]}: {why}")
        self.spoiled("" if known else POSITIONS, why)

    def _give_up(self, kind: str, fields: list[str], why: str) -> None:
        """End a question with an error, because its answer cannot be read."""
        if kind == str(wire.TIME):
            self._endReq("currentTime", Unreadable(why), success=False)
        elif kind in (str(wire.HISTORY), str(wire.CONTRACT)):
            for text in fields[1:3]:  # the request's number comes first, or behind a version
                if text.isdigit() and int(text) in self._futures:
                    self._endReq(int(text), Unreadable(why), success=False)


_SPOILS = {str(wire.OPEN_ORDER): OPEN_ORDERS, str(wire.COMPLETED): COMPLETED, str(wire.EXECUTION): EXECUTIONS}


FARMS_DOWN, FARMS_UP = frozenset({2103, 2105, 2157}), frozenset({2104, 2106, 2107, 2108, 2158})


class RegisteringIB(IB):
    """One connection. Each attempt makes a new one, so that no old data remains.

    ``farms_down`` are the data farms that TWS last reported as broken, with its messages.
    For ``ended`` and ``spoiled`` see the wrapper; ``broke`` is called with exceptions in
    callbacks of the library, which eventkit would hide.
    """

    RaiseRequestErrors = True

    def __init__(
        self,
        register: Register,
        zone: str,
        ended: Callable[[str, int], None] = lambda name, number: None,
        spoiled: Callable[[str, str], None] = lambda name, why: None,
        broke: Callable[[Exception], None] = lambda error: None,
        recorder: Recorder | None = None,
    ) -> None:
        self._createEvents()
        self.wrapper = _RegisteringWrapper(self, defaults=IBDefaults())
        self.wrapper.register, self.wrapper.ended, self.wrapper.spoiled = register, ended, spoiled
        self.client = Client(self.wrapper)
        self.client.decoder = wire.CheckedDecoder(self.wrapper, self.wrapper.unreadable)
        if recorder is not None:
            recorder.tap(self.client.conn)
        self.client.apiEnd += self.disconnectedEvent
        self._logger = logging.getLogger("ib_async.ib")
        self.TimezoneTWS = zone
        self.farms_down: dict[str, str] = {}
        self.errorEvent.connect(self._on_farm, keep_ref=True)
        for event in (self.client.conn.hasData, self.client.conn.disconnected, self.errorEvent, self.updateEvent):
            event.error_event.connect(lambda source, error: broke(error), keep_ref=True)

    def _on_farm(self, about: int, code: int, text: str, contract: Any) -> None:
        """TWS names the farm at the end: "… is broken:usfarm.nj", "… upon demand.ushmds"."""
        farm = (text.partition(":")[2] or text.partition(".")[2]).strip() or text
        if code in FARMS_DOWN:
            self.farms_down[farm] = f"{code} {text}"
        elif code in FARMS_UP:
            self.farms_down.pop(farm, None)

    async def shake_hands(self, host: str, port: int, client_id: int, seconds: float) -> None:
        """Connect and agree on a version, without asking anything."""
        self.wrapper.clientId = client_id
        await self.client.connectAsync(host, port, client_id, seconds)

    @property
    def reached(self) -> bool:
        """Whether something accepted the connection."""
        return self.client.conn.numMsgSent > 0

    def leave(self) -> None:
        """Close the socket and end every question. The socket is cut after ABORT_SECONDS: otherwise a peer that
        does not read would keep it, and the client id, for ever."""
        transport = self.client.conn.transport
        with suppress(OSError):  # the peer has closed it already
            self.client.disconnect()
        self.wrapper.connectionClosed()
        if transport is not None:
            asyncio.get_running_loop().call_later(ABORT_SECONDS, transport.abort)
