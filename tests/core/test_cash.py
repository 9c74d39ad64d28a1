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
    return (
        draw(MONEY),
        draw(MONEY),
        draw(st.sampled_from([0.0, 0.0, 12.5, 250.0])),
        draw(st.sampled_from([0.0, 0.0, 0.37, -0.9, 1.01, 5_000.0, -300.0])),
        draw(st.booleans()),
        draw(st.booleans()),
    )


@given(st.lists(moves(), max_size=12))
def test_every_cent_is_somebodys_whatever_happens(days):
    now, books = start(), {A: BookCash(), B: BookCash()}
    for n, (a, b, dividend, other, pays, confirms) in enumerate(days):
        books = {
            A: replace(books[A], traded=books[A].traded + a, credited=books[A].credited + dividend),
            B: replace(books[B], traded=books[B].traded + b),
        }
        paid = now.due[0].amount if pays and now.due else 0.0
        found = explain(now, f"2024-06-{n + 4:02d}", now.cash + a + b + paid + other, books)
        assert sum(found.lines().values()) == pytest.approx(found.change, abs=1e-6)
        assert parts(found.after) == pytest.approx(found.after.cash, abs=1e-6)
        now = confirmed(found.after) if confirms else found.after
        assert parts(now) == pytest.approx(now.cash, abs=1e-6) and (
            now.unexplained == 0.0 or abs(now.unexplained) > TOLERANCE
        )


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
    assert (
        now.unexplained == pytest.approx(-377.30)
        and now.doubts(("x",))
        and not now.doubts(("y",))
        and not now.doubts(())
    )
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
    found = explain(now, "2024-06-28", 20_065.0 - 505.0, {A: replace(books[A], traded=-505.0), B: books[B]})
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


# -- what a sum does not prove ----------------------------------------------------------


def after_estimate(error: float, dividend: float = 25.0, paid: float = 0.0) -> Cash:
    """A dividend was due; then a fill is booked by an estimate that is ``error`` USD too low, and ``paid`` arrives."""
    credited = {A: BookCash(0.0, dividend), B: BookCash()}
    now = explain(start(), "2024-06-04", 20_000.0, credited).after
    return explain(
        now, "2024-06-05", 20_000.0 - 500.0 + error + paid, {A: BookCash(-500.0, dividend, ("x",)), B: BookCash()}
    ).after


def stated(now: Cash, error: float, dividend: float = 25.0, session: str = "2024-06-06") -> Cash:
    return explain(now, session, now.cash, {A: BookCash(-500.0 + error, dividend), B: BookCash()}).after


@given(st.sampled_from([25.0, 21.25, -25.0, 40.0, 3.7]), st.sampled_from([0.0, 25.0, 21.25]))
def test_money_that_came_with_an_estimate_is_doubted_until_it_is_corrected_whatever_it_equals(error, paid):
    now = after_estimate(error, paid=paid)
    if abs(error + paid) > TOLERANCE:  # else the sums agree, and nothing in the cash tells
        assert now.doubts(("x",)) and len(now.due) == 1
    now = stated(now, error)
    assert not now.open and len(now.due) == (0 if paid else 1) and now.received == pytest.approx(paid)


def test_a_dividend_that_came_with_an_estimate_of_another_agent_is_found_when_that_is_corrected():
    credited = {A: BookCash(0.0, 25.0), B: BookCash(0.0, 25.0)}  # of two that are alike one is paid
    now = explain(start(), "2024-06-04", 20_000.0, credited).after
    now = explain(
        now, "2024-06-05", 20_000.0 - 500.0 + 4.2 + 25.0, {**credited, B: BookCash(-500.0, 25.0, ("x",))}
    ).after
    assert now.unexplained == pytest.approx(29.2) and now.doubts(("x",))
    now = explain(now, "2024-06-06", now.cash, {**credited, B: BookCash(-495.8, 25.0)}).after
    assert not now.open and len(now.due) == 1 and now.received == pytest.approx(25.0)


