"""An agent in a real account, over the wire: sent once, booked as IB says, protected, held with a reason."""

from pathlib import Path

import pandas as pd
import pytest

from livetrading.core import market
from livetrading.core.types import Action
from livetrading.research import backtest
from tests.doubles.account_days import DAYS, deployed, entered, holding, tried_for
from tests.doubles.account_life import TEST, AccountLife, in_account
from tests.doubles.ibkr import await_that
from tests.doubles.lives import FIRST, Always, at
from tests.doubles.series import generated
from tests.doubles.tws import Fault, TwsDouble


def test_what_an_agent_did_in_an_account_is_its_backtest_where_the_fills_are(
    eventful: AccountLife, bars: pd.DataFrame
) -> None:
    life = deployed(eventful)
    for t in range(FIRST, FIRST + DAYS):
        life.live(t)
    card = life.node.registry.card(life.model_id)
    alone = backtest.run(
        market.build(bars.iloc[: FIRST + DAYS], card.scaler),
        range(FIRST, FIRST + DAYS),
        card.agent_type,
        life.policy.raw,
        life.terms,
    )
    assert alone.fills >= 6 and any(fill[0] == "stop" for row in alone.rows for fill in row["fills"])
    for ours, theirs in zip(life.ledger, alone.rows, strict=True):
        assert [ours[k] for k in ("bar", "action", "qty", "shares")] == [
            theirs[k] for k in ("bar", "action", "qty", "shares")
        ]
        assert ours["equity"] == pytest.approx(theirs["equity"], rel=1e-9)
        assert [f[:2] for f in ours["fills"]] == [f[:2] for f in theirs["fills"]]
    assert life.tws.ledger.holds("TEST") == life.state.book.shares


# -- at the open -------------------------------------------------------------------


def test_a_restart_between_any_two_steps_changes_nothing(eventful: AccountLife, bars: pd.DataFrame) -> None:
    life = deployed(eventful)
    for t in range(FIRST, FIRST + 8):
        for step in (
            life.split,
            lambda t: life.check(at(life.sessions[t], "08:00")),
            life.opens,
            lambda t: life.check(at(life.sessions[t], "09:33")),
            life.trades,
            lambda t: life.check(at(life.sessions[t], "16:40")),
        ):
            life.now = at(life.sessions[t], "03:00") if step == life.split else life.now
            life.restart()
            step(t)
    refs = [o.ref for o in life.tws.ledger.orders]
    assert len(refs) == len(set(refs)) and life.tws.ledger.holds("TEST") == life.state.book.shares
    alone = backtest.run(
        market.build(bars.iloc[: FIRST + 8], life.node.registry.card(life.model_id).scaler),
        range(FIRST, FIRST + 8),
        life.node.registry.card(life.model_id).agent_type,
        life.policy.raw,
        life.terms,
    )
    assert [(r["shares"], round(r["equity"], 6)) for r in life.ledger] == [
        (r["shares"], round(r["equity"], 6)) for r in alone.rows
    ]


def test_an_entry_that_the_auction_did_not_take_is_skipped(life: AccountLife) -> None:
    entered(life)
    key = life.state.open_orders()[0].key
    life.tws.happen(lambda ledger: ledger.expire(key))
    life.check(at(life.sessions[FIRST + 1], "09:33"))
    life.check(at(life.sessions[FIRST + 1], "09:50"))
    assert life.state.idle and [o.tif for o in life.tws.ledger.orders if o.type == "MKT"] == ["OPG"]


def test_an_entry_that_the_auction_did_not_take_goes_as_a_day_order_if_that_was_chosen(life: AccountLife) -> None:
    entered(life, late_entry="day")
    key = life.state.open_orders()[0].key
    life.tws.happen(lambda ledger: ledger.expire(key))
    life.check(at(life.sessions[FIRST + 1], "09:33"))
    assert [o.tif for o in life.tws.ledger.orders if o.type == "MKT"] == ["OPG", "DAY"]
    life.trades(FIRST + 1)
    life.check(at(life.sessions[FIRST + 1], "11:01"))
    assert life.state.book.shares > 0 and life.tws.ledger.on_sale("TEST") == life.state.book.shares


