"""The brokers that an agent can be deployed on. A new one is one line here and a folder of its own."""

from .base import BrokerWords
from .ibkr.words import WORDS as IBKR

BROKERS: dict[str, BrokerWords] = {words.name: words for words in (IBKR,)}


def names() -> tuple[str, ...]:
    """Of all registered brokers, in the order of their registration."""
    return tuple(BROKERS)


def words_of(name: str) -> BrokerWords:
    """How people call the broker of this name; for one that is no longer registered, its name."""
    return BROKERS.get(name) or BrokerWords(name, name, name, name, name)
