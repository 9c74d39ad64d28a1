"""What a broker states later about fills that are in the book: fees, corrected prices, and what nobody can book.

The last report counts, however late it comes: a fee is corrected also after it was
taken as final. A corrected price is booked; another quantity or side blocks the
agent, for then its shares are in question and a person has to compare.
"""

from collections.abc import Collection, Iterable

from ..adapters.brokers.base import Broker, Execution
from ..core import executions as ids
from ..core.agent import AgentState
from ..core.book import Booked
from ..core.events import Event, FeeAdjusted, FillCorrected, FillDisputed, Noted, StatusChanged
from ..core.types import AgentStatus

SMALLEST = 1e-6
"""USD, or USD a share: what differs by less is the same figure, written with fewer digits."""


def news(state: AgentState, broker: Broker, fills: Collection[Execution] = ()) -> list[Event]:
    """What the broker states now that the book holds otherwise; ``fills`` are being booked beside it."""
    told = broker.reported()
    prices = [*_corrected(state, told), *_replaced(state, told), *_beforehand(state, told, fills)]
    done = {ids.root(event.exec_id) for event in prices if not isinstance(event, Noted)}
    events: list[Event] = [*prices, *_fees(state, broker, told, done)]
    return events + blocked(state, events)


def blocked(state: AgentState, events: Iterable[Event]) -> list[Event]:
    """The block that a dispute means for an agent that would trade on."""
    disputed = [event for event in events if isinstance(event, FillDisputed)]
    if not disputed or state.status not in (AgentStatus.RUNNING, AgentStatus.PAUSED):
        return []
    return [StatusChanged(AgentStatus.BLOCKED, disputed[-1].text, "corrections")]


def _corrected(state: AgentState, told: list[Execution]) -> list[FillCorrected | FillDisputed]:
    """Reports that take the place of the one that was booked."""
    newest = {ids.root(e.exec_id): e for e in told}
    found: dict[str, FillCorrected | FillDisputed | None] = {}
    for root, report in newest.items():
        booked = holder(state, report.exec_id)
        before = [part for part in booked.parts if ids.root(part) == root] if booked is not None else []
        if booked is None or not before or ids.number(report.exec_id) <= ids.number(before[0]):
            continue
        if len(booked.parts) == 1:
            found[booked.fill.exec_id] = judged(state, booked, report)
        elif parts := [newest[ids.root(part)] for part in booked.parts if ids.root(part) in newest]:
            found[booked.fill.exec_id] = in_place_of(booked.fill.exec_id, booked.fill.qty, parts)
    return [event for event in found.values() if event is not None]


def _beforehand(state: AgentState, told: list[Execution], fills: Collection[Execution]) -> list[Noted | FillDisputed]:
    """Executions that the broker changed before they were booked. A new price is booked and told. One that was taken
    back, or whose order has filled more than is left of it, is in question: the book can follow its order's count only."""
    booking, guessed = {e.exec_id for e in fills}, {e.ref for e in fills if ids.span(e.exec_id) is not None}
    newest = {ids.root(e.exec_id): e for e in told}
    found: list[Noted | FillDisputed] = []
    for report in newest.values():
        order, by = state.order(report.ref), f"{report.exec_id} {report.side} {report.qty} before it was booked"
        if order is None or ids.number(report.exec_id) < 2 or holder(state, report.exec_id) or by in state.book.executions:
            continue
        did = "bought" if order.side == "BUY" else "sold"
        what = f"the broker changed an execution of {report.ref}, {report.exec_id}, before it was booked"
        if report.qty <= 0 or (report.exec_id in booking and report.ref in guessed):
            now = f"{did} {report.qty} at {report.price:g}" if report.qty > 0 else "nothing: it was taken back"
            found.append(FillDisputed(report.exec_id, by, (
                f"{what}, to {now}, while the order's own count says more; compare with the account's statement, then adopt"
                " or ignore the difference and start the agent")))
        elif report.exec_id in booking:
            found.append(Noted(f"{what}: it is booked as {did} {report.qty} at {report.price:g}", told=True))
    return found


