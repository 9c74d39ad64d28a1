"""Requests: the only way for pages, REST and the command line to change trading.

They append requests here; the process with the scheduler's lock applies and answers
them. A request ``{id, kind, agent_id, args, at, by}`` is ``pending``, then ``done`` or
``refused``, which is final.
"""

import os
import time
from datetime import datetime
from typing import Any

from tinydb import TinyDB

from ...adapters import request_ids
from ...adapters.brokers.registry import words_of
from ...adapters.home import check_agent_id
from ...adapters.jsonio import plain
from ...adapters.stamps import stamp
from ...adapters.store import Store
from ...core.errors import BadInput, Conflict, LivetradingError, NotFound, Unavailable
from ...core.types import Mode
from . import heartbeat

OF_AN_AGENT = ("start", "pause", "close", "remove", "adopt", "ignore", "confirm_cash", "accept_bars")
KINDS = ("create", *OF_AN_AGENT, "import_statement", "emergency_stop", "rearm")
FINAL = ("done", "refused")
KEPT = 500
"""Finished requests that stay on record."""

_FILE = "requests"
_POLL_SECONDS = 0.05
_POLLS_PER_READ = 20
"""The file is read once a second even if it looks unchanged: file times may be coarse."""

Request = dict[str, Any]


def submit(
    store: Store,
    kind: str,
    *,
    agent_id: str | None = None,
    args: dict[str, Any] | None = None,
    by: str,
    request_id: str | None = None,
    now: datetime,
) -> str:
    """Append a request, durably, and return its id.

    The same id twice is one request. Raises BadInput for an invalid kind, agent id or
    request id, Conflict if the id was used for another request.
    """
    wanted = {"kind": kind, "agent_id": _checked_agent(kind, agent_id), "args": plain(args or {}, "args")}
    request_id = request_ids.new() if request_id is None else request_id
    if not request_ids.REQUEST.allows(request_id):
        raise BadInput(f"the request id {request_id!r} is not usable; give up to 64 letters, digits, - and _.")
    with store.transaction(_FILE) as db:
        known = _find(db, request_id)
        if known is None:
            request = {"id": request_id, **wanted, "at": stamp(now), "by": by}
            db.table(_FILE).insert({**request, "status": "pending", "message": "", "result": {}, "finished": None})
        elif any(known[key] != value for key, value in wanted.items()):
            raise Conflict(f"request {request_id} was already used to {known['kind']}; reload and use a new id.")
    return request_id


def pending(store: Store) -> list[Request]:
    """Those not yet applied, oldest first. Never waits."""
    return [request for request in _all(store) if request["status"] == "pending"]


def outcome(store: Store, request_id: str) -> Request | None:
    """The finished request with ``status``, ``message``, ``result``; else None."""
    found = _find_in(_all(store), request_id)
    return found if found and found["status"] in FINAL else None


def wait(store: Store, request_id: str, timeout: float = 10) -> Request:
    """Wait up to ``timeout`` seconds for the outcome; holds no lock meanwhile.

    Raises Unavailable when the time is over (the request stays queued), and
    NotFound at once if there is no such request.
    """
    deadline = time.monotonic() + timeout
    seen: tuple[int, ...] | None = None
    polls = 0
    while True:
        looks = _signature(store)
        if looks != seen or polls % _POLLS_PER_READ == 0:
            seen = looks
            found = _find_in(_all(store), request_id)
            if found is None:
                raise _unknown(request_id)
            if found["status"] in FINAL:
                return found
        left = deadline - time.monotonic()
        if left <= 0:
            raise Unavailable(_unanswered(store, found, timeout))
        time.sleep(min(_POLL_SECONDS, left))
        polls += 1


