"""The read model: what pages, REST and the command line show of the store.

Reading takes no lock and changes nothing. Numbers come from the files that the
scheduler writes after each journal line; times are ISO UTC.
"""

import logging
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, cast

from ...adapters import logs, settings
from ...adapters.calendar import calendar
from ...adapters.halt import HaltLatch
from ...adapters.home import Home, check_agent_id, is_agent_id
from ...adapters.registry import Registry
from ...adapters.stamps import parse_stamp, stamp
from ...adapters.store import Store, Tables
from ...core.bars import to_rows
from ...core.errors import Damaged, LivetradingError, NotFound
from ...core.liveness import Liveness
from ...core.types import Mode
from . import agent_status, heartbeat, stop_record, troubles
from .read_model import history_files, newest
from .status import AgentStatus, Alarm, BrokerStatus, SchedulerStatus, SystemStatus

log = logging.getLogger(__name__)
Doc = dict[str, Any]
HISTORY_MONTHS = 480
LEAD_IN = 504
"""Sessions of the model's own bars shown before an agent's first."""
UNREADABLE, UNREADABLE_TEXT = "unreadable", "cannot be read"
"""The status of an agent whose files say nothing, and its words."""
REBUILT = (
    "The scheduler rebuilds the file from the journal within a minute; closing and the emergency stop work meanwhile."
)
REBUILT_LATER = "Start the scheduler: it rebuilds the file from the journal. The emergency stop works also without it."
AT_BROKER = "Look at the broker's own screen for what is held."
NUMBERS = (
    "entry_price",
    "stop_price",
    "current_price",
    "portfolio_value",
    "cash",
    "total_pnl",
    "total_pnl_pct",
    "realized_pnl",
    "unrealized_pnl",
    "capital",
    "pace",
    "max_position_pct",
    "risk_per_trade",
    "dividends",
    "current_position",
    "num_trades",
)
UNKNOWN_WHEN_UNREADABLE = (
    *NUMBERS,
    "price_time",
    "last_check",
    "next_check",
    "last_decision",
    "bar_session",
    "model_id",
    "source",
    "deployed_at",
    "settled",
    "booked",
    "corrected",
    "first_session",
    "costs",
)
"""Fields of an agent that are null while its files cannot be read."""


def agents(store: Store, now: datetime | None = None) -> list[AgentStatus]:
    """Every agent that was not removed; one with a damaged file says so in its warnings.

    ``now``, by default the clock's, tells whether a scheduler looks after them.
    """
    lives = scheduler_lives(store, now)
    names = sorted(path.name for path in store.home.agents.iterdir() if is_agent_id(path.name) and path.is_dir())
    shown = [_status(store, name, lives, now) for name in names]
    return [doc for doc in shown if doc is not None and doc["status"] != "removed"]


def agent(store: Store, agent_id: str, now: datetime | None = None) -> AgentStatus:
    """One agent's status; NotFound if there is none, or no more."""
    found = _status(store, check_agent_id(agent_id), scheduler_lives(store, now), now)
    if found is None or found["status"] == "removed":
        raise NotFound(f"There is no agent {agent_id}: list them with `python -m livetrading agents`.")
    return found


def scheduler_lives(store: Store, now: datetime | None) -> bool:
    """Whether a scheduler looks after the agents; False if that cannot be read."""
    try:
        return agent_status.lives(_scheduler(store, store.read("system"), now or datetime.now(UTC)))
    except Damaged:  # said where the system is shown; nobody can tell, so nothing is claimed
        return False


def _status(store: Store, agent_id: str, lives: bool, now: datetime | None) -> AgentStatus | None:
    try:
        return _read_status(store, agent_id, lives, now)
    except Damaged:  # `verify` says what is wrong with it
        return _unreadable(agent_id, f"{store.home.agent(agent_id) / 'state.json'} was changed from outside.", lives)
    except Exception as error:  # one agent's files are no reason to show none
        return _unreadable(agent_id, str(logs.caught(log, f"the files of {agent_id}", error)), lives)


