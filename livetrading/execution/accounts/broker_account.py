"""The broker account that several agents share: its connection, whose shares are whose, its risk."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ...adapters import settings
from ...adapters.brokers.ibkr import account_gates as gates
from ...adapters.home import Home
from ...core.agent import AgentState
from ...core.errors import NotFound, Unavailable
from ...core.types import AgentStatus, Mode
from ..state.agent_repository import AgentRepository
from .account_connection import AccountConnection
from .account_journal import AccountJournal, AccountJournals
from .account_risk import AccountRisk
from .share_allocation import ShareAllocation

if TYPE_CHECKING:
    from ...adapters.brokers.ibkr.broker import IbkrBroker


@dataclass
class BrokerAccount:
    """One account at Interactive Brokers, for all agents of a home.

    ``states`` are those of every agent that was not removed; ``patience`` seconds the
    first use waits for the connection; ``pulse`` is called while an answer is awaited.
    """

    home: Home
    states: Callable[[], Iterable[AgentState]]
    patience: float = 0.0
    pulse: Callable[[], object] = lambda: None

    def __post_init__(self) -> None:
        self.connection = AccountConnection(self.home, self.agents, self.patience, pulse=self.pulse)
        self.journals = AccountJournals(self.home)
        self.shares = ShareAllocation(self.agents, self.connection, self.journals)
        self.risk = AccountRisk(self.home, self.agents, self.connection, self.journals, self.shares)

    @property
    def wanted(self) -> bool:
        """Whether any agent trades an account."""
        return any(True for _ in self.agents())

    def agents(self) -> list[AgentState]:
        """Agents of accounts, those that were removed left out."""
        return [s for s in self.states() if s.agent.mode == Mode.IBKR and s.status != AgentStatus.REMOVED]

    def journal(self, number: str) -> AccountJournal:
        """What was recorded of an account."""
        return self.journals.of(number)

    def broker(self, repository: AgentRepository) -> "IbkrBroker":
        """The account as one agent sees it. Refused where the gates no longer agree."""
        from ...adapters.brokers.ibkr.broker import IbkrBroker

        config = repository.state.agent
        link = self.connection.ready()
        gate = partial(gates.check_agent, link.config.gate, agent_account=config.account, confirmed=config.confirmed_account)
        gate(link.health().account)
        try:
            instrument = self.connection.instrument(config.symbol, config.con_id, config.primary)
        except NotFound as error:
            # It was known when the agent was deployed: the service that tells contracts may be away.
            raise Unavailable(f"{error} It is asked again.") from None
        return IbkrBroker(
            link, config.agent_id, instrument, config.terms.costs,
            booked=lambda ref: repository.state.booked_of(ref), others=lambda: self.shares.others(repository.state), gate=gate,
            in_doubt=lambda: self.shares.in_doubt(repository.state),
        )

    @property
    def auction(self) -> bool:
        """Whether orders for the open may go as such: a paper account may not simulate the auction."""
        known = settings.load(self.home)
        return known.ibkr_mode == "live" or known.ibkr_paper_open == "auction"
