"""The book is a fold: the same events, the same cent, whatever came in between."""

import json
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livetrading.core import book as book_module
from livetrading.core import rules
from livetrading.core.book import KEPT_FILLS, Book, apply
from livetrading.core.events import (
    Deposited,
    DividendPaid,
    EntriesPaused,
    Event,
    FeeAdjusted,
    FillCorrected,
    Filled,
    Marked,
    Noted,
    SplitApplied,
    StatusChanged,
    decode,
    encode,
)
from livetrading.core.types import Costs
from tests.doubles.worlds import World, by_rules, worlds


def fold(events: list[Event], book: Book | None = None) -> Book:
    book = book or Book()
    for event in events:
        book = apply(book, event)
    return book


def told(world: World) -> list[list[Event]]:
    """What a broker would report of a world, session by session."""
    turns = by_rules(world)
    batches: list[list[Event]] = [[Deposited(world.capital), Marked("s0", world.days[0].close)]]
    for i, (before, turn) in enumerate(zip(turns, turns[1:], strict=False), 1):
        day, name, events = world.days[i], f"s{i:02}", []
        if day.split != 1.0:
            events.append(SplitApplied(name, day.split, world.days[i - 1].close))
        shares = int(rules.whole(before.account.shares, day.split))
        if shares and day.dividend:
            events.append(DividendPaid(name, day.dividend, shares))
        stop = float(rules.split_plan(before.plan, day.split).stop)
        for n, deal in enumerate(turn.deals):
            trigger = stop if deal.leg == "entry" else 0.0
            events.append(Filled(f"x{i}.{n}", f"k{i}.{n}", deal.leg, name, deal.qty, deal.price, deal.fee, trigger))
        batches.append([*events, Marked(name, day.close)])
    return batches


@settings(max_examples=150, deadline=None)
@given(worlds())
def test_the_live_book_is_the_backtests_account_to_the_bit(world: World):
    book = Book()
    for batch, turn in zip(told(world), by_rules(world), strict=True):
        book = fold(batch, book)
        assert [float(v) for v in book.account] == [float(v) for v in turn.account]
        assert book.equity == turn.equity


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_a_fill_counts_once_by_its_execution_id(world: World):
    events = [event for batch in told(world) for event in batch]
    twice = [e for event in events for e in ((event, event) if isinstance(event, Filled) else (event,))]
    late = [*twice, *(e for e in events if isinstance(e, Filled))]
    assert fold(events) == fold(twice) == fold(late)


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_events_survive_the_journal_to_the_bit(world: World):
    events = [event for batch in told(world) for event in batch]
    again = [decode(json.loads(json.dumps(encode(event)))) for event in events]
    assert again == events and fold(again) == fold(events)


@settings(max_examples=150, deadline=None)
@given(worlds(), st.data())
def test_a_fill_that_is_corrected_at_any_time_leaves_the_book_that_the_right_price_would_have_made(
    world: World, data: st.DataObject
):
    right = [event for batch in told(world) for event in batch]
    places = [i for i, event in enumerate(right) if isinstance(event, Filled)]
    if not places:
        return
    place = data.draw(st.sampled_from(places))
    fill, later = right[place], data.draw(st.integers(place + 1, len(right)))
    wrong = replace(fill, price=fill.price * data.draw(st.floats(0.8, 1.25)), fee=fill.fee + 0.5, estimated=True)
    said = FillCorrected(fill.exec_id, fill.price, fill.fee, [fill.exec_id])
    book = fold([*right[:place], wrong, *right[place + 1 : later], said, said, *right[later:]])
    expected, scale = fold(right), 1e-6 * max(1.0, world.capital / 1e4)
    for name in ("cash", "shares", "realized", "equity", "worth", "unrealized", "num_trades", "traded", "fractions"):
        assert getattr(book, name) == pytest.approx(getattr(expected, name), rel=1e-9, abs=scale), name
    assert float(book.account.entry) == pytest.approx(float(expected.account.entry), rel=1e-9, abs=1e-9)
    assert book.estimated == () and [c.trade.pnl for c in book.closed] == pytest.approx(
        [c.trade.pnl for c in expected.closed], abs=scale
    )
    assert [c.trade.entry_price for c in book.closed] == pytest.approx([c.trade.entry_price for c in expected.closed])
    assert [c.trade.exit_price for c in book.closed] == pytest.approx([c.trade.exit_price for c in expected.closed])
    assert float(book.account.peak) >= book.equity - scale and book.executions == expected.executions


def test_a_peak_that_a_wrong_price_made_is_none():
    right, high = Filled("a", "k", "entry", "s1", 100, 50.0, 1.0, 40.0), Marked("s1", 50.0)
    book = fold([Deposited(10_000.0), Marked("s0", 50.0), replace(right, price=40.0, estimated=True), high])
    assert float(book.account.peak) == 10_999.0 == book.equity
    book = apply(book, FillCorrected("a", 50.0, 1.0, ["a"]))
    assert (float(book.account.peak), book.limit_peak, book.equity) == (10_000.0, 10_000.0, 9_999.0)