def test_an_exit_that_the_auction_did_not_take_goes_as_a_day_order_the_same_day(life: AccountLife) -> None:
    t = holding(life)
    while not any(o.leg == "exit" for o in life.state.orders):
        life.check(at(life.sessions[t], "16:40"))
        life.check(at(life.sessions[t + 1], "08:00"))
        t += 1
    (sale,) = [o for o in life.state.orders if o.leg == "exit"]
    assert sale.tif == "OPG" and life.tws.ledger.on_sale("TEST") == life.state.book.shares
    life.tws.happen(lambda ledger: ledger.expire(sale.key))
    life.check(at(life.sessions[t], "08:30"))
    assert [o.type for o in life.tws.ledger.open_orders()] == ["STP"]  # protected until it may go
    life.check(at(life.sessions[t], "09:33"))
    assert [(o.type, o.tif) for o in life.tws.ledger.open_orders()] == [("MKT", "DAY")]
    life.trades(t)
    life.check(at(life.sessions[t], "11:01"))
    assert life.state.flat and life.tws.ledger.holds("TEST") == 0 and life.tws.ledger.on_sale("TEST") == 0


def test_a_close_that_died_with_its_session_is_told_and_the_stop_restored(life: AccountLife) -> None:
    t = holding(life)
    life.ask("close", at(life.sessions[t], "11:00"))
    (sale,) = life.tws.ledger.open_orders()
    life.now = at(life.sessions[t], "16:00")
    life.tws.happen(lambda ledger: ledger.expire(sale.ref))
    done = life.check(at(life.sessions[t], "16:10"))
    assert any("close the position again" in alarm["text"] for alarm in done.alarms)
    assert [o.type for o in life.tws.ledger.open_orders()] == ["STP"] and life.state.book.shares > 0
    assert life.check(at(life.sessions[t + 1], "08:00")).alarms == []


def test_a_paper_account_without_an_auction_gets_day_orders_after_the_open(
    tmp_path: Path, bars: pd.DataFrame, tws: TwsDouble
) -> None:
    life = in_account(tmp_path, bars, Always(Action.BUY), tws, ibkr_paper_open="day")
    entered(life)
    assert tws.ledger.orders == []
    life.check(at(life.sessions[FIRST + 1], "09:31"))
    assert [(o.type, o.tif) for o in tws.ledger.open_orders()] == [("MKT", "DAY"), ("STP", "GTC")]
    life.node.close()


def test_a_split_in_the_night_turns_what_is_planned_before_it_is_sent(tmp_path: Path, tws: TwsDouble) -> None:
    frame = generated(1, FIRST + 4, splits={FIRST + 1: 2.0})
    life = in_account(tmp_path, frame, Always(Action.BUY), tws)
    deployed(life)
    life.check(at(life.sessions[FIRST], "16:40"))
    before = life.state.open_orders()[0]
    life.check(at(life.sessions[FIRST + 1], "08:00"))
    sent = [(o.type, o.qty, o.aux) for o in tws.ledger.open_orders()]
    assert sent == [
        ("MKT", 2.0 * before.qty, 0.0),
        ("STP", 2.0 * before.qty, pytest.approx(before.stop_price / 2, abs=0.011)),
    ]
    life.node.close()


def test_a_fill_that_is_heard_on_the_morning_of_a_split_is_booked_before_it(tmp_path: Path, tws: TwsDouble) -> None:
    frame = generated(1, FIRST + 5, splits={FIRST + 2: 2.0})
    life = in_account(tmp_path, frame, Always(Action.BUY), tws)
    entered(life)
    life.opens(FIRST + 1)  # and the scheduler sleeps until the split
    life.now = at(life.sessions[FIRST + 2], "03:00")
    life.split(FIRST + 2)
    tried_for(life, FIRST + 2, "08:00", "08:01", "09:33")
    assert life.state.status == "running" and life.state.book.shares == tws.ledger.holds("TEST") > 0
    assert tws.ledger.on_sale("TEST") == life.state.book.shares
    life.node.close()


# -- protection ------------------------------------------------------------------------


def test_a_stop_that_ib_cancelled_is_placed_again(life: AccountLife) -> None:
    t = holding(life)
    (stop,) = life.tws.ledger.open_orders()
    life.tws.happen(lambda ledger: ledger.expire(stop.ref))
    done = life.check(at(life.sessions[t], "15:00"))
    assert any("stop was missing" in alarm["text"] for alarm in done.alarms)
    (again,) = life.tws.ledger.open_orders()
    assert (again.type, again.qty, again.aux) == ("STP", stop.qty, stop.aux) and again.ref != stop.ref


