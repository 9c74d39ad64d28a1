"""What all processes read about an agent: TinyDB files, folded from its journal.

``state.json`` says how it stands; ``history-YYYY-MM.json`` holds a month of equity,
decisions, fills, trades, orders, bars and log lines. A commit rewrites both and
no more, so it costs the same in year ten as on day one. They are derived: the
journal rebuilds them whenever they are missing, damaged or behind.
"""

from pathlib import Path
from typing import Any

from ...adapters.brokers.registry import words_of
from ...adapters.files import remove, signature
from ...adapters.stamps import stamp
from ...adapters.store import GrowingFile, Store
from ...core.agent import AgentState
from ...core.booked import Booked
from ...core.errors import Damaged, Unavailable
from ...core.events import (
    BarsAppended,
    Decided,
    DividendPaid,
    EntriesPaused,
    EntriesResumed,
    Event,
    FeeAdjusted,
    FillCorrected,
    FillDisputed,
    Filled,
    Held,
    Marked,
    Missed,
    Noted,
    OrderMoved,
    SplitApplied,
    StatusChanged,
)
from ...core.exposure import Exposure, bare, refused_exits
from ...core.orders import Order
from ...core.trades import Trade
from ...core.types import Action, Mode
from ...core.wording import counted
from . import pause_shown
from .status import DecisionShown, StateDocument

Doc = dict[str, Any]
TABLES = ("equity", "decisions", "fills", "trades", "orders", "bars", "log")
MONTHLY, YEARLY = "history-????-??.json", "history-????.json"
"""Names of history files; an earlier version wrote one a year, which a rebuild removes."""
ESTIMATES_SHOWN = 3
STATE = "state.json"
OPEN_MONTHS = 3
"""The newest months may still grow while a journal is folded: an event can tell of an earlier session."""


def history_files(directory: Path) -> list[Path]:
    """An agent's history on disk, oldest first."""
    return sorted(directory.glob(MONTHLY))


def documents(before: AgentState, event: Event, after: AgentState, at: str) -> list[tuple[str, str, Doc]]:
    """(month, table, document) for each thing that an event adds to the history."""
    found: list[tuple[str, str, Doc]] = []
    if isinstance(event, Marked):
        book = after.book
        doc = {
            "session": event.session,
            "equity": book.equity,
            "cash": book.cash,
            "shares": book.shares,
            "close": event.close,
        }
        found.append((event.session[:7], "equity", doc))
    elif isinstance(event, Decided | Missed):
        found.append((event.session[:7], "decisions", _decision(event, at)))
    elif isinstance(event, Filled):
        found.append((event.session[:7], "fills", _fill(event, at)))
    elif isinstance(event, FeeAdjusted | FillCorrected) and (booked := after.book.booked(event.exec_id)) is not None:
        found += _restated(booked, after, at)
    elif isinstance(event, BarsAppended):
        found += [(row[0][:7], "bars", {"row": row}) for row in event.rows]
    elif isinstance(event, OrderMoved) and after.order(event.key) not in after.orders:
        order = after.order(event.key)
        if order is not None:
            found.append((at[:7], "orders", {**order.to_dict(), "updated": at}))
    if after.book.num_trades > before.book.num_trades and after.book.last_trade is not None:
        found.append(_trade(after.book.num_trades, after.book.last_trade))
    line = _log(event, after)
    return [*found, (at[:7], "log", {"at": at, "text": line})] if line else found


def _decision(event: Decided | Missed, at: str) -> Doc:
    if isinstance(event, Missed):
        return {
            "session": event.session,
            "status": "missed",
            "action": None,
            "qty": 0,
            "reason": event.reason,
            "at": at,
        }
    return {
        "session": event.session,
        "status": "decided",
        "action": Action(event.action).name,
        "qty": event.qty,
        "reason": event.reason,
        "at": at,
        "raw": event.raw,
        "obs": event.obs,
    }


