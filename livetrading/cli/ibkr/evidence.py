"""``doctor`` on what is assumed of TWS: what was proved, when, at which version; and what a user saw."""

import argparse
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ...adapters import settings
from ...adapters.brokers.ibkr import evidence, handshake
from ...adapters.brokers.ibkr.recorder import Recorder
from ...adapters.home import Home
from ...adapters.store import Store
from ...core.errors import BadInput, LivetradingError
from ...core.windows import NEW_YORK
from .. import checks
from ..acting import utc_now
from ..checks import Check

if TYPE_CHECKING:
    from ...adapters.brokers.ibkr.broker import IbkrConnection


def asked(options: argparse.Namespace) -> bool:
    """Whether the command is about the assumptions alone."""
    return bool(options.proved or options.disproved or options.assumptions)


def answer(home: Home, options: argparse.Namespace) -> dict[str, Any]:
    """The list of assumptions; a proof given by the options is noted first."""
    store = Store(home)
    if options.proved and options.disproved:
        raise BadInput("Give either --proved or --disproved, one assumption at a time.")
    key = options.proved or options.disproved
    if key:
        chosen = settings.load(home)
        note, holds = options.note or "", bool(options.proved)
        evidence.by_hand(store, key, note, holds, utc_now(), _version(chosen), chosen.ibkr_mode)
    found = evidence.overview(store)
    lines = [text for f in found for text in _lines(f)]
    return {"assumptions": found, "text": "\n".join([*lines, _counts(found)])}


def _version(chosen: settings.Settings) -> int:
    """The version of the TWS that answers now, 0 if none does."""
    return handshake.shake(
        chosen.ibkr_host, chosen.ibkr_port, chosen.ibkr_client_id + handshake.SPARE_CLIENT_ID, 1.0
    ).version


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


def recording(recorder: Recorder) -> Check:
    """What was recorded and where it lies; ends the recording."""
    recorder.close()
    text = f"{recorder.frames} messages of {recorder.connections} connections in {recorder.path}"
    kept = "account numbers and names are replaced, money is rounded unless --record-values was given"
    cure = f"read it before you send it to anybody: {kept}"
    if recorder.trouble:
        return checks.check("broker recording", False, f"{text}; it ended early: {recorder.trouble}", cure)
    if not recorder.frames:
        return checks.check("broker recording", False, text, "let the connection be made first")
    return checks.check("broker recording", True, text, cure)


def check(store: Store) -> Check:
    """The assumptions in one line of ``doctor``. None of them fails the check: an open or a disproved one is news."""
    try:
        found = evidence.overview(store)
    except LivetradingError as error:
        cure = f"move {store.path(evidence.NAME)} away; what was proved is noted anew"
        return checks.check("broker assumptions", False, str(error), cure)
    decided = [evidence.line(f) for f in found if f["proof"]]
    text = "; ".join([f"of {len(found)} assumptions about TWS {_counts(found)}", *decided])
    cure = "" if len(decided) == len(found) else "`doctor --assumptions` shows each with the probe that proves it"
    return checks.check("broker assumptions", True, text, cure)
