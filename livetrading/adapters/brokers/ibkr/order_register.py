"""What Interactive Brokers said about our orders, and nothing that it did not say.

ib_async's own ``Trade`` objects turn to Cancelled on errors after which the
order still works, and die with the connection. This register is fed by the
messages themselves: openOrder, orderStatus, completedOrder, execDetails and
commissionReport. Errors only leave words here, never a state.
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
"""Statuses after which nothing more happens; Inactive only if it is not listed as open."""

WORKING = frozenset({"PreSubmitted", "Submitted"})

KEPT = ("filled", "avg_price", "why_held", "said", "ended", "worked")
"""What openOrder and completedOrder do not tell anew."""

SIDES = {"BOT": "BUY", "SLD": "SELL"}
FIRST_YEAR = 2000
"""Executions before it are none of this program's: the time could not be read."""

CANCELLED = 202
"""IB's word that an order was cancelled; the status that belongs to it may not come."""

REJECTING = frozenset({200, 201, 203, 110, 10243, 10006})
"""Codes that explain an order which then ended without ever filling."""


@dataclass(frozen=True)
class OrderReport:
    """The last word on one order. ``heard`` counts messages: a larger one is later."""

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
    """Session of the end as IB tells it with completed orders, else empty."""
    worked: bool = False
    """Whether IB ever said that it works: what was refused never did."""
    heard: int = 0

    @property
    def over(self) -> bool:
        return self.status in OVER


