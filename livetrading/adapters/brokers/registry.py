"""The brokers that an agent can be deployed on. A new broker is one line here and a folder of its own.

A package that is installed beside this one registers a broker by an entry point of the group
``livetrading.brokers`` that names its ``BrokerDescription``. A broker's code is imported when it is first
asked for: no other command waits for it or ends with it, the emergency stop least of all.
"""

import logging
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from ...core.errors import BadInput, in_a_line
from ...core.types import Mode

if TYPE_CHECKING:
    from .base import BrokerWords
    from .connection import BrokerDescription

log = logging.getLogger(__name__)
GROUP = "livetrading.brokers"
BROKERS: "dict[str, str | BrokerDescription]" = {"ibkr": "livetrading.adapters.brokers.ibkr.description:DESCRIPTION"}
"""Name and place of each ``BrokerDescription``, as an entry point writes it."""


def names() -> tuple[str, ...]:
    """The names of all registered brokers, in the order of their registration."""
    return (*BROKERS, *(name for name in _installed() if name not in BROKERS))


def find(name: str) -> "BrokerDescription | None":
    """The broker of this name, None if it is not registered."""
    known = BROKERS.get(name) or _installed().get(name)
    if isinstance(known, str):
        known = EntryPoint(name, known, GROUP)
    return _load(known) if isinstance(known, EntryPoint) else known


def named(name: str) -> "BrokerDescription":
    """The broker of this name. Raises BadInput with the known names."""
    found = find(name)
    if found is None:
        raise BadInput(f"There is no broker {name!r}; registered are {', '.join(names())}.")
    return found


def with_bars(source: str) -> "BrokerDescription | None":
    """The broker that serves the bar source of this name, None if no broker does."""
    served = (find(name) for name in names())
    return next((known for known in served if known is not None and known.bars and known.words.bars == source), None)


def words_of(name: str) -> "BrokerWords":
    """The names used in messages about a broker; for one that is no longer registered, its name."""
    from .base import BrokerWords

    found = find(name)
    return found.words if found is not None else BrokerWords(name, name, name, name, name)


def mode_of(name: object) -> tuple[Mode, str]:
    """The mode, and the broker's name if it is one, from ``--mode`` or a request. Raises BadInput otherwise."""
    if name in (Mode.REPLAY, Mode.PAPER):
        return Mode(str(name)), ""
    if not isinstance(name, str) or find(name) is None:
        known = (str(Mode.REPLAY), str(Mode.PAPER), *names())
        raise BadInput(f"mode is {name!r}; choose {', '.join(known[:-1])} or {known[-1]}.")
    return Mode.BROKER, name


def forget_installed() -> None:
    """Look for the brokers of other packages again at the next question, as after an installation."""
    _installed.cache_clear()
    _load.cache_clear()


@cache
def _installed() -> dict[str, EntryPoint]:
    """Entry points of other packages by name, except the names of modes."""
    return {point.name: point for point in entry_points(group=GROUP) if point.name not in set(Mode)}


@cache
def _load(point: EntryPoint) -> "BrokerDescription | None":
    """A broker's description; None, with a reason in the log, if it cannot be imported."""
    from .connection import BrokerDescription

    try:
        found = point.load()
    except (Exception, SystemExit) as error:  # one broker's code must not stop the others, or a command
        log.error("the broker %s cannot be imported: %s", point.name, in_a_line(error))
        return None
    if not isinstance(found, BrokerDescription) or found.words.name != point.name:
        log.error("the broker %s is not described: %s is not a BrokerDescription of that name", point.name, point.value)
        return None
    return found
