"""Fees and executions that Interactive Brokers states late, wrongly at first, or anew: the last report counts, once."""

from dataclasses import replace

import pytest

from livetrading.core import estimates
from livetrading.execution.state import queries
from tests.doubles.account_days import entered, holding
from tests.doubles.account_life import COSTS, TEST, AccountLife
from tests.doubles.ibkr import await_that
from tests.doubles.lives import AGENT, FIRST, at

UNSET = "1.7976931348623157E308"
DAY = FIRST + 1


def bought(life: AccountLife) -> None:
    """The entry fills at the open and is booked."""
    entered(life)
    life.opens(DAY)
    life.check(at(life.sessions[DAY], "09:33"))
    assert life.state.book.shares > 0


def states(life: AccountLife, fee: object) -> None:
    """IB says this of the first fill's commission."""
    life.tws.reported_fee = lambda fill: fee
    life.tws.happen(lambda book: [("commission", book.fills[0]), ("exec", book.fills[0])])
    # Messages come in order: once a later one was heard, this one was.
    life.tws.happen(lambda book: [("position", TEST)])
    before = life.link.session.account_reads
    life.link.read_account()
    assert life.link.session.account_reads > before


def cash_with(life: AccountLife, fee: float, price: float | None = None) -> float:
    (fill,) = life.named("Filled")
    return 10_000.0 - fill.qty * (fill.price if price is None else price) - fee


# -- fees --------------------------------------------------------------------------


@pytest.mark.parametrize("unknown", [UNSET, "-1.0", "-1", "", "nan", "inf"])
def test_a_fee_that_ib_does_not_know_yet_is_an_estimate_until_it_does(life: AccountLife, unknown: str) -> None:
    life.tws.reported_fee = lambda fill: unknown
    bought(life)
    (fill,) = life.named("Filled")
    assert fill.estimated and fill.fee == 1.0 and life.state.book.cash == cash_with(life, 1.0)
    shown = life.store.read_docs(life.home.agent(AGENT) / "state.json")["agent"][0]
    assert shown["estimates"] == 1 and any("estimate" in text for text in shown["warnings"])
    states(life, 1.21)
    life.check(at(life.sessions[DAY], "10:00"))
    assert life.state.estimated_fills == () and life.state.book.cash == pytest.approx(cash_with(life, 1.21))
    shown = life.store.read_docs(life.home.agent(AGENT) / "state.json")["agent"][0]
    assert shown["estimates"] == 0 and not any("estimate" in text for text in shown["warnings"])


def test_a_fee_of_nothing_is_a_fee_and_the_later_one_counts(life: AccountLife) -> None:
    life.tws.reported_fee = lambda fill: 0.0
    bought(life)
    assert life.state.estimated_fills == () and life.state.book.cash == cash_with(life, 0.0)
    states(life, 1.0)
    life.check(at(life.sessions[DAY], "10:00"))
    assert life.state.book.cash == pytest.approx(cash_with(life, 1.0))


def test_a_fee_is_corrected_however_often_and_a_rebate_is_one(life: AccountLife) -> None:
    bought(life)
    for clock, fee in (("10:00", 1.5), ("11:00", -0.35), ("12:00", 0.75)):
        states(life, fee)
        life.check(at(life.sessions[DAY], clock))
        assert life.state.book.cash == pytest.approx(cash_with(life, fee))
    states(life, UNSET)  # what is known is not forgotten
    count = len(life.events)
    life.check(at(life.sessions[DAY], "13:00"))
    assert len(life.events) == count and life.state.book.cash == pytest.approx(cash_with(life, 0.75))


def test_a_fee_that_none_can_be_never_becomes_money(life: AccountLife) -> None:
    life.tws.reported_fee = lambda fill: "1e300"
    bought(life)
    assert life.state.estimated_fills and life.state.book.cash == cash_with(life, 1.0)


