"""Evidence for assumptions about TWS, seen at a real one: ``ibkr_evidence.json`` in the home.

For each assumption, kind of account and outcome the latest document is kept. The
later of a proof and a disproof counts.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from tinydb import where

from ....core.errors import BadInput
from ....core.order_key import OrderKey
from ....core.types import Leg
from ...stamps import parse_stamp, stamp
from ...store import Store
from . import account_gates as gates
from .assumptions import ASSUMPTIONS, KEYS
from .order_register import Register

NAME, TABLE = "ibkr_evidence", "proofs"
MOST_NOTE = 500


@dataclass(frozen=True)
class Proof:
    """``holds``: whether the assumption is true. ``server_version`` is 0 if unknown."""

    key: str
    holds: bool
    at: str
    server_version: int
    account_kind: str
    how: str


def record(store: Store, proof: Proof) -> None:
    """Store a proof; it replaces the last one with the same outcome. Raises BadInput for an unknown key."""
    if proof.key not in KEYS:
        raise BadInput(f"{proof.key!r} is not the name of an assumption; choose one of {', '.join(KEYS)}.")
    parse_stamp(proof.at)
    same = (where("key") == proof.key) & (where("account_kind") == proof.account_kind) & (where("holds") == proof.holds)
    with store.transaction(NAME) as db:
        db.table(TABLE).remove(same)
        db.table(TABLE).insert(asdict(proof))


def proofs(store: Store) -> dict[str, list[Proof]]:
    """Proofs by key, the latest first. Raises Damaged if another program changed the file."""
    docs = store.read(NAME).get(TABLE, {}).values()
    known = sorted((_proof(doc) for doc in docs), key=lambda p: p.at, reverse=True)
    return {key: [p for p in known if p.key == key] for key in KEYS}


def _proof(doc: dict[str, Any]) -> Proof:
    version = doc.get("server_version")
    return Proof(
        str(doc.get("key", "")),
        doc.get("holds") is True,
        str(doc.get("at", "")),
        version if isinstance(version, int) else 0,
        str(doc.get("account_kind", "")),
        str(doc.get("how", "")),
    )


def overview(store: Store) -> list[dict[str, Any]]:
    """Each assumption with its state: ``proved``, ``disproved`` or ``open``, and the latest proof of it."""
    known = proofs(store)
    found = []
    for assumption in ASSUMPTIONS:
        last = next(iter(known[assumption.key]), None)
        state = "open" if last is None else "proved" if last.holds else "disproved"
        found.append({**asdict(assumption), "state": state, "proof": asdict(last) if last else None})
    return found


def line(found: dict[str, Any]) -> str:
    """An element of ``overview`` as a line of text."""
    proof = found["proof"]
    if proof is None:
        return f"{found['key']}: open"
    version = f"server version {proof['server_version']}" if proof["server_version"] else "server version not noted"
    return f"{found['key']}: {found['state']} {proof['at'][:10]} ({version}, {proof['account_kind']} account)"


# -- in ordinary work ---------------------------------------------------------


def observed(register: Register, account: str, port: int, today: date) -> dict[str, str]:
    """Assumptions that the broker's reports certainly prove: key -> how. ``today`` is New York's date."""
    found: dict[str, str] = {}
    if port in gates.PAPER_PORTS and gates.is_paper(account):
        found["paper-prefix"] = f"the account at {gates.port_name(port)} port {port} begins with {gates.PAPER_PREFIX}"
    statements = [s for s in register.order_reports.values() if s.account == account]
    for s in statements:
        if s.ended and s.ended < today.isoformat():
            found["completed-next-day"] = f"an order that ended on {s.ended} was listed on {today}"
        if s.ended and s.over and not s.worked and register.reason(s)[0] == 201:
            found["refused-is-listed"] = "an order that IB refused with 201 was listed among the completed orders"
        first = min((e.cum - e.qty for e in register.done(s)), default=0)
        if first > 0 and s.filled > first:
            found["cumulative-over-life"] = f"the first execution of a day counted on from {first} shares"
    keys = [(key, s) for s in statements if (key := OrderKey.parse(s.ref)) is not None]
    entries = {key.decision: s for key, s in keys if key.leg == Leg.ENTRY and s.tif == "OPG"}
    for key, s in keys:
        entry = entries.get(key.decision) if key.leg == Leg.STOP else None
        if entry is not None and all(x.worked and not x.over and not x.filled for x in (entry, s)):
            found["pair-accepted"] = "a market-on-open entry and its stop were listed as working before the fill"
    return found


def note(store: Store, seen: dict[str, str], now: datetime, server_version: int, account: str) -> list[str]:
    """Record what is not proved yet for this server version. Returns the new keys."""
    kind = "paper" if gates.is_paper(account) else "live"
    new = list(_new(store, seen, server_version, kind)) if seen else []
    for key in new:
        record(store, Proof(key, True, stamp(now), server_version, kind, seen[key]))
    return new


def _new(store: Store, seen: Iterable[str], server_version: int, kind: str) -> Iterable[str]:
    known = proofs(store)
    for key in seen:
        last = next((p for p in known[key] if p.account_kind == kind), None)
        if last is None or not last.holds or last.server_version != server_version:
            yield key


def by_hand(store: Store, key: str, note_: str, holds: bool, now: datetime, server_version: int, kind: str) -> Proof:
    """Record what a user has observed."""
    if len(note_) > MOST_NOTE:
        raise BadInput(f"The note has {len(note_)} characters; write at most {MOST_NOTE}.")
    made = Proof(key, holds, stamp(now), server_version, kind, " ".join(note_.split()) or "noted by hand")
    record(store, made)
    return made
