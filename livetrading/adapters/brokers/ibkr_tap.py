"""ib_async with a register that hears each message before the library's own view of it."""

import logging
from typing import Any

from ib_async import IB
from ib_async.client import Client
from ib_async.objects import IBDefaults
from ib_async.wrapper import Wrapper

from .ibkr_numbers import UNSET
from .ibkr_recorder import Recorder
from .ibkr_register import Register

# They write whole orders with each word about them; what matters is raised, or in the register.
# The decoder's own errors, messages that it cannot read, stay audible.
for _loud in ("ib_async.wrapper", "ib_async.client", "ib_async.ib"):
    logging.getLogger(_loud).setLevel(logging.CRITICAL)


COMMISSION_REPORT, COMMISSION = 59, 3
"""The message's number, and the field that holds the amount."""


class _Tap(Wrapper):
    """The library's wrapper; names of methods and arguments are the protocol's."""

    register: Register

    def openOrder(self, orderId: int, contract: Any, order: Any, orderState: Any) -> None:  # noqa: N802
        if not order.whatIf:
            self.register.open_order(contract, order, orderState)
        super().openOrder(orderId, contract, order, orderState)

    def completedOrder(self, contract: Any, order: Any, orderState: Any) -> None:  # noqa: N802
        self.register.completed(contract, order, orderState)
        if "completedOrders" in self._results:
            super().completedOrder(contract, order, orderState)

    def orderStatus(  # noqa: N802
        self, orderId: int, status: str, filled: float, remaining: float, avgFillPrice: float, permId: int,
        parentId: int, lastFillPrice: float, clientId: int, whyHeld: str, mktCapPrice: float = 0.0,
    ) -> None:
        self.register.status(permId, status, filled, avgFillPrice, whyHeld)
        super().orderStatus(
            orderId, status, filled, remaining, avgFillPrice, permId, parentId, lastFillPrice, clientId, whyHeld,
            mktCapPrice,
        )

    def execDetails(self, reqId: int, contract: Any, execution: Any) -> None:  # noqa: N802
        self.register.execution(execution)
        super().execDetails(reqId, contract, execution)

    def position(self, account: str, contract: Any, posSize: float, avgCost: float) -> None:  # noqa: N803
        self.register.position(account, contract.conId, posSize)
        super().position(account, contract, posSize, avgCost)

    def positionEnd(self) -> None:  # noqa: N802
        self.register.positions_end()
        super().positionEnd()

    def commissionReport(self, commissionReport: Any) -> None:  # noqa: N802
        self.register.commission(commissionReport.execId, commissionReport.commission, commissionReport.currency)
        super().commissionReport(commissionReport)


FARMS_DOWN, FARMS_UP = frozenset({2103, 2105, 2157}), frozenset({2104, 2106, 2107, 2108, 2158})


class TappedIB(IB):
    """One connection. A new one is made for each attempt: nothing stale survives.

    ``farms_down`` holds the data farms that TWS last called broken, and its words.
    """

    RaiseRequestErrors = True

    def __init__(self, register: Register, zone: str, recorder: Recorder | None = None) -> None:
        self._createEvents()
        self.wrapper = _Tap(self, defaults=IBDefaults())
        self.wrapper.register = register
        self.client = Client(self.wrapper)
        self.client.decoder.handlers[COMMISSION_REPORT] = self._commission_report
        if recorder is not None:
            recorder.tap(self.client.conn)
        self.client.apiEnd += self.disconnectedEvent
        self._logger = logging.getLogger("ib_async.ib")
        self.TimezoneTWS = zone
        self.farms_down: dict[str, str] = {}
        self.errorEvent.connect(self._on_farm, keep_ref=True)

    def _on_farm(self, about: int, code: int, text: str, contract: Any) -> None:
        """TWS names a farm at the end: "… is broken:usfarm.nj", "… upon demand.ushmds"."""
        farm = (text.partition(":")[2] or text.partition(".")[2]).strip() or text
        if code in FARMS_DOWN:
            self.farms_down[farm] = f"{code} {text}"
        elif code in FARMS_UP:
            self.farms_down.pop(farm, None)

    def _commission_report(self, fields: list[str]) -> None:
        """The library reads an empty commission as 0, which would be a fee."""
        amount = fields[COMMISSION].strip()
        self.client.decoder.commissionReport([*fields[:COMMISSION], amount or str(UNSET), *fields[COMMISSION + 1:]])

