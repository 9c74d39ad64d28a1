"""What a broker reports later about booked fills: fees, corrected prices, and changes that cannot be booked.

The last report counts, however late it comes: a fee can change even after it was
reported as final. A corrected price is booked. Another quantity or side blocks the
agent: its shares are then in doubt, and a person has to compare.
"""

from collections.abc import Collection, Iterable, Mapping

from ...adapters.brokers.base import Broker, Execution
from ...core import executions as ids
from ...core.agent import AgentState
from ...core.booked import Booked
from ...core.estimates import is_fee, is_price
from ...core.events import Event, FeeAdjusted, FillCorrected, FillDisputed, Noted, StatusChanged
from ...core.types import AgentStatus

SMALLEST = 1e-6
"""USD, or USD a share. A smaller difference is only rounding."""
FARTHEST, FROM_ESTIMATE = 2.0, 5.0
"""The largest factor between a price and its correction, and between an estimated price and the reported one.
Exchanges correct by tens of percent. A wrong column, decimal point or currency changes a price by more."""


def news(state: AgentState, broker: Broker, fills: Collection[Execution] = ()) -> list[Event]:
    """Where the broker's reports differ from the book. ``fills`` are booked in the same step."""
    reports = broker.reported()
    prices = [*_corrected(state, reports), *_replaced(state, reports), *_beforehand(state, reports, fills)]
    done = {ids.root(event.exec_id) for event in prices if not isinstance(event, Noted)}
    events: list[Event] = [*prices, *_fees(state, broker, reports, done)]
    return events + blocked(state, events)


def blocked(state: AgentState, events: Iterable[Event]) -> list[Event]:
    """A disputed fill blocks an agent that is running or paused."""
    disputed = [event for event in events if isinstance(event, FillDisputed)]
    if not disputed or state.status not in (AgentStatus.RUNNING, AgentStatus.PAUSED):
        return []
    return [StatusChanged(AgentStatus.BLOCKED, disputed[-1].text, "corrections")]


def _corrected(state: AgentState, reports: list[Execution]) -> list[FillCorrected | FillDisputed]:
    """Reports that replace the booked one."""
    newest: dict[str, Execution] = {}
    for e in reports:
        before = newest.get(ids.root(e.exec_id))
        if before is None or ids.number(e.exec_id) >= ids.number(before.exec_id):
            newest[ids.root(e.exec_id)] = e
    changed = {
        b.fill.exec_id: b
        for root, report in newest.items()
        if (b := holder(state, report.exec_id)) is not None
        and any(ids.root(part) == root and ids.number(report.exec_id) > ids.number(part) for part in b.parts)
    }
    found = (restated(state, booked, newest) for booked in changed.values())
    return [event for event in found if event is not None]


def _beforehand(
    state: AgentState, reports: list[Execution], fills: Collection[Execution]
) -> list[Noted | FillDisputed]:
    """Executions that the broker changed before they were booked. A new price is booked, and the user is notified.
    An execution is disputed if the broker cancelled it, or if its order's filled count does not fit the new quantity."""
    booking, guessed = {e.exec_id for e in fills}, {e.ref for e in fills if ids.span(e.exec_id) is not None}
    newest = {ids.root(e.exec_id): e for e in reports}
    found: list[Noted | FillDisputed] = []
    for report in newest.values():
        order, by = state.order(report.ref), f"{report.exec_id} {report.side} {report.qty} before it was booked"
        if (
            order is None
            or ids.number(report.exec_id) < 2
            or holder(state, report.exec_id)
            or by in state.book.executions
        ):
            continue
        did = "bought" if order.side == "BUY" else "sold"
        what = f"the broker changed an execution of {report.ref}, {report.exec_id}, before it was booked"
        if report.qty <= 0 or (report.exec_id in booking and report.ref in guessed):
            now = f"{did} {report.qty} at {report.price:g}" if report.qty > 0 else "nothing: it was cancelled"
            found.append(
                FillDisputed(
                    report.exec_id,
                    by,
                    (
                        f"{what}, to {now}, while the order's own count says more; compare with the account's statement, then adopt"
                        " or ignore the difference and start the agent"
                    ),
                )
            )
        elif report.exec_id in booking:
            found.append(Noted(f"{what}: it is booked as {did} {report.qty} at {report.price:g}", told=True))
    return found


def holder(state: AgentState, exec_id: str) -> Booked | None:
    """The booked fill that a report concerns: under the report's own id, or under the estimate that it replaced."""
    booked = state.book.booked(exec_id)
    if booked is not None or not state.book.counted(exec_id):
        return booked
    root = ids.root(exec_id)
    return next((b for b in state.book.fills.values() if any(ids.root(p) == root for p in b.parts)), None)


def restated(
    state: AgentState, booked: Booked, newest: Mapping[str, Execution], source: str = "the broker"
) -> FillCorrected | FillDisputed | None:
    """How the newest reports (by the root of their id) change a fill that consists of executions. None: no change."""
    was = {ids.root(part): ids.number(part) for part in booked.parts}
    reports = [
        newest[root] for root, number in was.items() if root in newest and ids.number(newest[root].exec_id) >= number
    ]
    newer = [r for r in reports if ids.number(r.exec_id) > was[ids.root(r.exec_id)]]
    if not reports:
        return None
    if len(booked.parts) == 1:
        return judged(state, booked, reports[0], source)
    if len(reports) < len(booked.parts):
        return _disputed(state, booked, newer[0], source, "only a part of its executions is listed") if newer else None
    event = in_place_of(state, booked, reports, source)
    if event is None:
        gone = next((r for r in reports if r.qty <= 0), (newer or reports)[0])
        return _disputed(state, booked, gone, source, "its executions are other shares now")
    same = isinstance(event, FillCorrected) and _same(booked, event.price, event.fee)
    return (
        None
        if same
        and not newer
        and not (booked.fill.estimated and isinstance(event, FillCorrected) and not event.estimated)
        else event
    )


