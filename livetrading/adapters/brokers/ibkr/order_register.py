"""The register of what Interactive Brokers has reported about orders, fills and positions.

ib_async's own ``Trade`` objects become Cancelled on errors after which the order
still works, and they end with the connection. This register is fed by the messages
themselves: openOrder, orderStatus, completedOrder, execDetails, commissionReport.
Errors are kept only as reasons; they never change a state.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ....core import executions as ids
from ....core.estimates import is_fee
from ....core.orders import OrderState
from ....core.windows import NEW_YORK
from ..base import BrokerOrder
from .numbers import MOST_SHARES, Unreadable, fee_of, given, number, price_of, shares

log = logging.getLogger(__name__)
OVER = frozenset({"Filled", "Cancelled", "ApiCancelled", "Inactive"})
"""Final statuses; Inactive is final only if the order is not listed as open."""

WORKING = frozenset({"PreSubmitted", "Submitted"})

KEPT = ("filled", "avg_price", "why_held", "said", "ended", "worked")
"""Fields that openOrder and completedOrder do not contain."""

SIDES = {"BOT": "BUY", "SLD": "SELL"}
FIRST_YEAR = 2000
"""An execution before this year has a time that could not be read."""

CANCELLED = 202
"""IB's error code for a cancelled order; the order's status may not follow."""

REJECTING = frozenset({200, 201, 203, 110, 10243, 10006})
"""Codes that explain why an order ended without a fill."""


@dataclass(frozen=True)
class OrderReport:
    """The latest report of one order. ``heard`` is the number of the message: a larger one is later."""

    perm_id: int
    order_id: int
    client_id: int
    ref: str
    account: str
    con_id: int
    side: str
    qty: int
    type: str
    tif: str
    stop_price: float
    status: str
    filled: int = 0
    avg_price: float = 0.0
    why_held: str = ""
    said: str = ""
    ended: str = ""
    """The session in which it ended, as completed orders report it, else empty."""
    worked: bool = False
    """Whether IB has ever reported it as working: a refused order never was."""
    heard: int = 0

    @property
    def over(self) -> bool:
        return self.status in OVER


@dataclass(frozen=True)
class Done:
    """One execution as last reported; it covers (cum − qty, cum] of its order's quantity.

    ``price`` is 0 if the report had no possible price; ``side`` BUY or SELL."""

    exec_id: str
    perm_id: int
    ref: str
    account: str
    qty: int
    cum: int
    price: float
    at: datetime
    side: str = ""

    @property
    def session(self) -> str:
        return self.at.astimezone(NEW_YORK).date().isoformat()


@dataclass
class Register:
    """Order reports by permId, executions by the execId of their newest report. Only the event loop's
    thread may use it. A commission is None while IB has reported it as unknown."""

    order_reports: dict[int, OrderReport] = field(default_factory=dict)
    executions: dict[str, Done] = field(default_factory=dict)
    commissions: dict[str, float | None] = field(default_factory=dict)
    reasons: dict[int, tuple[int, str]] = field(default_factory=dict)
    errors: dict[tuple[int, int], list[tuple[int, str]]] = field(default_factory=dict)
    positions: dict[tuple[str, int], int] = field(default_factory=dict)
    _newest: dict[str, str] = field(default_factory=dict)
    _fees: dict[str, tuple[int, float]] = field(default_factory=dict)
    _doubted: set[tuple[str, float]] = field(default_factory=set)
    odd: dict[tuple[str, int], str] = field(default_factory=dict)
    """Positions whose amount cannot be read or traded, with the reason."""
    doubtful: dict[str, str] = field(default_factory=dict)
    """Keys of orders with a report that could not be read, with the reason."""
    _answered: set[tuple[str, int]] = field(default_factory=set)
    _ids: dict[tuple[int, int], int] = field(default_factory=dict)
    _heard: int = 0
    _asked: int = -1
    _fills_asked: int = -1
    _shown: set[int] = field(default_factory=set)
    _listing: bool = False

    def renew(self) -> None:
        """Reset for a new connection: orders are asked for again; executions stay known."""
        self.order_reports.clear()
        self.errors.clear()
        self.positions.clear()
        self.odd.clear()
        self.doubtful.clear()
        self._answered.clear()
        self._ids.clear()
        self._shown.clear()
        self._asked, self._fills_asked, self._listing = -1, -1, False

    # -- messages in ------------------------------------------------------

    def open_order(self, contract: Any, order: Any, state: Any) -> None:
        """An openOrder message. An order without permId is not accepted yet and is ignored."""
        if order.permId:
            self._put(contract, order, state.status, order.orderId, order.clientId)
            if self._listing or state.status not in OVER:
                self._shown.add(order.permId)

    def completed(self, contract: Any, order: Any, state: Any) -> None:
        if not order.permId:
            return
        before = self.order_reports.get(order.permId)
        at = (before.order_id, before.client_id) if before else (0, 0)
        self._put(contract, order, state.status, *at)
        put = self.order_reports[order.permId]
        count = order.filledQuantity
        filled = max(put.filled, shares(count, f"filled quantity of {put.ref}")) if given(count) else put.filled
        day = state.completedTime[:8]
        ended = f"{day[:4]}-{day[4:6]}-{day[6:]}" if len(day) == 8 and day.isdigit() else put.ended
        self._say(replace(put, filled=filled, said=state.completedStatus or put.said, ended=ended))

    def _put(self, contract: Any, order: Any, status: str, order_id: int, client_id: int) -> None:
        before = self.order_reports.get(order.permId)
        kept = {} if before is None else {name: getattr(before, name) for name in KEPT}
        stop = order.orderType == "STP"
        # fmt: off
        self._say(OrderReport(
            perm_id=order.permId, order_id=order_id, client_id=client_id, ref=order.orderRef, account=order.account,
            con_id=contract.conId, side=order.action, type=order.orderType, tif=order.tif,
            qty=shares(order.totalQuantity, f"quantity of {order.orderRef}"),
            stop_price=number(order.auxPrice, f"stop price of {order.orderRef}", 0.0) if stop else 0.0,
            status=status or (before.status if before else ""), **kept,
        ))
        # fmt: on
        self.doubtful.pop(order.orderRef, None)
        if order_id > 0:
            self._ids[client_id, order_id] = order.permId

    def _say(self, report: OrderReport) -> None:
        """Store a report. A repeated report keeps its old message number: only a change is new."""
        before = self.order_reports.get(report.perm_id)
        report = replace(report, worked=report.worked or report.status in WORKING)
        if before is not None and replace(report, heard=before.heard) == before:
            return
        self._heard += 1
        self.order_reports[report.perm_id] = replace(report, heard=self._heard)

    def status(self, perm_id: int, status: str, filled: float, avg_price: float, why_held: str) -> None:
        """An orderStatus message; openOrder always comes before it."""
        before = self.order_reports.get(perm_id)
        if before is None:
            return
        # fmt: off
        self._say(replace(
            before, status=status, filled=max(before.filled, shares(filled, f"filled quantity of {before.ref}")),
            avg_price=price_of(avg_price) or before.avg_price, why_held=why_held,
        ))
        # fmt: on

    def execution(self, execution: Any) -> None:
        """An execDetails message. Only the newest report counts: a correction has a higher number after the last
        dot of its id."""
        name = f"execution {execution.execId}"
        qty = shares(execution.shares, f"shares of {name}")
        cum = shares(execution.cumQty, f"cumulative shares of {name}")
        price = price_of(execution.price)
        if execution.time.year < FIRST_YEAR:
            raise Unreadable(f"time of {name} is {execution.time}")
        root, before = ids.root(execution.execId), self._newest.get(ids.root(execution.execId))
        if before is not None:
            late = execution.execId == before and price > 0 and not self.executions[before].price
            if ids.number(execution.execId) <= ids.number(before) and not late:
                return
            del self.executions[before]
        self._newest[root] = execution.execId
        report = self.order_reports.get(execution.permId)
        # fmt: off
        self.executions[execution.execId] = Done(
            execution.execId, execution.permId, execution.orderRef or (report.ref if report else ""),
            execution.acctNumber, qty, cum, price, execution.time, SIDES.get(execution.side, ""),
        )
        # fmt: on

    def commission(self, exec_id: str, amount: float, currency: str = "USD") -> None:
        """A commissionReport message. The last known amount for an execution's newest report counts."""
        fee = fee_of(amount, currency)
        self.commissions[exec_id] = self.commissions.get(exec_id) if fee is None else fee
        root, number = ids.root(exec_id), ids.number(exec_id)
        if fee is not None and number >= self._fees.get(root, (0, 0.0))[0]:
            self._fees[root] = number, fee

    def fee(self, exec_id: str) -> float | None:
        """USD that IB charges for an execution, by the id of any of its reports; None while unknown."""
        root = ids.root(exec_id)
        done, stated = self.executions.get(self._newest.get(root, "")), self._fees.get(root)
        if done is None or stated is None or not done.price:
            return None
        if not is_fee(stated[1], done.qty, done.price):
            if (root, stated[1]) not in self._doubted:
                self._doubted.add((root, stated[1]))
                # fmt: off
                log.error("IBKR stated a fee of %r for execution %s of %d at %g, which cannot be a fee; an estimate stays booked",
                          stated[1], done.exec_id, done.qty, done.price)
                # fmt: on
            return None
        return stated[1]

    def position(self, account: str, con_id: int, qty: float) -> None:
        """A position message, answered or pushed; the latest counts."""
        found = shares(qty, f"the position in account {account}", -MOST_SHARES)
        self._answered.add((account, con_id))
        self.odd.pop((account, con_id), None)
        self.positions[account, con_id] = found

    def odd_position(self, account: str, con_id: int, why: str) -> None:
        """The latest position message could not be read: the position is unknown, and not 0."""
        self._answered.add((account, con_id))
        self.positions.pop((account, con_id), None)
        self.odd[account, con_id] = why

    def positions_asked(self) -> None:
        """Positions are being asked for: from now on reported ones belong to the answer, or are newer."""
        self._answered.clear()

    def positions_end(self) -> None:
        """The answer is complete: positions that it does not contain are 0."""
        self.positions = {key: qty for key, qty in self.positions.items() if key in self._answered}
        self.odd = {key: why for key, why in self.odd.items() if key in self._answered}

    def doubt(self, ref: str, why: str) -> None:
        """A report of this order could not be read: so it may exist even if it is not listed."""
        self.doubtful[ref] = why

    def error(self, client_id: int, order_id: int, code: int, text: str) -> None:
        """An error message about an order: kept as the reason for a state that another message reports."""
        self.errors.setdefault((client_id, order_id), []).append((code, text))

    def reason(self, report: OrderReport) -> tuple[int, str]:
        """The first error that explains the order's end, (0, "") if there is none."""
        words = self.errors.get((report.client_id, report.order_id), [])
        found = next((w for w in words if w[0] in REJECTING or w[0] == CANCELLED), None)
        if found is not None:
            self.reasons.setdefault(report.perm_id, found)
        return self.reasons.get(report.perm_id, (0, ""))

    # -- lists of open orders and executions ------------------------------

    def mark(self) -> int:
        """The number of the last message; taken before a question is asked."""
        return self._heard

    def listing(self) -> int:
        """Open orders are about to be asked for: orders shown from now on are open."""
        self._shown, self._listing = set(), True
        return self._heard

    @property
    def shown(self) -> frozenset[int]:
        """PermIds of the orders that were shown as open since ``listing``."""
        return frozenset(self._shown)

    def opened(self, mark: int, perms: Iterable[int]) -> None:
        """The answer to reqAllOpenOrders, asked at ``mark``. Orders shown later are open, too: an end marker may
        come before the last order."""
        self._asked, self._shown, self._listing = mark, set(perms), False

    def listed_fills(self, mark: int) -> None:
        """All executions of the day are listed, for a question asked at ``mark``."""
        self._fills_asked = max(mark, self._fills_asked)

    def unlisted(self, report: OrderReport, booked: int) -> list[tuple[int, int]]:
        """Filled parts (low, high] that the day's executions, asked for after this report, do not contain."""
        if self._fills_asked < report.heard:
            return []
        return missing(report.filled, booked, self.done(report))

    def confirmed(self, report: OrderReport) -> bool:
        """Whether a later list of all open orders did not contain it."""
        return self._asked >= report.heard and report.perm_id not in self._shown

    def lost(self, report: OrderReport) -> bool:
        """Whether it was last reported as working, but is not in a later list of open orders."""
        return not report.over and self.confirmed(report)

    # -- questions --------------------------------------------------------

    def by_id(self, client_id: int, order_id: int) -> OrderReport | None:
        return self.order_reports.get(self._ids.get((client_id, order_id), 0))

    def by_ref(self, ref: str) -> OrderReport | None:
        """The report of an order; a working order is preferred to one that has ended."""
        found = [s for s in self.order_reports.values() if s.ref == ref]
        return max(found, key=lambda s: (not s.over and not self.lost(s), s.perm_id), default=None)

    def unended(self, ref: str) -> list[OrderReport]:
        """Orders with this key whose end is not confirmed: more than one if another program used the key."""
        return [s for s in self.order_reports.values() if s.ref == ref and not (s.over and self.confirmed(s))]

    def version(self) -> tuple[object, ...]:
        """A value that changes with each new report of orders, fills and fees."""
        return self._heard, tuple(self.executions), tuple(self._fees.items())

    def behind(self) -> bool:
        """Whether an execution or an error shows that an order's last status report is out of date."""
        ended = [s for s in self.order_reports.values() if not s.over and not self.lost(s) and self._has_end_error(s)]
        filled = {s.perm_id: s.filled for s in self.order_reports.values()}
        return bool(ended) or any(done.cum > filled.get(done.perm_id, done.cum) for done in self.executions.values())

    def _has_end_error(self, report: OrderReport) -> bool:
        words = self.errors.get((report.client_id, report.order_id), [])
        return any(code == CANCELLED for code, _ in words)

    def duplicate_keys(self) -> list[str]:
        """Keys of more than one working order: only if another program uses our keys."""
        refs = [s.ref for s in self.order_reports.values() if s.ref and not s.over and not self.lost(s)]
        return sorted({ref for ref in refs if refs.count(ref) > 1})

    def done(self, report: OrderReport) -> list[Done]:
        return [e for e in self.executions.values() if e.perm_id == report.perm_id]

    def broker_order(self, report: OrderReport, executed: int) -> BrokerOrder:
        """The report as a ``BrokerOrder``; ``executed`` is the number of shares with known executions."""
        code, text = self.reason(report)
        # fmt: off
        return BrokerOrder(
            report.ref, str(report.perm_id), self._state(report, executed, code), report.side,
            report.qty, executed, report.type, report.stop_price,
            _reason(report, code, text), working=report.status != "Inactive",
        )
        # fmt: on

    def _state(self, report: OrderReport, executed: int, code: int) -> OrderState:
        if report.status == "Filled" and executed >= report.qty and self.confirmed(report):
            return OrderState.FILLED
        known = executed >= report.filled  # otherwise a fill is known only by its count and not booked yet
        if report.over and report.status != "Filled" and known and self.confirmed(report):
            if executed == 0 and not report.worked and (code in REJECTING or "reject" in report.said.lower()):
                return OrderState.REJECTED
            return OrderState.EXPIRED if "expire" in report.said.lower() else OrderState.CANCELED
        if report.status == "PendingCancel":
            return OrderState.PENDING_CANCEL
        return OrderState.PARTIALLY_FILLED if executed else OrderState.NEW


def _reason(report: OrderReport, code: int, text: str) -> str:
    if code and report.over:
        return f"IB {code}: {text}"
    if report.status == "Inactive":
        return "IB holds the order as inactive"
    return report.said if report.over else ""


def missing(filled: int, booked: int, done: Iterable[Done]) -> list[tuple[int, int]]:
    """The parts (low, high] of a filled quantity that neither the book nor an execution covers.

    ``booked`` are the first shares that filled. Executions are listed for the current
    day only, so a fill of an earlier day may be known only by the order's filled count.
    """
    gaps, low = [], booked
    for start, end in sorted((e.cum - e.qty, e.cum) for e in done):
        if start > low:
            gaps.append((low, min(start, filled)))
        low = max(low, end)
    if low < filled:
        gaps.append((low, filled))
    return [(a, b) for a, b in gaps if a < b]
