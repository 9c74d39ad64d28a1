"""Accepting a correction: the agent goes on with the bars as its source states them now."""

from datetime import datetime
from typing import Any

import pandas as pd

from ..adapters.bars.agreement import SAME
from ..core import agent as agents
from ..core.bar_changes import Change, changes
from ..core.bars import PRICES, from_rows
from ..core.errors import BadBars, BadInput, Conflict, LivetradingError
from ..core.events import DISPUTED_BARS, BarsCorrected, Event, Noted, StatusChanged
from ..core.types import AgentStatus, Leg, Mode
from ..core.wording import counted
from . import bar_diff
from .bar_conditions import Unbooked, doubts, doubts_refused, held_split, unbooked
from .node import Node
from .orders import pre_open_check
from .state.agent_repository import AgentRepository, events_of

Result = tuple[str, dict[str, Any]]
WITHDRAWN = "the bar that it was decided on was corrected"


def accept(node: Node, agent_id: str, args: dict[str, Any], request_id: str, by: str, now: datetime) -> Result:
    """Book the rows of ``args`` as an event. Decisions and money made stay as they were. Raises Conflict if the
    agent's bars hold these values already, for a split of held shares, and for a doubtful bar unless ``args`` says
    ``doubtful``; asked again after a crash, nothing is booked twice."""
    repository = node.repository(agent_id)
    events = [event for _, batch in events_of(repository.directory) for event in batch]
    if any(isinstance(event, Noted) and event.request == request_id for event in events):
        return f"{agent_id}: the correction was already booked before the last interruption.", {"agent_id": agent_id}
    rows, source, found, corrected = _correction(node, repository, args)
    doubtful = list(doubts(corrected, found, repository.state.agent.symbol))
    agreed = args.get("doubtful") is True
    if refusal := held_split(repository.state, events, found) or ("" if agreed else doubts_refused(agent_id, doubtful)):
        raise Conflict(refusal)
    left = list(unbooked(events, found))
    notes = [*(f"Doubtful: {doubt}." for doubt in doubtful), *not_booked(repository.state, left)]
    text = " ".join([f"{agent_id} goes on with {_what(found)} of {source}.", *notes])
    _withdraw(node, repository, found, now)
    again, said = _resumed(node, repository, by)
    booked = BarsCorrected(rows, source, _frees(repository.state, bool(again)))
    repository.commit([booked, Noted(f"{text} By {by}.", request=request_id), *again], now)
    node.forget(agent_id)
    dividends = [{"session": d.session, "shares": d.shares, "amount": d.amount} for d in left]
    status = str(repository.state.status)
    data = {
        "agent_id": agent_id,
        "corrected_values": len(found),
        "dividends_not_booked": dividends,
        "doubts": doubtful,
        "agent_status": status,
    }
    return " ".join([text, *said]), data


def _correction(
    node: Node, repository: AgentRepository, args: dict[str, Any]
) -> tuple[list[list[Any]], str, list[Change], pd.DataFrame]:
    """The rows that were accepted, their source, every value that they change, and the series with them."""
    state, rows, source = repository.state, args.get("rows"), str(args.get("source") or "")
    if state.agent.mode == Mode.REPLAY or state.status == AgentStatus.FINISHED:
        raise Conflict(f"{repository.agent_id} replays the bars of its model, and no source corrects these.")
    try:
        theirs = from_rows(rows if isinstance(rows, list) else [])
    except (LivetradingError, TypeError, IndexError, KeyError) as error:
        raise BadInput("The correction's rows cannot be read; ask for it with `bars accept`.") from error
    series = repository.series(node.registry.bars(state.agent.model_id))
    ours = series.up_to(series.end)
    unknown = [f"{day:%Y-%m-%d}" for day in theirs.index if day not in ours.index]
    if unknown:
        raise BadBars(f"The bar of {unknown[0]} is not in the series of {repository.agent_id}: it is no correction.")
    found = list(changes(ours, theirs, SAME, theirs.index))
    if not found:
        raise Conflict(f"{repository.agent_id} holds these bars already; there is no correction to accept.")
    corrected = bar_diff.checked(ours, rows, state.agent.symbol)  # type: ignore[arg-type]
    return rows, source, found, corrected  # type: ignore[return-value]


def _withdraw(node: Node, repository: AgentRepository, found: list[Change], now: datetime) -> None:
    """Entries decided on a bar whose price is another now are not sent, as the pre-open check would have it."""
    moved = {
        change.session.isoformat()
        for change in found
        if change.column in PRICES and abs(change.now - change.booked) > pre_open_check.TOLERANCE * abs(change.booked)
    }
    if any(order.bar in moved for order in repository.state.open_orders(Leg.ENTRY)):
        node.executor(repository.agent_id).withdraw_entries(WITHDRAWN, now)


def _resumed(node: Node, repository: AgentRepository, by: str) -> tuple[list[Event], list[str]]:
    """An agent that was blocked because its sessions were held decides again; the start of an agent in a broker's
    account is a person's act of its own."""
    state = repository.state
    if state.status == AgentStatus.RUNNING:
        return [], []
    held = state.status == AgentStatus.BLOCKED and state.held_in_a_row >= agents.BLOCK_AFTER_HELD
    if held and state.agent.mode != Mode.BROKER and node.latch.status() is None:
        return [StatusChanged(AgentStatus.RUNNING, "", by)], ["It runs again."]
    return [], [f"It is {state.status}; start it with `python -m livetrading start {repository.agent_id}`."]


def _frees(state: agents.AgentState, resumed: bool) -> bool:
    """Whether the present session is held for the disagreement, or because the agent was blocked for it."""
    return state.held is not None and (resumed or state.held.cause == DISPUTED_BARS)


def _what(found: list[Change]) -> str:
    sessions = sorted({change.session for change in found})
    span = f"{sessions[0]}" if len(sessions) == 1 else f"{sessions[0]} to {sessions[-1]}"
    return f"{counted(len(found), 'corrected value')} in {counted(len(sessions), 'bar')} ({span})"


def not_booked(state: agents.AgentState, left: list[Unbooked]) -> list[str]:
    """Sentences on dividends whose cash is in no book."""
    cure = (
        " The broker's cash shows it as unexplained: `confirm-cash` counts it as your own."
        if left and state.agent.mode == Mode.BROKER
        else ""
    )
    return [
        f"The dividend of {d.session} on {counted(d.shares, 'share')} held, {d.amount:+,.2f} USD, is not booked:"
        f" money made stays as it was.{cure}"
        for d in left
    ]