@pytest.mark.parametrize(
    ("told_ids", "counts"),
    [
        (["e.1.01.01", "e.1.01.02"], 1),
        (["e.1.01.02", "e.1.01.01"], 1),
        (["e.1.01.01", "e.2.01.01"], 2),
        (["P1.k", "P2.k"], 2),
        (["B1.10", "B1.20"], 2),
    ],
)
def test_reports_of_one_fill_count_once_by_their_root(told_ids: list[str], counts: int):
    fills = [Filled(exec_id, "k", "entry", "s1", 10, 50.0, 1.0, 40.0) for exec_id in told_ids]
    assert fold([Deposited(5_000.0), *fills]).shares == 10 * counts


def test_a_fee_of_a_trade_that_is_over_goes_to_it_and_not_to_the_one_that_is_open():
    def deal(exec_id: str, leg: str) -> Filled:
        return Filled(exec_id, exec_id, leg, "s1", 10, 50.0, 1.0, 40.0)

    book = fold(
        [Deposited(5_000.0), deal("a", "entry"), deal("b", "exit"), deal("c", "entry"), FeeAdjusted("b", "s2", 0.5)]
    )
    assert book.realized == -2.5 and book.open_trade.fees == 1.0 and book.cash == 5_000.0 - 500.0 - 3.5


@pytest.mark.parametrize(("fee", "cash"), [(1.7976931348623157e308, 4_500.0), (-1.0, 4_501.0)])
def test_a_mark_for_unknown_that_was_booked_as_a_fee_is_an_estimate_until_the_fee_is_stated(fee: float, cash: float):
    """Journals of an earlier version hold such fills."""
    book = fold([Deposited(5_000.0), Filled("a", "k", "entry", "s1", 10, 50.0, fee, 40.0)])
    assert book.cash == cash and book.estimated == ("a",) and np.isfinite(book.worth)
    after = apply(book, FeeAdjusted("a", "s1", 1.25 - book.fills["a"].fill.fee))
    assert after.cash == 4_498.75 and after.estimated == ()


def test_a_fill_of_long_ago_can_still_be_corrected():
    events: list[Event] = [Deposited(5_000.0)]
    for n in range(149):
        events += [
            Filled(f"b{n}", "k", "entry", f"s{n}", 1, 50.0, 1.0, 40.0),
            Filled(f"s{n}", "k", "exit", f"s{n}", 1, 50.0, 1.0, 0.0),
        ]
    book = apply(fold(events), FillCorrected("b3", 49.0, 1.0, ["b3"]))
    assert book.cash == pytest.approx(5_000.0 - 298.0 + 1.0) and book.realized == pytest.approx(-297.0)


def test_a_book_keeps_as_many_fills_after_ten_years_as_after_one_and_every_estimate():
    events: list[Event] = [Deposited(50_000.0)]
    for n in range(1_000):
        entry = Filled(f"b{n}", "k", "entry", f"s{n}", 1, 50.0, 1.0, 40.0, estimated=n == 7)
        events += [entry, Marked(f"s{n}", 49.0 + n % 3), Filled(f"s{n}", "k", "exit", f"s{n}", 1, 50.0, 1.0, 0.0)]
    book = fold(events)
    assert len(book.fills) == KEPT_FILLS + 1 and book.estimated == ("b7",) and book.num_fills == 2_000
    assert fold([Filled("b3", "k", "entry", "s3", 1, 50.0, 1.0, 40.0)], book) == book, "a fill of long ago counts once"
    lived = fold([FillCorrected("b7", 49.0, 1.0, ["b7"], peaks=True)], book)
    right = fold([replace(e, price=49.0) if isinstance(e, Filled) and e.exec_id == "b7" else e for e in events])
    assert (lived.cash, lived.realized, float(lived.account.peak)) == pytest.approx(
        (right.cash, right.realized, float(right.account.peak))
    )


@pytest.mark.parametrize(
    "correction",
    [
        {"kind": "FillCorrected", "exec_id": "b3", "price": 49.0, "fee": 1.0, "parts": ["b3"]},
        {"kind": "FeeAdjusted", "exec_id": "b3", "session": "s999", "amount": -3.0},
    ],
)
def test_an_earlier_versions_correction_of_a_fill_of_any_age_moves_the_money_that_it_moved_then(
    correction: dict[str, object],
):
    events: list[Event] = [Deposited(50_000.0)]
    for n in range(400):
        events += [Filled(f"b{n}", "k", "entry", f"s{n}", 1, 52.0, 1.0, 40.0), Marked(f"s{n}", 49.0 + n % 3)]
        events += [Filled(f"s{n}", "k", "exit", f"s{n}", 1, 50.0, 1.0, 0.0)]
    lived = fold(events)
    book = apply(lived, decode(correction))
    assert (book.cash, book.realized) == pytest.approx((lived.cash + 3.0, lived.realized + 3.0))
    assert apply(book, decode(correction)).cash == pytest.approx(book.cash + (0.0 if "price" in correction else 3.0))


