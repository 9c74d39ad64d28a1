"""Interactive Brokers as the rest of the program knows it. Heavy modules are imported when they are needed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ...home import Home
from ...settings import load
from ..base import AgentBroker
from ..connection import AccountLink, BrokerDescription, Connection, Seat
from .words import WORDS

if TYPE_CHECKING:
    from ...bars.base import BarSource
    from .connection import IbkrConnection


def _open(home: Home, confirmed: str) -> Connection:
    from .connection import IbkrConnection
    from .setup import config_of

    return IbkrConnection(config_of(load(home), confirmed))


def _seat(connection: "IbkrConnection", seat: Seat) -> AgentBroker:
    from .broker import IbkrBroker

    return IbkrBroker(
        connection,
        seat.agent_id,
        seat.instrument,
        seat.costs,
        booked=seat.booked,
        others=seat.others,
        in_doubt=seat.in_doubt,
        gate=lambda account: connection.check_account(account, seat.account, seat.confirmed),
    )


def _auction(home: Home) -> bool:
    """Whether to use the opening auction: a paper account may not simulate it."""
    known = load(home)
    return known.ibkr_mode == "live" or known.ibkr_paper_open == "auction"


def _bars(cache: Path, link: AccountLink | None, events: "BarSource") -> "BarSource":
    from .bar_line import AccountFeed, shared_line
    from .bars import IbkrSource
    from .connection import IbkrConnection

    if link is None:
        return IbkrSource(shared_line(cache), events)
    return IbkrSource(link if isinstance(link, IbkrConnection) else AccountFeed(link), events)


@contextmanager
def _bars_once(cache: Path, events: "BarSource", recent: bool) -> "Iterator[BarSource]":
    from .bar_line import line_of
    from .bars import ALL_YEARS, YEARS, IbkrSource

    with line_of(cache) as line:
        yield IbkrSource(line, events, years=YEARS if recent else ALL_YEARS)


DESCRIPTION = BrokerDescription(WORDS, _open, _seat, _auction, _bars, _bars_once)