def judged(
    state: AgentState, booked: Booked, report: Execution, source: str = "the broker"
) -> FillCorrected | FillDisputed | None:
    """How a report changes a fill: a correction of its money, or a dispute. None: no change."""
    fill = booked.fill
    side = "BUY" if booked.bought else "SELL"
    if report.qty != fill.qty or report.side not in ("", side):
        return _disputed(state, booked, report, source)
    corrects = ids.number(report.exec_id) > ids.number(booked.parts[0])
    price = fill.price if report.price == 0 and not corrects else report.price
    fee = report.fee if report.final else fill.fee
    if _same(booked, price, fee) and not (fill.estimated and report.final):
        return None
    return _believed(state, booked, price, fee, [report], source, estimated=fill.estimated and not report.final)


def _same(booked: Booked, price: float, fee: float) -> bool:
    return abs(price - booked.fill.price) <= SMALLEST and abs(fee - booked.fill.fee) <= SMALLEST


def _believed(
    state: AgentState,
    booked: Booked,
    price: float,
    fee: float,
    reports: list[Execution],
    source: str,
    *,
    estimated: bool,
) -> FillCorrected | FillDisputed | None:
    """The correction, or a dispute if its figures are not plausible for this fill."""
    times = FROM_ESTIMATE if booked.fill.estimated else FARTHEST
    if not is_price(price):
        return _disputed(state, booked, reports[0], source, f"{price:g} is no price")
    if not 1 / times <= price / booked.fill.price <= times:
        return _disputed(
            state,
            booked,
            reports[0],
            source,
            f"{price:g} is too far from the book's {booked.fill.price:g} to be its correction",
        )
    if not is_fee(fee, booked.fill.qty, price):
        return _disputed(state, booked, reports[0], source, f"{fee:g} is no fee of such a trade")
    return FillCorrected(booked.fill.exec_id, price, fee, [r.exec_id for r in reports], source, estimated, peaks=True)


def _disputed(state: AgentState, booked: Booked, report: Execution, source: str, why: str = "") -> FillDisputed | None:
    """The dispute that a person has to resolve. None if it is on record already."""
    fill, side = booked.fill, "BUY" if booked.bought else "SELL"
    by = f"{report.exec_id} {report.side or side} {report.qty}" + (
        f" at {report.price:g}, fee {report.fee:g}" if why else ""
    )
    if by in state.book.executions:
        return None
    did = "bought" if booked.bought else "sold"
    now = f"{report.side or side} {report.qty} at {report.price:g}" if report.qty > 0 else "nothing: it was cancelled"
    cure = "compare with the account's statement, then adopt or ignore the difference and start the agent"
    if report.qty <= 0:
        cure += (
            "; adopting books the shares at the last close and keeps this fill, so that the book then shows a trade and money"
            " that the account does not have"
        )
    if why:
        cure = (
            f"{why}, so the book keeps its figure: compare with the account's statement, import it and start the agent"
        )
    return FillDisputed(
        fill.exec_id,
        by,
        f"{source} changed the execution {fill.exec_id} of {fill.session} ({did} {fill.qty} at {fill.price:g}) to {now}; {cure}",
    )


def _replaced(state: AgentState, reports: list[Execution]) -> list[FillCorrected | FillDisputed]:
    """Executions that arrive late, for shares that were booked by their order's filled count."""
    found = []
    for root in state.book.estimated:
        fill, shares = state.book.fills[root].fill, ids.span(state.book.fills[root].fill.exec_id)
        if shares is None:
            continue
        low, high = shares
        parts = [e for e in reports if e.ref == fill.key and low < e.cum <= high and not state.book.counted(e.exec_id)]
        event = in_place_of(state, state.book.fills[root], parts)
        if event is not None:
            found.append(event)
    return found


def in_place_of(
    state: AgentState, booked: Booked, parts: list[Execution], source: str = "the broker"
) -> FillCorrected | FillDisputed | None:
    """The correction by the executions behind a fill, if all of them are reported with a price."""
    qty, side = booked.fill.qty, "BUY" if booked.bought else "SELL"
    if not parts or sum(e.qty for e in parts) != qty or any(e.price <= 0 or e.qty <= 0 for e in parts):
        return None
    if any(e.side not in ("", side) for e in parts):
        return None
    price = parts[0].price if len(parts) == 1 else sum(e.qty * e.price for e in parts) / qty
    final = all(e.final for e in parts)
    fee = sum(e.fee for e in parts) if final else booked.fill.fee  # without a commission report the fee is unknown
    return _believed(state, booked, price, fee, parts, source, estimated=booked.fill.estimated and not final)


def _fees(state: AgentState, broker: Broker, reports: list[Execution], done: set[str]) -> list[Event]:
    """Fees that the broker reports and the book has otherwise. ``done`` are corrected already."""
    stated = {ids.root(e.exec_id): e.fee for e in reports if e.final}
    found: list[Event] = []
    for root in dict.fromkeys([*state.book.estimated, *(r for r in stated if r in state.book.fills)]):
        booked = state.book.fills[root]
        fees = [stated.get(ids.root(part), broker.fee(part)) for part in booked.parts]
        if root in done or any(fee is None for fee in fees):
            continue
        more = sum(fee for fee in fees if fee is not None) - booked.fill.fee
        if booked.fill.estimated or abs(more) > SMALLEST:
            found.append(FeeAdjusted(booked.fill.exec_id, state.booked or "", more, peaks=True))
    return found