def _fill(event: Filled, at: str) -> Doc:
    # fmt: off
    return {
        "exec_id": event.exec_id, "session": event.session, "leg": event.leg, "key": event.key,
        "side": "BUY" if event.leg == "entry" else "SELL", "qty": event.qty,
        "price": event.price, "fee": event.fee, "stop": event.stop, "at": at, "estimated": event.estimated,
    }
    # fmt: on


def _trade(number: int, trade: Trade) -> tuple[str, str, Doc]:
    return trade.exit_session[:7], "trades", {**trade.to_dict(), "number": number}


def _restated(booked: Booked, after: AgentState, at: str) -> list[tuple[str, str, Doc]]:
    """A fill as it is known now, and the closed trade that it belongs to: each takes the place of the
    document that was written before under the same id or number."""
    found = [(booked.fill.session[:7], "fills", _fill(booked.fill, at))]
    trade = after.book.trade(booked.trade)
    return [*found, _trade(booked.trade, trade)] if trade is not None else found


def newest(table: str, docs: list[Doc]) -> list[Doc]:
    """A table without the documents that later ones took the place of."""
    name = {"fills": "exec_id", "trades": "number"}.get(table)
    if name is None:
        return docs
    kept: dict[Any, Doc] = {}
    for place, doc in enumerate(docs):
        kept[doc.get(name, ("", place))] = doc
    return list(kept.values())


def _log(event: Event, after: AgentState) -> str:
    """One line for the agent's own log; empty for what the tables show anyway."""
    match event:
        case StatusChanged():
            return f"{event.status} by {event.by}" + (f": {event.reason}" if event.reason else "")
        case Decided():
            text = f"{event.session}: {Action(event.action).name}"
            return text + (f" {event.qty}" if event.qty else "") + (f" ({event.reason})" if event.reason else "")
        case Held():
            return f"{event.session} held: {event.reason}"
        case Missed():
            return f"{event.session} MISSED: {event.reason}"
        case Filled():
            side = "bought" if event.leg == "entry" else "sold"
            return f"{event.session}: {side} {event.qty} at {event.price:.4f} ({event.leg}, fee {event.fee:.2f})"
        case FeeAdjusted():
            return f"the fee of {event.exec_id} is corrected by {event.amount:+.4f} USD" if event.amount else ""
        case FillCorrected() | FillDisputed():
            return notice(event, after)
        case SplitApplied():
            return f"{event.session}: split {event.ratio:g} for 1"
        case DividendPaid():
            return f"{event.session}: dividend {event.amount:g} on {counted(event.shares, 'share')}"
        case EntriesPaused() | EntriesResumed():
            return pause_shown.line(event)
        case OrderMoved():
            return f"order {event.key} {event.state}" + (f": {event.reason}" if event.reason else "")
        case Noted():
            return event.text
    return ""


def notice(event: Event, after: AgentState) -> str:
    """What a person should hear of an event at once; empty for almost all."""
    if isinstance(event, FillDisputed) or (isinstance(event, Noted) and event.told):
        return event.text
    booked = after.book.booked(event.exec_id) if isinstance(event, FillCorrected) else None
    if booked is None or not isinstance(event, FillCorrected):
        return ""
    fill = booked.fill
    did = "bought" if booked.bought else "sold"
    sure = ", the fee still an estimate" if event.estimated else ""
    return (
        f"{event.source} states {fill.exec_id} of {fill.session} anew: {did} {fill.qty} at {event.price:.4f}, fee"
        f" {event.fee:.2f}{sure}; the book is corrected"
    )


