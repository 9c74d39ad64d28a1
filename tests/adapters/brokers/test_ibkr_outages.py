"""What happens between the connections: everything is found again, and once."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from livetrading.adapters.brokers.ibkr.broker import IbkrConnection
from livetrading.core.errors import Unavailable
from livetrading.core.orders import OrderState
from tests.doubles.ibkr import (
    NOW,
    QUICK,
    VERSIONS,
    again_ready,
    any_account,
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


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2024, 6, 4, 13, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=VERSIONS)
def tws(request: pytest.FixtureRequest, clock: Clock) -> Iterator[TwsDouble]:
    with TwsDouble(request.param, clock=clock) as double:
        yield double


@pytest.fixture
def connection(tws: TwsDouble) -> Iterator[IbkrConnection]:
    with connected(tws) as ready:
        yield ready


def test_it_connects_again_by_itself_and_knows_its_orders(tws, connection):
    tna = broker(connection)
    tna.submit(entry(), stop(), NOW)
    again_ready(connection, tws.drop_all)
    assert {o.ref: o.state for o in connection.open_orders()} == {
        entry().ref: OrderState.NEW,
        stop().ref: OrderState.NEW,
    }
    assert tna.find(entry().ref).state == OrderState.NEW


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
@pytest.mark.parametrize("skip", [0, 1])
def test_a_connection_that_dies_around_an_order_leaves_it_unknown_and_findable(tws, connection, kind, skip):
    tna = broker(connection)
    before = connection.session.connections
    tws.fail(Fault(kind, skip=skip))
    with pytest.raises(Unavailable):
        tna.submit(entry(), stop(), NOW)
    await_that(lambda: connection.session.connections > before and connection.health().ready)
    arrived = kind == "drop_after" and skip == 1
    assert (tna.find(entry().ref) is not None) is arrived
    assert len(tws.ledger.open_orders()) == (2 if arrived else 0)


def test_fills_during_an_outage_are_found_afterwards_once(tws, connection):
    tna = broker(connection)
    tna.submit(entry(), stop(), NOW)
    tws.happen(lambda ledger: ledger.auction("TNA", 100.5, 4))
    await_that(lambda: len(tna.executions()) == 1)

    def outage() -> None:
        tws.close_port()
        tws.happen(lambda ledger: ledger.auction("TNA", 101.0))
        tws.happen(lambda ledger: ledger.market("TNA", 90.0))
        tws.open_port()

    again_ready(connection, outage)
    assert [(e.ref.split(":")[2], e.qty) for e in tna.executions()] == [("entry", 4), ("entry", 6), ("stop", 10)]
    assert tna.find(stop().ref).state == OrderState.FILLED
    assert tna.position() == 0


def test_fills_of_a_day_that_is_over_are_known_by_their_count(tws, connection, clock):
    """reqExecutions lists the current day only."""
    tna = broker(connection)
    tna.submit(entry(), stop(), NOW)

    def outage() -> None:
        tws.close_port()
        clock.now = datetime(2024, 6, 4, 19, 0, tzinfo=UTC)
        tws.happen(lambda ledger: ledger.auction("TNA", 100.0))
        tws.happen(lambda ledger: ledger.market("TNA", 90.0, 4))
        clock.now = datetime(2024, 6, 5, 12, 0, tzinfo=UTC)
        tws.open_port()

    again_ready(connection, outage)
    fills = sorted(tna.executions(), key=lambda e: e.ref)
    assert [(e.ref.split(":")[2], e.qty, e.session, e.estimated) for e in fills] == [
        ("entry", 10, "2024-06-04", True),
        ("stop", 4, fills[1].session, True),
    ]
    assert fills[1].price == 90.0  # an open order still tells its average
    assert tna.find(entry().ref).state == OrderState.FILLED
    assert (tna.find(stop().ref).state, tna.find(stop().ref).filled) == (OrderState.PARTIALLY_FILLED, 4)
    assert sorted(e.exec_id for e in tna.executions()) == sorted(e.exec_id for e in fills)


def test_ids_that_start_anew_neither_change_nor_lose_an_order(tws, connection):
    tna = broker(connection)
    tna.submit(entry(), stop(), NOW)
    tws.happen(lambda ledger: ledger.auction("TNA", 100.0))
    await_that(lambda: tna.find(entry().ref).state == OrderState.FILLED)

    def restart() -> None:
        tws.close_port()
        tws.open_port(roll_back=True)

    again_ready(connection, restart)
    assert tna.submit(exit_(), None, NOW).state == OrderState.NEW
    assert tna.find(stop().ref).state == OrderState.NEW
    assert tws.ledger.on_sale("TNA") == 20 and tws.next_id > 1000
    assert len({int(h.fields[1]) for h in tws.orders_reported()}) == 3


def test_ids_that_start_anew_before_a_new_process_spare_the_working_stop(tws):
    with connected(tws) as first:
        broker(first).submit(stop(), None, NOW)
    tws.close_port()
    tws.open_port(roll_back=True)
    with IbkrConnection(config(tws)) as second:
        await_that(lambda: second.health().ready)
        tna = broker(second)
        assert tna.submit(exit_(), None, NOW).state == OrderState.NEW
        assert {o.ref for o in second.open_orders()} == {stop().ref, exit_().ref}


def test_a_broken_link_to_ib_is_noticed_at_once_and_mended_with_a_fresh_look(tws, connection):
    tna = broker(connection)
    for back in (1101, 1102):
        tws.announce(1100)
        await_that(lambda: connection.health().state in ("link lost", "disconnected"))
        with pytest.raises(Unavailable):
            tna.submit(entry(), stop(), NOW)
        assert connection.session.ib is None or connection.session.ib.isConnected()  # the socket lives
        again_ready(connection, lambda code=back: tws.announce(code))
        assert tws.order_bytes() == 0


def test_a_link_that_stays_broken_is_tried_anew_and_never_called_ready(tws, connection):
    tws.announce(1100)
    await_that(lambda: "link" in connection.health().detail and len({id(s) for s in tws.sessions}) <= 1)
    await_that(lambda: not connection.health().ready and connection.health().state == "disconnected")
    assert not connection.health().ready
    tws.do(lambda: setattr(tws, "link", True))
    await_that(lambda: connection.health().ready)


@pytest.mark.parametrize("message", [16, 61, 49])
def test_a_needed_question_without_an_answer_ends_the_connection_and_is_never_an_empty_list(tws, message):
    tws.ledger.positions[38708990] = (25.0, 90.0)
    with connected(tws) as connection:
        before = connection.session.connections
        with impatient(connection, answer=0.3, connect=0.5):
            tws.do(lambda: tws.faults.silent.add(message))
            if message == 49:
                await_that(lambda: not connection.health().ready, "the probe notices")
            else:
                with pytest.raises(Unavailable):
                    connection.read_account()
                with pytest.raises(Unavailable):
                    connection.positions()
                with pytest.raises(Unavailable):
                    broker_of(connection).find("PPO_TNA_001:2024-06-03:entry:1")
            tws.do(tws.faults.silent.clear)
            await_that(lambda: connection.session.connections > before and connection.health().ready)
        assert eventually(connection.positions) == {38708990: 25}


def broker_of(connection):
    from livetrading.adapters.brokers.ibkr.broker import IbkrBroker
    from livetrading.adapters.brokers.ibkr.orders import Instrument

    return IbkrBroker(connection, "PPO_TNA_001", Instrument("TNA", 38708990, "ARCA"), gate=any_account)


def test_positions_that_stay_unanswered_at_the_start_are_not_a_flat_account(tws):
    tws.ledger.positions[38708990] = (25.0, 90.0)
    tws.do(lambda: tws.faults.silent.add(61))
    with IbkrConnection(config(tws, timing=replace(QUICK, connect=0.3, answer=0.3))) as connection:
        health = connection.wait_ready(1.0)
        assert not health.ready
        with pytest.raises(Unavailable):
            connection.positions()
        tws.do(tws.faults.silent.clear)
        await_that(lambda: connection.health().ready)
        assert eventually(connection.positions) == {38708990: 25}


def test_a_late_answer_is_not_taken_for_the_next_question(tws):
    """The first look at open orders stays unanswered; the order it would have shown is found later."""
    with connected(tws) as connection:
        tna = broker(connection)
        tna.submit(stop(), None, NOW)
        tws.fail(Fault("swallow", message=16))
        with impatient(connection, answer=0.3), pytest.raises(Unavailable):
            connection.read_account()
        assert eventually(lambda: tna.find(stop().ref).state) == OrderState.NEW


def test_tws_that_accepts_but_never_speaks_is_named(tws):
    tws.do(lambda: tws.faults.silent.add(71))
    with IbkrConnection(config(tws, timing=replace(QUICK, connect=0.2))) as connection:
        await_that(lambda: "does not answer" in connection.health().detail)
        assert not connection.wait_ready(0.1).ready
        tws.do(tws.faults.silent.clear)
        assert await_that(lambda: connection.health().ready)
