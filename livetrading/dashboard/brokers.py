"""The brokers of this home, as pages offer and name them."""

from livetrading.adapters import settings
from livetrading.adapters.brokers.base import BrokerWords
from livetrading.adapters.brokers.registry import names, words_of
from livetrading.core.errors import LivetradingError

from . import kinds, reading


def known() -> list[BrokerWords]:
    """Every registered broker."""
    return [words_of(name) for name in names()]


def offered() -> list[BrokerWords]:
    """Those that an agent can be deployed on now: there is nothing to configure, the account is configured, or a
    scheduler reports on one."""
    try:
        chosen, reported = settings.load(reading.home()), bool(reading.system().get("broker"))
    except LivetradingError:
        return []  # another part of the page says what cannot be read
    return [words for words in known() if words.setup is None or reported or words.setup.is_configured(chosen)]


def missing() -> list[BrokerWords]:
    """Those that have to be set up on the Settings page first."""
    ready = {words.name for words in offered()}
    return [words for words in known() if words.name not in ready]


def connected() -> BrokerWords:
    """The broker that the agents of this home trade at; without such an agent the first one that is offered."""
    try:
        at_work = [words_of(agent["mode"]) for agent in reading.agents() if kinds.at_broker(agent["mode"])]
    except LivetradingError:
        at_work = []
    return next(iter([*at_work, *offered(), *known()]))


def bar_sources() -> dict[str, str]:
    """Bar sources that brokers serve, each with the broker's title."""
    return {words.bars: words.title for words in known() if words.bars}