def state_document(state: AgentState, exposure: Exposure, seq: int, at: str) -> StateDocument:
    """How an agent stands, as of its journal's line ``seq``."""
    book, config = state.book, state.agent
    return {
        "agent_id": config.agent_id,
        "agent_type": str(config.agent_type),
        "symbol": config.symbol,
        "mode": config.mode_name,
        "status": str(state.status),
        "status_reason": state.status_reason,
        "is_running": state.status == "running",
        "current_position": book.shares,
        "entry_price": float(book.account.entry) if book.shares else None,
        "stop_price": float(book.account.stop) if book.shares else None,
        "current_price": book.close or None,
        "bar_session": book.marked,
        "portfolio_value": book.worth,
        "cash": book.cash,
        "total_pnl": book.total_pnl,
        "total_pnl_pct": 100.0 * book.total_pnl / book.capital if book.capital else 0.0,
        "realized_pnl": book.realized,
        "unrealized_pnl": book.unrealized,
        "dividends": book.dividends,
        "num_trades": book.num_trades,
        "last_check": at,
        "last_decision": _last_decision(state),
        "refused_exits": len(refused_exits(state)),
        "unprotected_since": stamp(exposure.bare_since) if exposure.bare_since else None,
        "unprotected_seconds": exposure.seconds,
        "warnings": _warnings(state),
        "capital": book.capital,
        "model_id": config.model_id,
        "source": config.source,
        "bars_source": state.priced_by or None,
        "bars_until": config.bars_until or None,
        "gate": config.gate or None,
        "account": config.account or None,
        "late_entry": config.late_entry,
        "pace": config.pace,
        "time_frame": config.time_frame,
        "deployed_at": state.deployed_at,
        "first_session": state.first_session,
        "max_position_pct": 100.0 * config.terms.limits.max_position,
        "risk_per_trade": config.terms.limits.risk_per_trade,
        "costs": config.terms.costs.named,
        "settled": state.settled,
        "booked": state.booked,
        "corrected": state.corrected or None,
        **pause_shown.shown(state),
        "estimates": len(book.estimated),
        "seq": seq,
    }


def _last_decision(state: AgentState) -> DecisionShown | None:
    decision = state.last_decision
    if decision is None:
        return None
    name = Action(decision.action).name
    return {"session": decision.session, "action": name, "qty": decision.qty, "reason": decision.reason}


def _warnings(state: AgentState) -> list[str]:
    found = []
    if state.held is not None:
        found.append(f"{state.held.session} is held: {state.held.reason}")
    found += pause_shown.warnings(state)
    if state.estimated_fills:
        found.append(_estimates(state))
    if state.book.cash < 0:
        found.append(f"cash is overdrawn by {-state.book.cash:.2f} USD after a gap; buying waits")
    if bare(state):
        found.append("the position has neither an active protective stop nor an active exit at the broker")
    if refused := refused_exits(state):
        found.append(_refused(refused, words_of(state.agent.broker).program or "the broker"))
    waits = (
        "it is booked when the broker reports its fill"
        if state.agent.mode == Mode.BROKER
        else "provisional until the completed daily bar books it at its open"
    )
    return found + [
        f"{order.side} {order.qty} is at the broker: {waits}"
        for order in state.orders
        if order.at_broker and order.type == "MKT"
    ]


def _refused(exits: list[Order], program: str) -> str:
    """A sale that does not come about is nothing that a person should have to look for."""
    times = f"{len(exits)} exits in a row" if len(exits) > 1 else "the exit"
    return (
        f"the broker did not take {times}, the last with {exits[-1].reason or exits[-1].state}: the shares are still held. Look"
        f" at it in {program}; if no other exit follows by itself, close the position again"
    )


def _estimates(state: AgentState) -> str:
    """Which figures are not the broker's own yet, and what makes them so."""
    fills = state.estimated_fills
    shown = "; ".join(f"{f.session} {f.leg} {f.qty} at {f.price:g}" for f in fills[-ESTIMATES_SHOWN:])
    more = f" and {len(fills) - ESTIMATES_SHOWN} earlier" if len(fills) > ESTIMATES_SHOWN else ""
    return (
        f"cash, value and P&L are estimates: the broker has not sent the price or fee of {shown}{more};"
        " import the account's statement if it does not"
    )


