"""The broker account that several agents share: its connection, what is not theirs, its limits.

There is one connection, and only the scheduler's lock's holder has it. It is made
when an agent of the account is first asked for.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from ...adapters import settings
from ...adapters.brokers.ibkr import account_gates as gates
from ...adapters.brokers.base import BrokerOrder, Cause, Health, can_sell
from ...adapters.brokers.ibkr.config import IbkrConfig
from ...adapters.brokers.ibkr.setup import config_of
from ...adapters.home import Home
from ...adapters.stamps import parse_stamp
from ...core import account, account_limits, rules
from ...core.account_book import RestSet, RestSplit, Valued
from ...core.account_limits import AccountLimits, Standing
from ...core.agent import AgentState
from ...core.errors import AccountAway, NotFound, Refused, Unavailable
from ...core.orders import Order
from ...core.types import AgentStatus, Leg, Mode
from . import account_fills
from .account_journal import AccountJournal
from ..state.agent_repository import AgentRepository
from .siblings import Siblings

if TYPE_CHECKING:
    from ...adapters.brokers.ibkr.broker import IbkrBroker, IbkrConnection
    from ...adapters.brokers.ibkr.history import RawBar
    from ...adapters.brokers.ibkr.orders import Instrument
    from ...adapters.brokers.ibkr.order_register import Done

log = logging.getLogger(__name__)


def connection(config: IbkrConfig) -> "IbkrConnection":
    """The real one; its library is imported when an account is first wanted."""
    from ...adapters.brokers.ibkr.broker import IbkrConnection

    return IbkrConnection(config)


@dataclass
class BrokerAccount:
    """One account at Interactive Brokers, for all agents of a home.

    ``states`` are those of every agent that was not removed; ``patience`` seconds the
    first use waits for the connection (a scheduler never does: it comes again).
    """

    home: Home
    states: Callable[[], Iterable[AgentState]]
    patience: float = 0.0
    connect: "Callable[[IbkrConfig], IbkrConnection]" = connection
    pulse: Callable[[], object] = lambda: None
    """Called while an answer is awaited: a sign of life."""
    waits: Siblings = field(default_factory=Siblings)
    """What agents of one stock wait for of each other."""
    _link: "IbkrConnection | None" = None
    _journals: dict[str, AccountJournal] = field(default_factory=dict)
    _instruments: "dict[tuple[str, int], Instrument]" = field(default_factory=dict)
    _read: tuple[object, ...] = ()
    _mutex: threading.RLock = field(default_factory=threading.RLock)
    """Bars are asked for in threads of their own."""

    # -- the connection -----------------------------------------------------

    @property
    def wanted(self) -> bool:
        """Whether any agent trades an account."""
        return any(True for _ in self.agents())

    def agents(self) -> list[AgentState]:
        """Agents of accounts, those that were removed left out."""
        return [s for s in self.states() if s.agent.mode == Mode.IBKR and s.status != AgentStatus.REMOVED]

    def link(self, confirmed: str = "") -> "IbkrConnection":
        """The connection, made at first; never waits. ``confirmed``: the number typed for real money."""
        typed = confirmed or next((s.agent.confirmed_account for s in self.agents() if s.agent.confirmed_account), "")
        with self._mutex:
            link = self._link
            if link is not None and link.health().state == "refused" and typed != link.config.confirmed:
                self.close()
            if self._link is None:
                self._link = self.connect(config_of(settings.load(self.home), typed))
                self._link.pulse = self.pulse
                self._link.start()
            return self._link

    def ready(self, confirmed: str = "", patience: float = 0.0) -> "IbkrConnection":
        """The connection once it can be used; ``patience`` seconds are waited for it.

        Unavailable with the cure; to a person's request, Refused where a gate says no.
        """
        first = self._link is None
        link = self.link(confirmed)
        health = link.health()
        seconds = max(patience, self.patience if first else 0.0)
        if not health.ready and seconds:
            health = _awaited(link, seconds)
        if health.ready:
            return link
        if patience and health.state == "refused":
            raise Refused(health.detail)
        raise AccountAway(f"Interactive Brokers cannot be used now: {health.detail}")

    @property
    def usable(self) -> bool:
        """Whether the account can be asked at this moment."""
        return self._link is not None and self._link.health().ready

    @property
    def settling(self) -> bool:
        """Whether the connection is just being made: what needs it waits for the outcome. Not when an
        attempt has failed: what needs it is then held with the reason, however often it is tried again."""
        if self._link is None or self.patience:
            return False
        health = self._link.health()
        return health.state in ("starting", "connecting") and not health.failures

    @property
    def unread(self) -> bool:
        """Whether there is something to compare: after a start, after each loss of the connection, and
        when IB has pushed another position."""
        link = self._link
        return link is not None and link.health().ready and self._told(link) != self._read

    def version(self) -> tuple[object, ...]:
        """Changes with everything that the broker says of orders, fills, fees and positions: then it is time for a pass."""
        link = self._link
        if link is None or not link.health().ready:
            return ()
        return (*self._told(link), *link.session.register.version())

    def was_read(self) -> None:
        """The account was compared over the connection that there is."""
        if self._link is not None:
            self._read = self._told(self._link)

    @staticmethod
    def _told(link: "IbkrConnection") -> tuple[object, ...]:
        return link.session.connections, link.session.register.positions.copy()

    def close(self) -> None:
        """Disconnect; orders at the broker stay."""
        if self._link is not None:
            self._link.close()
        self._link, self._read = None, ()
        self._instruments.clear()

    # -- one agent ----------------------------------------------------------

    def broker(self, repository: AgentRepository) -> "IbkrBroker":
        """The account as one agent sees it. Refused where the gates no longer agree."""
        from ...adapters.brokers.ibkr.broker import IbkrBroker

        config = repository.state.agent
        link = self.ready()
        gate = partial(gates.check_agent, link.config.gate, agent_account=config.account, confirmed=config.confirmed_account)
        gate(link.health().account)
        try:
            instrument = self.instrument(config.symbol, config.con_id, config.primary)
        except NotFound as error:
            # It was known when the agent was deployed: the service that tells contracts may be away.
            raise Unavailable(f"{error} It is asked again.") from None
        return IbkrBroker(
            link, config.agent_id, instrument, config.terms.costs,
            booked=lambda ref: repository.state.booked_of(ref), others=lambda: self.others(repository.state), gate=gate,
            in_doubt=lambda: self.in_doubt(repository.state),
        )

    def instrument(self, symbol: str, con_id: int = 0, primary: str = "") -> "Instrument":
        """The contract of a symbol, asked for once a connection."""
        link = self.ready()
        key = (symbol, con_id)
        if key not in self._instruments:
            self._instruments[key] = link.instrument(symbol, con_id, primary)
        return self._instruments[key]

    def bars(self, instrument: "Instrument", size: str, duration: str, what: str = "TRADES") -> "list[RawBar]":
        """Historical bars over the account's own connection."""
        return self.ready().bars(instrument, size, duration, what)

    @property
    def auction(self) -> bool:
        """Whether orders for the open may go as such: a paper account may not simulate the auction."""
        known = settings.load(self.home)
        return known.ibkr_mode == "live" or known.ibkr_paper_open == "auction"

    # -- whose shares -------------------------------------------------------

    def journal(self, number: str) -> AccountJournal:
        """What was recorded of an account."""
        if number not in self._journals:
            self._journals[number] = AccountJournal(self.home, number)
        return self._journals[number]

    def siblings(self, state: AgentState) -> list[AgentState]:
        """Agents of the same account and contract, this one included."""
        mine = state.agent
        return [s for s in self.agents() if (s.agent.account, s.agent.con_id) == (mine.account, mine.con_id)]

    def rest(self, state: AgentState) -> int:
        """Shares of the agent's contract that no agent holds. Refused if that is not on record."""
        config = state.agent
        known = self.journal(config.account).book.rest
        if config.con_id not in known:
            raise Refused(f"What account {config.account} holds of {config.symbol} beside the agents is not on record;"
                          f" compare with TWS and run `python -m livetrading ignore {config.agent_id}`.")
        return known[config.con_id]

    def others(self, state: AgentState) -> int:
        """Shares of the contract that are not this agent's: other agents' and the unmanaged rest. What IB has told
        of another agent's fills counts before its book has it."""
        return account.not_of(state.agent.agent_id, self._by_agent(state), self.rest(state))

    def _by_agent(self, state: AgentState) -> dict[str, int]:
        """Shares of each agent of the contract, with the fills that IB has told."""
        return {s.agent.agent_id: self._held(s) + account_fills.unbooked(s, self._done(s)) for s in self.siblings(state)}

    def cure(self, state: AgentState) -> str:
        """What a person does about a difference in shares of an agent."""
        managed = self.ready().positions().get(state.agent.con_id, 0) - self.rest(state)
        held = {a: shares for a, shares in self._by_agent(state).items() if shares or a == state.agent.agent_id}
        return account.cure(state.agent.symbol, managed, held)

    def in_doubt(self, state: AgentState) -> tuple[int, int]:
        """By how many shares the position may be too small and too large for this agent, because of other agents'
        fills. (0, 0) once that has lasted too long."""
        if self.waits.overdue(state.agent.agent_id):
            return 0, 0
        others = [s for s in self.siblings(state) if s.agent.agent_id != state.agent.agent_id]
        ranges = [account_fills.in_doubt(s, self._done(s), self._clock()) for s in others]
        return sum(low for low, _ in ranges), sum(high for _, high in ranges)

    def _done(self, state: AgentState) -> "list[Done]":
        """Executions of an agent's orders that IB has listed on this connection."""
        if self._link is None:
            return []
        return account.of_agent(state.agent.agent_id, list(self._link.session.register.executions.values()))

    def _clock(self) -> datetime:
        return self.ready().session.clock()

    def _held(self, state: AgentState) -> int:
        """An agent's shares as the account has them: a split that another agent has booked already
        turned these too, whenever their own book takes it."""
        config, shares = state.agent, state.overnight
        for (con_id, session), ratio in self.journal(config.account).book.splits.items():
            if con_id == config.con_id and session > (state.booked or "") and session != state.split_on:
                shares = int(rules.whole(shares, ratio))
        return shares + state.book.shares - state.overnight

    def sellable(self, state: AgentState) -> int:
        """Shares of the contract in the account that no other agent's order can sell.

        What a person holds counts: he may have sold his own, and that is no reason to take
        an agent's stop back. The position comes first: a fill between the two questions
        then makes it too large for a moment, and never too small.
        """
        link = self.ready()
        held = link.positions().get(state.agent.con_id, 0)
        working = {o.ref: o for o in link.open_orders()}
        for other in self.siblings(state):
            if other.agent.agent_id != state.agent.agent_id:
                held -= sum(_can_sell(other, o, working[o.key]) for o in other.orders if o.key in working)
        return held

    def set_unmanaged(self, state: AgentState, shares: int, by: str, reason: str, now: datetime) -> None:
        """From now on so many shares are nobody's business here."""
        config = state.agent
        journal = self.journal(config.account)
        if journal.book.rest.get(config.con_id) != shares:
            journal.record(RestSet(config.con_id, config.symbol, shares, by, reason), now)

    def split(self, state: AgentState, session: str, ratio: float, now: datetime) -> None:
        """Rescale the unmanaged rest, once, before the first agent's book takes the split."""
        config, journal = state.agent, self.journal(state.agent.account)
        if (config.con_id, session) in journal.book.splits:
            return
        held = [s.book.shares for s in self.siblings(state)]
        after = account.rest_after_split(self.rest(state), held, ratio)
        journal.record(RestSplit(config.con_id, session, ratio, after), now)

    # -- limits -------------------------------------------------------------

    def limits(self) -> AccountLimits:
        known = settings.load(self.home)
        return AccountLimits(
            float(known.max_capital), known.max_day_loss_pct / 100, known.max_orders_a_day,
            float(known.max_order_notional),
        )

    def standing(self, number: str, now: datetime, besides: str = "") -> Standing:
        """The account's figures now; purchases on their way, but for ``besides``, reserve their cost."""
        figures = self.ready().account()
        yesterday = now - timedelta(days=1)
        valued = self.journal(number).book.valued
        before = valued.net_liquidation if valued is not None and valued.currency == figures.currency else 0.0
        orders = [(s, o) for s in self.agents() for o in (*s.orders, *s.recent)]
        sent = sum(1 for _, o in orders if o.broker_id and o.created and parse_stamp(o.created) > yesterday)
        reserved = sum(
            account_limits.cost_of(o, s.book.close, s.agent.terms)
            for s, o in orders if o.leg == Leg.ENTRY and o.open and o.at_broker and o.key != besides
        )
        return Standing(figures.net_liquidation, figures.currency, figures.cash_usd, before, sent, reserved)

    def entries_wait(self) -> str | None:
        """Why no purchase can be judged now, for as long as the broker does not tell what it is judged by."""
        link = self.ready()
        if missing := link.health().missing:
            return f"TWS has not answered the question for {', '.join(missing)} yet; entries wait"
        absent = link.account().absent
        return f"{absent[0]}; entries wait" if absent else None

    def refuses_capital(self, number: str, capital: float, now: datetime) -> str | None:
        """Why an agent with this capital is too much for the account. Unavailable while that is not known."""
        if not self.limits().max_capital and (absent := self.ready().account().absent):
            raise Unavailable(f"{absent[0]}, and the agents' capital is bound by it; try again in a minute.")
        allocated = capital + sum(s.agent.terms.capital for s in self.agents() if s.agent.account == number)
        return account_limits.over_allocated(allocated, self.standing(number, now), self.limits())

    def refuses_entry(self, state: AgentState, order: Order, now: datetime) -> str | None:
        """Why a purchase is beyond the account's limits."""
        standing = self.standing(state.agent.account, now, order.key)
        return account_limits.entry_refused(order, state.book.close, state.agent.terms, standing, self.limits())

    def opposed(self, state: AgentState, now: datetime) -> str | None:
        """Why a purchase waits for another agent of the account that sells what this one wants to buy."""
        others = [s for s in self.siblings(state) if s.agent.agent_id != state.agent.agent_id]
        if not any(other.open_orders(Leg.EXIT) for other in others):
            return None
        return self.waits.opposed(state, others, {o.ref for o in self.ready().open_orders()}, now)

    def day_trades(self, since: str) -> int:
        """Round trips of all agents within one session, from a session on."""
        return sum(1 for s in self.agents() for session in s.day_trades if session >= since)

    def value(self, session: str, now: datetime) -> None:
        """Record once a session what the account is worth: the day's loss is measured from it."""
        for number in {s.agent.account for s in self.agents()}:
            known = self.journal(number).book.valued
            if known is None or known.session < session or not account_limits.finite(known.net_liquidation):
                figures = self.ready().account()
                if figures.number != number or figures.net_liquidation is None:
                    continue  # TWS is logged in to another account, or does not tell it yet
                self.journal(number).record(Valued(session, figures.net_liquidation, figures.currency), now)


def _awaited(link: "IbkrConnection", seconds: float) -> Health:
    """The connection's health once ready, refused, or the time is over. A client id that is taken may be
    that of a process which was just killed: TWS forgets it soon, so that is waited for."""
    end = time.monotonic() + seconds
    while True:
        health = link.wait_ready(max(end - time.monotonic(), 0.1))
        if health.cause != Cause.CLIENT_ID_TAKEN or time.monotonic() >= end:
            return health
        time.sleep(0.2)


def _can_sell(state: AgentState, order: Order, answer: BrokerOrder) -> int:
    """Shares that a working order of an agent can still sell; a stop those that its entry has bought."""
    if order.side == "BUY":
        return 0
    entry = state.order(order.parent) if order.parent else None
    return can_sell(answer, entry.filled if entry is not None and entry.open else None)
