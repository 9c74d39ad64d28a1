"""One deployed agent: its configuration, and its state as a fold over its journal."""

import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from . import book as books
from . import rules, stored_before
from .book import Book
from .errors import BadInput, Damaged
from .events import (
    BarsAppended,
    BarsCorrected,
    Created,
    Decided,
    Deployed,
    Event,
    FeeAdjusted,
    FillCorrected,
    Filled,
    Held,
    Marked,
    Missed,
    OrderMoved,
    OrderPlanned,
    SplitApplied,
    StatusChanged,
)
from .frozen import replace
from .order_key import OrderKey
from .orders import Cause, Order, OrderState, advance
from .types import AgentStatus, AgentType, Costs, InstrumentId, Leg, Limits, Mode, Terms, instrument_id, stored_id

AGENT_ID = re.compile(r"(PPO|SAC)_[A-Z][A-Z0-9.\-]{0,9}_\d{3,6}")
RECENT_ORDERS = 24
BLOCK_AFTER_HELD = 3
"""After so many undecided sessions in a row, for the same reason, an agent is blocked."""


@dataclass(frozen=True)
class AgentConfig:
    """What a person agreed to when deploying.

    ``pace``: seconds a session in replay. ``request_id`` names the request that
    created the agent, so that applying it again creates no second one. In mode BROKER: ``broker``
    is the broker's name, ``account`` its account, ``confirmed_account`` the number that the person
    typed to confirm it, ``con_id`` the broker's id of the instrument, ``late_entry`` whether an entry
    that missed the open is skipped or sent as a day order. ``bars_until``: the last bar that the
    source had at the deployment, empty if that was not checked. ``gate``: what the gate to real money said then
    (``admission.remembered``); empty for agents of versions that did not ask it.
    """

    agent_id: str
    model_id: str
    agent_type: AgentType
    symbol: str
    mode: Mode
    source: str
    terms: Terms = field(default_factory=Terms)
    time_frame: str = "daily"
    pace: float = 1.0
    zip_sha256: str = ""
    request_id: str = ""
    account: str = ""
    confirmed_account: str = ""
    con_id: InstrumentId = ""
    primary: str = ""
    late_entry: str = "skip"
    bars_until: str = ""
    broker: str = ""
    gate: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not AGENT_ID.fullmatch(self.agent_id) or len(self.agent_id) > 24:
            raise BadInput(
                f"{self.agent_id!r} is not an agent id; use one such as PPO_INTC_001, with at most 24 characters."
            )
        if self.time_frame != "daily":
            raise BadInput(f"time frame {self.time_frame!r} is not offered; use daily.")
        if not 0 <= self.pace <= 86_400:
            raise BadInput(f"pace is {self.pace!r}; it must be from 0 to 86400 seconds for each session.")
        if self.late_entry not in ("skip", "day"):
            raise BadInput(f"late entry is {self.late_entry!r}; choose skip or day.")
        if (self.mode == Mode.BROKER) != bool(self.broker):
            raise BadInput(
                f"mode {self.mode} does not fit the broker {self.broker!r}; name a broker in mode broker, and in no other mode."
            )

    @property
    def mode_name(self) -> str:
        """What people and files call the mode: replay, paper, or the broker's name."""
        return self.broker or str(self.mode)

    def to_dict(self) -> dict[str, Any]:
        """As the journal stores it: the mode is stored as ``mode_name``."""
        data = {
            **asdict(self),
            "agent_type": str(self.agent_type),
            "mode": self.mode_name,
            "con_id": stored_id(self.con_id),
        }
        del data["broker"]
        return data

    @staticmethod
    def from_dict(data: dict[str, Any]) -> "AgentConfig":
        terms = data["terms"]
        return AgentConfig(
            **{
                **data,
                "agent_type": AgentType(data["agent_type"]),
                "mode": Mode.of(data["mode"]),
                "broker": data["mode"] if Mode.of(data["mode"]) == Mode.BROKER else "",
                "con_id": instrument_id(data.get("con_id", "")),
                "terms": Terms(
                    terms["capital"], Limits(**stored_before.LIMITS | terms["limits"]), Costs(**terms["costs"])
                ),
            }
        )


