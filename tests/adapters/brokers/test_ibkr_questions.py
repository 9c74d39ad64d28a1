"""A question that is not answered is named and asked again; a time-out is never an empty answer."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from livetrading.adapters.brokers.ibkr.broker import IbkrConnection
from livetrading.core.errors import Unavailable
from livetrading.core.orders import OrderState
from tests.doubles.ibkr import (
    NOW,
    QUICK,
    VERSIONS,
    await_that,
    broker,
    config,
    connected,
    entry,
    eventually,
    exit_,
    impatient,
    stop,
)
from tests.doubles.tws import Fault, TwsDouble

ACCOUNT, EXECUTIONS, OPEN, ALL_OPEN, POSITIONS, MULTI, COMPLETED = 6, 7, 5, 16, 61, 76, 99
TNA, FOR_EVER = 38708990, 1_000_000
NAMES = {COMPLETED: "completed orders", EXECUTIONS: "executions"}
SOON = replace(QUICK, optional=0.3, again=(0.2, 0.3, 0.5))


@pytest.fixture
def tws() -> Iterator[TwsDouble]:
    with TwsDouble(VERSIONS[-1], clock=lambda: NOW) as double:
        yield double


def asked(tws: TwsDouble, message: int) -> int:
    return tws.do(lambda: sum(1 for h in tws.received if h.id == message))


def unanswered(tws: TwsDouble, message: int, how: str) -> None:
    """From now on TWS says nothing to a question, or all but the end."""
    if how == "silence":
        tws.do(lambda: tws.faults.silent.add(message))
    else:
        tws.fail(Fault("no_end", message, times=FOR_EVER))


def answered(tws: TwsDouble) -> None:
    tws.do(tws.faults.silent.clear)
    tws.do(tws.faults.waiting.clear)


# -- one startup question stays unanswered ---------------------------------------------


@pytest.mark.parametrize("how", ["silence", "no_end"])
@pytest.mark.parametrize("message", [COMPLETED, EXECUTIONS])
def test_without_one_answer_it_cancels_and_sells_and_heals_by_itself(tws, message, how):
    unanswered(tws, message, how)
    tws.ledger.positions[TNA] = (25.0, 90.0)
    with connected(tws, timing=SOON) as connection:
        health = connection.health()
        assert (health.state, health.missing) == ("degraded", (NAMES[message],))
        assert NAMES[message] in health.detail and "entries wait" in health.detail
        tna = broker(connection)
        assert tna.submit(stop(), None, NOW).state == OrderState.NEW
        assert tna.find(stop().ref).state == OrderState.NEW and tna.position() == 25
        assert connection.cancel([stop().ref]) == [] and tna.find(stop().ref).state == OrderState.CANCELED
        assert tna.submit(exit_(), None, NOW).state == OrderState.NEW
        assert tna.find("nobody's") is None  # the other of the two lists was answered
        before = asked(tws, message)
        await_that(lambda: asked(tws, message) > before + 1, "asked again")
        assert connection.session.connections == 1
        answered(tws)
        with impatient(connection, answer=0.5):
            await_that(lambda: connection.health().state == "ready" and not connection.health().missing, "healed")
        assert eventually(lambda: tna.find(exit_().ref).state) == OrderState.NEW


@pytest.mark.parametrize("how", ["silence", "no_end"])
def test_an_order_is_called_unknown_only_when_its_absence_was_answered(tws, how):
    """Neither completed orders nor executions: whether it ever came in nobody can say."""
    for message in NAMES:
        unanswered(tws, message, how)
    with connected(tws, timing=SOON) as connection:
        tna = broker(connection)
        tna.submit(stop(), None, NOW)
        assert tna.find(stop().ref).state == OrderState.NEW
        with pytest.raises(Unavailable, match="completed orders and executions"):
            tna.find(entry().ref)
        tws.do(lambda: tws.faults.silent.discard(EXECUTIONS))
        tws.do(tws.faults.waiting.clear)
        await_that(lambda: "executions" not in connection.health().missing)
        assert eventually(lambda: tna.find(entry().ref)) is None


def test_an_unanswered_question_during_the_day_is_named_and_waited_for(tws):
    """Around midnight in New York TWS leaves questions unanswered for up to half an hour."""
    with connected(tws) as connection:
        session = connection.session
        with impatient(connection, optional=0.2, again=(0.2,)):
            unanswered(tws, EXECUTIONS, "silence")
            connection.read_account()
            assert connection.health().missing == ("executions",)
            looks = session.account_reads
            connection.read_account()  # nobody waits for it twice
            assert session.account_reads == looks + 1
            answered(tws)
            await_that(lambda: not connection.health().missing)
        assert session.connections == 1


@pytest.mark.parametrize("how", ["silence", "no_end"])
@pytest.mark.parametrize("message", [OPEN, ALL_OPEN, POSITIONS])
def test_without_open_orders_or_positions_there_is_no_connection(tws, message, how):
    unanswered(tws, message, how)
    tws.ledger.positions[TNA] = (25.0, 90.0)
    with IbkrConnection(config(tws, timing=replace(SOON, answer=0.3))) as connection:
        name = "positions" if message == POSITIONS else "open orders"
        await_that(lambda: connection.health().failures and name in connection.health().trouble)
        with pytest.raises(Unavailable, match="cannot be used now"):
            connection.positions()
        answered(tws)
        connection.session.timing = QUICK
        assert eventually(connection.positions) == {TNA: 25}


@pytest.mark.parametrize("messages", [(ACCOUNT,), (MULTI,)])
@pytest.mark.parametrize("how", ["silence", "no_end"])
def test_the_accounts_figures_count_by_either_question_and_without_its_end(tws, messages, how):
    for message in messages:
        unanswered(tws, message, how)
    with connected(tws, timing=SOON) as connection:
        assert (connection.account().net_liquidation, connection.account().cash_usd) == (100_000.0, 100_000.0)
        assert not connection.health().missing


def test_without_the_accounts_figures_it_stops_and_sells_and_names_them(tws):
    for message in (ACCOUNT, MULTI):
        unanswered(tws, message, "silence")
    with connected(tws, timing=SOON) as connection:
        assert connection.health().missing == ("account figures",)
        found = connection.account()
        assert found.net_liquidation is None and found.cash_usd is None
        assert "has not sent NetLiquidation of account DU1234567" in found.absent[0]
        assert broker(connection).submit(stop(), None, NOW).state == OrderState.NEW
        answered(tws)
        await_that(lambda: not connection.health().missing)
        assert connection.account().net_liquidation == 100_000.0 and connection.session.connections == 1


# -- answers late, twice, out of order ---------------------------------------------------


@pytest.mark.parametrize("kind", ["end_first", "twice", "end_twice"])
@pytest.mark.parametrize("message", [COMPLETED, EXECUTIONS, ALL_OPEN, POSITIONS])
def test_an_end_that_comes_too_soon_or_twice_hides_nothing(tws, message, kind):
    tws.ledger.positions[TNA] = (25.0, 90.0)
    with connected(tws) as connection:
        tna = broker(connection)
        tna.submit(stop(), None, NOW)
        tws.fail(Fault(kind, message, times=FOR_EVER))
        for _ in range(3):
            connection.read_account()
            assert connection.positions() == {TNA: 25}
            assert [o.ref for o in connection.open_orders()] == [stop().ref]
            assert tna.find(stop().ref).state == OrderState.NEW
        tws.happen(lambda ledger: ledger.market("TNA", 80.0))
        await_that(lambda: tna.find(stop().ref).state == OrderState.FILLED)
        assert [e.qty for e in tna.executions()] == [10]


def test_a_late_answer_is_none_to_the_next_question(tws):
    """Asked again, the answer that comes counts for the first question: it may be the old one."""
    with connected(tws) as connection, impatient(connection, optional=0.2, again=(0.1,)):
        tws.fail(Fault("late", COMPLETED, seconds=1.5))
        connection.read_account()
        await_that(lambda: not connection.health().missing, "asked again and answered")
        assert connection.call(connection.session.read_account) == frozenset({"executions"})
        await_that(lambda: not connection.health().missing)
        with impatient(connection, optional=10.0):
            assert eventually(lambda: connection.call(connection.session.read_account)) == frozenset(NAMES.values())


def test_an_answer_that_may_still_come_is_made_sure_of_by_another_connection(tws):
    """Asked twice, answered once: the other answer could come at any time and pass for a later one."""
    with connected(tws) as connection, impatient(connection, optional=0.2, again=(0.2,), answer=1.0):
        tws.fail(Fault("swallow", COMPLETED))
        connection.read_account()
        await_that(lambda: connection.session.connections == 2 and connection.health().ready)
        with impatient(connection, optional=10.0):
            assert connection.call(connection.session.read_account) == frozenset(NAMES.values())


def test_a_late_answer_to_a_needed_question_dies_with_its_connection(tws):
    tws.ledger.positions[TNA] = (25.0, 90.0)
    with connected(tws) as connection:
        tws.fail(Fault("late", POSITIONS, seconds=0.6))
        with impatient(connection, answer=0.3), pytest.raises(Unavailable, match="positions"):
            connection.read_account()
        assert eventually(connection.positions) == {TNA: 25} and connection.session.connections == 2


def test_fills_that_are_known_by_their_count_alone_keep_an_order_from_ending(tws):
    """Executions are not answered: four shares were bought, and nobody told at which price."""
    with connected(tws) as connection:
        tna = broker(connection)
        tna.submit(entry(), None, NOW)
        tws.close_port()
        tws.happen(lambda ledger: ledger.auction("TNA", 100.0, 4))
        tws.happen(lambda ledger: ledger.expire(entry().ref))
        unanswered(tws, EXECUTIONS, "silence")
        with impatient(connection, optional=0.3, again=(0.3,)):
            tws.open_port()
            await_that(lambda: connection.session.connections == 2 and connection.health().ready)
            assert tna.find(entry().ref).state not in (OrderState.CANCELED, OrderState.EXPIRED)
            answered(tws)
            await_that(lambda: not connection.health().missing)
        await_that(lambda: tna.find(entry().ref).state == OrderState.CANCELED)
        assert [(e.qty, e.price) for e in tna.executions()] == [(4, 100.0)]


def test_ends_of_answers_to_nobody_change_nothing(tws):
    tws.ledger.positions[TNA] = (25.0, 90.0)
    with connected(tws) as connection:
        tna = broker(connection)
        tna.submit(stop(), None, NOW)
        heard = connection.session.reported_at
        tws.do(lambda: [s.say(*end) for s in tws.sessions for end in ((62, 1), (53, 1), (102,), (55, 1, 9_999))])
        await_that(lambda: connection.session.reported_at != heard or connection.server_time())
        assert connection.positions() == {TNA: 25} and tna.find(stop().ref).state == OrderState.NEW


def test_a_question_for_a_contract_that_is_not_answered_costs_no_connection(tws):
    """It has a number of its own, which a late answer carries."""
    with connected(tws) as connection, impatient(connection, answer=0.3):
        tws.do(lambda: tws.faults.silent.add(9))
        with pytest.raises(Unavailable, match="contract TNA"):
            connection.instrument("TNA")
        answered(tws)
        assert connection.instrument("TNA").con_id == TNA and connection.session.connections == 1
