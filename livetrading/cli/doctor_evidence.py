"""``doctor`` on what is assumed of TWS: what was proved, when, at which version; and a person's proof."""

import argparse
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..adapters import settings
from ..adapters.brokers.ibkr import evidence
from ..adapters.brokers.ibkr import handshake as handshake
from ..adapters.brokers.ibkr.recorder import Recorder
from ..adapters.home import Home
from ..adapters.store import Store
from ..core.errors import BadInput, LivetradingError
from ..core.windows import NEW_YORK
from .acting import utc_now

if TYPE_CHECKING:
    from ..adapters.brokers.ibkr.broker import IbkrConnection


def asked(options: argparse.Namespace) -> bool:
    """Whether the command is about the assumptions alone."""
    return bool(options.proved or options.disproved or options.assumptions)


def answer(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """The list of assumptions, after the proof that was given, if any."""
    store = Store(home)
    if options.proved and options.disproved:
        raise BadInput("Give either --proved or --disproved, one assumption at a time.")
    key = options.proved or options.disproved
    if key:
        chosen = settings.load(home)
        note, holds = options.note or "", bool(options.proved)
        evidence.by_hand(store, key, note, holds, utc_now(), _version(chosen), chosen.ibkr_mode)
    found = evidence.standing(store)
    lines = [text for f in found for text in _lines(f)]
    return {"assumptions": found, "text": "\n".join([*lines, _counts(found)])}


def _version(chosen: settings.Settings) -> int:
    """The version of the TWS that answers now, 0 if none does."""
    return handshake.shake(chosen.ibkr_host, chosen.ibkr_port, chosen.ibkr_client_id + handshake.SPARE_CLIENT_ID, 1.0).version


def _lines(found: dict[str, Any]) -> list[str]:
    proof = found["proof"]
    how = [f"    {proof['how']}"] if proof else [f"    probe: {found['probe']}"]
    return [evidence.line(found), f"    {found['sentence']}", *how]


def _counts(found: list[dict[str, Any]]) -> str:
    states = [f["state"] for f in found]
    return f"{states.count('proved')} proved, {states.count('disproved')} disproved, {states.count('open')} open"


def observe(store: Store, connection: "IbkrConnection", clock: Callable[[], datetime]) -> None:
    """Record what this connection's reports prove."""
    now = clock()
    seen = connection.observed(now.astimezone(NEW_YORK).date())
    evidence.note(store, seen, now, connection.server_version(), connection.health().account)


def recording(recorder: Recorder) -> dict[str, Any]:
    """What was recorded and where it lies, once it is written."""
    recorder.close()
    text = f"{recorder.frames} messages of {recorder.connections} connections in {recorder.path}"
    kept = "account numbers and names are replaced, money is rounded unless --record-values was given"
    cure = f"read it before you send it to anybody: {kept}"
    if recorder.trouble:
        return {"name": "broker recording", "ok": False, "detail": f"{text}; it ended early: {recorder.trouble}", "cure": cure}
    if not recorder.frames:
        return {"name": "broker recording", "ok": False, "detail": text, "cure": "let the connection be made first"}
    return {"name": "broker recording", "ok": True, "detail": text, "cure": cure}


def check(store: Store) -> dict[str, Any]:
    """One line of ``doctor``: being open is no failure, a proof to the contrary is told."""
    try:
        found = evidence.standing(store)
    except LivetradingError as error:
        cure = f"move {store.path(evidence.NAME)} away; what was proved is noted anew"
        return {"name": "broker assumptions", "ok": False, "detail": str(error), "cure": cure}
    told = [evidence.line(f) for f in found if f["proof"]]
    text = "; ".join([f"of {len(found)} assumptions about TWS {_counts(found)}", *told])
    cure = "" if len(told) == len(found) else "`doctor --assumptions` shows each with the probe that proves it"
    return {"name": "broker assumptions", "ok": True, "detail": text, "cure": cure}