def test_a_fee_that_changed_while_the_program_was_off_is_corrected_after_the_start(life: AccountLife) -> None:
    bought(life)
    life.node.close()
    life.tws.reported_fee = lambda fill: 2.25
    life.restart()
    life.check(at(life.sessions[DAY], "15:00"))
    assert life.state.book.cash == pytest.approx(cash_with(life, 2.25))


# -- corrected executions ------------------------------------------------------------


def corrected(life: AccountLife, number: int = 0, **changes: float) -> str:
    """The exchange corrects the first fill; the correction's id, once it was heard."""
    first = life.tws.ledger.fills[0].exec_id
    life.tws.happen(lambda book: book.correct(first, number=number, **changes))
    made = life.tws.ledger.fills[-1].exec_id
    life.link.read_account()
    return made


def test_a_corrected_price_is_booked_told_and_booked_once(life: AccountLife) -> None:
    bought(life)
    (fill,) = life.named("Filled")
    made = corrected(life, price=fill.price + 0.25)
    await_that(lambda: made in life.link.session.register.executions)
    life.check(at(life.sessions[DAY], "10:00"))
    (event,) = life.named("FillCorrected")
    assert (event.exec_id, event.price, event.parts) == (fill.exec_id, pytest.approx(fill.price + 0.25), [made])
    assert life.state.book.cash == pytest.approx(cash_with(life, fill.fee, fill.price + 0.25))
    assert float(life.state.book.account.entry) == pytest.approx(fill.price + 0.25)
    assert [who for who, text in life.node.news() if "states" in text and fill.exec_id in text] == [AGENT]
    count = len(life.events)
    life.check(at(life.sessions[DAY], "11:00"))
    life.restart()
    life.check(at(life.sessions[DAY], "12:00"))
    assert len(life.events) == count and life.state.status == "running" and life.node.news() == []
    history = [doc for doc in _fills(life) if doc["exec_id"] == fill.exec_id]
    assert [doc["price"] for doc in history] == [pytest.approx(fill.price + 0.25)]


def _fills(life: AccountLife) -> list[dict[str, float]]:
    return queries.history(life.store, AGENT)["fills"]


def test_a_correction_of_which_the_first_report_is_gone_corrects_what_was_booked_of_it(life: AccountLife) -> None:
    bought(life)
    (fill,) = life.named("Filled")
    life.node.close()
    life.tws.ledger.correct(fill.exec_id, price=fill.price - 0.5)
    life.tws.ledger.unlisted.add(fill.exec_id)
    life.restart()
    life.check(at(life.sessions[DAY], "15:00"))
    assert life.state.book.cash == pytest.approx(cash_with(life, fill.fee, fill.price - 0.5))
    assert len(life.named("Filled")) == 1 and life.state.book.shares == life.tws.ledger.holds("TEST")


def test_a_correction_that_is_heard_first_is_the_fill(life: AccountLife) -> None:
    entered(life)
    life.node.close()
    life.now = at(life.sessions[DAY], "09:30")
    (order, _) = life.tws.ledger.open_orders()
    life.tws.happen(lambda book: book.fill(order, order.remaining, 10.0))
    first = life.tws.ledger.fills[0].exec_id
    life.tws.ledger.correct(first, price=9.5)
    life.tws.ledger.unlisted.add(first)
    life.restart()
    life.check(at(life.sessions[DAY], "09:40"))
    (fill,) = life.named("Filled")
    assert (fill.price, life.state.book.shares) == (9.5, life.tws.ledger.holds("TEST"))
    life.tws.ledger.unlisted.clear()  # and then the first report comes as well
    life.restart()
    life.check(at(life.sessions[DAY], "09:50"))
    assert len(life.named("Filled")) == 1 and life.named("FillCorrected") == []


