"""States come from statements; every share of a fill is accounted for once."""

import math
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livetrading.adapters.brokers.ibkr.numbers import UNSET
from livetrading.adapters.brokers.ibkr.order_register import Done, Register, missing
from livetrading.core.orders import OrderState

AT = datetime(2024, 6, 3, 13, 30, tzinfo=UTC)


def order(perm=7, **more):
    return SimpleNamespace(
        **{
            "permId": perm,
            "orderId": 1,
            "clientId": 17,
            "orderRef": "A:b:entry:1",
            "account": "DU1",
            "action": "BUY",
            "totalQuantity": 10.0,
            "orderType": "MKT",
            "tif": "OPG",
            "auxPrice": 0.0,
            "filledQuantity": 1.7976931348623157e308,
            "whatIf": False,
            **more,
        }
    )


def state(status, said="", at=""):
    return SimpleNamespace(status=status, completedStatus=said, completedTime=at)


CONTRACT = SimpleNamespace(conId=5)


def execution(exec_id="e.1.01.01", shares=10.0, cum=10.0, price=100.0, perm=7, ref="A:b:entry:1"):
    return SimpleNamespace(
        execId=exec_id,
        permId=perm,
        orderRef=ref,
        acctNumber="DU1",
        shares=shares,
        cumQty=cum,
        price=price,
        time=AT,
        side="BOT",
    )


def heard(status, filled=0.0, confirmed=True, **more):
    register = Register()
    register.open_order(CONTRACT, order(**more), state("PreSubmitted"))
    register.status(7, status, filled, 100.0, "")
    if confirmed:
        register.opened(register.mark(), [])
    return register, register.order_reports[7]


@pytest.mark.parametrize(
    ("status", "executed", "expected"),
    [
        ("PendingSubmit", 0, OrderState.NEW),
        ("ApiPending", 0, OrderState.NEW),
        ("PreSubmitted", 0, OrderState.NEW),
        ("Submitted", 0, OrderState.NEW),
        ("Submitted", 4, OrderState.PARTIALLY_FILLED),
        ("PendingCancel", 0, OrderState.PENDING_CANCEL),
        ("Cancelled", 0, OrderState.CANCELED),
        ("ApiCancelled", 4, OrderState.CANCELED),
        ("Filled", 10, OrderState.FILLED),
        ("Inactive", 0, OrderState.CANCELED),
    ],
)
def test_each_status_has_its_state(status, executed, expected):
    register, statement = heard(status)
    assert register.broker_order(statement, executed).state == expected


@pytest.mark.parametrize("status", ["Filled", "Cancelled", "ApiCancelled", "Inactive"])
def test_no_end_is_believed_before_a_look_at_the_open_orders(status):
    register, statement = heard(status, confirmed=False)
    assert register.broker_order(statement, 10).state in (OrderState.NEW, OrderState.PARTIALLY_FILLED)
    register.opened(register.mark(), [7])  # IB still lists it
    assert register.broker_order(statement, 10).state in (OrderState.NEW, OrderState.PARTIALLY_FILLED)


def test_a_look_asked_before_the_end_confirms_nothing():
    register, statement = heard("PreSubmitted", confirmed=False)
    mark = register.mark()
    register.status(7, "Cancelled", 0, 0, "")
    register.opened(mark, [])
    assert not register.confirmed(register.order_reports[7])


def test_an_order_without_permid_was_not_sent():
    register = Register()
    register.open_order(CONTRACT, order(perm=0), state("PreSubmitted"))
    assert register.by_ref("A:b:entry:1") is None and register.by_id(17, 1) is None


@given(st.lists(st.integers(100, 20_000), min_size=1, max_size=30))
def test_no_error_code_ever_ends_a_working_order(codes):
    register, statement = heard("PreSubmitted")
    register.opened(register.mark(), [7])
    for code in codes:
        register.error(17, 1, code, "a word")
    found = register.by_ref("A:b:entry:1")
    assert found == statement and register.broker_order(found, 0).state == OrderState.NEW


def test_a_refused_change_does_not_make_a_later_cancel_a_rejection():
    register, _ = heard("PreSubmitted")
    register.error(17, 1, 201, "modification refused")
    register.status(7, "Cancelled", 0, 0, "")
    register.opened(register.mark(), [])
    assert register.broker_order(register.order_reports[7], 0).state == OrderState.CANCELED


def test_an_order_that_never_worked_and_was_refused_is_rejected():
    register = Register()
    register.error(17, 1, 201, "no margin")
    register.open_order(CONTRACT, order(), state("Inactive"))
    register.opened(register.mark(), [])
    answer = register.broker_order(register.order_reports[7], 0)
    assert (answer.state, answer.reason) == (OrderState.REJECTED, "IB 201: no margin")


def test_filled_is_said_only_when_every_share_is_accounted_for():
    register, statement = heard("Filled", 10.0)
    assert register.broker_order(statement, 4).state == OrderState.PARTIALLY_FILLED
    assert register.broker_order(statement, 10).state == OrderState.FILLED