def _read_status(store: Store, agent_id: str, lives: bool, now: datetime | None) -> AgentStatus | None:
    directory = store.home.agent(agent_id)
    tables = store.read_docs(directory / "state.json")
    documents = tables.get("agent")
    if not documents:
        there = (directory / "journal.jsonl").exists()
        return _unreadable(agent_id, f"{directory / 'state.json'} is not written.", lives) if there else None
    if "damage" in documents[0]:
        return _unreadable(agent_id, str(documents[0]["damage"]), lives, heals=False)
    doc: Doc = {**_unreadable(agent_id, "", lives), "warnings": [], **documents[0]}
    if not documents[0].keys() >= {"agent_id", "status", "mode"} or not isinstance(doc["current_position"], int):
        raise Damaged(f"{directory / 'state.json'} does not say how the agent stands.")
    for name in NUMBERS:
        if not isinstance(doc[name], int | float | None):
            raise Damaged(f"{directory / 'state.json'} holds {doc[name]!r} as {name}.")
    now = now or datetime.now(UTC)
    doc |= _besides(store, doc, lives, now) | _unprotected(doc, now)
    shown = {
        **doc,
        **agent_status.words(doc, lives, _trouble(store, agent_id), HaltLatch(store.home).status() is not None),
        "orders": tables.get("orders", []),
    }
    return cast(AgentStatus, shown)  # the file's content is the scheduler's; what pages calculate with was checked


def _trouble(store: Store, agent_id: str) -> tuple[str, bool]:
    try:
        return troubles.of(store, agent_id)
    except LivetradingError:  # said by _besides
        return "", False


def _unprotected(doc: Doc, now: datetime | None) -> Doc:
    """Seconds without stop or exit, those that are running included."""
    since, seconds = doc.get("unprotected_since"), doc.get("unprotected_seconds") or 0.0
    if since and doc["mode"] != "replay":
        seconds += max(((now or datetime.now(UTC)) - parse_stamp(since)).total_seconds(), 0.0)
    return {"unprotected_since": since, "unprotected_seconds": seconds}


def _besides(store: Store, doc: Doc, lives: bool, now: datetime) -> Doc:
    """What other files add; one of them that is damaged costs these lines and not the agent's own."""
    try:
        sides = (
            {"reconciliation": _differs(store, doc["agent_id"]), **_cash(store, doc)}
            if Mode.of(doc["mode"]) == Mode.BROKER
            else {}
        )
        return {**_times(store, doc, lives, now), **sides}
    except LivetradingError as error:
        return {"price_time": None, "next_check": None, "warnings": [*doc["warnings"], str(error)]}


def _cash(store: Store, doc: Doc) -> Doc:
    """How the cash of an agent's account is made up, and a warning if that keeps this agent from buying."""
    docs = store.read("system").get("cash", {}).values()
    found = next((d for d in docs if d.get("account") == doc.get("account")), None)
    if found is None or doc["agent_id"] not in found["agents"] or not doc.get("estimates"):
        return {"account_cash": found}
    told = f"{found['text']}, while fills of this agent are booked by estimates, so it buys nothing"
    return {"account_cash": found, "warnings": [*(doc["warnings"] or []), told]}


def _differs(store: Store, agent_id: str) -> Doc | None:
    """Book and account side by side, as the scheduler last compared them; None while they agree."""
    docs = store.read("system").get("reconciliation", {}).values()
    return next((doc for doc in docs if doc.get("agent_id") == agent_id and doc.get("text")), None)


def _unreadable(agent_id: str, why: str, lives: bool, heals: bool = True) -> AgentStatus:
    """An agent whose files cannot be shown now: no number of it is known, its position least of all.

    A scheduler that ``lives`` rebuilds them from the journal, unless that is damaged, too.
    """
    kind, symbol = agent_id.split("_")[:2]
    cure = REBUILT if lives else REBUILT_LATER
    warning = f"{why} The agent's position cannot be read, so no figure of it is shown. {cure if heals else AT_BROKER}"
    known = {
        **dict.fromkeys(UNKNOWN_WHEN_UNREADABLE),
        "agent_id": agent_id,
        "agent_type": kind,
        "symbol": symbol,
        "mode": "unknown",
        "status": UNREADABLE,
        "status_text": UNREADABLE_TEXT,
        "no_bars_since": None,
        "status_reason": why,
        "is_running": False,
        "estimates": 0,
        "warnings": [warning],
        "orders": [],
        "entries_paused": False,
        "pause_sessions": None,
        "pause_sessions_left": None,
        "pause_ends": None,
        "time_frame": "daily",
        "seq": 0,
    }
    return cast(AgentStatus, known)