@dataclass(frozen=True)
class Done:
    """One execution as last reported; it covers (cum − qty, cum] of its order's quantity.

    ``price`` is 0 if the report held none that can be one; ``side`` BUY or SELL."""

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
    """Statements by permId, executions by the execId of their newest report. Touched by the event
    loop's thread alone. A commission is None while IB has only said that it is not known."""

    statements: dict[int, OrderReport] = field(default_factory=dict)
    executions: dict[str, Done] = field(default_factory=dict)
    commissions: dict[str, float | None] = field(default_factory=dict)
    reasons: dict[int, tuple[int, str]] = field(default_factory=dict)
    words: dict[tuple[int, int], list[tuple[int, str]]] = field(default_factory=dict)
    positions: dict[tuple[str, int], int] = field(default_factory=dict)
    _newest: dict[str, str] = field(default_factory=dict)
    _fees: dict[str, tuple[int, float]] = field(default_factory=dict)
    _doubted: set[tuple[str, float]] = field(default_factory=set)
    odd: dict[tuple[str, int], str] = field(default_factory=dict)
    """Positions that are held in an amount which cannot be read or traded, in words."""
    doubtful: dict[str, str] = field(default_factory=dict)
    """Keys of orders about which something was said that could not be read."""
    _answered: set[tuple[str, int]] = field(default_factory=set)
    _ids: dict[tuple[int, int], int] = field(default_factory=dict)
    _heard: int = 0
    _asked: int = -1
    _fills_asked: int = -1
    _shown: set[int] = field(default_factory=set)
    _listing: bool = False

    def renew(self) -> None:
        """A new connection: what orders are is asked again; executions stay known."""
        self.statements.clear()
        self.words.clear()
        self.positions.clear()
        self.odd.clear()
        self.doubtful.clear()
        self._answered.clear()
        self._ids.clear()
        self._shown.clear()
        self._asked, self._fills_asked, self._listing = -1, -1, False

    # -- messages in ------------------------------------------------------

    def open_order(self, contract: Any, order: Any, state: Any) -> None:
        """An order without permId was not accepted by anybody and is no statement."""
        if order.permId:
            self._put(contract, order, state.status, order.orderId, order.clientId)
            if self._listing or state.status not in OVER:
                self._shown.add(order.permId)

    def completed(self, contract: Any, order: Any, state: Any) -> None:
        if not order.permId:
            return
        before = self.statements.get(order.permId)
        at = (before.order_id, before.client_id) if before else (0, 0)
        self._put(contract, order, state.status, *at)
        put = self.statements[order.permId]
        told = order.filledQuantity
        filled = max(put.filled, shares(told, f"filled quantity of {put.ref}")) if given(told) else put.filled
        day = state.completedTime[:8]
        ended = f"{day[:4]}-{day[4:6]}-{day[6:]}" if len(day) == 8 and day.isdigit() else put.ended
        self._say(replace(put, filled=filled, said=state.completedStatus or put.said, ended=ended))

    def _put(self, contract: Any, order: Any, status: str, order_id: int, client_id: int) -> None:
        before = self.statements.get(order.permId)
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

    def _say(self, statement: OrderReport) -> None:
        """What was said before is not news: only a change counts as heard now."""
        before = self.statements.get(statement.perm_id)
        statement = replace(statement, worked=statement.worked or statement.status in WORKING)
        if before is not None and replace(statement, heard=before.heard) == before:
            return
        self._heard += 1
        self.statements[statement.perm_id] = replace(statement, heard=self._heard)

    def status(self, perm_id: int, status: str, filled: float, avg_price: float, why_held: str) -> None:
        """An orderStatus; openOrder has always named the order before."""
        before = self.statements.get(perm_id)
        if before is None:
            return
        # fmt: off
        self._say(replace(
            before, status=status, filled=max(before.filled, shares(filled, f"filled quantity of {before.ref}")),
            avg_price=price_of(avg_price) or before.avg_price, why_held=why_held,
        ))
        # fmt: on

    def execution(self, execution: Any) -> None:
        """Counted once, as its newest report states it: a correction carries a higher number behind the last dot."""
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
        statement = self.statements.get(execution.permId)
        # fmt: off
        self.executions[execution.execId] = Done(
            execution.execId, execution.permId, execution.orderRef or (statement.ref if statement else ""),
            execution.acctNumber, qty, cum, price, execution.time, SIDES.get(execution.side, ""),
        )
        # fmt: on

    def commission(self, exec_id: str, amount: float, currency: str = "USD") -> None:
        """The last one that says something counts, of an execution's newest report."""
        fee = fee_of(amount, currency)
        self.commissions[exec_id] = self.commissions.get(exec_id) if fee is None else fee
        root, number = ids.root(exec_id), ids.number(exec_id)
        if fee is not None and number >= self._fees.get(root, (0, 0.0))[0]:
            self._fees[root] = number, fee

    def fee(self, exec_id: str) -> float | None:
        """USD that IB charges for an execution, whichever of its reports is asked about; None while that is not known."""
        root = ids.root(exec_id)
        done, stated = self.executions.get(self._newest.get(root, "")), self._fees.get(root)
        if done is None or stated is None or not done.price:
            return None
        if not is_fee(stated[1], done.qty, done.price):
            if (root, stated[1]) not in self._doubted:
                self._doubted.add((root, stated[1]))
                # fmt: off
                log.error("IBKR stated a fee of %r for execution %s of %d at %g, which is none; an estimate stays booked",
                          stated[1], done.exec_id, done.qty, done.price)
                # fmt: on
            return None
        return stated[1]

    def position(self, account: str, con_id: int, qty: float) -> None:
        """Answered or pushed; either is the last word."""
        found = shares(qty, f"the position in account {account}", -MOST_SHARES)
        self._answered.add((account, con_id))
        self.odd.pop((account, con_id), None)
        self.positions[account, con_id] = found

    def odd_position(self, account: str, con_id: int, why: str) -> None:
        """The last word on a position is none that could be read: it is not known, and not 0."""
        self._answered.add((account, con_id))
        self.positions.pop((account, con_id), None)
        self.odd[account, con_id] = why

    def positions_asked(self) -> None:
        """From now on what is named belongs to the answer, or is later news."""
        self._answered.clear()

    def positions_end(self) -> None:
        """The whole answer is in: what it does not name is not held."""
        self.positions = {key: qty for key, qty in self.positions.items() if key in self._answered}
        self.odd = {key: why for key, why in self.odd.items() if key in self._answered}

    def doubt(self, ref: str, why: str) -> None:
        """Something about this order could not be read: that it does not exist cannot be said now."""
        self.doubtful[ref] = why

    def word(self, client_id: int, order_id: int, code: int, text: str) -> None:
        """An error on an order: kept as a reason, for a state that others state."""
        self.words.setdefault((client_id, order_id), []).append((code, text))

    def reason(self, statement: OrderReport) -> tuple[int, str]:
        """The first error that explains an end, (0, "") if there is none."""
        words = self.words.get((statement.client_id, statement.order_id), [])
        found = next((w for w in words if w[0] in REJECTING or w[0] == CANCELLED), None)
        if found is not None:
            self.reasons.setdefault(statement.perm_id, found)
        return self.reasons.get(statement.perm_id, (0, ""))

    # -- a fresh look at what is open -------------------------------------

    def mark(self) -> int:
        """Taken before the question is asked."""
        return self._heard

    def listing(self) -> int:
        """Open orders are about to be asked for: what is shown from now on is open."""
        self._shown, self._listing = set(), True
        return self._heard

    @property
    def shown(self) -> frozenset[int]:
        """PermIds of the orders that were shown as open since ``listing``."""
        return frozenset(self._shown)

    def opened(self, mark: int, perms: Iterable[int]) -> None:
        """The answer to reqAllOpenOrders that was asked at ``mark``. What IB shows later is open, too:
        an end marker may come before what it ends."""
        self._asked, self._shown, self._listing = mark, set(perms), False

    def listed_fills(self, mark: int) -> None:
        """All executions of the day were answered to a question asked at ``mark``."""
        self._fills_asked = max(mark, self._fills_asked)

    def unlisted(self, statement: OrderReport, booked: int) -> list[tuple[int, int]]:
        """Filled parts that the day's executions, asked for since, do not hold."""
        if self._fills_asked < statement.heard:
            return []
        return missing(statement.filled, booked, self.done(statement))

    def confirmed(self, statement: OrderReport) -> bool:
        """Whether a later look at all open orders did not show it any more."""
        return self._asked >= statement.heard and statement.perm_id not in self._shown

    def lost(self, statement: OrderReport) -> bool:
        """Working when last heard of, yet not among the open orders asked for since."""
        return not statement.over and self.confirmed(statement)

    # -- questions --------------------------------------------------------

    def by_id(self, client_id: int, order_id: int) -> OrderReport | None:
        return self.statements.get(self._ids.get((client_id, order_id), 0))

    def by_ref(self, ref: str) -> OrderReport | None:
        """The statement about an order; a working one comes before one that has ended."""
        found = [s for s in self.statements.values() if s.ref == ref]
        return max(found, key=lambda s: (not s.over and not self.lost(s), s.perm_id), default=None)

    def unended(self, ref: str) -> list[OrderReport]:
        """Every order behind a key whose end IB has not confirmed: more than one if somebody else used the key."""
        return [s for s in self.statements.values() if s.ref == ref and not (s.over and self.confirmed(s))]

    def version(self) -> tuple[object, ...]:
        """Changes with everything that was said of orders, fills and fees."""
        return self._heard, tuple(self.executions), tuple(self._fees.items())

    def behind(self) -> bool:
        """Whether an execution, or an error that ends orders, tells more of an order than its own last status."""
        ended = [s for s in self.statements.values() if not s.over and not self.lost(s) and self._said_to_end(s)]
        filled = {s.perm_id: s.filled for s in self.statements.values()}
        return bool(ended) or any(done.cum > filled.get(done.perm_id, done.cum) for done in self.executions.values())

    def _said_to_end(self, statement: OrderReport) -> bool:
        words = self.words.get((statement.client_id, statement.order_id), [])
        return any(code == CANCELLED for code, _ in words)

    def doubled(self) -> list[str]:
        """Keys that more than one working order carries: never, unless somebody else uses them."""
        refs = [s.ref for s in self.statements.values() if s.ref and not s.over and not self.lost(s)]
        return sorted({ref for ref in refs if refs.count(ref) > 1})

    def done(self, statement: OrderReport) -> list[Done]:
        return [e for e in self.executions.values() if e.perm_id == statement.perm_id]

    def broker_order(self, statement: OrderReport, executed: int) -> BrokerOrder:
        """The statement in our words; ``executed`` shares can be accounted for."""
        code, text = self.reason(statement)
        # fmt: off
        return BrokerOrder(
            statement.ref, str(statement.perm_id), self._state(statement, executed, code), statement.side,
            statement.qty, executed, statement.type, statement.stop_price,
            _reason(statement, code, text), working=statement.status != "Inactive",
        )
        # fmt: on

    def _state(self, statement: OrderReport, executed: int, code: int) -> OrderState:
        if statement.status == "Filled" and executed >= statement.qty and self.confirmed(statement):
            return OrderState.FILLED
        told = executed >= statement.filled  # else a fill is known by its count and not booked yet
        if statement.over and statement.status != "Filled" and told and self.confirmed(statement):
            if executed == 0 and not statement.worked and (code in REJECTING or "reject" in statement.said.lower()):
                return OrderState.REJECTED
            return OrderState.EXPIRED if "expire" in statement.said.lower() else OrderState.CANCELED
        if statement.status == "PendingCancel":
            return OrderState.PENDING_CANCEL
        return OrderState.PARTIALLY_FILLED if executed else OrderState.NEW


def _reason(statement: OrderReport, code: int, text: str) -> str:
    if code and statement.over:
        return f"IB {code}: {text}"
    if statement.status == "Inactive":
        return "IB holds the order as inactive"
    return statement.said if statement.over else ""


def missing(filled: int, booked: int, done: Iterable[Done]) -> list[tuple[int, int]]:
    """The parts (low, high] of a filled quantity that neither the book nor an execution covers.

    ``booked`` shares are the first that filled. Executions are listed for the
    current day only, so that a fill of an earlier day can be known by the order's
    own count alone.
    """
    gaps, low = [], booked
    for start, end in sorted((e.cum - e.qty, e.cum) for e in done):
        if start > low:
            gaps.append((low, min(start, filled)))
        low = max(low, end)
    if low < filled:
        gaps.append((low, filled))
    return [(a, b) for a, b in gaps if a < b]
