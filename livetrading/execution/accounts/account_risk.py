"""The limits of a whole account: capital, daily loss, orders a day, and why an entry has to wait."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from ...adapters import settings
from ...adapters.home import Home
from ...adapters.stamps import parse_stamp
from ...core import account_limits
from ...core.account_book import Valued
from ...core.account_limits import AccountLimits, AccountSnapshot
from ...core.agent import AgentState
from ...core.errors import Unavailable
from ...core.orders import Order
from ...core.types import Leg
from .account_connection import AccountConnection
from .account_journal import AccountJournals
from .share_allocation import ShareAllocation


@dataclass(frozen=True)
class AccountRisk:
    """The limits of an account over all its agents. ``agents`` are those that trade an account."""

    home: Home
    agents: Callable[[], list[AgentState]]
    connection: AccountConnection
    journals: AccountJournals
    shares: ShareAllocation

    def limits(self) -> AccountLimits:
        """The limits in the settings of this home. US dollars, fractions, orders."""
        known = settings.load(self.home)
        return AccountLimits(
            float(known.max_capital),
            known.max_day_loss_pct / 100,
            known.max_orders_a_day,
            float(known.max_order_notional),
        )

    def figures(self, number: str, now: datetime, besides: str = "") -> AccountSnapshot:
        """The account's figures now. Open entries, except the order ``besides``, reserve their cost."""
        figures = self.connection.ready().account()
        yesterday = now - timedelta(days=1)
        valued = self.journals.of(number).book.valued
        before = valued.net_liquidation if valued is not None and valued.currency == figures.currency else 0.0
        orders = [(s, o) for s in self.agents() for o in (*s.orders, *s.recent)]
        sent = sum(1 for _, o in orders if o.broker_id and o.created and parse_stamp(o.created) > yesterday)
        reserved = sum(
            account_limits.cost_of(o, s.book.close, s.agent.terms)
            for s, o in orders
            if o.leg == Leg.ENTRY and o.open and o.at_broker and o.key != besides
        )
        return AccountSnapshot(figures.net_liquidation, figures.currency, figures.cash_usd, before, sent, reserved)

    def entries_wait(self) -> str | None:
        """Why entries wait: the broker has not reported all the figures that the limits need."""
        link = self.connection.ready()
        if missing := link.health().missing:
            return f"{self.connection.broker().words.program} has not answered the question for {', '.join(missing)} yet; entries wait"
        absent = link.account().absent
        return f"{absent[0]}; entries wait" if absent else None

    def refuses_capital(self, number: str, capital: float, now: datetime) -> str | None:
        """Why the account is too small for another agent with this capital; None if it is large enough. Raises
        Unavailable while that is not known."""
        if not self.limits().max_capital and (absent := self.connection.ready().account().absent):
            raise Unavailable(f"{absent[0]}, and the agents' capital is limited by it; try again in a minute.")
        allocated = capital + sum(s.agent.terms.capital for s in self.agents() if s.agent.account == number)
        return account_limits.over_allocated(allocated, self.figures(number, now), self.limits())

    def refuses_entry(self, state: AgentState, order: Order, now: datetime) -> str | None:
        """Why an entry exceeds the account's limits; None if it does not."""
        figures = self.figures(state.agent.account, now, order.key)
        return account_limits.entry_refused(order, state.book.close, state.agent.terms, figures, self.limits())

    def opposed(self, state: AgentState, now: datetime) -> str | None:
        """Why an entry waits: another agent of the account sells the same stock. None if it need not wait."""
        others = [s for s in self.shares.siblings(state) if s.agent.agent_id != state.agent.agent_id]
        if not any(other.open_orders(Leg.EXIT) for other in others):
            return None
        return self.shares.waits.opposed(state, others, {o.ref for o in self.connection.ready().open_orders()}, now)

    def day_trades(self, since: str) -> int:
        """Day trades of all agents since a session: round trips within one session."""
        return sum(1 for s in self.agents() for session in s.day_trades if session >= since)

    def value(self, session: str, now: datetime) -> None:
        """Record the account's value once a session; the daily loss is measured from it."""
        for number in {s.agent.account for s in self.agents()}:
            known = self.journals.of(number).book.valued
            if known is None or known.session < session or not account_limits.finite(known.net_liquidation):
                figures = self.connection.ready().account()
                if figures.number != number or figures.net_liquidation is None:
                    continue  # logged in to another account, or the value is not reported yet
                self.journals.of(number).record(Valued(session, figures.net_liquidation, figures.currency), now)