class Unreadable(Damaged):
    """A history file cannot be read: everything is to be taken from the journal again."""


class ReadModel:
    """Keeps an agent's files in step with its journal.

    While a journal is folded anew, months that are behind the fold and are on disk as
    it says are let go: ten years of documents are never held in memory together.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._month = ""
        self._newest: GrowingFile | None = None
        self._changed: dict[str, GrowingFile] = {}
        self._looked_at: set[str] = set()
        self._sound: set[str] = set()
        self._rebuilding = False
        self._left: dict[str, tuple[int, ...]] = {}
        """Files by name, each as this process wrote it or found it to be right."""

    def path(self, month: str) -> Path:
        return self._directory / f"history-{month}.json"

    def forget(self) -> None:
        """Before a rebuild: nothing on disk is believed."""
        self._rebuilding, self._changed, self._month = True, {}, ""
        self._looked_at, self._sound = set(), set()

    def add(self, before: AgentState, event: Event, after: AgentState, at: str) -> None:
        """Take an event in; nothing is written yet."""
        for month, table, doc in documents(before, event, after, at):
            self._of(month).add(table, doc)

    def _of(self, month: str) -> GrowingFile:
        if month not in self._changed:
            if month == self._month and self._newest is not None:
                self._changed[month] = self._newest
            else:
                known = {} if self._rebuilding and month not in self._sound else self._read(month)
                self._let_go()
                self._changed[month] = GrowingFile(self.path(month), {name: known.get(name, []) for name in TABLES})
        return self._changed[month]

    def _let_go(self) -> None:
        """Of what a rebuild has passed, keep only what is not yet on disk; each month is looked at once."""
        if not self._rebuilding:
            return
        for month in sorted(self._changed)[:-OPEN_MONTHS]:
            if month not in self._looked_at and self._on_disk(self._changed[month]):
                self._sound.add(month)
                del self._changed[month]
            self._looked_at.add(month)

    def _read(self, month: str) -> dict[str, list[Doc]]:
        try:
            return Store.read_docs(self.path(month))
        except (Damaged, Unavailable) as error:
            raise Unreadable(str(error)) from None

    @staticmethod
    def _on_disk(file: GrowingFile) -> bool:
        try:
            return Store.read_docs(file.path) == file.tables
        except (Damaged, Unavailable):
            return False

    def intact(self) -> bool:
        """Whether the history on disk is what the journal says."""
        return all(self._on_disk(file) for file in self._changed.values())

    def changed(self) -> list[str]:
        """Names of files that somebody else has changed or removed since."""
        return [name for name, known in self._left.items() if signature(self._directory / name) != known]

    def settle(self) -> None:
        """What was taken in is on disk: keep the newest month, drop the rest."""
        written = history_files(self._directory) if self._rebuilding else [f.path for f in self._changed.values()]
        known = {} if self._rebuilding else self._left
        self._left = known | {path.name: signature(path) for path in [*written, self._directory / STATE]}
        newest = max(self._changed, default="")
        if newest >= self._month and newest:
            self._month, self._newest = newest, self._changed[newest]
        self._changed, self._rebuilding, self._looked_at, self._sound = {}, False, set(), set()

    def write(self, state: AgentState, exposure: Exposure, seq: int, head: str, at: str) -> None:
        """Write what changed. Raises Unavailable; the next call writes it again."""
        for month in sorted(self._changed):
            self._changed[month].write()
        if self._rebuilding:
            for stale in self._directory.glob(YEARLY):
                remove(stale)
        orders = [order.to_dict() for order in state.orders]
        recent = [order.to_dict() for order in state.recent]
        document = {**state_document(state, exposure, seq, at), "head": head}
        tables = {"agent": [document], "orders": orders, "recent": recent}
        Store.write_docs(self._directory / STATE, tables, durable=False)
        self.settle()
