"""The read model's types: what pages, REST and the command line are shown. The keys are those of the JSON.

They describe; nothing is checked here. A type checker finds a key that does not exist, also where a page reads it.
"""

from typing import Any, NotRequired, TypedDict

from ...adapters.brokers.connection import Place
from .pause_shown import PauseShown


class DecisionShown(TypedDict):
    """The last decision: ``action`` is SELL, HOLD or BUY, ``reason`` why less was ordered, or nothing."""

    session: str
    action: str
    qty: int
    reason: str


class StateDocument(PauseShown):
    """``state.json`` of an agent. Money in USD, times ISO UTC, sessions ISO dates.

    A figure is None where there is none, and all are where the agent's files cannot be read.
    """

    agent_id: str
    agent_type: str
    symbol: str
    mode: str
    status: str
    status_reason: str
    is_running: bool
    current_position: int | None
    entry_price: float | None
    stop_price: float | None
    current_price: float | None
    bar_session: str | None
    portfolio_value: float | None
    cash: float | None
    total_pnl: float | None
    total_pnl_pct: float | None
    realized_pnl: float | None
    unrealized_pnl: float | None
    dividends: float | None
    num_trades: int | None
    last_check: str | None
    last_decision: DecisionShown | None
    refused_exits: int
    unprotected_since: str | None
    unprotected_seconds: float
    warnings: list[str]
    capital: float | None
    model_id: str | None
    source: str | None
    bars_source: str | None
    bars_until: str | None
    gate: dict[str, Any] | None
    account: str | None
    late_entry: str
    pace: float | None
    time_frame: str
    deployed_at: str | None
    first_session: str | None
    max_position_pct: float | None
    risk_per_trade: float | None
    costs: dict[str, float] | None
    settled: str | None
    booked: str | None
    corrected: str | None
    estimates: int
    seq: int


class AgentStatus(StateDocument):
    """An agent as it is shown: its document, and what other files and the clock add.

    ``reconciliation`` and ``account_cash`` exist for an agent of a broker's account alone.
    """

    status_text: str
    no_bars_since: str | None
    price_time: str | None
    next_check: str | None
    orders: list[dict[str, Any]]
    reconciliation: NotRequired[dict[str, Any] | None]
    account_cash: NotRequired[dict[str, Any] | None]


class SchedulerStatus(TypedDict):
    """``liveness``: alive, late, hung or dead; ``alive``: it works, late or not; ``pid`` of the scheduler that
    has the lock, ``command`` of a command that has it; ``age_seconds`` since its last sign of life."""

    liveness: str
    alive: bool
    pid: int | None
    heartbeat: str | None
    age_seconds: float | None
    doing: str
    started: str | None
    command: int | None


class HaltStatus(TypedDict):
    """The halt latch while it is set."""

    reason: str
    by: str
    at: str | None


class StopStatus(TypedDict):
    """An emergency stop: ``state`` of the whole, one item for each agent and order."""

    reason: str
    by: str
    at: str | None
    state: str
    flat: bool
    items: list[dict[str, Any]]
    message: str
    updated: str | None


class BrokerFigures(TypedDict):
    """The account as the broker values it, in ``currency``; ``absent`` says in words what it did not report."""

    net_liquidation: float | None
    currency: str | None
    cash_usd: float | None
    absent: list[str]


class BrokerStatus(BrokerFigures, Place):
    """The connection to the shared account. ``heard``: its last message."""

    state: str
    ready: bool
    detail: str
    account: str
    missing: list[str]
    since: str
    heard: str | None
    day_trades: int
    at: str


class Alarm(TypedDict):
    """``agent_id`` is empty where it concerns no agent."""

    at: str
    agent_id: str
    text: str


class SystemStatus(TypedDict):
    """Scheduler, halt latch, emergency stop, broker and the newest alarms."""

    scheduler: SchedulerStatus
    halt: HaltStatus | None
    stop: StopStatus | None
    broker: BrokerStatus | None
    alarms: list[Alarm]
    home: str