def test_an_exit_whose_stop_is_never_confirmed_as_cancelled_waits_and_says_so(life: AccountLife) -> None:
    t = holding(life)
    life.tws.fail(Fault("stall", message=4, times=99))
    life.check(at(life.sessions[t], "16:40"))
    life.ask("close", at(life.sessions[t], "20:00"))
    done = life.check(at(life.sessions[t + 1], "09:33"))
    assert any("has not confirmed the cancel" in alarm["text"] for alarm in done.alarms)
    (stop,) = life.tws.ledger.open_orders()
    assert stop.type == "STP" and life.tws.ledger.on_sale("TEST") == life.state.book.shares
    life.tws.happen(lambda ledger: ledger.expire(stop.ref))
    life.check(at(life.sessions[t + 1], "09:40"))
    assert [(o.type, o.tif) for o in life.tws.ledger.open_orders()] == [("MKT", "DAY")]


def test_an_entry_whose_own_message_was_lost_is_followed_by_its_stop_and_says_nothing_about_pairs(
    life: AccountLife,
) -> None:
    life.tws.fail(Fault("swallow", message=3))
    t = holding(life)
    life.check(at(life.sessions[t], "09:34"))
    assert life.tws.ledger.on_sale("TEST") == life.state.book.shares and life.link.orders.pairs


def test_a_stop_that_ib_keeps_without_working_it_is_replaced(life: AccountLife) -> None:
    t = holding(life)
    (stop,) = life.tws.ledger.open_orders()
    stop.status = "Inactive"
    life.tws.happen(lambda ledger: [("status", stop)])
    await_that(lambda: life.link.session.register.by_ref(stop.ref).status == "Inactive")
    done = life.check(at(life.sessions[t], "10:00"))
    assert any("inactive, so it protects nothing" in alarm["text"] for alarm in done.alarms)
    life.check(at(life.sessions[t], "10:01"))
    assert [(o.type, o.status, o.qty) for o in life.tws.ledger.open_orders()] == [("STP", "PreSubmitted", stop.qty)]


def test_a_blocked_agents_entry_is_withdrawn(life: AccountLife) -> None:
    entered(life)
    life.tws.ledger.positions[TEST.con_id] = (7.0, 9.0)
    life.tws.happen(lambda ledger: [("position", TEST)])
    life.await_reports()
    tried_for(life, FIRST + 1, "08:10", "08:11", "08:12")
    assert life.state.status == "blocked" and life.tws.ledger.open_orders() == []


# -- a broker that is away -------------------------------------------------------------


def test_a_session_that_passed_while_tws_was_away_is_missed_with_that_reason(life: AccountLife) -> None:
    deployed(life)
    life.tws.close_port()
    failed = tried_for(life, FIRST, "16:40", "16:41")
    assert "cannot be used now" in str(failed) and life.state.status == "running"
    life.tws.open_port()
    life.restart()
    done = life.check(at(life.sessions[FIRST + 1], "16:40"))
    assert [m["session"] for m in done.missed] == [life.sessions[FIRST].isoformat()]
    assert [d["session"] for d in done.decided] == [life.sessions[FIRST + 1].isoformat()]


def test_a_fee_that_ib_tells_late_is_corrected_in_the_book(life: AccountLife) -> None:
    life.tws.commissions = False
    entered(life)
    life.now = at(life.sessions[FIRST + 1], "09:30")
    (order, _) = life.tws.ledger.open_orders()
    life.tws.happen(lambda book: book.fill(order, order.remaining, 10.0))
    cash = None
    for _ in range(50):
        life.check(at(life.sessions[FIRST + 1], "09:33"))
        if life.state.book.shares:
            cash = life.state.book.cash
            break
    assert cash is not None and life.state.estimated_fills
    life.tws.commissions = True
    fill = life.tws.ledger.fills[0]
    object.__setattr__(fill, "commission", 3.5)
    life.tws.happen(lambda book: [("commission", fill)])
    life.await_reports()
    life.check(at(life.sessions[FIRST + 1], "09:50"))
    booked = life.named("Filled")[0].fee
    assert life.state.estimated_fills == () and life.state.book.cash == pytest.approx(cash - (3.5 - booked))
