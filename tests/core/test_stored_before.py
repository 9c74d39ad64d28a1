"""Journals of the version before say in words what a code says now: they mean the same."""

from dataclasses import replace

import pytest

from livetrading.core import agent as agents
from livetrading.core import stored_before
from livetrading.core.agent import AgentState
from livetrading.core.events import Noted, OrderMoved, OrderPlanned, decode, encode
from livetrading.core.order_key import OrderKey
from livetrading.core.orders import Cause, Order, OrderState
from livetrading.core.types import Leg

KEY = str(OrderKey("PPO_TEST_001", "2024-06-03", Leg.ENTRY, 1))


def after(*moves: OrderMoved) -> Order:
    planned = OrderPlanned(Order(KEY, Leg.ENTRY, 5, "2024-06-03").to_dict())
    found = agents.fold([decode(encode(event)) for event in (planned, *moves)], AgentState()).order(KEY)
    assert found is not None
    return found


@pytest.mark.parametrize("cause", ["", "close"])
def test_an_entry_that_a_close_withdraws_says_so_in_both_versions_journals(cause: str) -> None:
    sent = OrderMoved(KEY, OrderState.PENDING_NEW)
    closed = OrderMoved(KEY, OrderState.PENDING_CANCEL, "closed by dashboard", cause=cause)
    assert after(sent, closed).cause == Cause.CLOSE
    assert after(sent, closed, OrderMoved(KEY, OrderState.PARTIALLY_FILLED, filled=2)).cause == Cause.CLOSE
    assert after(sent, closed, OrderMoved(KEY, OrderState.PENDING_CANCEL, "emergency stop")).cause == Cause.NONE
    assert after(sent).cause == Cause.NONE


def test_the_cause_is_stored_with_the_move_alone() -> None:
    assert "cause" not in encode(OrderMoved(KEY, OrderState.NEW, "accepted", cause=Cause.NONE))
    assert encode(OrderMoved(KEY, OrderState.NEW, "closed by x", cause=Cause.CLOSE))["cause"] == "close"
    assert "cause" not in replace(after(), cause=Cause.CLOSE).to_dict()


def test_a_request_is_found_in_a_note_of_either_version() -> None:
    assert stored_before.request_of("close asked by command line, request abc-1_2") == "abc-1_2"
    assert stored_before.request_of("adopted +3 TEST at 10, by REST") == ""
    assert decode(encode(Noted("close asked by x, request r1", request="r1"))) == Noted(
        "close asked by x, request r1", request="r1"
    )