@settings(max_examples=200, deadline=None)
@given(worlds(), st.integers(1, 4), st.data())
def test_which_fills_a_book_still_keeps_changes_none_of_its_figures(world: World, kept: int, data: st.DataObject):
    """Estimates among them are corrected later, whatever was let go meanwhile."""
    right = [event for batch in told(world) for event in batch]
    lived: list[list[Event]] = [[event] for event in right]
    for place, event in enumerate(right):
        if isinstance(event, Filled) and data.draw(st.booleans()):
            lived[place][0] = replace(event, price=event.price * data.draw(st.floats(0.8, 1.25)), estimated=True)
            last = data.draw(st.integers(place, len(lived) - 1))
            lived[last].append(FillCorrected(event.exec_id, event.price, event.fee, [event.exec_id], peaks=True))
    with mock.patch.object(book_module, "KEPT_FILLS", kept):
        book = fold([e for some in lived for e in some])
    expected, scale = fold(right), 1e-6 * max(1.0, world.capital / 1e4)
    for name in (
        "cash",
        "shares",
        "realized",
        "equity",
        "worth",
        "unrealized",
        "limit_peak",
        "num_trades",
        "num_fills",
    ):
        assert getattr(book, name) == pytest.approx(getattr(expected, name), rel=1e-9, abs=scale), name
    assert float(book.account.peak) == pytest.approx(float(expected.account.peak), rel=1e-9, abs=scale)


@settings(max_examples=100, deadline=None)
@given(worlds())
def test_profit_is_realised_open_and_dividends_and_nothing_else(world: World):
    book = Book()
    for batch in told(world):
        book = fold(batch, book)
        parts = book.realized + book.unrealized + book.dividends
        assert book.total_pnl == pytest.approx(parts, rel=1e-9, abs=1e-6 * max(1.0, world.capital / 1e4))


@settings(max_examples=100, deadline=None)
@given(worlds())
def test_a_round_trip_opens_with_the_shares_and_closes_with_the_last(world: World):
    book = Book()
    for batch in told(world):
        trips = book.num_trades
        for event in batch:
            held_before = book.shares
            book = apply(book, event)
            assert (book.open_trade is not None) == (book.shares > 0)
            if held_before and not book.shares:
                trips += 1
        assert book.num_trades == trips
        if book.open_trade:
            assert book.open_trade.qty == book.shares


def test_partial_fills_average_their_price_and_age_one_position():
    part = Filled("a", "k", "entry", "s1", 60, 10.0, 1.0, 9.0)
    book = fold([Deposited(2_000.0), part, replace(part, exec_id="b", qty=40, price=11.0), Marked("s1", 10.5)])
    assert book.shares == 100 and book.account.entry == pytest.approx(10.4) and book.account.held == 1
    assert book.cash == pytest.approx(2_000 - 600 - 440 - 2)
    assert book.open_trade.entry_price == pytest.approx(10.4) and book.open_trade.fees == 2.0


def test_a_person_who_starts_the_agent_resumes_its_entries_and_drawdown_counts_from_there():
    book = fold([Deposited(1_000.0), Marked("s1", 1.0), EntriesPaused("s1", "drawdown")])
    assert book.entries_paused
    lost = replace(book, equity=800.0)
    resumed = apply(lost, StatusChanged("running", "", "a person"))
    assert not resumed.entries_paused and resumed.limit_peak == 800.0 and resumed.account.peak == 1_000.0
    assert apply(lost, StatusChanged("paused", "", "a person")).entries_paused


def test_what_is_no_money_leaves_the_book_alone():
    book = fold([Deposited(1_000.0)])
    assert apply(book, Noted("hello")) is book


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3_000), st.sampled_from([2.0, 0.5, 1 / 3, 1.5, 0.1]), st.integers(100, 90_000))
def test_a_split_while_holding_changes_shares_entry_and_stop_and_no_cent_of_equity(qty, ratio, cents):
    close = cents / 100
    entry = Filled("a", "k", "entry", "s1", qty, close, 1.0, round(close * 0.9, 2))
    book = fold([Deposited(qty * close + 10.0), entry, Marked("s1", close)])
    after = fold([SplitApplied("s2", ratio, close), Marked("s2", close / ratio)], book)
    assert after.equity == pytest.approx(book.equity, abs=0.005)
    assert after.shares == int(np.floor(round(qty * ratio, 6)))
    assert after.total_pnl == pytest.approx(book.total_pnl, abs=0.005)
    if after.shares:
        assert float(after.account.stop) == pytest.approx(round(close * 0.9, 2) / ratio)


