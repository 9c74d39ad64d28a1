"""An account's cash is explained to the cent, or what is left of it is said."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livetrading.core.cash import TOLERANCE, BookCash, Cash, Due, confirmed, explain, first

A, B = "PPO_AAA_001", "PPO_BBB_001"
MONEY = st.integers(-5_000_00, 5_000_00).map(lambda cents: cents / 100)


def start(**books: BookCash) -> Cash:
    return first("2024-06-03", 20_000.0, books or {A: BookCash(), B: BookCash()})


def parts(cash: Cash) -> float:
    return cash.unmanaged + cash.received + cash.unexplained + sum(b.traded for b in cash.books.values())


@st.composite
def moves(draw):
    """A day: what each agent traded and was credited with, what was paid, and what else moved the cash."""
    return (draw(MONEY), draw(MONEY), draw(st.sampled_from([0.0, 0.0, 12.5, 250.0])), draw(st.sampled_from([0.0, 0.0, 0.37, -0.9, 1.01, 5_000.0, -300.0])),
            draw(st.booleans()), draw(st.booleans()))


@given(st.lists(moves(), max_size=12))
def test_every_cent_is_somebodys_whatever_happens(days):
    now, books = start(), {A: BookCash(), B: BookCash()}
    for n, (a, b, dividend, other, pays, confirms) in enumerate(days):
        books = {A: replace(books[A], traded=books[A].traded + a, credited=books[A].credited + dividend),
                 B: replace(books[B], traded=books[B].traded + b)}
        paid = now.due[0].amount if pays and now.due else 0.0
        found = explain(now, f"2024-06-{n + 4:02d}", now.cash + a + b + paid + other, books)
        assert sum(found.lines().values()) == pytest.approx(found.change, abs=1e-6)
        assert parts(found.after) == pytest.approx(found.after.cash, abs=1e-6)
        now = confirmed(found.after) if confirms else found.after
        assert parts(now) == pytest.approx(now.cash, abs=1e-6) and (now.unexplained == 0.0 or abs(now.unexplained) > TOLERANCE)


@given(st.lists(st.tuples(MONEY, MONEY, st.integers(-20, 20)), max_size=20))
def test_what_the_books_say_and_cents_beside_it_are_never_unexplained(days):
    now, books = start(), {A: BookCash(), B: BookCash()}
    for n, (a, b, cents) in enumerate(days):
        books = {A: BookCash(books[A].traded + a, 0.0, ("a",)), B: BookCash(books[B].traded + b)}
        now = explain(now, f"2024-06-{n + 4:02d}", now.cash + a + b + cents / 100, books).after
        assert not now.open and now.suspects == ()


def test_the_first_look_finds_nothing_wrong_and_leaves_the_rest_to_the_person():
    now = start(**{A: BookCash(-505.0, 25.0, ("x",))})
    assert (now.unmanaged, now.unexplained, now.due) == (20_505.0, 0.0, ())
    assert explain(now, "2024-06-04", 20_000.0, now.books).after == replace(now, session="2024-06-04")


def test_an_estimate_that_the_cash_does_not_bear_out_is_suspect_until_it_is_corrected():
    books = {A: BookCash(-204.30, 0.0, ("x",)), B: BookCash()}
    now = explain(start(), "2024-06-04", 20_000.0 - 581.60, books).after
    assert now.unexplained == pytest.approx(-377.30) and now.doubts(("x",)) and not now.doubts(("y",)) and not now.doubts(())
    right = {A: BookCash(-581.60), B: BookCash()}
    now = explain(now, "2024-06-05", now.cash, right).after
    assert not now.open and now.suspects == () and now.unmanaged == pytest.approx(20_000.0)


def test_estimates_that_the_cash_bore_out_are_not_suspect_when_a_person_moves_money_later():
    books = {A: BookCash(-505.0, 0.0, ("x",)), B: BookCash()}
    now = explain(start(), "2024-06-04", 20_000.0 - 505.2, books).after
    now = explain(now, "2024-06-05", now.cash + 5_000.0, books).after
    assert now.unexplained == pytest.approx(5_000.0) and now.suspects == () and not now.doubts(("x",))


def test_an_estimate_made_while_an_older_difference_is_open_is_not_suspect_for_it():
    now = explain(start(), "2024-06-04", 25_000.0, {A: BookCash(), B: BookCash()}).after
    now = explain(now, "2024-06-05", 25_000.0 - 505.0, {A: BookCash(-505.0, 0.0, ("x",)), B: BookCash()}).after
    assert now.unexplained == 5_000.0 and now.suspects == ()


def test_a_confirmation_covers_what_was_seen_and_nothing_later():
    now = confirmed(explain(start(), "2024-06-04", 20_012.5, {A: BookCash(), B: BookCash()}).after)
    assert not now.open and now.unmanaged == 20_012.5
    later = explain(now, "2024-06-05", 20_025.0, now.books).after
    assert later.unexplained == 12.5


def test_a_difference_that_stays_below_a_dollar_a_day_is_ordinary_and_kept_count_of():
    now = start()
    for n in range(4, 14):
        now = explain(now, f"2024-06-{n:02d}", now.cash + 0.6, now.books).after
    assert not now.open and now.unmanaged == pytest.approx(20_006.0)


@pytest.mark.parametrize(("arrives", "left"), [(25.0, 0), (21.25, 0), (17.5, 0), (24.9, 0), (60.0, 1), (-25.0, 1)])
def test_a_dividend_is_due_until_the_cash_shows_it_in_whole_or_after_tax(arrives, left):
    books = {A: BookCash(0.0, 25.0), B: BookCash()}
    now = explain(start(), "2024-06-04", 20_000.0, books).after
    assert now.due == (Due(A, "2024-06-04", 25.0),) and not now.open
    found = explain(now, "2024-06-28", 20_000.0 + arrives, books)
    assert len(found.after.due) == left and found.after.open == bool(left)
    assert found.received == pytest.approx(arrives if not left else 0.0)


def test_dividends_of_two_agents_can_come_in_one_payment():
    books = {A: BookCash(0.0, 25.0), B: BookCash(0.0, 40.0)}
    now = explain(start(), "2024-06-04", 20_000.0, books).after
    found = explain(now, "2024-06-28", 20_065.0 - 505.0, {A: replace(books[A], traded=-505.0, estimates=("x",)), B: books[B]})
    assert found.paid == now.due and not found.after.open


def test_a_dividend_that_never_comes_is_not_waited_for_for_ever():
    books = {A: BookCash(0.0, 25.0), B: BookCash()}
    now = explain(start(), "2024-06-04", 20_000.0, books).after
    assert explain(now, "2025-06-04", 20_000.0, books).after.due == ()


def test_a_large_part_of_money_that_came_before_its_fill_was_heard_is_settled_by_the_fill():
    books = {A: BookCash(), B: BookCash()}
    now = explain(start(), "2024-06-04", 20_000.0 - 505.0, books).after
    assert now.unexplained == -505.0 and now.suspects == ()
    now = explain(now, "2024-06-04", now.cash, {A: BookCash(-505.0), B: BookCash()}).after
    assert not now.open and now.unmanaged == 20_000.0
