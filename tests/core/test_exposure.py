"""Seconds without stop or exit: counted from the journal, whatever order its lines come in."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livetrading.core import agent as agents
from livetrading.core import exposure
from livetrading.core.events import Deposited, Event, Filled, OrderMoved, OrderPlanned
from livetrading.core.exposure import Exposure
from livetrading.core.orders import Order, OrderState
from livetrading.core.types import Leg

START = datetime(2024, 6, 4, 13, 30, tzinfo=UTC)
BAR = "2024-06-03"
STOP, EXIT = f"A:{BAR}:stop:1", f"A:{BAR}:exit:1"


def run(*steps: tuple[float, list[Event]]) -> Exposure:
    """The exposure after transactions at so many seconds."""
    state, found = agents.AgentState(), Exposure()
    for seconds, events in steps:
        at = START + timedelta(seconds=seconds)
        for event in events:
            state = agents.apply(state, event)
            found = exposure.apply(found, event, state, at)
        found = exposure.after_transaction(found, state, at)
    return found


def planned(key: str, leg: Leg, kind: str = "MKT", tif: str = "DAY") -> Event:
    return OrderPlanned(Order(key, leg, 10, BAR, kind, tif).to_dict())


def moved(key: str, *states: OrderState) -> list[Event]:
    return [OrderMoved(key, state, broker_id="7") for state in states]


HELD: list[Event] = [
    Deposited(10_000.0),
    planned(STOP, Leg.STOP, "STP", "GTC"),
    *moved(STOP, OrderState.PENDING_NEW, OrderState.NEW),
    Filled("e1", f"A:{BAR}:entry:1", "entry", "2024-06-04", 10, 100.0, 1.0, 95.0),
]


def test_the_seconds_between_the_end_of_the_stop_and_the_exit_at_work_count() -> None:
    found = run(
        (0, HELD),
        (10, moved(STOP, OrderState.PENDING_CANCEL)),
        (12, moved(STOP, OrderState.CANCELED)),
        (12.5, [planned(EXIT, Leg.EXIT), *moved(EXIT, OrderState.PENDING_NEW)]),
        (15, moved(EXIT, OrderState.NEW)),
    )
    assert (found.bare_since, found.seconds, found.total) == (None, 3.0, 3.0)


def test_a_position_that_is_bare_counts_on_until_now() -> None:
    found = run((0, HELD), (10, moved(STOP, OrderState.PENDING_CANCEL)), (12, moved(STOP, OrderState.CANCELED)))
    assert found.of_position(START + timedelta(seconds=40)) == 28.0
    assert found.lasting(START) == timedelta(0)  # a clock that was set back


def test_a_sold_position_begins_the_next_one_at_nothing_and_the_total_stays() -> None:
    sale = Filled("e2", EXIT, "exit", "2024-06-04", 10, 101.0, 1.0, 0.0)
    found = run(
        (0, HELD),
        (
            10,
            [
                *moved(STOP, OrderState.PENDING_CANCEL, OrderState.CANCELED),
                planned(EXIT, Leg.EXIT),
                *moved(EXIT, OrderState.PENDING_NEW),
            ],
        ),
        (14, [*moved(EXIT, OrderState.FILLED), sale]),
    )
    assert (found.seconds, found.total) == (0.0, 4.0)


@pytest.mark.parametrize(
    ("state", "tif", "expected"),
    [(OrderState.REJECTED, "OPG", True), (OrderState.CANCELED, "OPG", False), (OrderState.CANCELED, "DAY", True)],
)
def test_a_refused_exit_is_remembered_and_one_that_missed_the_auction_is_not(
    state: OrderState, tif: str, expected: bool
) -> None:
    found = run((0, HELD), (5, [planned(EXIT, Leg.EXIT, tif=tif), *moved(EXIT, OrderState.PENDING_NEW, state)]))
    assert (found.exit_refused == START + timedelta(seconds=5)) is expected


@given(st.lists(st.tuples(st.floats(0, 100), st.sampled_from(["stop", "lose", "exit", "refuse"])), max_size=30))
def test_bare_and_covered_seconds_make_up_the_position_whole(acts: list[tuple[float, str]]) -> None:
    """Against a count kept apart: the position is bare while neither a stop nor an exit works."""
    state, found, number = agents.AgentState(), Exposure(), 1
    now, bare, working = START, 0.0, "stop"
    steps: list[Event] = list(HELD)
    for event in steps:
        state = agents.apply(state, event)
    found = exposure.after_transaction(found, state, now)
    key = STOP
    for seconds, act in acts:
        now += timedelta(seconds=seconds)
        bare += 0.0 if working else timedelta(seconds=seconds).total_seconds()
        events: list[Event] = []
        if act in ("lose", "refuse") and working:
            events, working = moved(key, OrderState.CANCELED), ""
        elif act in ("stop", "exit") and not working:
            number, working = number + 1, act
            key = f"A:{BAR}:{act}:{number}"
            events = [planned(key, Leg(act)), *moved(key, OrderState.PENDING_NEW, OrderState.NEW)]
        for event in events:
            state = agents.apply(state, event)
            found = exposure.apply(found, event, state, now)
        found = exposure.after_transaction(found, state, now)
    assert found.of_position(now) == pytest.approx(bare, abs=1e-6)
