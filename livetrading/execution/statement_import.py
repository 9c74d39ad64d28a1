"""Imports the executions of a broker's statement: fills that differ, or were estimated, are corrected.

An execution is matched by its id; an estimated fill by its order's key or number, and
without either by stock, side, day and quantity. The correction is the same event as a
correction that the broker reports, so importing a statement twice changes nothing.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from ..adapters.brokers.base import Execution
from ..core import executions as ids
from ..core.agent import AGENT_ID, AgentState
from ..core.errors import BadInput, Refused
from ..core.events import Event, FillCorrected, FillDisputed
from ..core.order_key import OrderKey
from ..core.statement import StatementExecution
from ..core.types import Mode
from ..core.wording import counted
from .node import Node
from .orders import corrections
from .state.agent_repository import AgentRepository

SOURCE = "the statement"
MOST = 5_000
"""Executions in one import: the file of requests is read as a whole."""
Result = tuple[str, dict[str, Any]]


def apply(node: Node, args: dict[str, Any], by: str, now: datetime) -> Result:
    """Correct the books of all agents of the account."""
    number, rows = str(args.get("account", "")), args.get("executions")
    if not isinstance(rows, list) or len(rows) > MOST:
        raise BadInput(f"An import takes a list of at most {MOST} executions; export fewer days.")
    stated = [row for row in map(StatementExecution.from_dict, rows) if row.account == number]
    repositories = [
        d
        for _, d in sorted(node.repositories.items())
        if d.state.agent.mode == Mode.BROKER and d.state.agent.account == number
    ]
    if not repositories:
        raise Refused(f"No agent trades account {number}; import the statement of an account that agents trade.")
    ours = newest([e for e in stated if any(concerns(d.state, e) for d in repositories)])
    if not ours:
        raise BadInput(
            "The statement holds no trade of the agents' stocks; export a statement for the days of their fills."
        )
    taken: set[str] = set()
    found: dict[str, list[Event]] = {}
    for repository in repositories:
        events = news(repository.state, ours, repositories, taken)
        if events:
            found[repository.agent_id] = events
    for repository in repositories:
        if repository.agent_id in found:
            repository.commit(found[repository.agent_id], now)
    return _result(number, repositories, ours, found)


def news(
    state: AgentState, listed: list[StatementExecution], repositories: Iterable[AgentRepository], taken: set[str]
) -> list[Event]:
    """Changes to one agent's book. ``taken`` are executions that were matched to an estimate of another agent."""
    mine = [e for e in listed if concerns(state, e)]
    events: list[FillCorrected | FillDisputed] = []
    by_root = {ids.root(e.exec_id): _execution(e) for e in mine}
    for booked in state.book.fills.values():
        event = corrections.restated(state, booked, by_root, SOURCE)
        if event is not None:
            events.append(event)
    free = [
        e
        for e in mine
        if e.qty > 0 and e.exec_id not in taken and not any(d.state.book.counted(e.exec_id) for d in repositories)
    ]
    judged = {ids.root(event.exec_id) for event in events}
    for root in state.book.estimated:
        fill = state.book.fills[root].fill
        parts = (
            []
            if root in judged
            else _stands_for(fill.exec_id, fill.key, fill.qty, mine, free) or _alike(state, root, free)
        )
        event = corrections.in_place_of(state, state.book.fills[root], [_execution(e) for e in parts], SOURCE)
        if event is not None:
            events.append(event)
            taken |= {e.exec_id for e in parts}
            free = [e for e in free if e.exec_id not in taken]
    return [*events, *corrections.blocked(state, events)]


def newest(stated: list[StatementExecution]) -> list[StatementExecution]:
    """The valid row of each execution, sorted by its time; the order of the rows does not matter. Raises BadInput if
    rows of one execution contradict each other."""
    by_root: dict[str, list[StatementExecution]] = {}
    for e in stated:
        by_root.setdefault(ids.root(e.exec_id), []).append(e)
    return sorted(map(_counts, by_root.values()), key=lambda e: (e.session, e.at, e.exec_id))