@dataclass(frozen=True)
class AgentState:
    """The fold of a journal. Sessions are ISO dates, None before the first.

    ``booked`` is the last session whose money is in the book, ``settled`` the
    last that is decided or MISSED, ``bars_end`` the last appended bar, ``priced_by`` the
    source that priced it; ``corrected`` the last settled session when a person accepted a correction of
    bars, empty if none was. ``held`` says why the present session is not decided yet;
    ``held_in_a_row`` counts the sessions missed in a row for ``held_reason``.
    ``overnight`` are the shares held at the last mark, in today's shares, ``split_on``
    the session of the last split; ``taken`` sums the fills of each order that are in the book;
    ``day_trades`` the sessions of the last round trips within one session; ``numbered`` the highest
    number given to an order of a decision's leg, by the key without it.
    """

    config: AgentConfig | None = None
    status: AgentStatus = AgentStatus.STOPPED
    status_reason: str = ""
    deployed_at: str = ""
    first_session: str = ""
    book: Book = field(default_factory=Book)
    orders: tuple[Order, ...] = ()
    recent: tuple[Order, ...] = ()
    fills: tuple[Filled, ...] = ()
    booked: str | None = None
    settled: str | None = None
    bars_end: str | None = None
    priced_by: str = ""
    corrected: str = ""
    held: Held | None = None
    held_reason: str = ""
    held_in_a_row: int = 0
    last_decision: Decided | None = None
    overnight: int = 0
    split_on: str = ""
    taken: tuple[tuple[str, int], ...] = ()
    day_trades: tuple[str, ...] = ()
    numbered: tuple[tuple[str, int], ...] = ()

    @property
    def agent(self) -> AgentConfig:
        if self.config is None:
            raise Damaged("The journal does not begin with a Created event: restore it from a backup.")
        return self.config

    def open_orders(self, leg: Leg | None = None) -> list[Order]:
        return [o for o in self.orders if leg is None or o.leg == leg]

    def order(self, key: str) -> Order | None:
        return next((o for o in (*self.orders, *self.recent) if o.key == key), None)

    def booked_of(self, key: str) -> int:
        """Shares of an order whose fills are in the book."""
        return dict(self.taken).get(key, 0)

    @property
    def estimated_fills(self) -> tuple[Filled, ...]:
        """Fills in the book whose price or fee the broker has not reported, however old."""
        return tuple(self.book.fills[root].fill for root in self.book.estimated)

    def next_key(self, bar: str, leg: Leg) -> str:
        """The key of the next order of this leg; refused while one is still open."""
        first = OrderKey(self.agent.agent_id, bar, leg, 1)
        return str(replace(first, n=dict(self.numbered).get(first.series, 0) + 1))

    @property
    def flat(self) -> bool:
        return self.book.shares == 0

    @property
    def idle(self) -> bool:
        """Nothing held and nothing that could fill."""
        return self.flat and not self.orders


def _created(state: AgentState, event: Created) -> AgentState:
    return replace(state, config=AgentConfig.from_dict(event.config))


def _deployed(state: AgentState, event: Deployed) -> AgentState:
    return replace(state, deployed_at=event.at, first_session=event.first_session)


def _status(state: AgentState, event: StatusChanged) -> AgentState:
    state = replace(state, status=AgentStatus(event.status), status_reason=event.reason)
    if state.status == AgentStatus.RUNNING:
        return replace(state, held_in_a_row=0, held_reason="")
    return state


def _appended(state: AgentState, event: BarsAppended) -> AgentState:
    return replace(state, bars_end=str(event.rows[-1][0]), priced_by=event.source)


def _bars_corrected(state: AgentState, event: BarsCorrected) -> AgentState:
    return replace(state, corrected=state.settled or "", held=None if event.frees else state.held)


def _filled(state: AgentState, event: Filled) -> AgentState:
    taken = (*((k, n) for k, n in state.taken if k != event.key), (event.key, state.booked_of(event.key) + event.qty))
    # Reported after its session was marked: these shares were held, or sold, before the night.
    late = signed(event) if event.session <= (state.booked or "") else 0
    return replace(state, fills=(*state.fills, event), taken=taken[-RECENT_ORDERS:], overnight=state.overnight + late)


def signed(fill: Filled) -> int:
    """Shares that a fill adds to the position."""
    return fill.qty if fill.leg == Leg.ENTRY else -fill.qty


def _corrected(state: AgentState, event: FillCorrected) -> AgentState:
    """The fills of a session that is not decided yet are shown with the corrected figures."""
    fills = tuple(
        replace(f, price=event.price, fee=event.fee) if f.exec_id == event.exec_id else f for f in state.fills
    )
    return replace(state, fills=fills)


def _fee(state: AgentState, event: FeeAdjusted) -> AgentState:
    """Shown as a corrected price is. An earlier version (no ``peaks``) kept showing the fee that was booked first."""
    if not event.peaks:
        return state
    fills = tuple(replace(f, fee=f.fee + event.amount) if f.exec_id == event.exec_id else f for f in state.fills)
    return replace(state, fills=fills)


def _split(state: AgentState, event: SplitApplied) -> AgentState:
    return replace(state, split_on=event.session, overnight=int(rules.whole(state.overnight, event.ratio)))


def _marked(state: AgentState, event: Marked) -> AgentState:
    """``overnight`` does not count fills of a later session."""
    later = sum(signed(f) for f in state.fills if f.session > event.session)
    return replace(state, booked=event.session, overnight=state.book.shares - later)