def _times(store: Store, doc: Doc, lives: bool, now: datetime) -> Doc:
    """When the shown price was made, and when the agent looks again: now, if a session is due and a
    scheduler lives; nobody knows, if one is due and none does."""
    session = doc["bar_session"]
    priced = stamp(calendar().close_at(date.fromisoformat(session))) if session else None
    if doc["mode"] == "replay" or doc["status"] != "running":
        return {"price_time": priced, "next_check": None}
    delay = timedelta(minutes=settings.load(store.home).check_delay_minutes)
    settled = doc["settled"]
    following = (
        calendar().next_session(date.fromisoformat(settled)) if settled else date.fromisoformat(doc["first_session"])
    )
    due = calendar().close_at(following) + delay
    return {"price_time": priced, "next_check": stamp(max(due, now)) if lives or due > now else None}


def history(store: Store, agent_id: str) -> Doc:
    """Tables of an agent, oldest first; ``bars`` are rows of seven values."""
    directory = store.home.agent(agent_id)
    tables: Doc = {name: [] for name in ("equity", "decisions", "fills", "trades", "orders", "bars", "log")}
    for path in history_files(directory)[-HISTORY_MONTHS:]:
        for name, docs in store.read_docs(path).items():
            if name in tables:
                tables[name] += docs
    tables = {name: newest(name, docs) for name, docs in tables.items()}
    state = store.read_docs(directory / "state.json")
    tables["orders"] += state.get("orders", [])
    own = [doc["row"] for doc in tables["bars"]]
    for doc in (doc for doc in state.get("agent", []) if "model_id" in doc):
        first = own[0][0] if own else doc["first_session"]
        own = [row for row in _model_bars(store.home, doc["model_id"]) if row[0] < first][-LEAD_IN:] + own
    return {**tables, "bars": own}


@lru_cache(maxsize=32)
def _model_bars(home: Home, model_id: str) -> list[list[Any]]:
    """A model's bars never change, so they are read once."""
    return to_rows(Registry(home).bars(model_id))


def system(store: Store, now: datetime) -> SystemStatus:
    """Scheduler, halt latch and alarms."""
    halt = HaltLatch(store.home).status()
    tables = store.read("system")
    return {
        "scheduler": _scheduler(store, tables, now),
        "halt": None
        if halt is None
        else {"reason": halt.reason, "by": halt.by, "at": stamp(halt.at) if halt.at else None},
        "stop": stop_record.picture(store, halt),
        "broker": cast(BrokerStatus | None, next(iter(tables.get("broker", {}).values()), None)),
        "alarms": cast(list[Alarm], list(tables.get("alarms", {}).values())[-50:]),
        "home": str(store.home.root),
    }


def _scheduler(store: Store, tables: Tables, now: datetime) -> SchedulerStatus:
    """``liveness``: alive, late, hung or dead; ``alive``: it works, late or not; ``pid`` of the
    scheduler that has the lock, ``command`` of a command that has it."""
    sign, told = heartbeat.look(store.home), next(iter(tables.get("scheduler", {}).values()), {})
    pid, state = sign.holder.pid if sign.holder else None, sign.scheduler
    ours = told if state == Liveness.DEAD or told.get("pid") == pid else {}
    beat = stamp(now - timedelta(seconds=sign.still)) if state != Liveness.DEAD else ours.get("heartbeat")
    age = sign.still if state != Liveness.DEAD else _age(ours.get("heartbeat"), now)
    return {
        "liveness": str(state),
        "alive": state.works,
        "pid": pid if state != Liveness.DEAD else None,
        "heartbeat": beat,
        "age_seconds": age,
        "doing": ours.get("doing", "starting" if state.works else ""),
        "started": ours.get("started"),
        "command": pid if state == Liveness.DEAD else None,
    }


def _age(beat: str | None, now: datetime) -> float | None:
    return (now - parse_stamp(beat)).total_seconds() if beat else None
