"""What trading a real account adds to an agent's pass: its morning, its limits, its comparison."""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from ...adapters.bars.background import StillFetching
from ...adapters.brokers.base import Execution
from ...core.errors import LivetradingError
from ...core.events import Event, Filled, SplitApplied
from ...core.exposure import bare
from ...core.orders import Order
from ...core.types import AgentStatus, Leg
from ..orders import execution_reports
from ..orders.execution_reports import PriceOf
from ..orders.pre_open_check import Look
from ..state.agent_repository import AgentRepository
from . import pre_open_split
from .broker_account import BrokerAccount
from .cash_reconciliation import CashReconciliation
from .pre_open_split import PreOpenSplit
from .reconciliation import Reconciliation

log = logging.getLogger(__name__)

SILENCE = timedelta(seconds=30)
"""So long the orders of a morning wait for a source that says nothing at all."""


@dataclass
class AgentInAccount:
    """One agent in a shared broker account."""

    repository: AgentRepository
    broker_account: BrokerAccount
    watch: Reconciliation
    splits: PreOpenSplit
    cash: CashReconciliation
    shown: dict[str, Any] | None = None
    """Both sides as last compared, for a page."""
    price_of: PriceOf = execution_reports.as_reported
    notices: list[str] = field(default_factory=list)
    """What a person should hear, until the pass takes it."""
    _silent: datetime | None = None

    def begin(self, now: datetime) -> bool:
        """Book a split effective today. False while the source is being asked whether there is one."""
        state = self.repository.state
        session = pre_open_split.today(now)
        if state.split_on == session or (
            state.flat and not state.orders and not self.broker_account.shares.unmanaged(state)
        ):
            return True
        try:
            ratio = self.splits.ratio(state.agent.symbol, now)
        except StillFetching:
            self._silent = self._silent or now
            return bare(state) or now - self._silent > SILENCE  # shares without a stop wait for nothing
        except LivetradingError as error:
            log.warning("%s: today's splits are not known: %s", self.repository.agent_id, error)
            return True  # a difference in shares, the second look, or the evening's bar will tell
        self._silent = None
        if ratio != 1.0:
            self._take_earlier_reports(session, now)
            state = self.repository.state
            self.broker_account.shares.split(state, session, ratio, now)
            self.repository.commit(pre_open_split.applied(state, session, ratio), now)
        return True

    def _take_earlier_reports(self, session: str, now: datetime) -> None:
        """Fills of sessions before a split are in old shares: they are booked before it."""
        news = execution_reports.news(self.repository.state, self.watch.broker, self.price_of)
        if news and all(e.session < session for e in news if isinstance(e, Filled)):
            self.repository.commit(news, now)

    def turned(self, events: list[Event], now: datetime) -> None:
        """A split that only the evening's bar told turns what no agent holds as well."""
        for event in events:
            if isinstance(event, SplitApplied):
                self.broker_account.shares.split(self.repository.state, event.session, event.ratio, now)

    def judge(self, now: datetime) -> str | None:
        """The difference between book and account, if any. Not before today's splits are known."""
        if not self.splits.known(now):
            return None
        if self.broker_account.shares.waits.awaited() & self._others():
            return None  # what another agent of the stock has traded is not in its book yet: nothing can be compared
        self.broker_account.shares.waits.doubts(self.repository.agent_id, self.watch.differs(), now)
        problem = self.watch.judge(now)
        if self.watch.lasting and self.repository.state.status == AgentStatus.STOPPED:
            self.notices.append(
                self.watch.lasting
            )  # an agent that was stopped cannot be blocked, and its shares are there
        self.shown = self.watch.document(problem, now)
        self.cash.look(now)
        return problem

    def _others(self) -> set[str]:
        return {s.agent.agent_id for s in self.broker_account.shares.siblings(self.repository.state)} - {
            self.repository.agent_id
        }

    def unreported(self, now: datetime) -> str:
        """Why nothing is bought while another agent's fills cannot be taken over; empty while they can."""
        return self.broker_account.shares.waits.unreported(self._others(), now)

    def no_entries(self, now: datetime) -> str:
        """Why nothing is bought, though exits and stops go on; empty when it may be."""
        if unreported := self.unreported(now):
            return unreported
        self.cash.look(now)
        return self.cash.doubt(self.repository.state)

    def refuses(self, order: Order, now: datetime) -> Look | None:
        """Why a purchase may not go now: an unknown account, its cash, another agent's sale in the same auction,
        or a limit."""
        state = self.repository.state
        if waits := self.broker_account.risk.entries_wait() or self.no_entries(now):
            return Look(waits, final=False)
        if opposed := self.broker_account.risk.opposed(state, now):
            return Look(opposed, final=False)
        refused = self.broker_account.risk.refuses_entry(state, order, now)
        return Look(refused, final=True) if refused else None


def price_in(frame: pd.DataFrame) -> PriceOf:
    """A price for fills of which the broker tells the count alone: the bar's open, a stop's at most its trigger."""

    def price(fill: Execution, order: Order) -> float:
        at = pd.Timestamp(fill.session)
        if at not in frame.index:
            return 0.0
        opened = float(frame.loc[at, "open"])
        return min(opened, order.stop_price) if order.leg == Leg.STOP else opened

    return price
