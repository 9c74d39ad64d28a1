"""A Close while the entry is on its way: whatever the entry still buys is sold, and the agent does not run on with it."""

import pytest

from livetrading.core.events import StatusChanged
from livetrading.core.types import AgentStatus
from tests.doubles.account_days import entered
from tests.doubles.account_life import AccountLife
from tests.doubles.ibkr import await_that
from tests.doubles.lives import FIRST, at
from tests.doubles.tws import Fault

DAY = FIRST + 1
CANCEL = 4


def ends_flat(life: AccountLife) -> bool:
    """Whether what the entry bought is on sale, or sold, after the passes of the morning."""
    for clock in ("09:31", "09:33", "09:40", "10:10"):
        life.tried(at(life.sessions[DAY], clock))
    selling = life.tws.ledger.on_sale("TEST") == life.state.book.shares == life.tws.ledger.holds("TEST")
    return life.state.flat or (selling and any(o.leg == "exit" for o in life.state.orders))


def bought_in_the_auction(life: AccountLife) -> None:
    life.now = at(life.sessions[DAY], "09:30")
    life._trade(lambda order: order.tif == "OPG", float(life.quote(DAY)["open"]))


@pytest.mark.parametrize("blocked", [False, True])
def test_a_close_whose_cancel_crosses_the_fill_sells_what_was_bought(life: AccountLife, blocked: bool) -> None:
    """Also an entry that was being withdrawn already, because the agent is blocked."""
    entered(life)
    life.tws.fail(Fault("stall", message=CANCEL, times=99))
    if blocked:
        life.repository.commit(
            [StatusChanged(AgentStatus.BLOCKED, "a test", "a test")], at(life.sessions[DAY], "09:26")
        )
        life.tried(at(life.sessions[DAY], "09:26"))
    told = life.ask("close", at(life.sessions[DAY], "09:27"))["message"]
    assert "exit" not in told and "the cancel of the entry" in told, told
    life.opens(DAY)
    assert ends_flat(life)


@pytest.mark.parametrize("restarts", [False, True])
def test_a_close_while_the_broker_is_away_sells_what_the_entry_bought_meanwhile(
    life: AccountLife, restarts: bool
) -> None:
    entered(life)
    life.tws.close_port()
    await_that(lambda: not life.node.account.connection.link().health().ready, "the connection is gone")
    assert life.ask("close", at(life.sessions[DAY], "09:27"))["status"] == "done"
    bought_in_the_auction(life)
    life.tws.open_port()
    if restarts:
        life.restart()
    else:
        await_that(lambda: life.node.account.connection.link().health().ready, "the connection is back")
    assert ends_flat(life)


def test_a_close_of_a_blocked_agent_while_the_broker_is_away_sells_what_its_entry_bought(life: AccountLife) -> None:
    entered(life)
    life.tws.fail(Fault("stall", message=CANCEL))
    life.repository.commit([StatusChanged(AgentStatus.BLOCKED, "a test", "a test")], at(life.sessions[DAY], "09:26"))
    life.tried(at(life.sessions[DAY], "09:26"))
    life.tws.close_port()
    await_that(lambda: not life.node.account.connection.link().health().ready, "the connection is gone")
    life.ask("close", at(life.sessions[DAY], "09:27"))
    bought_in_the_auction(life)
    life.tws.open_port()
    life.restart()
    assert ends_flat(life)


def test_a_close_of_an_entry_that_fills_in_part_before_its_cancel_sells_that_part(life: AccountLife) -> None:
    entered(life)
    life.tws.fail(Fault("stall", message=CANCEL))
    life.ask("close", at(life.sessions[DAY], "09:27"))
    life.now = at(life.sessions[DAY], "09:30")
    (buy,) = [o for o in life.tws.ledger.open_orders() if o.action == "BUY"]
    life.tws.happen(lambda book: book.fill(buy, 40, 100.0))
    life.await_reports()
    assert ends_flat(life) and life.tws.ledger.holds("TEST") == 40
