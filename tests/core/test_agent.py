"""An agent's state is the fold of its journal, and the journal alone."""

import pytest

from livetrading.core import agent as agents
from livetrading.core import agent_ledger
from livetrading.core.agent import AgentConfig, AgentState
from livetrading.core.errors import BadInput, Damaged
from livetrading.core.events import (
    Created,
    Decided,
    Deployed,
    Deposited,
    Event,
    Filled,
    Held,
    Marked,
    Missed,
    OrderMoved,
    OrderPlanned,
    StatusChanged,
)
from livetrading.core.orders import Order
from livetrading.core.types import AgentStatus, AgentType, Leg, Limits, Mode, Terms

ID = "PPO_AAPL_001"


def config(**changes) -> AgentConfig:
    values = {
        "agent_id": ID,
        "model_id": "PPO_AAPL_v20240101_000000",
        "agent_type": AgentType.PPO,
        "symbol": "AAPL",
        "mode": Mode.PAPER,
        "source": "sample",
        **changes,
    }
    return AgentConfig(**values)


BIRTH: list[Event] = [
    Created(config().to_dict()),
    Deposited(10_000.0),
    Deployed("2024-06-03T12:00:00Z", "2024-06-03"),
    StatusChanged("running", "", "test"),
]


def planned(bar: str = "2024-06-03", leg: Leg = Leg.ENTRY, n: int = 1, qty: int = 10) -> OrderPlanned:
    return OrderPlanned(Order(f"{ID}:{bar}:{leg}:{n}", leg, qty, bar).to_dict())


def moved(state: str, key: str = f"{ID}:2024-06-03:entry:1", **more) -> OrderMoved:
    return OrderMoved(key, state, **more)


def test_the_same_events_make_the_same_state_in_one_fold_or_many():
    events = [
        *BIRTH,
        Marked("2024-06-03", 100.0),
        Decided("2024-06-03", "ab", 2.0, 2, 10, ""),
        planned(),
        moved("PENDING_NEW"),
        moved("NEW", broker_id="P1"),
        moved("FILLED", filled=10),
        Filled("e1", f"{ID}:2024-06-03:entry:1", "entry", "2024-06-04", 10, 101.0, 1.0, 95.0),
    ]
    state = AgentState()
    for event in events:
        state = agents.apply(state, event)
    assert state == agents.fold(events) == agents.fold(events[5:], agents.fold(events[:5]))
    assert state.book.shares == 10 and state.status == AgentStatus.RUNNING and not state.orders


def test_a_repeated_fill_changes_nothing_at_all():
    fill = Filled("e1", "k", "entry", "2024-06-04", 10, 101.0, 1.0, 95.0)
    once = agents.fold([*BIRTH, fill])
    assert agents.apply(once, fill) is once


def test_an_order_is_planned_once_and_moves_by_the_table():
    state = agents.fold([*BIRTH, planned()])
    with pytest.raises(Damaged, match="planned twice"):
        agents.apply(state, planned())
    with pytest.raises(Damaged, match="cannot go from PLANNED to FILLED"):
        agents.apply(state, moved("FILLED"))
    with pytest.raises(Damaged, match="not open"):
        agents.apply(agents.fold([moved("PENDING_NEW"), moved("CANCELED")], state), moved("NEW"))


def test_the_next_key_counts_on_within_agent_bar_and_leg():
    state = agents.fold([*BIRTH, planned(), moved("PENDING_NEW"), moved("REJECTED")])
    assert state.next_key("2024-06-03", Leg.ENTRY).endswith(":entry:2")
    assert state.next_key("2024-06-03", Leg.STOP).endswith(":stop:1")
    assert state.next_key("2024-06-04", Leg.ENTRY).endswith(":entry:1")


def test_held_sessions_count_in_a_row_only_for_the_same_reason_and_a_decision_starts_again():
    def day(n: int, reason: str) -> list[Event]:
        return [Held(f"2024-06-0{n}", reason), Missed(f"2024-06-0{n}", reason)]

    state = agents.fold([*BIRTH, *day(3, "no bar"), *day(4, "no bar")])
    assert state.held_in_a_row == 2
    assert agents.fold(day(5, "stale"), state).held_in_a_row == 1
    assert agents.fold([Missed("2024-06-05", "slept")], state).held_in_a_row == 0
    assert agents.fold([Decided("2024-06-05", "ab", 1.0, 1, 0, "")], state).held_in_a_row == 0
    assert agents.fold([StatusChanged("running", "", "me")], state).held_in_a_row == 0


def test_a_journal_that_begins_elsewhere_is_named():
    with pytest.raises(Damaged, match="does not begin"):
        _ = agents.fold([Deposited(1.0)]).agent


def test_a_config_survives_json_with_its_terms():
    made = config(terms=Terms(5_000.0, Limits(max_position=0.3)))
    assert AgentConfig.from_dict(made.to_dict()) == made


@pytest.mark.parametrize(
    "changes", [{"agent_id": "../x"}, {"agent_id": "PPO_AAPL_1"}, {"time_frame": "1min"}, {"pace": -1.0}]
)
def test_a_wrong_config_cannot_be_born(changes):
    with pytest.raises(BadInput):
        config(**changes)


def test_the_ledger_of_an_agent_has_one_final_row_a_settled_session():
    events = [
        *BIRTH,
        Marked("2024-06-03", 100.0),
        Decided("2024-06-03", "ab", 2.0, 2, 10, ""),
        planned(),
        moved("PENDING_NEW"),
        moved("FILLED", filled=10),
        Filled("e1", f"{ID}:2024-06-03:entry:1", "entry", "2024-06-04", 10, 101.0, 1.0, 95.0),
        Marked("2024-06-04", 102.0),
        Missed("2024-06-04", "slept"),
        Marked("2024-06-05", 103.0),
        Decided("2024-06-05", "cd", 1.0, 1, 0, ""),
    ]
    first, second, third = agent_ledger.rows(events)
    assert (first["action"], first["qty"], first["fills"], first["equity"]) == (2, 10, [], 10_000.0)
    assert (second["action"], second["obs"], second["fills"]) == (None, None, [["entry", 10, 101.0, 1.0]])
    assert second["equity"] == 10_000.0 - 1_010 - 1 + 1_020 and third["fills"] == [] and third["shares"] == 10


def test_a_number_is_never_given_twice_however_many_orders_came_between():
    """The broker finds an order by its key: two orders under one could not be told apart."""
    events: list[Event] = [*BIRTH, planned(leg=Leg.EXIT), moved("CANCELED", f"{ID}:2024-06-03:exit:1")]
    for n in range(1, 41):
        key = f"{ID}:2024-06-03:stop:{n}"
        events += [planned(leg=Leg.STOP, n=n), moved("PENDING_NEW", key), moved("REJECTED", key)]
    state = agents.fold(events)
    assert state.next_key("2024-06-03", Leg.EXIT) == f"{ID}:2024-06-03:exit:2"
    assert state.next_key("2024-06-03", Leg.STOP) == f"{ID}:2024-06-03:stop:41"
