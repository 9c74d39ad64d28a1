"""An order's life is a table, and nothing leaves it."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livetrading.core.errors import Damaged
from livetrading.core.order_key import OrderKey
from livetrading.core.orders import AT_BROKER, NEXT, TERMINAL, Order, OrderState, advance
from livetrading.core.types import Leg

S = OrderState


def order(state: OrderState = S.PLANNED, leg: Leg = Leg.ENTRY) -> Order:
    return Order("PPO_AAPL_001:2024-06-03:entry:1", leg, 10, "2024-06-03", stop_price=95.0, state=state)


@pytest.mark.parametrize(("before", "after"), list(itertools.product(S, S)))
def test_only_the_tables_transitions_happen(before: OrderState, after: OrderState):
    if after in NEXT[before]:
        assert advance(order(before), after).state == after
    else:
        with pytest.raises(Damaged, match=r"cannot go from"):
            advance(order(before), after)


def test_every_state_is_in_the_table_and_the_terminal_ones_end_there():
    assert set(NEXT) == set(S) and {s for s in S if not NEXT[s]} == TERMINAL


@given(st.data())
def test_every_life_can_end_and_no_life_returns_to_planned(data):
    state = S.PLANNED
    for _ in range(8):
        assert state in TERMINAL or _reaches_the_end(state)
        if state in TERMINAL:
            break
        state = data.draw(st.sampled_from(sorted(NEXT[state])))
        assert state != S.PLANNED


def _reaches_the_end(state: OrderState) -> bool:
    seen, queue = set(), [state]
    while queue:
        current = queue.pop()
        seen.add(current)
        queue += [s for s in NEXT[current] if s not in seen]
    return bool(seen & TERMINAL)


def test_what_never_left_cannot_be_filled_and_a_cancel_may_cross_a_fill():
    assert not NEXT[S.PLANNED] & {S.NEW, S.FILLED, S.PARTIALLY_FILLED}
    assert {S.FILLED, S.NEW, S.CANCELED} <= NEXT[S.PENDING_CANCEL]


def test_a_cancelled_order_is_over_even_at_the_broker():
    assert not AT_BROKER & TERMINAL and S.PLANNED not in AT_BROKER


@pytest.mark.parametrize("leg", list(Leg))
def test_an_order_survives_json(leg: Leg):
    made = order(leg=leg)
    assert Order.from_dict(json.loads(json.dumps(made.to_dict()))) == made
    assert made.side == ("BUY" if leg == Leg.ENTRY else "SELL")


def test_the_key_names_agent_bar_leg_and_number():
    assert str(OrderKey("PPO_AAPL_001", "2024-06-03", Leg.STOP, 2)) == "PPO_AAPL_001:2024-06-03:stop:2"