def holder(state: AgentState, exec_id: str) -> Booked | None:
    """The fill that a report is about: booked under its id, or under an estimate that it has taken the place of."""
    booked = state.book.booked(exec_id)
    if booked is not None or not state.book.counted(exec_id):
        return booked
    root = ids.root(exec_id)
    return next((b for b in state.book.fills.values() if any(ids.root(p) == root for p in b.parts)), None)


def judged(state: AgentState, booked: Booked, report: Execution, source: str = "the broker") -> FillCorrected | FillDisputed | None:
    """What a report of a fill changes: its money, or more than a book can follow; None for nothing new."""
    fill = booked.fill
    side = "BUY" if booked.bought else "SELL"
    if report.qty != fill.qty or report.side not in ("", side):
        by = f"{report.exec_id} {report.side or side} {report.qty}"
        if by in state.book.executions:
            return None  # a person has been told
        did = "bought" if booked.bought else "sold"
        now = f"{report.side or side} {report.qty} at {report.price:g}" if report.qty > 0 else "nothing: it was taken back"
        return FillDisputed(fill.exec_id, by, (
            f"{source} changed the execution {fill.exec_id} of {fill.session} ({did} {fill.qty} at {fill.price:g}) to {now};"
            " compare with the account's statement, then adopt or ignore the difference and start the agent"))
    price = report.price or fill.price
    fee = report.fee if report.final else fill.fee
    same = abs(price - fill.price) <= SMALLEST and abs(fee - fill.fee) <= SMALLEST
    if same and not (fill.estimated and report.final):
        return None
    return FillCorrected(fill.exec_id, price, fee, [report.exec_id], source, fill.estimated and not report.final)


def _replaced(state: AgentState, told: list[Execution]) -> list[FillCorrected]:
    """Executions that came after all for shares that were booked by their order's count."""
    found = []
    for root in state.book.estimated:
        fill, shares = state.book.fills[root].fill, ids.span(state.book.fills[root].fill.exec_id)
        if shares is None:
            continue
        low, high = shares
        parts = [e for e in told if e.ref == fill.key and low < e.cum <= high and not state.book.counted(e.exec_id)]
        event = in_place_of(fill.exec_id, fill.qty, parts)
        if event is not None:
            found.append(event)
    return found


def in_place_of(exec_id: str, qty: int, parts: list[Execution], source: str = "the broker") -> FillCorrected | None:
    """The executions that an estimate stood for, if they are all there and have prices."""
    if sum(e.qty for e in parts) != qty or any(e.price <= 0 or e.qty <= 0 for e in parts) or not parts:
        return None
    price = parts[0].price if len(parts) == 1 else sum(e.qty * e.price for e in parts) / qty
    fee, final = sum(e.fee for e in parts), all(e.final for e in parts)
    return FillCorrected(exec_id, price, fee, [e.exec_id for e in parts], source, not final)


def _fees(state: AgentState, broker: Broker, told: list[Execution], done: set[str]) -> list[Event]:
    """The broker's own word on fees that were booked otherwise; ``done`` are corrected already."""
    stated = {ids.root(e.exec_id): e.fee for e in told if e.final}
    found: list[Event] = []
    for root in dict.fromkeys([*state.book.estimated, *(r for r in stated if r in state.book.fills)]):
        booked = state.book.fills[root]
        fees = [stated.get(ids.root(part), broker.fee(part)) for part in booked.parts]
        if root in done or any(fee is None for fee in fees):
            continue
        more = sum(fee for fee in fees if fee is not None) - booked.fill.fee
        if booked.fill.estimated or abs(more) > SMALLEST:
            found.append(FeeAdjusted(booked.fill.exec_id, state.booked or "", more))
    return found