def test_of_corrections_out_of_order_the_highest_number_counts(life: AccountLife) -> None:
    bought(life)
    (fill,) = life.named("Filled")
    corrected(life, price=fill.price + 1.0, number=3)
    life.check(at(life.sessions[DAY], "10:00"))
    corrected(life, price=fill.price + 2.0, number=2)
    corrected(life, price=fill.price + 1.0, number=3)
    life.check(at(life.sessions[DAY], "11:00"))
    assert [e.price for e in life.named("FillCorrected")] == [pytest.approx(fill.price + 1.0)]


def test_a_correction_after_the_position_was_sold_changes_the_closed_trade(life: AccountLife) -> None:
    t = holding(life)
    (fill,) = life.named("Filled")
    while life.state.book.num_trades == 0:
        t += 1
        life.live(t)
    before, trade = life.state.book, life.state.book.last_trade
    corrected(life, price=fill.price + 0.5)
    life.check(at(life.sessions[t], "17:00"))
    after = life.state.book
    assert after.cash == pytest.approx(before.cash - 0.5 * fill.qty) and after.shares == 0
    assert after.realized == pytest.approx(before.realized - 0.5 * fill.qty)
    assert after.last_trade.pnl == pytest.approx(trade.pnl - 0.5 * fill.qty)
    shown = queries.history(life.store, AGENT)["trades"]
    assert [doc["pnl"] for doc in shown] == [pytest.approx(after.last_trade.pnl)]


@pytest.mark.parametrize("left", [0.0, 3.0])
def test_a_correction_of_the_quantity_blocks_with_both_sides_and_the_stop_stays(life: AccountLife, left: float) -> None:
    bought(life)
    (fill,) = life.named("Filled")
    corrected(life, qty=left)
    life.await_reports()
    life.tried(at(life.sessions[DAY], "10:00"))
    (event,) = life.named("FillDisputed")
    assert life.state.status == "blocked" and f"bought {fill.qty}" in event.text and "adopt or ignore" in event.text
    assert ("was cancelled" in event.text) == (left == 0)
    assert life.state.book.shares == fill.qty  # nothing is booked that nobody agreed to
    assert [o.type for o in life.tws.ledger.open_orders()] == ["STP"]
    assert any(event.text in text for _, text in life.node.news())
    life.tried(at(life.sessions[DAY], "10:01"))
    life.restart()
    life.tried(at(life.sessions[DAY], "10:02"))
    assert len(life.named("FillDisputed")) == 1
    assert life.ask("adopt", at(life.sessions[DAY], "10:10"))["status"] == "done"
    assert life.ask("start", at(life.sessions[DAY], "10:11"))["status"] == "done"
    life.tried(at(life.sessions[DAY], "10:12"))
    assert life.state.status == "running" and life.state.book.shares == left


def test_a_corrected_price_that_cannot_be_blocks_and_is_not_booked(life: AccountLife) -> None:
    bought(life)
    (fill,), before = life.named("Filled"), life.state.book.cash
    corrected(life, price=100 * fill.price)
    life.await_reports()
    life.tried(at(life.sessions[DAY], "10:00"))
    (event,) = life.named("FillDisputed")
    assert "too far" in event.text and life.state.status == "blocked" and life.state.book.cash == before
    assert [o.type for o in life.tws.ledger.open_orders()] == ["STP"]
    life.restart()
    life.tried(at(life.sessions[DAY], "10:01"))
    assert len(life.named("FillDisputed")) == 1 and life.named("FillCorrected") == []


def test_corrections_and_fees_leave_the_equity_and_peak_of_the_right_figures(life: AccountLife) -> None:
    t = holding(life)
    (fill,) = life.named("Filled")
    life.check(at(life.sessions[t], "16:40"))
    for n, (price, fee) in enumerate(((fill.price + 0.5, 1.5), (fill.price - 0.25, 0.75))):
        corrected(life, price=price)
        states(life, fee)
        life.check(at(life.sessions[t], f"17:1{n}"))
    states(life, 3.25)  # and at last the fee alone
    life.check(at(life.sessions[t], "17:20"))
    assert life.named("FeeAdjusted") and life.state.book.cash == pytest.approx(cash_with(life, 3.25, fill.price - 0.25))
    book, (marked,) = life.state.book, [e for e in life.named("Marked") if e.session == life.sessions[t].isoformat()]
    equity = book.cash + book.shares * marked.close
    assert book.equity == pytest.approx(equity) and float(book.account.peak) == pytest.approx(max(10_000.0, equity))
    assert book.limit_peak == pytest.approx(float(book.account.peak))


