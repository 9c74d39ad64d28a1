"""One agent, one pass: fetch, gate, book, decide, plan, send. Safe to repeat.

A pass does whatever is due at ``now`` and is not yet on record; after a crash,
a sleep or a year the next pass is the same pass.
"""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Protocol

import numpy as np
import pandas as pd

from ...adapters.bars import agreement
from ...adapters.bars.background import StillFetching, fetch
from ...adapters.bars.base import BarSet, BarSource, vendor_of
from ...adapters.brokers.base import Broker
from ...adapters.calendar import Calendar
from ...core import agent as agents
from ...core import decide, gate, ledger, limits, market, sanity, windows
from ...core.agent import BLOCK_AFTER_HELD
from ...core.card import ModelCard
from ...core.errors import BadBars, LivetradingError, Unavailable
from ...core.events import DISPUTED_BARS, BarsAppended, Decided, Event, Held, Marked, Missed, StatusChanged
from ...core.exposure import bare
from ...core.market import Market
from ...core.observe import observe
from ...core.orders import Cause, Order
from ...core.types import AgentStatus, Leg
from ..accounts.agent_in_account import AgentInAccount, price_in
from ..orders import execution_reports, missed_open, order_recovery, pre_open_check, protective_stop, sending
from ..orders.order_executor import OrderExecutor
from ..orders.order_plans import planned_entry, planned_exit
from ..orders.position_tracker import reconcile, unexplained
from ..state.agent_repository import AgentRepository
from ..state.bar_series import Series
from . import session_booking
from .pass_result import PassResult, due_sessions

log = logging.getLogger(__name__)


class Policy(Protocol):
    def raw(self, obs: np.ndarray) -> float: ...


