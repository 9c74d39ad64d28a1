"""``verify``: do the files agree with the journals, and do the models still decide the same?

Reads only. What the next start of the scheduler resolves is ``pending``: a file that is missing or
behind. A file that another program changed is a problem, even if that start repairs it.
"""

import logging
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from ..adapters import logs
from ..adapters.brokers.paper import PaperBroker
from ..adapters.halt import HaltLatch
from ..adapters.home import Home
from ..adapters.journal import Journal
from ..adapters.registry import Registry
from ..adapters.store import Store
from ..core import agent as agents
from ..core import ledger, limits
from ..core.agent import AgentState
from ..core.card import ModelCard
from ..core.errors import Damaged
from ..core.events import Decided, EntriesResumed, Event
from ..core.orders import WORKING, OrderState
from ..core.types import AgentStatus, Mode
from ..core.wording import counted
from . import decided_again, shared_files
from .accounts import account_journal
from .decided_again import Epoch
from .node import agent_ids
from .state.agent_repository import events_of
from .state.bar_series import Series
from .state.read_model import history_files
from .trading.live_trader import Policy

log = logging.getLogger(__name__)
Finding = dict[str, Any]
_UNRESOLVED = (OrderState.PENDING_NEW, OrderState.PENDING_CANCEL)


def audit(home: Home) -> dict[str, Any]:
    """``problems`` and ``pending``, each with agent and text; and how much was checked."""
    problems: list[Finding] = []
    pending: list[Finding] = []
    decisions = 0
    for name in shared_files.FILES:
        try:
            shared_files.check(Store(home), name)
        except Exception as error:
            reason = logs.caught(log, f"checking {name}.json", error)
            problems.append({"agent_id": None, "text": str(reason)})
    for agent_id in agent_ids(home):
        try:
            wrong, open_ends, made = _agent(home, agent_id)
        except Exception as error:
            wrong, open_ends, made = [str(logs.caught(log, f"checking {agent_id}", error))], [], 0
        problems += [{"agent_id": agent_id, "text": f"{agent_id}: {text}"} for text in wrong]
        pending += [{"agent_id": agent_id, "text": f"{agent_id}: {text}"} for text in open_ends]
        decisions += made
    halt = HaltLatch(home).status()
    return {
        "problems": problems,
        "pending": pending,
        "agents": len(agent_ids(home)),
        "decisions_repeated": decisions,
        "halted": None if halt is None else halt.reason,
    }


def _agent(home: Home, agent_id: str) -> tuple[list[str], list[str], int]:
    directory = home.agent(agent_id)
    events = [event for _, batch in events_of(directory) for event in batch]
    state = agents.fold(events)
    if state.config is None:
        return [], ["its creation was never finished"], 0
    open_ends = [f"order {o.key} is {o.state}" for o in state.orders if o.state in _UNRESOLVED]
    journal = Journal.open(directory / "journal.jsonl")
    if journal.torn:
        open_ends.append(f"an unfinished last line of {counted(journal.torn, 'byte')} will be dropped")
    lost, behind = _files(directory, journal.seq)
    open_ends += behind
    wrong = [*lost]
    if state.status != AgentStatus.REMOVED:
        try:
            wrong += _account(home, state) if state.agent.mode == Mode.BROKER else _broker(home, directory, state)
        except Damaged as error:
            wrong.append(str(error))
    registry = Registry(home)
    card, policy = registry.load(state.agent.model_id)
    again = list(_decisions(card, Series(registry.bars(card.model_id), []), policy, events))
    return [*wrong, *(text for text in again if text)], open_ends, len(again)


def _files(directory: Path, seq: int) -> tuple[list[str], list[str]]:
    """Problems of the visible files, and files that will be rebuilt."""
    broken = []
    for path in [directory / "state.json", *history_files(directory)]:
        try:
            Store.read_docs(path)
        except Damaged as error:
            broken.append(str(error))
    if broken:
        return broken, []
    documents = Store.read_docs(directory / "state.json").get("agent") or [{}]
    shown = documents[0].get("seq")
    if isinstance(shown, int) and shown > seq:
        return [f"the journal ends at line {seq} but was shown to line {shown}: put it back from a backup"], []
    return [], [] if shown == seq else [f"state.json is at line {shown} of {seq} and will be rebuilt"]


def _account(home: Home, state: AgentState) -> Iterator[str]:
    """The last reconciliation of book and account by the scheduler: only the scheduler may ask the broker."""
    for doc in Store(home).read("system").get("reconciliation", {}).values():
        if doc.get("agent_id") == state.agent.agent_id and doc.get("text"):
            yield str(doc["text"])
    account_journal.read(home, state.agent.account)


def _broker(home: Home, directory: Path, state: AgentState) -> Iterator[str]:
    """Compare the book with the simulated broker's own file."""
    broker = PaperBroker(Store(home), directory / "paper.json", state.agent.terms.costs)
    unbooked = [e for e in broker.executions() if e.exec_id not in state.book.executions]
    if broker.position() != state.book.shares and not unbooked:
        yield f"the book holds {counted(state.book.shares, 'share')}, the broker {broker.position()}"
    for order in state.orders:
        if order.state in WORKING and broker.find(order.key) is None:
            yield f"the broker does not know order {order.key}, which is {order.state}"
    on_sale = sum(o.qty for o in state.orders if o.side == "SELL" and o.at_broker)
    if on_sale > max(state.book.shares, 0) and not any(o.leg == "entry" for o in state.orders):
        yield f"orders to sell {counted(on_sale, 'share')} are open, but the agent holds only {state.book.shares}"


def _decisions(card: ModelCard, series: Series, policy: Policy, events: list[Event]) -> Iterator[str | None]:
    """Repeat every decision, on the bars as they were when it was made: None if it is the same, else the difference."""
    wrong = None
    for state, event, epoch in decided_again.walked(card, series, events):
        if isinstance(event, Decided | EntriesResumed):
            wrong = wrong or _pause(state, event)
        if isinstance(event, Decided):
            yield _again(epoch, policy, state, event) or wrong
            wrong = None


def _again(epoch: Epoch, policy: Policy, state: AgentState, event: Decided) -> str | None:
    made = decided_again.seen(epoch, date.fromisoformat(event.session), state, policy)
    if made is None:
        return f"the bar of {event.session}, which was decided on, is not on record"
    if ledger.obs_sha256(made.obs) != event.obs:
        return f"the observation of {event.session} comes out differently"
    if (made.raw, made.action) != (event.raw, event.action):
        return f"the action of {event.session} comes out as {made.raw}, recorded is {event.raw}"
    return None


def _pause(state: AgentState, event: Decided | EntriesResumed) -> str | None:
    """Whether a drawdown pause ends where its length says, and nowhere else."""
    _, turn = limits.at_close(state.book.pause, state.book.equity, state.agent.terms.limits)
    ends = turn is limits.Turn.ENDS
    if ends == isinstance(event, EntriesResumed):
        return None
    return f"the drawdown pause {'did not end' if ends else 'ended'} at {event.session}, against its length"
