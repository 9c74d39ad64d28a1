"""The account's cash against the agents' books: explained, or said; and corrected by a statement."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from livetrading.adapters.brokers.ibkr import flex as flex_file
from livetrading.core import account_book
from livetrading.core.cash import first
from livetrading.core.errors import BadInput, Conflict, Damaged
from livetrading.core.events import DividendPaid
from livetrading.core.types import Action
from livetrading.execution import account_requests, account_status
from livetrading.execution.agent_manager import AgentManager
from livetrading.execution.state import queries, requests
from tests.doubles import flex
from tests.doubles.account_days import DAYS, deployed, entered, holding
from tests.doubles.account_life import AccountLife, in_account
from tests.doubles.ibkr import await_that
from tests.doubles.lives import AGENT, FIRST, Always, at
from tests.doubles.tws import TwsDouble

DAY = FIRST + 1
EXPENSIVE = 1.10


def cash(life: AccountLife) -> Any:
    return life.node.account.journal("DU1234567").book.cash


def slept(life: AccountLife, factor: float = EXPENSIVE, **more: Any) -> int:
    """Bought while the program was off, at another price than the bar's open, and the executions are not
    listed any more; the row at whose morning it starts again."""
    entered(life, **more)
    life.node.close()
    life.now = at(life.sessions[DAY], "09:30")
    (order, _) = life.tws.ledger.open_orders()
    price = round(float(life.quote(DAY)["open"]) * factor, 2)
    life.tws.happen(lambda book: book.fill(order, order.remaining, price))
    life.restart()
    for clock in ("08:00", "08:01"):
        life.check(at(life.sessions[DAY + 2], clock))
    assert life.state.book.shares == life.tws.ledger.holds("TEST") > 0 and life.state.estimated_fills
    return DAY + 2


def moved(life: AccountLife, amount: float) -> None:
    """A person pays in or draws, or IB posts interest."""
    life.tws.happen(lambda book: setattr(book, "cash", book.cash + amount) or [])
    total = life.tws.ledger.cash
    await_that(lambda: abs(life.link.account().cash_usd - total) < 0.01, "cash heard")


def looked(life: AccountLife, t: int, *clocks: str) -> None:
    for clock in clocks:
        life.check(at(life.sessions[t], clock))


# -- what is explained ---------------------------------------------------------------


def test_a_life_with_splits_and_dividends_is_explained_every_day(eventful: AccountLife) -> None:
    life = deployed(eventful)
    assert cash(life).unmanaged == 100_000.0
    for t in range(FIRST, FIRST + DAYS):
        life.live(t)
        looked(life, t, "16:45")
        assert not cash(life).open and cash(life).session == life.sessions[t].isoformat()
    assert (
        life.state.book.dividends > 0 and cash(life).due and cash(life).unmanaged == pytest.approx(100_000.0, abs=1.0)
    )
    owed = cash(life).due[0]
    moved(life, 0.85 * owed.amount)  # weeks later, after tax
    looked(life, t, "17:00", "17:05")
    assert owed not in cash(life).due and not cash(life).open


def test_an_account_that_is_first_seen_is_the_persons_whatever_it_holds(life: AccountLife) -> None:
    life.tws.ledger.cash = 12_345.67
    deployed(life)
    assert (cash(life).unmanaged, cash(life).unexplained) == (12_345.67, 0.0)


def test_a_home_of_before_the_cash_was_compared_begins_at_what_is_there(life: AccountLife) -> None:
    t = holding(life)
    journal = life.home.account("DU1234567") / "journal.jsonl"
    life.node.close()
    kept = [line for line in journal.read_bytes().splitlines(keepends=True) if b"CashSeen" not in line]
    assert kept
    journal.unlink()
    life.restart()
    life.ask("ignore", at(life.sessions[t], "15:30"))  # only so that the rest is on record again
    looked(life, t, "16:40")
    assert cash(life).unmanaged == pytest.approx(100_000.0) and not cash(life).open


def test_what_a_person_moves_is_shown_blocks_nobody_and_is_confirmed_once(life: AccountLife) -> None:
    deployed(life)
    life.live(FIRST)
    moved(life, 5_000.0)
    looked(life, FIRST, "17:00")
    assert not cash(life).open  # it may be a push that came late
    looked(life, FIRST, "17:05")
    assert cash(life).unexplained == pytest.approx(5_000.0) and life.state.status == "running"
    assert any("confirm-cash" in text for _, text in life.node.news())
    life.check(at(life.sessions[FIRST + 1], "08:00"))
    assert [o.type for o in life.tws.ledger.open_orders()] == ["MKT", "STP"]  # it buys
    wrong = life.ask("confirm_cash", life.now, difference=4_000.0)
    assert wrong["status"] == "refused" and "+5,000.00" in wrong["message"]
    first = life.ask("confirm_cash", life.now, "once", difference=5_000.0)
    assert first["status"] == "done" and cash(life).unmanaged == pytest.approx(105_000.0) and not cash(life).open
    assert life.ask("confirm_cash", life.now)["status"] == "refused"
    life.opens(FIRST + 1)
    life.check(at(life.sessions[FIRST + 1], "09:33"))
    looked(life, FIRST + 1, "16:40")
    moved(life, 5_000.0)  # the same again is not covered
    looked(life, FIRST + 1, "17:00", "17:05")
    assert cash(life).unexplained == pytest.approx(5_000.0)


def test_a_little_interest_is_ordinary(life: AccountLife) -> None:
    deployed(life)
    for t in range(FIRST, FIRST + 4):
        life.live(t)
        moved(life, 0.75)
        looked(life, t, "17:00", "17:05")
        assert not cash(life).open
    assert life.node.news() == []


# -- what is not -------------------------------------------------------------------------


def test_a_fill_that_was_slept_through_and_cost_more_blocks_entries_with_both_sides_and_no_exit(
    life: AccountLife,
) -> None:
    t = slept(life)
    book, account = life.state.book.cash, life.tws.ledger.cash - 90_000.0
    assert book - account > 30
    looked(life, t, "08:10")
    doubt = life.node.cash.doubt(life.state)
    assert (
        f"{life.tws.ledger.cash:,.2f} USD in cash" in doubt
        and f"{account - book:+,.2f}" in doubt
        and "buys nothing" in doubt
    )
    assert any("buys nothing" in text for who, text in life.node.news() if who == AGENT)
    assert life.state.status == "running" and [o.type for o in life.tws.ledger.open_orders()] == ["STP"]
    account_status.publish(life.node, life.now)
    shown = queries.agent(life.store, AGENT)
    assert shown["estimates"] == 1 and shown["account_cash"]["unexplained"] == pytest.approx(account - book)
    assert any("buys nothing" in text for text in shown["warnings"]) and any(
        "estimates" in text for text in shown["warnings"]
    )
    while life.state.book.shares:  # the policy sells it
        life.live(t)
        t += 1
    for day in (t, t + 1):
        life.live(day)
    decided = life.named("Decided")
    assert decided[-1].action == 2 and decided[-1].qty == 0 and "buys nothing" in decided[-1].reason
    assert life.tws.ledger.open_orders() == [] and life.state.idle
    life.restart()
    life.check(at(life.sessions[t + 2], "08:00"))
    assert "buys nothing" in life.node.cash.doubt(life.state)  # the restart forgets nothing


def test_an_estimate_that_the_cash_bears_out_stays_marked_and_blocks_nobody(life: AccountLife) -> None:
    t = slept(life, factor=1.0)
    looked(life, t, "08:10")
    assert life.state.estimated_fills and life.node.cash.doubt(life.state) == "" and not cash(life).open


def test_a_planned_entry_waits_while_the_cash_is_in_doubt(tmp_path: Path, calm: pd.DataFrame, tws: TwsDouble) -> None:
    life = in_account(tmp_path, calm, Always(Action.BUY), tws)
    t = slept(life)
    life.check(at(life.sessions[t], "16:40"))
    life.check(at(life.sessions[t], "16:45"))
    stop = life.tws.ledger.open_orders()[0]
    life.now = at(life.sessions[t + 1], "11:00")
    life.tws.happen(lambda book: book.fill(stop, stop.remaining, stop.aux))
    life.await_reports()
    looked(life, t + 1, "11:01", "16:40", "16:45")
    assert (
        life.state.flat
        and life.state.orders == ()
        and life.named("Decided")[-1].reason.endswith("confirm that it is yours")
    )
    life.node.close()


def test_a_difference_that_is_just_seen_keeps_from_buying_at_once_and_is_told_when_it_has_lasted(
    life: AccountLife,
) -> None:
    """The fill and its stop were slept through; both are heard and decided on in one pass of the evening."""
    entered(life)
    life.node.close()
    opened = float(life.quote(DAY)["open"])
    life.now = at(life.sessions[DAY], "09:30")
    (order, stop) = life.tws.ledger.open_orders()
    life.tws.happen(
        lambda book: [*book.fill(order, order.remaining, 1.1 * opened), *book.fill(stop, stop.remaining, 0.9 * opened)]
    )
    life.restart()
    life.policy = life.node.registry.policy = Always(Action.BUY)
    done = life.check(at(life.sessions[DAY + 2], "16:40"))
    assert life.state.flat and [d["qty"] for d in done.decided] == [0] and "buys nothing" in done.decided[0]["reason"]
    assert life.node.news() == [] and not cash(life).open
    looked(life, DAY + 2, "16:45")
    assert cash(life).open and [who for who, _ in life.node.news()] == [AGENT]


def test_a_confirmation_that_is_applied_again_after_a_crash_is_done_once(life: AccountLife) -> None:
    t = slept(life)
    looked(life, t, "08:10")
    for _ in range(2):
        message, _ = account_requests.confirm_cash(life.node, AGENT, {}, "one", "test", life.now)
        life.restart()
    assert "before the last interruption" in message
    assert (
        sum(
            b"CashConfirmed" in line
            for line in (life.home.account("DU1234567") / "journal.jsonl").read_bytes().splitlines()
        )
        == 1
    )


def test_a_confirmation_lifts_the_block_and_leaves_the_mark(life: AccountLife) -> None:
    t = slept(life)
    looked(life, t, "08:10")
    assert life.ask("confirm_cash", at(life.sessions[t], "08:11"))["status"] == "done"
    assert life.node.cash.doubt(life.state) == "" and life.state.estimated_fills
    looked(life, t, "08:20", "16:40", "16:50")
    assert life.node.cash.doubt(life.state) == "" and not cash(life).open


def test_executions_that_are_listed_after_all_correct_the_book_and_lift_the_block(life: AccountLife) -> None:
    t = slept(life)
    looked(life, t, "08:10")
    assert life.node.cash.doubt(life.state)
    life.node.close()
    life.tws.ledger.fills[0] = _today(life.tws.ledger.fills[0], life.now)
    life.restart()
    looked(life, t, "08:15", "08:16")
    assert life.node.cash.doubt(life.state) == "" and life.state.estimated_fills == () and not cash(life).open
    assert life.state.book.cash == pytest.approx(life.tws.ledger.cash - 90_000.0)


def _today(fill: Any, now: Any) -> Any:
    return replace(fill, at=now)


def test_an_error_that_equals_a_due_dividend_is_not_taken_for_it(life: AccountLife, tmp_path: Path) -> None:
    entered(life)
    (order, _), opened = life.tws.ledger.open_orders(), float(life.quote(DAY)["open"])
    price, qty = round(0.9 * opened, 2), order.remaining
    error = qty * (opened - price)
    life.node.repository(AGENT).commit([DividendPaid(life.sessions[FIRST].isoformat(), error, 1)], life.now)
    looked(life, DAY, "08:05")
    assert [d.amount for d in cash(life).due] == [error] and not cash(life).open
    life.node.close()
    life.now = at(life.sessions[DAY], "09:30")
    life.tws.happen(lambda book: book.fill(order, qty, price))
    life.restart()
    looked(life, DAY + 2, "08:00", "08:01", "08:10")
    assert (
        life.state.estimated_fills and "buys nothing" in life.node.cash.doubt(life.state) and len(cash(life).due) == 1
    )
    done = imported(life, flex.xml(tmp_path / "f.xml", flex.of(life.tws.ledger)))
    assert done["result"]["corrected"] == 1
    looked(life, DAY + 2, "08:15", "08:20")
    assert life.node.cash.doubt(life.state) == "" and not cash(life).open and len(cash(life).due) == 1
    moved(life, error)  # and now the dividend
    looked(life, DAY + 2, "08:25", "08:30")
    assert not cash(life).open and cash(life).due == () and cash(life).received == pytest.approx(error)


@pytest.mark.parametrize("seen", [float("nan"), float("inf"), "5000", True])
def test_a_confirmation_of_what_is_no_amount_confirms_nothing(life: AccountLife, seen: Any) -> None:
    deployed(life)
    life.live(FIRST)
    moved(life, 5_000.0)
    looked(life, FIRST, "17:00", "17:05")
    with pytest.raises((BadInput, Conflict), match=r"seen|has changed"):
        account_requests.confirm_cash(life.node, AGENT, {"difference": seen}, "one", "test", life.now)
    assert cash(life).unexplained == pytest.approx(5_000.0)


def test_differences_that_made_up_for_each_other_are_told_and_can_be_confirmed(life: AccountLife) -> None:
    t = slept(life)
    looked(life, t, "08:10")
    known = cash(life)
    life.node.account.journal("DU1234567").record(
        account_book.cash_record(replace(known, unexplained=0.0, masked=True)), life.now
    )
    life.restart()
    looked(life, t, "08:15")
    assert "made up for an earlier one" in life.node.cash.doubt(life.state) and "buys nothing" in life.node.cash.doubt(
        life.state
    )
    assert life.ask("confirm_cash", life.now, difference=0.0)["status"] == "done"
    assert life.node.cash.doubt(life.state) == "" and life.state.estimated_fills


def test_a_record_of_the_cash_by_an_earlier_version_is_read() -> None:
    written = account_book.encode(account_book.cash_record(first("2024-06-03", 5.0, {})))
    del written["masked"]
    assert account_book.fold([account_book.decode(written)]).cash == first("2024-06-03", 5.0, {})
    for wrong in ({"cash": None}, {"more": 1}):
        damaged = {k: v for k, v in (written | wrong).items() if v is not None}
        with pytest.raises(Damaged):
            account_book.decode(damaged)


# -- statements --------------------------------------------------------------------------------


def imported(life: AccountLife, path: Path) -> dict[str, Any]:
    rows = [e.to_dict() for e in flex_file.read(path)]
    made = requests.submit(
        life.store, "import_statement", args={"account": "DU1234567", "executions": rows}, by="test", now=life.now
    )
    AgentManager(life.node).apply_pending(life.now)
    return requests.outcome(life.store, made) or {}


@pytest.mark.parametrize(
    "written",
    [
        lambda path, rows: flex.xml(path, rows),
        lambda path, rows: flex.csv(path, rows),
        lambda path, rows: flex.xml(path, rows, "Execution"),
    ],
    ids=["trades", "csv", "executions"],
)
@pytest.mark.parametrize(
    "left",
    [{}, {"orderReference": ""}, {"ibOrderID": ""}, {"orderReference": "", "ibOrderID": "", "conid": ""}],
    ids=["whole", "by order number", "by reference", "by day and quantity"],
)
def test_a_statement_corrects_what_was_booked_by_an_estimate_and_the_block_lifts(
    life: AccountLife, tmp_path: Path, written: Any, left: dict[str, str]
) -> None:
    t = slept(life)
    looked(life, t, "08:10")
    assert life.node.cash.doubt(life.state)
    path = written(tmp_path / "flex", flex.of(life.tws.ledger, **left))
    done = imported(life, path)
    assert done["status"] == "done" and done["result"]["corrected"] == 1 and done["result"]["estimates_left"] == 0, done
    assert life.state.book.cash == pytest.approx(life.tws.ledger.cash - 90_000.0) and life.state.estimated_fills == ()
    assert life.node.cash.doubt(life.state) == ""
    assert any("the statement states" in text for _, text in life.node.news())
    count = len(life.events)
    again = imported(life, path)
    assert again["status"] == "done" and "Nothing to correct" in again["message"] and len(life.events) == count
    looked(life, t, "08:15", "08:20")
    assert not cash(life).open


def test_a_statement_corrects_a_price_by_its_execution_and_a_correction_counts_before_the_first_report(
    life: AccountLife, tmp_path: Path
) -> None:
    t = holding(life)
    fill = life.tws.ledger.fills[0]
    life.now = at(life.sessions[t], "20:00")
    life.tws.ledger.correct(fill.exec_id, price=fill.price + 0.5)
    done = imported(life, flex.xml(tmp_path / "f.xml", reversed(flex.of(life.tws.ledger))))
    assert done["result"]["corrected"] == 1
    assert life.state.book.cash == pytest.approx(10_000.0 - fill.qty * (fill.price + 0.5) - fill.commission)


def test_a_statement_with_another_quantity_blocks(life: AccountLife, tmp_path: Path) -> None:
    t = holding(life)
    life.now = at(life.sessions[t], "20:00")
    done = imported(life, flex.xml(tmp_path / "f.xml", flex.of(life.tws.ledger, quantity="3")))
    assert done["result"]["disputed"] == 1 and life.state.status == "blocked" and "3 at" in life.state.status_reason


def test_a_statement_with_a_part_of_an_estimates_shares_corrects_nothing(life: AccountLife, tmp_path: Path) -> None:
    slept(life)
    done = imported(life, flex.xml(tmp_path / "f.xml", flex.of(life.tws.ledger, quantity="3")))
    assert (
        done["result"]["corrected"] == 0 and done["result"]["estimates_left"] == 1 and life.named("FillCorrected") == []
    )


def test_a_statement_without_the_agents_trades_is_refused(life: AccountLife, tmp_path: Path) -> None:
    slept(life)
    done = imported(life, flex.xml(tmp_path / "f.xml", flex.of(life.tws.ledger, symbol="MSFT", conid="1")))
    assert done["status"] == "refused" and "no trade of the agents" in done["message"]


def test_two_agents_of_one_stock_each_get_their_own_execution(life: AccountLife, tmp_path: Path) -> None:
    deployed(life)
    life.deploy(at(life.sessions[FIRST - 1], "20:00"))
    life.check(at(life.sessions[FIRST], "16:40"))
    life.check(at(life.sessions[FIRST + 1], "08:00"))
    life.node.close()
    life.now = at(life.sessions[DAY], "09:30")
    buys = [o for o in life.tws.ledger.open_orders() if o.type == "MKT"]
    for n, order in enumerate(buys):
        life.tws.happen(lambda book, o=order, p=30.0 + n: book.fill(o, o.remaining, p))
    life.restart()
    for clock in ("08:00", "08:01"):
        life.tried(at(life.sessions[DAY + 2], clock))
    states = [d.state for d in life.node.repositories.values()]
    assert all(s.estimated_fills for s in states) and len(states) == 2
    done = imported(life, flex.xml(tmp_path / "f.xml", flex.of(life.tws.ledger)))
    assert done["result"]["corrected"] == 2, done
    paid = {s.agent.agent_id: s.book.fills for s in (d.state for d in life.node.repositories.values())}
    assert [next(iter(fills.values())).fill.price for _, fills in sorted(paid.items())] == [30.0, 31.0]