def test_an_error_that_makes_up_for_an_earlier_one_leaves_both_in_doubt():
    books = {A: BookCash(-500.0, 0.0, ("x",)), B: BookCash()}
    now = explain(start(), "2024-06-04", 20_000.0 - 450.0, books).after
    books[B] = BookCash(-300.0, 0.0, ("y",))
    now = explain(now, "2024-06-05", now.cash - 350.0, books).after
    assert now.unexplained == 0.0 and now.open and now.doubts(("x",)) and now.doubts(("y",))
    again = explain(now, "2024-06-06", now.cash, books).after
    assert again.doubts(("x",)) and again.doubts(("y",)) and not confirmed(again).open
    books[A] = BookCash(-450.0)
    now = explain(again, "2024-06-07", now.cash, books).after
    assert now.unexplained == pytest.approx(-50.0) and now.doubts(("y",))
    books[B] = BookCash(-350.0)
    assert not explain(now, "2024-06-08", now.cash, books).after.open


def test_an_estimate_that_hid_the_error_of_another_is_doubted_as_soon_as_that_is_corrected():
    books = {A: BookCash(-500.0, 25.0, ("x",)), B: BookCash(-300.0, 0.0, ("y",))}
    now = explain(start(), "2024-06-04", 20_000.0 - 800.0, books).after
    assert not now.open  # 25 too low and 25 too high: nothing in the cash tells
    books[A] = BookCash(-525.0, 25.0)
    now = explain(now, "2024-06-05", now.cash, books).after
    assert now.unexplained == pytest.approx(25.0) and now.doubts(("y",)) and len(now.due) == 1
    books[B] = BookCash(-275.0)
    now = explain(now, "2024-06-06", now.cash, books).after
    assert not now.open and len(now.due) == 1


DIVIDENDS = (10.0, 33.0, 71.0)
DAY = st.tuples(
    st.sampled_from(["estimate", "correct", "credit", "pay", "quiet"]),
    st.sampled_from([A, B]),
    st.sampled_from([*DIVIDENDS, *(-d for d in DIVIDENDS), 5.0, -2.5]),
    st.booleans(),
)


@given(st.lists(DAY, max_size=14))
def test_when_every_estimate_is_corrected_and_every_dividend_paid_nothing_is_left_over(days):
    now, books, cash = start(), {A: BookCash(), B: BookCash()}, 20_000.0
    errors, due, looks = {}, [], 4
    last = [("correct", a, 0.0, True) for a in (A, B) for _ in days] + [("pay", A, 0.0, True) for _ in days]
    for n, (what, agent, amount, looked) in enumerate([*days, *last]):
        book = books[agent]
        if what == "estimate":
            errors[f"e{n}"] = amount
            books[agent] = replace(book, traded=book.traded - 100.0, estimates=(*book.estimates, f"e{n}"))
            cash += amount - 100.0
        elif what == "correct" and book.estimates:
            first_one, *others = book.estimates
            books[agent] = replace(book, traded=book.traded + errors[first_one], estimates=tuple(others))
        elif what == "credit" and len(due) < 3 and abs(amount) in DIVIDENDS and abs(amount) not in due:
            books[agent] = replace(book, credited=book.credited + abs(amount))
            due.append(abs(amount))
            looked = True
        elif what == "pay" and due:
            cash += due.pop(0)
        if looked:
            looks += 1
            now = explain(now, f"2024-{6 + looks // 28:02d}-{1 + looks % 28:02d}", cash, books).after
            assert parts(now) == pytest.approx(now.cash, abs=1e-6)
            wrong = [a for a in (A, B) if any(abs(errors[e]) > TOLERANCE for e in books[a].estimates)]
            if now.open and wrong and not any(b.estimates for a, b in books.items() if a not in wrong):
                assert any(now.doubts(books[a].estimates) for a in wrong)
    assert not now.open and now.due == () and now.unmanaged == pytest.approx(20_000.0, abs=1.0)
