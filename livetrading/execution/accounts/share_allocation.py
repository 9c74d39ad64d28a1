"""Divides the position of an account between its agents and the unmanaged shares."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from ...adapters.brokers.base import BrokerOrder, BrokerWords, can_sell
from ...adapters.brokers.connection import Report
from ...core import account, rules
from ...core.account_book import RestSet, RestSplit
from ...core.agent import AgentState
from ...core.errors import Refused
from ...core.orders import Order
from . import account_fills
from .account_connection import AccountConnection
from .account_journal import AccountJournals
from .siblings import Siblings


@dataclass
class ShareAllocation:
    """The account's shares by agent. ``agents`` are those that trade an account."""

    agents: Callable[[], list[AgentState]]
    connection: AccountConnection
    journals: AccountJournals
    waits: Siblings = field(default_factory=Siblings)
    """How agents of one stock wait for each other."""

    @property
    def _words(self) -> BrokerWords:
        return self.connection.broker().words

    def siblings(self, state: AgentState) -> list[AgentState]:
        """Agents of the same account and contract, including this one."""
        mine = state.agent
        return [s for s in self.agents() if (s.agent.account, s.agent.con_id) == (mine.account, mine.con_id)]

    def unmanaged(self, state: AgentState) -> int:
        """Shares of the agent's contract that no agent holds. Raises Refused if that is not on record."""
        config = state.agent
        known = self.journals.of(config.account).book.unmanaged
        if config.con_id not in known:
            raise Refused(
                f"What account {config.account} holds of {config.symbol} besides the agents' shares is not on record;"
                f" compare with {self._words.program} and run `python -m livetrading ignore {config.agent_id}`."
            )
        return known[config.con_id]

    def others(self, state: AgentState) -> int:
        """Shares of the contract that are not this agent's: unmanaged shares and those of other agents, including
        their fills that are reported and not booked yet."""
        return account.shares_of_others(state.agent.agent_id, self._by_agent(state), self.unmanaged(state))

    def _by_agent(self, state: AgentState) -> dict[str, int]:
        """Shares of each agent of the contract, with the fills that the broker has reported."""
        return {
            s.agent.agent_id: self._held(s) + account_fills.unbooked(s, self._done(s)) for s in self.siblings(state)
        }

    def cure(self, state: AgentState) -> str:
        """What the user does about a difference in an agent's shares."""
        managed = self.connection.ready().position(state.agent.con_id) - self.unmanaged(state)
        held = {a: shares for a, shares in self._by_agent(state).items() if shares or a == state.agent.agent_id}
        return account.cure(state.agent.symbol, managed, held, self._words.program)

    def in_doubt(self, state: AgentState) -> tuple[int, int]:
        """By how many shares the position may be too small and too large for this agent, because of other agents'
        fills. (0, 0) once that has lasted too long."""
        if self.waits.overdue(state.agent.agent_id):
            return 0, 0
        others = [s for s in self.siblings(state) if s.agent.agent_id != state.agent.agent_id]
        ranges = [account_fills.in_doubt(s, self._done(s), self._clock()) for s in others]
        return sum(low for low, _ in ranges), sum(high for _, high in ranges)

    def _done(self, state: AgentState) -> list[Report]:
        """Executions of an agent's orders that the broker has reported on this connection."""
        return account.of_agent(state.agent.agent_id, self.connection.executions())

    def _clock(self) -> datetime:
        return self.connection.ready().now()

    def _held(self, state: AgentState) -> int:
        """An agent's shares as the account has them. If another agent has booked a split already, it counts
        here too, before this agent's own book has it."""
        config, shares = state.agent, state.overnight
        for (con_id, session), ratio in self.journals.of(config.account).book.splits.items():
            if con_id == config.con_id and session > (state.booked or "") and session != state.split_on:
                shares = int(rules.whole(shares, ratio))
        return shares + state.book.shares - state.overnight

    def sellable(self, state: AgentState) -> int:
        """Shares of the contract in the account that no other agent's order can sell.

        Unmanaged shares count: if the user sold some of them, an agent's stop must not be
        cancelled for it. The position is read before the orders: a fill between the two
        makes the result too large for a moment, never too small.
        """
        link = self.connection.ready()
        held = link.position(state.agent.con_id)
        working = {o.ref: o for o in link.open_orders()}
        for other in self.siblings(state):
            if other.agent.agent_id != state.agent.agent_id:
                held -= sum(_can_sell(other, o, working[o.key]) for o in other.orders if o.key in working)
        return held

    def set_unmanaged(self, state: AgentState, shares: int, by: str, reason: str, now: datetime) -> None:
        """Record how many shares of the contract are unmanaged."""
        config = state.agent
        journal = self.journals.of(config.account)
        if journal.book.unmanaged.get(config.con_id) != shares:
            journal.record(RestSet(config.con_id, config.symbol, shares, by, reason), now)

    def split(self, state: AgentState, session: str, ratio: float, now: datetime) -> None:
        """Rescale the unmanaged shares, once, before the first agent books the split."""
        config, journal = state.agent, self.journals.of(state.agent.account)
        if (config.con_id, session) in journal.book.splits:
            return
        held = [s.book.shares for s in self.siblings(state)]
        after = account.unmanaged_after_split(self.unmanaged(state), held, ratio)
        journal.record(RestSplit(config.con_id, session, ratio, after), now)


def _can_sell(state: AgentState, order: Order, answer: BrokerOrder) -> int:
    """Shares that a working order of an agent can still sell; a stop sells at most what its entry has bought."""
    if order.side == "BUY":
        return 0
    entry = state.order(order.parent) if order.parent else None
    return can_sell(answer, entry.filled if entry is not None and entry.open else None)
