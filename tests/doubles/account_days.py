"""Starting states of an agent in the double's account."""

from tests.doubles.account_life import AccountLife
from tests.doubles.lives import FIRST, at

DAYS = 16
"""Sessions of the fixtures' series after FIRST."""


def deployed(life: AccountLife, **more: object) -> AccountLife:
    answer = life.deploy(at(life.sessions[FIRST - 1], "20:00"), **more)
    assert answer["status"] == "done", answer
    return life


def entered(life: AccountLife, **more: object) -> AccountLife:
    """Deployed, decided to buy, and the order sent for the open of row FIRST + 1."""
    deployed(life, **more)
    life.check(at(life.sessions[FIRST], "16:40"))
    life.check(at(life.sessions[FIRST + 1], "08:00"))
    return life


def holding(life: AccountLife, own: int = 0, **more: object) -> int:
    """Bought at the open of row FIRST + 1; a person holds ``own`` shares beside it. Returns the row."""
    entered(life, **more)
    life.opens(FIRST + 1)
    life.check(at(life.sessions[FIRST + 1], "09:33"))
    assert life.tws.ledger.holds("TEST") == life.state.book.shares + own > own
    return FIRST + 1


def tried_for(life: AccountLife, t: int, *clocks: str) -> dict[str, str]:
    """Passes at these times, as a scheduler runs them; the failures of the last one."""
    failed: dict[str, str] = {}
    for clock in clocks:
        failed = life.tried(at(life.sessions[t], clock))[1]
    return failed