@dataclass
class LiveTrader:
    """Trades one agent. A bar counts as final ``delay`` after the close. After ``patience`` seconds of
    booking a pass ends early, so that requests are answered. ``real``: the broker account, if it has one."""

    repository: AgentRepository
    broker: Broker
    executor: OrderExecutor
    source: BarSource
    calendar: Calendar
    card: ModelCard
    series: Series
    policy: Callable[[], Policy]
    delay: timedelta = timedelta(minutes=30)
    patience: float = math.inf
    real: AgentInAccount | None = None
    pulse: Callable[[], object] = lambda: None
    """Called before each session is booked: a heartbeat."""
    _waits: str = ""
    """Why the entry waits, as found in this pass."""
    _disputed: bool = False
    """Whether the source disagrees with known bars, as found in this pass."""

    def __post_init__(self) -> None:
        if self.real is not None:
            self.executor.price_of = lambda fill, order: price_in(self.series.up_to(self.series.end))(fill, order)
            self.real.price_of = self.executor.price_of

    # -- the pass ---------------------------------------------------------

    def run(self, now: datetime) -> PassResult:
        """Everything that is due at ``now``."""
        done, before = PassResult(), self.repository.state.status
        if before == AgentStatus.REMOVED:
            return done
        self._waits, self._disputed = "", False
        self._act(now, done)
        if self._waits and self.repository.state.open_orders(Leg.ENTRY):
            done.waiting.append(self._item(text=self._waits))
        after = self.repository.state
        if after.status == AgentStatus.BLOCKED != before:
            done.alarms.append(self._item(text=f"blocked: {after.status_reason}"))
        return done

    def _act(self, now: datetime, done: PassResult) -> None:
        try:
            if not self._take_reports(now):
                done.more = True
                return
        except Unavailable as error:
            self._unreported(str(error), now, done)
            raise
        done.alarms += self._notices()
        self._send(now, done)
        # Fetching bars takes time, and the position must not stay unprotected meanwhile.
        if bare(self.repository.state):
            self._protect(now, done)
        if self.due(now) and not self._catch_up(now, done):
            return
        self._sell_unwanted(now)
        done.alarms += [self._item(text=text) for text in missed_open.replan(self.executor, now)]
        self._send(now, done)
        self._protect(now, done)

    def _protect(self, now: datetime, done: PassResult) -> None:
        done.alarms += [self._item(text=text) for text in protective_stop.protect(self.executor, now)]

    def _notices(self) -> list[dict[str, Any]]:
        if self.real is None:
            return []
        taken, self.real.notices = self.real.notices, []
        return [self._item(text=text) for text in taken]

    def _take_reports(self, now: datetime) -> bool:
        """Take over the broker's reports. In a broker account today's split is booked first: False while the
        source has not answered whether there is one."""
        if self.real is not None and not self.real.begin(now):
            return False
        order_recovery.recover(self.executor, now)
        if self.real is not None:
            self.real.judge(now)
            if self.repository.state.status == AgentStatus.BLOCKED:
                # A blocked agent must not buy.
                self.executor.withdraw_entries("the agent is blocked", now)
        return True

    def _unreported(self, reason: str, now: datetime, done: PassResult) -> None:
        """Record sessions that are due as held, with the reason, while the broker does not answer."""
        for session in self.due(now):
            if session.isoformat() > (self.repository.state.settled or ""):
                self._decide_or_hold(session, reason, now, done)

    def due(self, now: datetime) -> list[date]:
        """Sessions complete at ``now`` that are not yet both booked and decided (or missed)."""
        return due_sessions(self.repository.state, self.calendar, now, self.delay)

    def _sell_unwanted(self, now: datetime) -> None:
        """Sell shares that are held while the emergency stop is set, or that an entry bought while a close
        cancelled it. This also completes an emergency stop that was interrupted."""
        state = self.repository.state
        if (
            state.flat
            or state.open_orders(Leg.EXIT)
            or unexplained(self.repository, self.broker)
            or missed_open.refused(self.repository, now)
        ):
            return
        entry = next((o for o in reversed(state.recent) if o.leg == Leg.ENTRY), None)
        crossed = entry is not None and entry.cause == Cause.CLOSE
        reason = (
            "emergency stop"
            if self.executor.latch.status() is not None
            else entry.reason
            if entry is not None and crossed
            else ""
        )
        if reason:
            bar = state.booked or state.first_session
            self.repository.commit(planned_exit(state, bar, now, "DAY", reason), now)

    def _send(self, now: datetime, done: PassResult) -> None:
        if not self.repository.state.orders:
            return
        for order in sending.send(self.executor, now, self._pre_open_check):
            done.sent.append(self._item(key=order.key, leg=str(order.leg), qty=order.qty))
        self._waits = self._waits or (self.real.unreported(now) if self.real is not None else "")

    def _pre_open_check(self, order: Order, now: datetime) -> pre_open_check.Objection | None:
        symbol, bar = self.repository.state.agent.symbol, date.fromisoformat(order.bar)
        vendor = vendor_of(self.repository.state.priced_by or self.card.source)
        doubt = pre_open_check.at_bar(self.source, self.series, symbol, bar, now, vendor)
        doubt = doubt or (self.real.refuses(order, now) if self.real is not None else None)
        self._waits = doubt.reason if doubt is not None and not doubt.final else ""
        return doubt

    def _item(self, **what: Any) -> dict[str, Any]:
        return {"agent_id": self.repository.agent_id, **what}

    def _catch_up(self, now: datetime, done: PassResult) -> bool:
        """Book and decide what is due; False if the time was up before the end."""
        started = time.monotonic()
        try:
            bars, problem = self._fetch(now)
        except StillFetching:
            done.more = True
            return True
        for session in self.due(now):
            self.pulse()
            if time.monotonic() - started > self.patience:
                done.more = True
                return False
            name = session.isoformat()
            undecided = name > (self.repository.state.settled or "")
            if undecided:
                done.due.append(self._item(session=name))
            # If a session cannot be booked, later ones cannot be booked either.
            problem = problem or self._book(session, bars, now)
            reason = problem or (self.real.watch.problem() if self.real is not None else None)
            if undecided:
                self._decide_or_hold(session, reason, now, done)
        return True

    def _fetch(self, now: datetime) -> tuple[BarSet | None, str | None]:
        """The source's bars as of ``now``, or why they are not to be trusted."""
        try:
            bars = fetch(self.source, self.repository.state.agent.symbol, now)
        except StillFetching:
            raise
        except LivetradingError as error:
            return None, str(error)
        try:
            self.series.check(bars.frame, agreement.tolerance(self.card, bars))
        except BadBars as error:
            self._disputed = True
            return None, f"{str(error).rstrip('.')}. See `python -m livetrading bars diff {self.repository.agent_id}`"
        known = self.series.up_to(self.series.end)
        return bars, agreement.undecidable(self.card, self.source.name, known, bars)

    # -- money of a session -----------------------------------------------

    def _book(self, session: date, bars: BarSet | None, now: datetime) -> str | None:
        """Book split, dividend, fills, stop and closing price of one session. Returns why it could not be booked."""
        state, name = self.repository.state, session.isoformat()
        if name <= (state.booked or "") or bars is None:
            return None
        fresh = bars.frame
        reason = gate.missing_bar(fresh, session, state.agent.symbol)
        before = self.calendar.previous_session(session).isoformat()
        if reason is None and state.booked is not None and state.booked < before:
            reason = f"the bar of {state.agent.symbol} for the session after {state.booked} is missing"
        if reason is not None:
            return reason
        events: list[Event] = []
        rows = [] if name <= (state.bars_end or "") else self.series.rows_for(fresh, session, state.bars_end)
        frame = self._with(rows, session)
        expected = self.calendar.sessions(frame.index[0].date(), session)[-len(rows) - 1 :]
        reason = gate.gap(frame, expected, state.agent.symbol) or sanity.doubt(
            self.series.up_to(session), fresh, session, expected, state.agent.symbol
        )
        if reason is not None:
            return reason
        if rows:
            events.append(BarsAppended(rows, bars.source))
        quote = session_booking.quote_of(frame)
        if reason := session_booking.unlike_pre_open(state, name, quote):
            return reason
        self.broker.advance(name, self.calendar.open_at(session), quote)
        events += session_booking.overnight(state, name, quote)
        if self.real is not None:
            self.real.split_unmanaged(events, now)
        events += execution_reports.news(agents.fold(events, state), self.broker, self._prices(frame))
        events.append(Marked(name, float(quote.close)))
        self.repository.commit(events, now)
        self.series.append(rows)
        if self.real is None:
            reconcile(self.repository, self.broker, now)
        return None

    def _prices(self, frame: pd.DataFrame) -> execution_reports.PriceOf:
        return execution_reports.as_reported if self.real is None else price_in(frame)

    def _with(self, rows: list[list[Any]], session: date) -> pd.DataFrame:
        whole = Series(self.series.up_to(session), rows) if rows else self.series
        return whole.up_to(session)

    # -- the decision -----------------------------------------------------

    def _decide_or_hold(self, session: date, reason: str | None, now: datetime, done: PassResult) -> None:
        """Decide the session, hold it for now, or record it as missed."""
        name = session.isoformat()
        deadline = windows.decision_deadline(self.calendar.next_session(session))
        forbidden = self._forbidden()
        reason = forbidden or reason
        if now > deadline:
            return self._miss(name, reason or "nothing decided it before 09:20 New York of the next session", now, done)
        if reason is None:
            reason = self._decide(session, now, done)
        if reason is not None:
            done.held.append(self._item(session=name, reason=reason))
            held = Held(name, reason, DISPUTED_BARS if self._disputed and not forbidden else "")
            if self.repository.state.held != held:
                self.repository.commit([held], now)
        return None

    def _forbidden(self) -> str | None:
        state = self.repository.state
        if self.executor.latch.status() is not None:
            return "the emergency stop is set"
        if state.status != AgentStatus.RUNNING:
            return f"the agent is {state.status}" + (f": {state.status_reason}" if state.status_reason else "")
        return None

    def _miss(self, name: str, reason: str, now: datetime, done: PassResult) -> None:
        held = self.repository.state.held
        why = held.reason if held is not None and held.session == name else reason
        state = self.repository.commit([Missed(name, why)], now)
        done.missed.append(self._item(session=name, reason=why))
        if state.held_in_a_row >= BLOCK_AFTER_HELD and state.status == AgentStatus.RUNNING:
            text = f"{state.held_in_a_row} sessions in a row were held: {why}"
            self.repository.commit([StatusChanged(AgentStatus.BLOCKED, text, "live trader")], now)

    def _decide(self, session: date, now: datetime, done: PassResult) -> str | None:
        """One decision for one bar: observe, ask the policy, plan orders. Returns why it must wait, if it must."""
        frame = self.series.up_to(session)
        view = market.newest(frame, self.card.scaler, self.card.features)
        reason = gate.unfit(view, -1)
        if reason is not None:
            return reason
        events = self._decision(view, session.isoformat(), now)
        self.repository.commit(events, now)
        decided = next(e for e in events if isinstance(e, Decided))
        done.decided.append(
            self._item(session=decided.session, action=decided.action, qty=decided.qty, reason=decided.reason)
        )
        for order in self.repository.state.orders:
            if order.bar == decided.session:
                done.planned.append(self._item(key=order.key, leg=str(order.leg), side=order.side, qty=order.qty))
        return None

    def _decision(self, view: Market, name: str, now: datetime) -> list[Event]:
        state = self.repository.state
        terms, book = state.agent.terms, state.book
        close, atr = view.columns.close[-1], view.atr[-1]
        pause, turn = limits.at_close(book.pause, book.equity, terms.limits)
        events = limits.recorded(turn, name, terms.limits)
        doubt = self.real.no_entries(now) if self.real is not None else ""
        seen = observe(view.scaled[-1], book.account, close)
        raw = self.policy().raw(seen)
        action = decide.action_of(self.card.agent_type, np.asarray(raw)[()])
        intent = decide.intend(action, book.account, close, atr, pause.on or bool(doubt), terms.limits, terms.costs)
        reason, qty, orders = decide.explain(intent.reason), 0, []
        if intent.reason == decide.Reason.DRAWDOWN_PAUSE:
            reason = limits.words(pause.decided().left(terms.limits)) if pause.on else doubt
        if any(o.leg != "stop" for o in state.orders):
            reason = "an order of this agent is still open"
        elif intent.plan.exit:
            qty, orders = book.shares, planned_exit(state, name, now)
        elif intent.plan.qty > 0:
            qty = int(intent.plan.qty)
            orders = planned_entry(state, name, qty, float(intent.plan.stop), now)
        decided = Decided(name, ledger.obs_sha256(seen), float(raw), int(action), qty, reason)
        return [*events, decided, *orders]
