"""The broker account that several agents share: its connection, whose shares are whose, its risk."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ...adapters.brokers import registry
from ...adapters.brokers.base import AgentBroker, BrokerWords
from ...adapters.brokers.connection import BrokerDescription, Seat
from ...adapters.home import Home
from ...core.agent import AgentState
from ...core.errors import Conflict, NotFound, Unavailable
from ...core.types import AgentStatus, Mode
from ..state.agent_repository import AgentRepository
from .account_connection import AccountConnection
from .account_journal import AccountJournal, AccountJournals
from .account_risk import AccountRisk
from .share_allocation import ShareAllocation


@dataclass
class BrokerAccount:
    """One account at a broker, for all agents of a home.

    A home trades through one broker at a time: that of its agents, until the last of them is removed.
    ``states`` are those of all agents. The first use waits up to ``patience`` seconds for the connection.
    ``pulse`` is called while an answer is awaited.
    """

    home: Home
    states: Callable[[], Iterable[AgentState]]
    patience: float = 0.0
    pulse: Callable[[], object] = lambda: None

    _wished: str = ""
    """The broker of the first agent, while it is being deployed."""

    def __post_init__(self) -> None:
        self.connection = AccountConnection(self.home, self.agents, self.description, self.patience, pulse=self.pulse)
        self.journals = AccountJournals(self.home)
        self.shares = ShareAllocation(self.agents, self.connection, self.journals)
        self.risk = AccountRisk(self.home, self.agents, self.connection, self.journals, self.shares)

    @property
    def wanted(self) -> bool:
        """Whether any agent trades an account."""
        return any(True for _ in self.agents())

    def agents(self) -> list[AgentState]:
        """Agents of the account that are not removed."""
        found = self._of_brokers()
        name = next((s.agent.broker for s in found), "")
        return [s for s in found if s.agent.broker == name]

    def _of_brokers(self) -> list[AgentState]:
        """Agents of every registered broker that are not removed."""
        found = [s for s in self.states() if s.agent.mode == Mode.BROKER and s.status != AgentStatus.REMOVED]
        return [s for s in found if registry.find(s.agent.broker) is not None]

    @property
    def name(self) -> str:
        """The broker's name; empty if no agent has one."""
        return next((s.agent.broker for s in self._of_brokers()), self._wished)

    @property
    def words(self) -> BrokerWords:
        return registry.words_of(self.name)

    def description(self) -> BrokerDescription:
        """The broker. BadInput if it is not registered."""
        return registry.named(self.name)

    def use(self, broker: str) -> None:
        """The broker of an agent that is being deployed. Conflict while agents of another one exist."""
        if self.wanted and self.name != broker:
            theirs = ", ".join(s.agent.agent_id for s in self.agents())
            raise Conflict(
                f"{theirs} trades through {self.words.title}, and a home trades through one broker at a time;"
                f" remove what trades there, or deploy to {registry.words_of(broker).title} in another home."
            )
        if self.name != broker:
            self.connection.close()
            self._wished = broker

    def journal(self, number: str) -> AccountJournal:
        """What was recorded of an account."""
        return self.journals.of(number)

    def broker(self, repository: AgentRepository) -> AgentBroker:
        """The account as one agent sees it. Raises Refused if an account gate no longer allows it."""
        config = repository.state.agent
        broker = registry.named(config.broker)
        if config.broker != self.name:
            raise Conflict(
                f"The agent was deployed on {broker.words.title}, and this home trades through {self.words.title}."
            )
        link = self.connection.ready()
        link.check_agent(config.account, config.confirmed_account)
        try:
            instrument = self.connection.instrument(config.symbol, config.con_id, config.primary)
        except NotFound as error:
            # The symbol was known at the deployment, so the broker's contract service may be down.
            raise Unavailable(f"{error} It is asked again.") from None
        return broker.seat(
            link,
            Seat(
                config.agent_id,
                config.account,
                config.confirmed_account,
                instrument,
                config.terms.costs,
                booked=lambda ref: repository.state.booked_of(ref),
                others=lambda: self.shares.others(repository.state),
                in_doubt=lambda: self.shares.in_doubt(repository.state),
            ),
        )

    @property
    def auction(self) -> bool:
        """Whether market-on-open orders may be used: a paper account may not simulate the auction."""
        return self.description().auction(self.home)