def test_a_working_order_hides_an_ended_one_under_the_same_key():
    register, _ = heard("Cancelled")
    register.open_order(CONTRACT, order(perm=8, orderId=2), state("PreSubmitted"))
    assert register.by_ref("A:b:entry:1").perm_id == 8
    assert register.duplicate_keys() == []
    register.open_order(CONTRACT, order(perm=9, orderId=3), state("PreSubmitted"))
    assert register.duplicate_keys() == ["A:b:entry:1"]


def test_an_execution_counts_once_and_its_highest_report_states_it():
    """A correction carries a higher number behind the last dot; it can come first, twice and out of order."""
    register = Register()
    for number, price in ((2, 100.5), (1, 100.0), (2, 100.5), (4, 99.0), (3, 98.0)):
        register.execution(execution(f"e.1.01.{number:02d}", price=price))
    register.execution(execution("e.2.01.01", price=7.0))  # another fill
    assert [(e.exec_id, e.price) for e in register.executions.values()] == [("e.1.01.04", 99.0), ("e.2.01.01", 7.0)]


@pytest.mark.parametrize("unknown", [UNSET, -1.0, math.nan, math.inf, -math.inf])
def test_a_fee_is_unknown_until_a_value_comes_and_then_the_last_value_counts(unknown):
    register = Register()
    register.execution(execution())
    register.commission("e.1.01.01", unknown)
    assert register.fee("e.1.01.01") is None and "e.1.01.01" in register.commissions
    for stated in (1.0, 0.0, -0.35, 1.25):  # a rebate is a negative fee, nothing is one too
        register.commission("e.1.01.01", stated)
        register.commission("e.1.01.01", unknown)
        assert register.fee("e.1.01.01") == stated


def test_a_fee_that_none_can_be_or_in_another_currency_is_unknown():
    register = Register()
    register.execution(execution())  # worth 1,000 USD
    for amount, currency in ((51.0, "USD"), (-51.0, "USD"), (1.0, "EUR"), (1e300, "USD")):
        register.commission("e.1.01.01", amount, currency)
        assert register.fee("e.1.01.01") is None
    register.commission("e.1.01.01", 49.0)
    assert register.fee("e.1.01.01") == 49.0


def test_a_corrected_executions_own_commission_takes_the_place_of_the_first():
    register = Register()
    register.execution(execution())
    register.commission("e.1.01.01", 1.0)
    register.execution(execution("e.1.01.02", price=101.0))
    assert register.fee("e.1.01.02") == 1.0
    register.commission("e.1.01.02", 1.5)
    register.commission("e.1.01.01", 1.0)  # told again
    assert register.fee("e.1.01.01") == register.fee("e.1.01.02") == 1.5


@pytest.mark.parametrize("price", [math.nan, math.inf, 0.0, -3.0, UNSET])
def test_a_price_that_is_none_is_a_price_that_is_not_told(price):
    register = Register()
    register.execution(execution(price=price))
    assert [e.price for e in register.executions.values()] == [0.0]


def test_a_completed_order_of_another_day_tells_count_and_session():
    register = Register()
    register.completed(
        CONTRACT,
        order(orderId=0, clientId=0, filledQuantity=10.0),
        state("Filled", "Filled Size: 10", "20240603 15:00:05 US/Eastern"),
    )
    register.listed_fills(register.mark())
    statement = register.order_reports[7]
    assert (statement.filled, statement.ended) == (10, "2024-06-03")
    assert register.unlisted(statement, 0) == [(0, 10)]
    assert register.unlisted(statement, 10) == []


def test_fills_are_not_called_unlisted_before_the_day_was_asked():
    register, statement = heard("Filled", 10.0)
    assert register.unlisted(statement, 0) == []


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.data())
def test_book_executions_and_gaps_cover_every_share_exactly_once(parts, data):
    """Whatever part is booked and whatever part of the rest is still listed."""
    bounds = [0]
    for part in parts:
        bounds.append(bounds[-1] + part)
    booked = bounds[data.draw(st.integers(0, len(parts)))]
    pieces = list(zip(bounds, bounds[1:], strict=False))
    listed = [p for p in pieces if data.draw(st.booleans())]
    done = [Done(str(b), 7, "r", "DU1", b - a, b, 1.0, AT) for a, b in listed]
    gaps = missing(bounds[-1], booked, done)
    new = [(a, b) for a, b in listed if b > booked]
    covered = sorted([x for a, b in [(0, booked), *new, *gaps] for x in range(a, b)])
    assert covered == list(range(bounds[-1]))


@pytest.mark.parametrize("average", [math.nan, UNSET, -1.0, math.inf])
def test_an_average_price_that_is_none_does_not_take_the_place_of_one(average):
    register, _ = heard("Submitted", 4.0)
    register.status(7, "Filled", 10.0, average, "")
    assert register.order_reports[7].avg_price == 100.0
