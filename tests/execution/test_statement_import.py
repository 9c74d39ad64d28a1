"""What a statement's rows say of an agent's fills, in whatever order they stand and whatever they hold."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livetrading.adapters.brokers.base import Execution
from livetrading.core import agent as agents
from livetrading.core.agent import AgentConfig, AgentState
from livetrading.core.errors import BadInput
from livetrading.core.events import (
    Created,
    Deposited,
    Event,
    FillCorrected,
    FillDisputed,
    Filled,
    Marked,
    StatusChanged,
)
from livetrading.core.statement import StatementExecution
from livetrading.core.types import AgentType, Mode
from livetrading.execution import statement_import
from livetrading.execution.orders import corrections

AGENT, ROOT = "PPO_TEST_001", "0000e0d5.00000001.01"
KEY = f"{AGENT}:2024-06-03:entry:1"


def bought(exec_id: str = f"{ROOT}.01", *more: Event, estimated: bool = False, qty: int = 10) -> AgentState:
    config = AgentConfig(
        AGENT, "m", AgentType.PPO, "TEST", Mode.BROKER, "csv", account="DU1", con_id="4711", broker="ibkr"
    )
    fill = Filled(exec_id, KEY, "entry", "2024-06-04", qty, 30.5, 1.0, 25.0, estimated)
    return agents.fold(
        [
            Created(config.to_dict()),
            Deposited(1_000.0),
            StatusChanged("running", "", "test"),
            fill,
            Marked("2024-06-04", 31.0),
            *more,
        ]
    )


def row(number: int = 1, root: str = ROOT, **changes: Any) -> StatementExecution:
    values = {
        "account": "DU1",
        "exec_id": f"{root}.{number:02d}",
        "order_id": "9",
        "ref": KEY,
        "symbol": "TEST",
        "con_id": 4711,
        "side": "BUY",
        "qty": 10.0,
        "price": 30.5,
        "fee": 1.0,
        "session": "2024-06-04",
        "at": "20240604;093000",
    }
    return StatementExecution(**(values | changes))


def cancelled(number: int = 1, **changes: Any) -> StatementExecution:
    return row(number, qty=0.0, **{"ref": "", **changes})


def said(state: AgentState, rows: list[StatementExecution]) -> list[Event]:
    """What ``apply`` would write for one agent."""
    listed = statement_import.newest([e for e in rows if statement_import.concerns(state, e)])
    return statement_import.news(state, listed, [], set())


def kinds(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


CASES = {
    "a corrected price": ([row(1), row(2, price=30.75)], 30.75),
    "a correction and the cancellation of the first report": ([row(1), cancelled(1), row(2, price=30.75)], 30.75),
    "all under one id": ([row(1), cancelled(1), row(1, price=30.75)], 30.75),
    "the cancellation numbered as the correction": ([row(1), cancelled(2), row(2, price=30.75)], 30.75),
    "three reports": ([row(1), row(2, price=31.0), row(3, price=30.25)], 30.25),
    "a correction of the next day": ([row(1), row(2, price=30.75, session="2024-06-05", at="20240605;080000")], 30.75),
    "taken back under its own id": ([row(1), cancelled(1)], None),
    "taken back under a higher id": ([row(1), cancelled(2)], None),
    "corrected, then taken back": ([row(1), row(2, price=30.75), cancelled(2, price=30.75)], None),
}


@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
def test_the_order_of_rows_in_a_statement_does_not_matter(name: str, data: st.DataObject) -> None:
    rows, price = CASES[name]
    events = said(bought(), data.draw(st.permutations(rows)))
    if price is None:
        assert kinds(events) == ["FillDisputed", "StatusChanged"] and "was cancelled" in events[0].text
    else:
        assert kinds(events) == ["FillCorrected"] and events[0].price == price
    assert said(agents.fold(events, bought()), rows) == []


@given(st.permutations([row(1), row(1, fee=None), row(1)]))
def test_a_fill_that_is_listed_twice_counts_once_with_the_commission_that_one_of_them_holds(
    rows: list[StatementExecution],
) -> None:
    assert said(bought(), rows) == []
    assert [e.estimated for e in said(bought(estimated=True), rows)] == [False]


@given(st.permutations([row(1, line="f, line 2"), row(1, price=30.75, line="f, line 3")]))
def test_rows_of_one_id_that_contradict_each_other_are_refused_with_their_places(
    rows: list[StatementExecution],
) -> None:
    with pytest.raises(BadInput, match="contradicting rows.*line [23] and f, line [23].*export it again"):
        said(bought(), rows)


@given(st.permutations([row(1, session="2024-06-04"), row(2, price=30.75, session="2024-06-05")]))
def test_an_estimate_is_found_by_its_day_though_its_execution_was_corrected_on_a_later_one(
    rows: list[StatementExecution],
) -> None:
    state = bought("ibkr:1:0-10", estimated=True)
    events = said(state, [StatementExecution(**{**e.to_dict(), "ref": "", "order_id": ""}) for e in rows])
    assert kinds(events) == ["FillCorrected"] and events[0].price == 30.75


def test_a_trade_that_was_taken_back_stands_for_no_estimate_and_hides_none() -> None:
    state = bought("ibkr:1:0-10", estimated=True)
    other = cancelled(1, root="0000e0d5.00000002.01", order_id="")
    assert kinds(said(state, [other, row(1, ref="", order_id="", price=30.6)])) == ["FillCorrected"]


def in_parts() -> AgentState:
    stated = FillCorrected("ibkr:9:0-10", 30.5, 2.0, ["a.1.01.01", "a.2.01.01"], peaks=True)
    return bought("ibkr:9:0-10", stated, estimated=True)


@given(st.permutations([row(1, "a.1.01", qty=5.0), row(2, "a.1.01", qty=5.0, price=31.0), row(1, "a.2.01", qty=5.0)]))
def test_a_correction_of_one_of_the_executions_of_a_fill_corrects_it(rows: list[StatementExecution]) -> None:
    (event,) = events = said(in_parts(), rows)
    assert isinstance(event, FillCorrected) and (event.price, event.fee) == (30.75, 2.0)
    assert said(agents.fold(events, in_parts()), rows) == []


@pytest.mark.parametrize(
    "rows",
    [
        [row(2, "a.1.01", qty=5.0, price=31.0)],
        [row(1, "a.1.01", qty=5.0), cancelled(1, root="a.1.01"), row(1, "a.2.01", qty=5.0)],
    ],
    ids=["the other is not listed", "one is taken back"],
)
def test_what_cannot_be_followed_of_a_fill_in_parts_is_disputed(rows: list[StatementExecution]) -> None:
    events = said(in_parts(), rows)
    assert kinds(events) == ["FillDisputed", "StatusChanged"]
    assert said(agents.fold(events, in_parts()), rows) == []


# -- figures that cannot be ---------------------------------------------------------


def reports(state: AgentState, **changes: Any) -> Iterator[Event]:
    """By the broker and by a statement, as far as a statement can hold it."""
    values = {"qty": 10, "price": 30.5, "fee": 1.0} | changes
    told = Execution(f"{ROOT}.02", KEY, "2024-06-04", side="BUY", cum=10, **values)
    (booked,) = state.book.fills.values()
    yield corrections.restated(state, booked, {ROOT: told})
    try:
        yield next(iter(said(state, [row(1), row(2, **(changes | {"qty": float(values["qty"])}))])), None)
    except BadInput:
        pass


@pytest.mark.parametrize("price", [0.0, float("nan"), float("inf"), -30.5, 3050.0, 0.305, 61.5, 1e300])
def test_a_corrected_price_that_cannot_be_is_disputed_and_not_booked(price: float) -> None:
    state = bought()
    for event in reports(state, price=price):
        assert isinstance(event, FillDisputed) and "the book keeps its figure" in event.text, event
        after = agents.fold([event, *corrections.blocked(state, [event])], state)
        assert after.book.cash == state.book.cash and after.status == "blocked"
        assert set(reports(after, price=price)) == {None}  # a person is told once


@pytest.mark.parametrize("fee", [float("nan"), float("inf"), 1e9, -400.0])
def test_a_corrected_fee_that_cannot_be_is_disputed_and_not_booked(fee: float) -> None:
    assert all(isinstance(event, FillDisputed) for event in reports(bought(), fee=fee))


@given(st.floats(), st.floats(), st.booleans())
def test_no_report_makes_a_book_that_cannot_be(price: float, fee: float, estimated: bool) -> None:
    state = bought(estimated=estimated)
    events = [event for event in reports(state, price=price, fee=fee) if event is not None]
    after = agents.fold(events[:1], state).book
    assert abs(after.cash - state.book.cash) <= 10 * 4 * 30.5 + 80 and after.shares == 10


def test_an_estimate_gives_way_to_an_execution_near_it_and_to_no_other() -> None:
    state = bought("ibkr:1:0-10", estimated=True)
    assert kinds(said(state, [row(1, price=45.0)])) == ["FillCorrected"]
    events = said(state, [row(1, price=3050.0)])
    assert kinds(events) == ["FillDisputed", "StatusChanged"] and agents.fold(events, state).estimated_fills


@pytest.mark.parametrize(
    "change",
    [
        {"price": 1e999},
        {"price": "30,5"},
        {"qty": None},
        {"qty": "1e999"},
        {"fee": "nan"},
        {"con_id": 1e999},
        {"con_id": -1},
        {"exec_id": 7},
        {"session": 20240604},
        {"ref": None},
        {"symbol": []},
        {"at": {}},
        {"price": True},
    ],
)
def test_a_request_with_an_execution_that_is_none_is_refused_in_a_sentence(change: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=r"\.$"):
        StatementExecution.from_dict(row().to_dict() | change)


@pytest.mark.parametrize(
    "state", [in_parts(), bought("ibkr:9:0-10", estimated=True)], ids=["executions", "an estimate"]
)
@given(
    st.permutations(
        [row(1, "a.1.01", qty=5.0, price=30.75, fee=None), row(1, "a.2.01", qty=5.0, price=30.75, fee=None)]
    )
)
def test_a_statement_without_commissions_leaves_the_fee_that_the_book_has(
    state: AgentState, rows: list[StatementExecution]
) -> None:
    after = agents.fold(said(state, rows), state)
    (fill,) = [booked.fill for booked in after.book.fills.values()]
    (before,) = [booked.fill for booked in state.book.fills.values()]
    assert (fill.fee, fill.estimated) == (before.fee, before.estimated) and fill.fee > 0.0


def test_who_adopts_after_a_fill_was_taken_back_is_told_what_the_book_keeps() -> None:
    (event, _) = said(bought(), [row(1), cancelled(2)])
    assert isinstance(event, FillDisputed) and "was cancelled" in event.text
    assert "adopting books the shares at the last close and keeps this fill" in event.text
    (other, _) = said(bought(), [row(2, qty=5.0)])
    assert isinstance(other, FillDisputed) and "keeps this fill" not in other.text