def test_costs_of_a_book_are_the_brokers_word_and_not_computed_again():
    book = fold([Deposited(1_000.0), Filled("a", "k", "entry", "s1", 10, 50.0, 7.77, 45.0)])
    assert book.cash == 1_000.0 - 500.0 - 7.77 and Costs().minimum == 1.0


# -- several corrections ----------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(worlds(), st.data())
def test_however_often_fills_are_corrected_the_book_is_the_one_that_the_right_figures_had_made(
    world: World, data: st.DataObject
):
    right = [event for batch in told(world) for event in batch]
    for place in sorted(data.draw(st.lists(st.integers(1, len(right)), max_size=2)), reverse=True):
        right[place:place] = [EntriesPaused("s", "drawdown"), StatusChanged("running", "", "a person")]
    lived: list[list[Event]] = [[event] for event in right]
    for place, event in enumerate(right):
        if isinstance(event, Filled) and data.draw(st.booleans()):
            _wrong_at_first(lived, place, event, data)
    book, expected, scale = fold([e for some in lived for e in some]), fold(right), 1e-6 * max(1.0, world.capital / 1e4)
    for name in ("cash", "shares", "realized", "equity", "worth", "unrealized", "limit_peak", "num_trades", "traded"):
        assert getattr(book, name) == pytest.approx(getattr(expected, name), rel=1e-9, abs=scale), name
    for name in ("entry", "peak"):
        assert float(getattr(book.account, name)) == pytest.approx(
            float(getattr(expected.account, name)), rel=1e-9, abs=scale
        ), name
    assert [c.trade.pnl for c in book.closed] == pytest.approx([c.trade.pnl for c in expected.closed], abs=scale)


def _wrong_at_first(lived: list[list[Event]], place: int, fill: Filled, data: st.DataObject) -> None:
    """The fill is booked otherwise, and corrected by up to three reports, the last of which is right."""
    price, fee = fill.price * data.draw(st.floats(0.8, 1.25)), fill.fee + data.draw(st.sampled_from([0.0, 0.5, -0.3]))
    lived[place][0] = replace(fill, price=price, fee=fee, estimated=True)
    for later in sorted(data.draw(st.lists(st.integers(place, len(lived) - 1), max_size=2))):
        price = fill.price * data.draw(st.floats(0.8, 1.25))
        lived[later].append(FillCorrected(fill.exec_id, price, fee, [fill.exec_id], estimated=True, peaks=True))
        place = later
    last = data.draw(st.integers(place, len(lived) - 1))
    lived[last].append(FillCorrected(fill.exec_id, fill.price, fee, [fill.exec_id], peaks=True))
    end = data.draw(st.integers(last, len(lived) - 1))
    lived[end].append(FeeAdjusted(fill.exec_id, "s", fill.fee - fee, peaks=True))


def test_a_fee_that_is_corrected_moves_the_equity_and_the_peak_of_the_closes_since():
    entry = Filled("a", "k", "entry", "s1", 100, 50.0, 1.0, 40.0)
    book = fold(
        [Deposited(10_000.0), Marked("s0", 50.0), entry, Marked("s1", 60.0), FeeAdjusted("a", "s1", 2.0, peaks=True)]
    )
    assert (book.equity, float(book.account.peak), book.limit_peak) == (10_997.0, 10_997.0, 10_997.0)


def test_corrections_of_an_earlier_versions_journal_leave_the_peaks_on_which_it_decided():
    """Its decisions are repeated by ``verify``: a fee moved neither equity nor peak, a price guessed the peak."""
    entry, later = (
        Filled("a", "k", "entry", "s1", 100, 50.0, 1.0, 40.0),
        Filled("b", "k2", "entry", "s2", 10, 50.0, 1.0, 40.0),
    )
    lived = fold([Deposited(10_000.0), Marked("s0", 50.0), entry, Marked("s1", 60.0), later, Marked("s2", 55.0)])
    book = fold([decode({"kind": "FeeAdjusted", "exec_id": "a", "session": "s2", "amount": 2.0})], lived)
    assert (book.cash, book.equity, float(book.account.peak)) == (
        lived.cash - 2.0,
        lived.equity,
        float(lived.account.peak),
    )
    correction = {"kind": "FillCorrected", "exec_id": "a", "price": 49.0, "fee": 1.0, "parts": ["a"]}
    book = fold([decode(correction), decode({**correction, "exec_id": "b", "price": 45.0, "parts": ["b"]})], lived)
    assert (float(book.account.peak), book.equity) == (11_149.0, lived.equity + 150.0)  # right were 11 099
