"""What a probe of the opening auction has bought and still has to sell: ``probe_open.json`` in the home.

It is written before an order is sent, so that a later run, on any day, can finish
what an earlier one has begun.
"""

from dataclasses import asdict, dataclass, fields
from datetime import date

from tinydb import where

from ...adapters.store import Store
from ...core.errors import Damaged

NAME, TABLE = "probe_open", "probes"
PREFIX = "PROBE"


@dataclass(frozen=True)
class Record:
    """One probe: one share in, one share out. ``held_before`` counts shares of the contract in the
    account before it. ``sent``: the order to buy may have been sent. ``entry_over``: the broker has reported how it
    ended. ``exits`` is the number of the last order to sell. ``policy`` is the result, ``auction`` or ``day``,
    empty while it is not known."""

    session: str
    account: str
    symbol: str
    con_id: int
    primary: str
    client_id: int
    held_before: int
    sent: bool = False
    entry_over: bool = False
    bought: int = 0
    exits: int = 1
    sold: int = 0
    policy: str = ""
    done: bool = False

    @property
    def day(self) -> date:
        return date.fromisoformat(self.session)

    @property
    def held(self) -> int:
        """Shares that it bought and has not sold, as far as is known."""
        return self.bought - self.sold

    def key(self, leg: str) -> str:
        return f"{PREFIX}:{self.session}:{leg}:{self.exits if leg == 'exit' else 1}"


def save(store: Store, record: Record) -> None:
    """Replace the record of this probe. Raises Unavailable, and then nothing may be sent."""
    same = (where("session") == record.session) & (where("account") == record.account)
    with store.transaction(NAME) as db:
        db.table(TABLE).remove(same)
        db.table(TABLE).insert(asdict(record))


def forget(store: Store, record: Record) -> None:
    """A probe that sent nothing."""
    with store.transaction(NAME) as db:
        db.table(TABLE).remove((where("session") == record.session) & (where("account") == record.account))


def load(store: Store) -> list[Record]:
    """All probes, the oldest first. Raises Damaged."""
    path, known = store.path(NAME), {f.name for f in fields(Record)}
    try:
        docs = store.read(NAME).get(TABLE, {}).values()
        found = [Record(**{k: v for k, v in doc.items() if k in known}) for doc in docs]
        return sorted(found, key=lambda r: r.day)
    except (Damaged, TypeError, ValueError):
        raise Damaged(
            f"{path} was changed from outside; look in TWS for orders and shares of a probe ({PREFIX}:…), then"
            f" move the file away."
        ) from None
