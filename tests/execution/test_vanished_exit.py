"""An exit that the broker had accepted and does not list any more leaves no position without its stop."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from tests.doubles.account_days import holding
from tests.doubles.account_life import AccountLife
from tests.doubles.ibkr import await_that, impatient
from tests.doubles.lives import at
from tests.doubles.tws.ledger import Order

COMPLETED = 99


def closing(life: AccountLife) -> tuple[int, Order]:
    """A position whose exit works at the broker; the row and the exit."""
    t = holding(life)
    life.ask("close", at(life.sessions[t], "11:00"))
    (order,) = life.tws.ledger.open_orders()
    assert (order.type, order.tif) == ("MKT", "DAY")
    return t, order


def vanishes(life: AccountLife, order: Order, said: bool = True) -> None:
    """The broker ends it and leaves it out of every list; ``said``: with error 202, without a status."""

    def gone(book):
        order.status, order.listed = "Cancelled", False
        return [("error", (order.client_id, order.order_id, 202, "Order Canceled - reason:"))] if said else []

    life.tws.happen(gone)
    if said:
        words = life.link.session.register.errors
        await_that(lambda: any(c == 202 for c, _ in words.get((order.client_id, order.order_id), [])), "202 heard")


@contextmanager
def looks_often(life: AccountLife, **seconds: float) -> Iterator[None]:
    with impatient(life.link, **{"unfilled": 0.0, **seconds}):
        yield


def passes(life: AccountLife, t: int, second: int, count: int) -> list[str]:
    """So many passes, one a second: what they alarmed."""
    start = at(life.sessions[t], "11:00")
    return [a["text"] for n in range(count) for a in life.check(start + timedelta(seconds=second + n)).alarms]


def resting(life: AccountLife) -> list[tuple[str, float]]:
    return [(o.type, o.qty) for o in life.tws.ledger.open_orders()]


@pytest.mark.parametrize("said", [True, False])
def test_a_position_whose_exit_vanished_has_its_stop_back_within_five_seconds(life: AccountLife, said: bool) -> None:
    t, order = closing(life)
    held = life.state.book.shares
    with looks_often(
        life, **({"unfilled": 30.0, "between_looks": 0.0} if said else {})
    ):  # the error is enough to look again
        vanishes(life, order, said)
        alarms = passes(life, t, 10, 5)
        assert resting(life) == [("STP", held)] and any("lists it nowhere" in text for text in alarms), alarms
        assert 0 < life.repository.exposure.seconds <= 5 and life.repository.exposure.bare_since is None
        passes(life, t, 40, 3)
    assert [(o.type, o.tif, o.qty) for o in life.tws.ledger.open_orders()] == [("MKT", "DAY", held)]


def test_the_rest_of_an_exit_that_vanished_after_a_part_is_sold(life: AccountLife) -> None:
    t, order = closing(life)
    held = life.state.book.shares
    with looks_often(life):
        life.tws.happen(lambda book: book.fill(order, 10, 100.0))
        life.await_reports()
        passes(life, t, 5, 1)
        vanishes(life, order)
        passes(life, t, 10, 6)
    assert life.state.book.shares == held - 10 == life.tws.ledger.on_sale("TEST")
    assert next(o for o in life.state.recent if o.key == order.ref).filled == 10


def test_an_exit_that_vanished_while_nobody_was_connected_is_found_missing_by_the_next_start(life: AccountLife) -> None:
    t, order = closing(life)
    held = life.state.book.shares
    life.node.close()
    vanishes(life, order, said=False)
    life.restart()
    await_that(lambda: life.node.account.connection.link().health().ready, "the connection is there")
    passes(life, t, 10, 5)
    assert resting(life) == [("STP", held)]


def test_a_question_that_is_not_answered_ends_no_exit_and_its_seconds_count(life: AccountLife) -> None:
    t, order = closing(life)
    with looks_often(life, optional=1.5):
        life.tws.faults.silent.add(COMPLETED)
        vanishes(life, order)
        for second in range(10, 40, 3):
            life.tried(at(life.sessions[t], "11:00") + timedelta(seconds=second))
        assert resting(life) == [] and [o.key for o in life.state.orders if o.leg == "exit"] == [order.ref]
        now = at(life.sessions[t], "11:00") + timedelta(seconds=40)
        assert life.repository.exposure.of_position(now) >= 25
        life.tws.do(life.tws.faults.silent.clear)
        await_that(lambda: not life.link.health().missing, "completed orders are answered again")
        passes(life, t, 41, 4)
    assert resting(life) == [("STP", life.state.book.shares)]


def test_an_exit_that_the_broker_lists_again_works_on(life: AccountLife) -> None:
    t, order = closing(life)
    with looks_often(life):
        life.tws.do(lambda: setattr(order, "listed", False))
        await_that(lambda: passes(life, t, 10, 1) or life.repository.exposure.bare_since, "its absence is on record")
        life.tws.do(lambda: setattr(order, "listed", True))
        passes(life, t, 11, 6)
        assert resting(life) == [("MKT", order.qty)] and life.repository.exposure.bare_since is None


def test_an_exit_that_filled_without_a_trace_brings_no_order_for_shares_that_are_gone(life: AccountLife) -> None:
    t, order = closing(life)
    with looks_often(life):

        def sold(book):
            order.status, order.listed = "Cancelled", False
            book.positions[order.listing.con_id] = (0.0, 0.0)
            return [("position", order.listing)]

        before = len(life.tws.orders_reported())
        life.tws.happen(sold)
        for second in (10, 11, 12, 13, 40, 80, 120):
            life.tried(at(life.sessions[t], "11:00") + timedelta(seconds=second))
    assert len(life.tws.orders_reported()) == before and life.tws.ledger.on_sale("TEST") == 0