def _counts(rows: list[StatementExecution]) -> StatementExecution:
    """The row with the highest number that was not cancelled. A cancellation (quantity 0) cancels the row with its
    number and price, else one with its price and a lower number, else the whole fill. The time is that of the
    first row."""
    first = min(rows, key=lambda e: (ids.number(e.exec_id), e.session, e.at))
    highest = max(ids.number(e.exec_id) for e in rows)
    newest = [e for e in rows if ids.number(e.exec_id) == highest]
    gone = {(e.side, e.price): e for e in newest if e.qty == 0}
    left = [e for e in newest if e.qty > 0 and (e.side, e.price) not in gone]
    strange = [e for what, e in gone.items() if what not in {(r.side, r.price) for r in rows if r.qty > 0}]
    if strange or not left:
        return replace(min(strange or gone.values(), key=repr), session=first.session, at=first.at)
    if len({(e.side, e.qty, e.price) for e in left}) > 1 or len({e.fee for e in left} - {None}) > 1:
        lines = " and ".join(e.line or f"{e.side} {e.qty:g} at {e.price:g}" for e in left[:2])
        raise BadInput(
            f"The statement has contradicting rows for execution {left[0].exec_id} ({lines}); export it again."
        )
    known = next((e for e in left if e.fee is not None), left[0])
    return replace(known, ref=known.ref or first.ref, session=first.session, at=first.at)


def concerns(state: AgentState, e: StatementExecution) -> bool:
    """Whether an execution can belong to this agent: it is of its stock, and not of another agent's order."""
    config = state.agent
    same = str(e.con_id) == config.con_id if e.con_id and config.con_id else e.symbol.replace(" ", "-") == config.symbol
    whose = OrderKey.owner(e.ref)
    return same and e.qty == int(e.qty) and (not AGENT_ID.fullmatch(whose) or whose == config.agent_id)


def _stands_for(
    exec_id: str, key: str, qty: int, mine: list[StatementExecution], free: list[StatementExecution]
) -> list[StatementExecution]:
    """The executions of an estimated fill's order: those in its range of shares, or all unbooked ones if their sum
    fits."""
    perm = exec_id.split(":")[1] if ids.span(exec_id) else ""
    of_order = [e for e in mine if e.ref == key or (perm and e.order_id == perm)]
    unbooked = [e for e in of_order if e in free]
    low, high = ids.span(exec_id) or (0, 0)
    inside, filled = [], 0.0
    for e in of_order:
        filled += e.qty
        if low < filled <= high and e in unbooked:
            inside.append(e)
    return next((some for some in (inside, unbooked) if sum(e.qty for e in some) == qty), [])


def _alike(state: AgentState, root: str, free: list[StatementExecution]) -> list[StatementExecution]:
    """Executions without our key that fit an estimated fill: the only one of its quantity, or all of that day and
    side."""
    fill = state.book.fills[root].fill
    side = "BUY" if state.book.fills[root].bought else "SELL"
    day = [e for e in free if not e.ref and e.side == side and e.session == fill.session]
    one = [e for e in day if e.qty == fill.qty]
    if len(one) == 1:
        return one
    return day if sum(e.qty for e in day) == fill.qty else []


def _execution(e: StatementExecution) -> Execution:
    return Execution(
        e.exec_id, e.ref, e.session, int(e.qty), e.price, e.fee or 0.0, final=e.fee is not None, side=e.side
    )


def _result(
    number: str, repositories: list[AgentRepository], ours: list[StatementExecution], found: dict[str, list[Event]]
) -> Result:
    prices = sum(isinstance(event, FillCorrected) for events in found.values() for event in events)
    disputes = sum(isinstance(event, FillDisputed) for events in found.values() for event in events)
    left = sum(len(d.state.book.estimated) for d in repositories)
    strange = [e for e in ours if e.ref and not any(d.state.book.counted(e.exec_id) for d in repositories)]
    kept = {
        ids.root(part) for d in repositories for b in d.state.book.fills.values() for part in (b.fill.exec_id, *b.parts)
    }
    old = sum(
        ids.root(e.exec_id) not in kept and any(d.state.book.counted(e.exec_id) for d in repositories) for e in ours
    )
    result = {
        "account": number,
        "executions": len(ours),
        "corrected": prices,
        "disputed": disputes,
        "estimates_left": left,
        "not_in_a_book": [e.exec_id for e in strange],
        "too_long_ago": old,
    }
    parts = [f"Corrected {counted(prices, 'fill')} of {', '.join(found)}" if prices else "Nothing to correct"]
    parts.append(f"{counted(len(ours) - old, 'execution')} compared")
    if old:
        parts.append(f"{counted(old, 'execution')} of fills too long ago to be corrected here")
    if disputes:
        parts.append(f"{counted(disputes, 'fill')} of another quantity or side, which blocks its agent")
    if strange:
        parts.append(f"{counted(len(strange), 'execution')} of agents' orders in no book")
    if left:
        parts.append(f"{counted(left, 'fill')} still booked by an estimate")
    return "; ".join(parts) + ".", result
