"""The additional steps of an agent's pass at a broker account: splits before the open, limits, reconciliation."""

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
from ..orders.pre_open_check import Objection
from ..state.agent_repository import AgentRepository
from . import pre_open_split
from .broker_account import BrokerAccount
from .cash_reconciliation import CashReconciliation
from .pre_open_split import PreOpenSplit
from .reconciliation import Reconciliation

log = logging.getLogger(__name__)

SILENCE = timedelta(seconds=30)
"""How long orders before the open wait for a source that does not answer."""


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
    """Messages for the user; the pass takes them over."""
    _silent: datetime | None = None

    def begin(self, now: datetime) -> bool:
        """Book a split that is effective today. False while the source has not answered whether there is one."""
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
            return bare(state) or now - self._silent > SILENCE  # shares without a stop must not wait
        except LivetradingError as error:
            log.warning("%s: today's splits are not known: %s", self.repository.agent_id, error)
            return True  # reconciliation, the pre-open check or the day's bar will show a split
        self._silent = None
        if ratio != 1.0:
            self._take_earlier_reports(session, now)
            state = self.repository.state
            self.broker_account.shares.split(state, session, ratio, now)
            self.repository.commit(pre_open_split.applied(state, session, ratio), now)
        return True

    def _take_earlier_reports(self, session: str, now: datetime) -> None:
        """Book fills of sessions before a split first: they count shares from before the split."""
        news = execution_reports.news(self.repository.state, self.watch.broker, self.price_of)
        if news and all(e.session < session for e in news if isinstance(e, Filled)):
            self.repository.commit(news, now)

    def split_unmanaged(self, events: list[Event], now: datetime) -> None:
        """Apply a split that was first seen in the day's bar to the unmanaged shares, too."""
        for event in events:
            if isinstance(event, SplitApplied):
                self.broker_account.shares.split(self.repository.state, event.session, event.ratio, now)

    def judge(self, now: datetime) -> str | None:
        """The difference between book and account, if any; None while today's splits are unknown."""
        if not self.splits.known(now):
            return None
        if self.broker_account.shares.waits.awaited() & self._others():
            return None  # fills of another agent of the stock are not booked yet: shares cannot be compared
        self.broker_account.shares.waits.doubts(self.repository.agent_id, self.watch.differs(), now)
        problem = self.watch.judge(now)
        if self.watch.lasting and self.repository.state.status == AgentStatus.STOPPED:
            # A stopped agent cannot be blocked, but it still has shares: the user is notified instead.
            self.notices.append(self.watch.lasting)
        self.shown = self.watch.document(problem, now)
        self.cash.compare(now)
        return problem

    def _others(self) -> set[str]:
        return {s.agent.agent_id for s in self.broker_account.shares.siblings(self.repository.state)} - {
            self.repository.agent_id
        }

    def unreported(self, now: datetime) -> str:
        """Why entries wait: another agent's fills cannot be taken over. Empty if they can."""
        return self.broker_account.shares.waits.unreported(self._others(), now)

    def no_entries(self, now: datetime) -> str:
        """Why entries wait while exits and stops are still sent; empty if entries are allowed."""
        if unreported := self.unreported(now):
            return unreported
        self.cash.compare(now)
        return self.cash.doubt(self.repository.state)

    def refuses(self, order: Order, now: datetime) -> Objection | None:
        """Why an entry may not be sent now: missing account figures, cash that is not explained, a sale by another
        agent, or a limit."""
        state = self.repository.state
        if waits := self.broker_account.risk.entries_wait() or self.no_entries(now):
            return Objection(waits, final=False)
        if opposed := self.broker_account.risk.opposed(state, now):
            return Objection(opposed, final=False)
        refused = self.broker_account.risk.refuses_entry(state, order, now)
        return Objection(refused, final=True) if refused else None


def price_in(frame: pd.DataFrame) -> PriceOf:
    """Prices for fills that the broker reports only as a count: the bar's open, for a stop at most its stop price."""

    def price(fill: Execution, order: Order) -> float:
        at = pd.Timestamp(fill.session)
        if at not in frame.index:
            return 0.0
        opened = float(frame.loc[at, "open"])
        return min(opened, order.stop_price) if order.leg == Leg.STOP else opened

    return price
