"""The shared files of a home that are set aside when another program spoiled them: their form, and what is lost."""

from dataclasses import dataclass

from ..adapters import openings
from ..adapters.store import Store, Tables
from ..core.errors import Damaged
from .state import stop_record


@dataclass(frozen=True)
class SharedFile:
    """``tables``: its tables, each with the keys that every document of it needs. ``lost``: a message for the user."""

    tables: dict[str, frozenset[str]]
    lost: str

    def fits(self, tables: Tables) -> bool:
        """Whether the content is ours. Another version may have further tables, but not only those."""
        known = [(needed, tables[name].values()) for name, needed in self.tables.items() if name in tables]
        return (bool(known) or not tables) and all(needed <= doc.keys() for needed, docs in known for doc in docs)


ANY = frozenset[str]()
FILES = {
    "requests": SharedFile(
        {"requests": frozenset({"id", "kind", "agent_id", "args", "status"})},
        "it starts empty: what was asked and not answered yet must be asked again",
    ),
    "jobs": SharedFile(
        {"jobs": ANY},
        "it starts empty: a training or test that runs adds itself again, models and agents are elsewhere",
    ),
    "system": SharedFile(
        {
            "alarms": frozenset({"at", "agent_id", "text"}),
            "scheduler": ANY,
            "broker": ANY,
            "reconciliation": ANY,
            "cash": ANY,
            "troubles": ANY,
        },
        "it starts empty: earlier alarms are in the log",
    ),
    stop_record.FILE: SharedFile({stop_record.FILE: ANY}, f"it starts empty: {stop_record.LOST}"),
    openings.NAME: SharedFile(
        {openings.NAME: openings.KEYS},
        "looks at tests are counted anew from their own files in openings/ and from the models' cards; a look of an"
        " earlier version whose model was removed is not counted any more",
    ),
}
"""Files that several processes write, by name."""


def check(store: Store, name: str) -> None:
    """Raises Damaged if a shared file cannot be read or holds something else."""
    if not FILES[name].fits(store.read(name)):
        raise Damaged(
            f"{store.path(name)} does not hold {name}: it was changed from outside; start the scheduler if none runs: it"
            " sets the file aside."
        )