# -- estimates ----------------------------------------------------------------------------


def test_executions_that_come_after_all_take_the_place_of_what_was_booked_by_the_orders_count(
    life: AccountLife,
) -> None:
    entered(life)
    life.node.close()
    life.now = at(life.sessions[DAY], "09:30")
    (order, _) = life.tws.ledger.open_orders()
    half = order.qty // 2
    life.tws.happen(lambda book: [*book.fill(order, half, 10.0), *book.fill(order, order.qty - half, 11.0)])
    life.tws.ledger.unlisted.update(fill.exec_id for fill in life.tws.ledger.fills)
    life.restart()
    life.check(at(life.sessions[DAY], "16:40"))
    life.check(at(life.sessions[DAY], "16:41"))
    (fill,) = life.named("Filled")
    assert fill.estimated and fill.fee > 0 and life.state.estimated_fills
    life.tws.ledger.unlisted.clear()
    life.restart()
    life.check(at(life.sessions[DAY], "17:00"))
    paid = half * 10.0 + (fill.qty - half) * 11.0
    assert life.state.estimated_fills == () and life.state.book.cash == pytest.approx(10_000.0 - paid - 2.0)
    assert len(life.named("Filled")) == 1 and life.state.book.shares == life.tws.ledger.holds("TEST")
    corrected(life, price=10.5)  # and one of them is corrected still later
    life.check(at(life.sessions[DAY], "18:00"))
    assert life.state.book.cash == pytest.approx(10_000.0 - paid - 2.0 - 0.5 * half)


def test_the_estimate_of_a_sale_holds_its_regulatory_fees(life: AccountLife) -> None:
    session, with_law = life.sessions[DAY], replace(COSTS, regulatory=True)
    bare, whole = (estimates.fee("SELL", 500, 100.0, session, costs) for costs in (COSTS, with_law))
    assert whole > bare == estimates.fee("BUY", 500, 100.0, session, with_law) == 2.5


def _filled_and_corrected_at_once(life: AccountLife, **changes: float) -> None:
    """The entry fills, and its execution is corrected before anybody has booked it."""
    entered(life)
    life.now = at(life.sessions[DAY], "09:30")
    (order, _) = life.tws.ledger.open_orders()
    life.tws.happen(lambda book: book.fill(order, order.remaining, 10.0))
    made = corrected(life, **changes)
    await_that(lambda: made in life.link.session.register.executions)
    for clock in ("09:40", "09:41"):
        life.tried(at(life.sessions[DAY], clock))


def test_a_price_that_was_corrected_before_it_was_booked_is_told_once(life: AccountLife) -> None:
    _filled_and_corrected_at_once(life, price=9.5)
    (fill,) = life.named("Filled")
    assert fill.price == 9.5 and life.state.status == "running"
    (told,) = [text for who, text in life.node.news() if who == AGENT]
    assert fill.exec_id in told and "9.5" in told


@pytest.mark.parametrize("left", [0.0, 3.0])
def test_an_execution_that_was_changed_before_it_was_booked_blocks_and_is_told_once(
    life: AccountLife, left: float
) -> None:
    _filled_and_corrected_at_once(life, qty=left)
    (event,) = life.named("FillDisputed")
    assert life.state.status == "blocked" and "before it was booked" in event.text and "adopt or ignore" in event.text
    assert [text for who, text in life.node.news() if who == AGENT and "before it was booked" in text] == [event.text]