def _unanswered(store: Store, request: Request | None, timeout: float) -> str:
    """A message: why a request has no answer yet, and what happens to it."""
    known = request or {"id": "", "kind": "", "agent_id": None}
    works = heartbeat.look(store.home).scheduler.works
    if not works:
        return (
            f"request {known['id']} has no answer after {timeout:g} s and stays queued; "
            "see that `python -m livetrading up` or `scheduler` runs."
        )
    kind, agent_id = known["kind"], known.get("agent_id") or ""
    broker = _broker(store, agent_id)
    if not broker:
        return (
            f"The scheduler works and has not answered the request to {kind} within {timeout:g} s; it stays queued and is"
            f" answered as soon as the scheduler comes to it. Look at its log if that lasts."
        )
    then = (
        "the close is waiting and goes on by itself"
        if kind == "close"
        else f"the request to {kind} waits, and the scheduler answers it as soon as it can; look at the agent before you ask again"
    )
    words = words_of(broker)
    return (
        f"{words.title} ({words.programs}) has not answered within {timeout:g} s; {then}. The scheduler works; look at"
        f" {words.program}'s window if that lasts."
    )


def _broker(store: Store, agent_id: str) -> str:
    """The name of the broker that an agent's requests wait for, empty if they wait for none."""
    try:
        docs = store.read_docs(store.home.agent(agent_id) / "state.json").get("agent", []) if agent_id else []
    except LivetradingError:
        return ""
    modes = [str(doc.get("mode") or Mode.PAPER) for doc in docs]
    return next((mode for mode in modes if Mode.of(mode) == Mode.BROKER), "")


def resolve(store: Store, request_id: str, status: str, message: str, result: dict[str, Any], now: datetime) -> None:
    """Store the outcome of a request; a second outcome changes nothing.

    Drops the oldest finished requests beyond the newest 500. Raises NotFound.
    """
    if status not in FINAL:
        raise BadInput(f"{status!r} is not an outcome; use {' or '.join(FINAL)}.")
    with store.transaction(_FILE) as db:
        request = _find(db, request_id)
        if request is None:
            raise _unknown(request_id)
        if request["status"] == "pending":
            answer = {"status": status, "message": message, "result": result, "finished": stamp(now)}
            db.table(_FILE).update(answer, doc_ids=[request.doc_id])
            _prune(db)


def _checked_agent(kind: str, agent_id: str | None) -> str | None:
    if kind not in KINDS:
        raise BadInput(f"{kind!r} is not a kind of request; use one of {', '.join(KINDS)}.")
    if kind in OF_AN_AGENT:
        return check_agent_id(agent_id)
    if agent_id is not None:
        raise BadInput(f"a request to {kind} is not for a single agent; leave {agent_id!r} out.")
    return None


def _find(db: TinyDB, request_id: str) -> Any:
    """The document, with its ``doc_id``, or None."""
    return db.table(_FILE).get(lambda request: request.get("id") == request_id)


def _all(store: Store) -> list[Request]:
    """All requests; documents without the fields of a request are ignored."""
    documents = store.read(_FILE).get(_FILE, {}).values()
    return [document for document in documents if document.keys() >= {"id", "kind", "status"}]


def _find_in(requests: list[Request], request_id: str) -> Request | None:
    return next((request for request in requests if request["id"] == request_id), None)


def _prune(db: TinyDB) -> None:
    finished = [doc for doc in db.table(_FILE) if doc.get("status") in FINAL]
    surplus = sorted(finished, key=lambda doc: (str(doc.get("finished")), doc.doc_id))[: max(0, len(finished) - KEPT)]
    if surplus:
        db.table(_FILE).remove(doc_ids=[doc.doc_id for doc in surplus])


def _signature(store: Store) -> tuple[int, ...]:
    """A value that changes whenever the file is replaced; cheap."""
    try:
        found = os.stat(store.path(_FILE))
    except FileNotFoundError:
        return ()
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def _unknown(request_id: str) -> NotFound:
    return NotFound(f"there is no request {request_id}; it was never made or has been cleared away.")
