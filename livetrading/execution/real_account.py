"""What trading a real account adds to an agent's pass: its morning, its limits, its comparison."""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from ..adapters.brokers.base import Execution
from ..core.errors import LivetradingError
from ..core.exposure import bare
from ..core.events import Event, Filled, SplitApplied
from ..core.orders import Order
from ..core.types import AgentStatus, Leg
from . import morning, statements
from .account_cash import CashWatch
from .account_desk import AccountDesk
from .account_watch import AccountWatch
from .dossier import Dossier
from .fetching import StillFetching
from .morning import Morning
from .second_look import Look
from .statements import PriceOf

log = logging.getLogger(__name__)

SILENCE = timedelta(seconds=30)
"""So long the orders of a morning wait for a source that says nothing at all."""


@dataclass
class RealAccount:
    """One agent in a shared broker account."""

    dossier: Dossier
    desk: AccountDesk
    watch: AccountWatch
    morning: Morning
    cash: CashWatch
    shown: dict[str, Any] | None = None
    """Both sides as last compared, for a page."""
    price_of: PriceOf = statements.as_told
    notices: list[str] = field(default_factory=list)
    """What a person should hear, until the pass takes it."""
    _silent: datetime | None = None

    def begin(self, now: datetime) -> bool:
        """Book a split effective today. False while the source is being asked whether there is one."""
        state = self.dossier.state
        session = morning.today(now)
        if state.split_on == session or (state.flat and not state.orders and not self.desk.rest(state)):
            return True
        try:
            ratio = self.morning.ratio(state.agent.symbol, now)
        except StillFetching:
            self._silent = self._silent or now
            return bare(state) or now - self._silent > SILENCE  # shares without a stop wait for nothing
        except LivetradingError as error:
            log.warning("%s: today's splits are not known: %s", self.dossier.agent_id, error)
            return True  # a difference in shares, the second look, or the evening's bar will tell
        self._silent = None
        if ratio != 1.0:
            self._hear_earlier(session, now)
            state = self.dossier.state
            self.desk.split(state, session, ratio, now)
            self.dossier.commit(morning.applied(state, session, ratio), now)
        return True

    def _hear_earlier(self, session: str, now: datetime) -> None:
        """Fills of sessions before a split are in old shares: they are booked before it."""
        news = statements.news(self.dossier.state, self.watch.broker, self.price_of)
        if news and all(e.session < session for e in news if isinstance(e, Filled)):
            self.dossier.commit(news, now)

    def turned(self, events: list[Event], now: datetime) -> None:
        """A split that only the evening's bar told turns what no agent holds as well."""
        for event in events:
            if isinstance(event, SplitApplied):
                self.desk.split(self.dossier.state, event.session, event.ratio, now)

    def judge(self, now: datetime) -> str | None:
        """The difference between book and account, if any. Not before today's splits are known."""
        if not self.morning.known(now):
            return None
        if self.desk.waits.awaited() & self._others():
            return None  # what another agent of the stock has traded is not in its book yet: nothing can be compared
        self.desk.waits.doubts(self.dossier.agent_id, self.watch.differs(), now)
        problem = self.watch.judge(now)
        if self.watch.lasting and self.dossier.state.status == AgentStatus.STOPPED:
            self.notices.append(self.watch.lasting)  # an agent that was stopped cannot be blocked, and its shares are there
        self.shown = self.watch.document(problem, now)
        self.cash.look(now)
        return problem

    def _others(self) -> set[str]:
        return {s.agent.agent_id for s in self.desk.siblings(self.dossier.state)} - {self.dossier.agent_id}

    def unheard(self, now: datetime) -> str:
        """Why nothing is bought while another agent's fills cannot be taken over; empty while they can."""
        return self.desk.waits.unheard(self._others(), now)

    def no_entries(self, now: datetime) -> str:
        """Why nothing is bought, though exits and stops go on; empty when it may be."""
        if unheard := self.unheard(now):
            return unheard
        self.cash.look(now)
        return self.cash.doubt(self.dossier.state)

    def refuses(self, order: Order, now: datetime) -> Look | None:
        """Why a purchase may not go now: an unknown account, its cash, another agent's sale in the same auction,
        or a limit."""
        state = self.dossier.state
        if waits := self.desk.entries_wait() or self.no_entries(now):
            return Look(waits, final=False)
        if opposed := self.desk.opposed(state, now):
            return Look(opposed, final=False)
        refused = self.desk.refuses_entry(state, order, now)
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