def _unsettled(state: AgentState, session: str) -> tuple[Filled, ...]:
    return tuple(f for f in state.fills if f.session > session)


def _decided(state: AgentState, event: Decided) -> AgentState:
    return replace(
        state,
        settled=event.session,
        last_decision=event,
        held=None,
        fills=_unsettled(state, event.session),
        held_in_a_row=0,
        held_reason="",
    )


def _held(state: AgentState, event: Held) -> AgentState:
    return replace(state, held=event)


def _missed(state: AgentState, event: Missed) -> AgentState:
    """Counts sessions in a row that waited for a reason; a session when the program did not run is not counted."""
    was_held = state.held is not None and state.held.session == event.session
    same = was_held and _alike(event.reason, state.held_reason)
    return replace(
        state,
        settled=event.session,
        held=None,
        fills=_unsettled(state, event.session),
        held_reason=event.reason if was_held else "",
        held_in_a_row=(state.held_in_a_row + 1 if same else 1) if was_held else 0,
    )


def _alike(reason: str, before: str) -> bool:
    """The same reason, though it names another day or number.

    The texts are compared because the journal stores no code with ``Held`` and ``Missed``: reasons also come from
    bar sources and brokers, whose errors have no codes. Nothing depends on what the text says, only on whether it is
    the same again. If a reason is reworded, the count starts again at one; if the rule changes, stored journals fold
    to another state.
    """
    return re.sub(r"\d+", "#", reason) == re.sub(r"\d+", "#", before)


def _planned(state: AgentState, event: OrderPlanned) -> AgentState:
    order = Order.from_dict(event.order)
    if state.order(order.key) is not None:
        raise Damaged(f"Order {order.key} was planned twice; run 'python -m livetrading verify'.")
    return replace(state, orders=(*state.orders, order), numbered=_numbered(state, OrderKey.parse(order.key)))


def _numbered(state: AgentState, key: OrderKey | None) -> tuple[tuple[str, int], ...]:
    """The highest number of each series, this key included."""
    if key is None:
        return state.numbered
    others = tuple((k, n) for k, n in state.numbered if k != key.series)[-RECENT_ORDERS:]
    return (*others, (key.series, max(key.n, dict(state.numbered).get(key.series, 0))))


def _moved(state: AgentState, event: OrderMoved) -> AgentState:
    before = next((o for o in state.orders if o.key == event.key), None)
    if before is None:
        raise Damaged(f"Order {event.key} moved but is not open; run 'python -m livetrading verify'.")
    named = {"broker_id", "filled", "qty", "stop_price", "tif", "complaint"}
    changes = {name: getattr(event, name) for name in named if getattr(event, name) is not None}
    if event.reason:
        changes["reason"] = event.reason
        changes["cause"] = Cause(event.cause) or stored_before.cause_of(event.reason)
    to = OrderState(event.state)
    if to == OrderState.PENDING_CANCEL:
        changes["withdrawn"] = True
    after = replace(before, **changes) if to == before.state else advance(before, to, **changes)
    if after.open:
        return replace(state, orders=tuple(after if o.key == event.key else o for o in state.orders))
    return replace(
        state,
        orders=tuple(o for o in state.orders if o.key != event.key),
        recent=(*state.recent, after)[-RECENT_ORDERS:],
    )


_APPLY: dict[str, Callable[[AgentState, Any], AgentState]] = {
    "Created": _created,
    "Deployed": _deployed,
    "StatusChanged": _status,
    "BarsAppended": _appended,
    "BarsCorrected": _bars_corrected,
    "Filled": _filled,
    "FillCorrected": _corrected,
    "FeeAdjusted": _fee,
    "SplitApplied": _split,
    "Marked": _marked,
    "Decided": _decided,
    "Held": _held,
    "Missed": _missed,
    "OrderPlanned": _planned,
    "OrderMoved": _moved,
}


def apply(state: AgentState, event: Event) -> AgentState:
    """The state after an event. Pure: the journal alone makes the state."""
    if isinstance(event, Filled) and state.book.counted(event.exec_id):
        return state
    rule = _APPLY.get(type(event).__name__)
    state = rule(state, event) if rule else state
    before, book = state.book, books.apply(state.book, event)
    if book is before:
        return state
    trade = book.last_trade
    if book.num_trades > before.num_trades and trade is not None and trade.entry_session == trade.exit_session:
        state = replace(state, day_trades=(*state.day_trades, trade.exit_session)[-RECENT_ORDERS:])
    return replace(state, book=book)


def fold(events: Iterable[Event], state: AgentState | None = None) -> AgentState:
    """The state after all of these events."""
    state = state or AgentState()
    for event in events:
        state = apply(state, event)
    return state
