"""An agent in a real account, over the wire: sent once, booked as IB says, held or blocked with a reason."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from livetrading.core import market
from livetrading.core.errors import Damaged, Refused
from livetrading.core.types import Action
from livetrading.research import backtest
from tests.doubles.account_life import CAPITAL, TEST, AccountLife, in_account
from tests.doubles.ibkr import again_ready
from tests.doubles.lives import FIRST, Always, Cycler, at, crash_bar
from tests.doubles.series import generated
from tests.doubles.tws import Fault, TwsDouble

DAYS = 16


@pytest.fixture(scope="module")
def calm() -> pd.DataFrame:
    return generated(1, FIRST + DAYS + 2)


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    t = FIRST
    frame = generated(1, t + DAYS + 2, splits={t + 3: 2.0, t + 13: 1.5}, dividends={t + 2: 0.25, t + 4: 0.5})
    return crash_bar(frame, t + 11)


@pytest.fixture
def tws() -> Iterator[TwsDouble]:
    with TwsDouble(157) as double:
        yield double


@pytest.fixture
def life(tmp_path: Path, calm: pd.DataFrame, tws: TwsDouble) -> Iterator[AccountLife]:
    made = in_account(tmp_path, calm, Cycler(), tws)
    try:
        yield made
    finally:
        made.desk.close()


@pytest.fixture
def eventful(tmp_path: Path, bars: pd.DataFrame, tws: TwsDouble) -> Iterator[AccountLife]:
    """Splits, dividends and a stop that is hit."""
    made = in_account(tmp_path, bars, Cycler(), tws)
    try:
        yield made
    finally:
        made.desk.close()


def deployed(life: AccountLife, **more: object) -> AccountLife:
    answer = life.deploy(at(life.sessions[FIRST - 1], "20:00"), **more)
    assert answer["status"] == "done", answer
    return life


def test_what_an_agent_did_in_an_account_is_its_backtest_where_the_fills_are(eventful: AccountLife, bars: pd.DataFrame) -> None:
    life = deployed(eventful)
    for t in range(FIRST, FIRST + DAYS):
        life.live(t)
    card = life.desk.registry.card(life.model_id)
    alone = backtest.run(
        market.build(bars.iloc[: FIRST + DAYS], card.scaler), range(FIRST, FIRST + DAYS), card.agent_type,
        life.policy.raw, life.terms,
    )
    assert alone.fills >= 6 and any(fill[0] == "stop" for row in alone.rows for fill in row["fills"])
    for ours, theirs in zip(life.ledger, alone.rows, strict=True):
        assert [ours[k] for k in ("bar", "action", "qty", "shares")] == [theirs[k] for k in ("bar", "action", "qty", "shares")]
        assert ours["equity"] == pytest.approx(theirs["equity"], rel=1e-9)
        assert [f[:2] for f in ours["fills"]] == [f[:2] for f in theirs["fills"]]
    assert life.tws.ledger.holds("TEST") == life.state.book.shares


def entered(life: AccountLife, **more: object) -> AccountLife:
    """Deployed, decided to buy, and sent for the open of row FIRST + 1."""
    deployed(life, **more)
    life.check(at(life.sessions[FIRST], "16:40"))
    life.check(at(life.sessions[FIRST + 1], "08:00"))
    return life


def holding(life: AccountLife, rest: int = 0, **more: object) -> int:
    """Bought at the open of row FIRST + 1, beside a person's own ``rest``; the row."""
    entered(life, **more)
    life.opens(FIRST + 1)
    life.check(at(life.sessions[FIRST + 1], "09:33"))
    assert life.tws.ledger.holds("TEST") == life.state.book.shares + rest > rest
    return FIRST + 1


def tried_for(life: AccountLife, t: int, *clocks: str) -> dict[str, str]:
    """Passes at these hours, as a scheduler makes them; what failed in the last."""
    failed: dict[str, str] = {}
    for clock in clocks:
        failed = life.tried(at(life.sessions[t], clock))[1]
    return failed


# -- at the open -------------------------------------------------------------------


def test_a_restart_between_any_two_steps_changes_nothing(eventful: AccountLife, bars: pd.DataFrame) -> None:
    life = deployed(eventful)
    for t in range(FIRST, FIRST + 8):
        for step in (life.split, lambda t: life.check(at(life.sessions[t], "08:00")), life.opens,
                     lambda t: life.check(at(life.sessions[t], "09:33")), life.trades,
                     lambda t: life.check(at(life.sessions[t], "16:40"))):
            life.now = at(life.sessions[t], "03:00") if step == life.split else life.now
            life.restart()
            step(t)
    refs = [o.ref for o in life.tws.ledger.orders]
    assert len(refs) == len(set(refs)) and life.tws.ledger.holds("TEST") == life.state.book.shares
    alone = backtest.run(
        market.build(bars.iloc[: FIRST + 8], life.desk.registry.card(life.model_id).scaler), range(FIRST, FIRST + 8),
        life.desk.registry.card(life.model_id).agent_type, life.policy.raw, life.terms,
    )
    assert [(r["shares"], round(r["equity"], 6)) for r in life.ledger] == [(r["shares"], round(r["equity"], 6)) for r in alone.rows]


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


def test_a_paper_account_without_an_auction_gets_day_orders_after_the_open(tmp_path: Path, bars: pd.DataFrame, tws: TwsDouble) -> None:
    life = in_account(tmp_path, bars, Always(Action.BUY), tws, ibkr_paper_open="day")
    entered(life)
    assert tws.ledger.orders == []
    life.check(at(life.sessions[FIRST + 1], "09:31"))
    assert [(o.type, o.tif) for o in tws.ledger.open_orders()] == [("MKT", "DAY"), ("STP", "GTC")]
    life.desk.close()


def test_a_split_in_the_night_turns_what_is_planned_before_it_is_sent(tmp_path: Path, tws: TwsDouble) -> None:
    frame = generated(1, FIRST + 4, splits={FIRST + 1: 2.0})
    life = in_account(tmp_path, frame, Always(Action.BUY), tws)
    deployed(life)
    life.check(at(life.sessions[FIRST], "16:40"))
    before = life.state.open_orders()[0]
    life.check(at(life.sessions[FIRST + 1], "08:00"))
    sent = [(o.type, o.qty, o.aux) for o in tws.ledger.open_orders()]
    assert sent == [("MKT", 2.0 * before.qty, 0.0), ("STP", 2.0 * before.qty, pytest.approx(before.stop_price / 2, abs=0.011))]
    life.desk.close()


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
    life.desk.close()


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
    life.tws.fail(Fault("stall", message=4))
    life.check(at(life.sessions[t], "16:40"))
    life.ask("close", at(life.sessions[t], "20:00"))
    done = life.check(at(life.sessions[t + 1], "09:33"))
    assert any("has not confirmed the cancel" in alarm["text"] for alarm in done.alarms)
    (stop,) = life.tws.ledger.open_orders()
    assert stop.type == "STP" and life.tws.ledger.on_sale("TEST") == life.state.book.shares
    life.tws.happen(lambda ledger: ledger.expire(stop.ref))
    life.check(at(life.sessions[t + 1], "09:40"))
    assert [(o.type, o.tif) for o in life.tws.ledger.open_orders()] == [("MKT", "DAY")]


def test_an_entry_whose_own_message_was_lost_is_followed_by_its_stop_and_says_nothing_about_pairs(life: AccountLife) -> None:
    life.tws.fail(Fault("swallow", message=3))
    t = holding(life)
    life.check(at(life.sessions[t], "09:34"))
    assert life.tws.ledger.on_sale("TEST") == life.state.book.shares and life.link.desk.pairs


# -- whose shares ----------------------------------------------------------------------


def test_what_a_person_holds_is_turned_by_a_split_and_never_sold(eventful: AccountLife) -> None:
    life = eventful
    life.tws.ledger.positions[TEST.con_id] = (301.0, 9.0)
    deployed(life)
    for t in range(FIRST, FIRST + DAYS):
        life.live(t)
        assert life.tws.ledger.holds("TEST") == life.desk.account.rest(life.state) + life.state.book.shares
    assert life.state.status == "running" and life.desk.account.rest(life.state) in (903, 904)


def test_what_a_person_holds_beside_an_agent_without_shares_is_turned_by_a_split(tmp_path: Path, tws: TwsDouble) -> None:
    frame = generated(1, FIRST + 4, splits={FIRST + 1: 2.0})
    life = in_account(tmp_path, frame, Always(Action.HOLD), tws)
    tws.ledger.positions[TEST.con_id] = (301.0, 9.0)
    deployed(life)
    life.live(FIRST)
    life.live(FIRST + 1)
    tried_for(life, FIRST + 2, "09:31", "09:32")
    assert life.state.status == "running" and life.desk.account.rest(life.state) == 602
    life.desk.close()


def test_a_split_that_one_agent_has_booked_and_another_has_not_is_no_difference_of_the_first(life: AccountLife) -> None:
    deployed(life)
    life.deploy(at(life.sessions[FIRST - 1], "20:00"))
    life.live(FIRST)
    life.live(FIRST + 1)
    first, second = (d.state for d in life.desk.dossiers.values())
    assert first.book.shares and second.book.shares
    now, day = at(life.sessions[FIRST + 2], "08:00"), life.sessions[FIRST + 2].isoformat()
    life.desk.account.split(first, day, 2.0, now)
    assert life.desk.account.others(first) == 2 * second.book.shares
    assert life.desk.account.others(second) == 2 * first.book.shares  # its own shares are still old: that is its difference


def test_an_agent_whose_model_is_gone_is_blocked_and_its_fills_are_booked_for_the_others_sake(
    life: AccountLife, monkeypatch: pytest.MonkeyPatch,
) -> None:
    deployed(life)
    life.deploy(at(life.sessions[FIRST - 1], "20:00"))
    life.live(FIRST)
    life.live(FIRST + 1)
    first, second = life.desk.dossiers.values()
    build = life.desk._build

    def without_model(dossier: Any) -> Any:
        if dossier is first:
            raise Damaged("its model is gone.")
        return build(dossier)

    monkeypatch.setattr(life.desk, "_build", without_model)
    life.desk.forget(first.agent_id)
    (stop,) = [o for o in life.tws.ledger.open_orders() if o.ref.startswith(first.agent_id)]
    life.now = at(life.sessions[FIRST + 2], "10:00")
    life.tws.happen(lambda ledger: ledger.fill(stop, stop.remaining, stop.aux))
    life.heard()
    tried_for(life, FIRST + 2, "10:00", "10:01", "10:02")
    assert first.state.status == "blocked" and first.state.flat
    assert second.state.status == "running" and life.tws.ledger.on_sale("TEST") == second.state.book.shares > 0


def test_shares_that_a_person_sold_of_his_own_leave_the_stop_of_an_agent_at_work(life: AccountLife) -> None:
    life.tws.ledger.positions[TEST.con_id] = (300.0, 9.0)
    t = holding(life, 300)
    shares = life.state.book.shares
    life.tws.ledger.positions[TEST.con_id] = (250.0 + shares, 9.0)
    life.tws.happen(lambda ledger: [("position", TEST)])
    life.heard()
    tried_for(life, t, "10:00", "10:01", "10:02")
    assert life.state.status == "blocked" and life.tws.ledger.on_sale("TEST") == shares
    life.ask("ignore", at(life.sessions[t], "10:03"))
    assert life.ask("start", at(life.sessions[t], "10:04"))["status"] == "done"
    assert len([o for o in life.tws.ledger.orders if o.type == "STP"]) == 1


def test_what_a_person_holds_is_left_by_an_emergency_stop(life: AccountLife) -> None:
    life.tws.ledger.positions[TEST.con_id] = (300.0, 9.0)
    deployed(life)
    for t in range(FIRST, FIRST + 3):
        life.live(t)
    shares = life.state.book.shares
    assert shares > 0 and life.tws.ledger.holds("TEST") == 300 + shares
    answer = life.ask("emergency_stop", at(life.sessions[FIRST + 3], "11:00"), reason="test")
    assert answer["result"]["flat"] is False
    life.trades(FIRST + 3)
    life.check(at(life.sessions[FIRST + 3], "11:05"))
    assert life.state.idle and life.tws.ledger.open_orders() == [] and life.tws.ledger.holds("TEST") == 300


def test_shares_that_left_by_hand_block_the_agent_and_a_person_settles_it(life: AccountLife) -> None:
    t = holding(life)
    shares = life.state.book.shares
    life.tws.ledger.positions[TEST.con_id] = (shares - 5.0, 9.0)
    life.tws.happen(lambda ledger: [("position", TEST)])
    life.heard()
    tried_for(life, t, "10:00", "10:01")
    assert life.state.status == "blocked" and f"holds {shares} TEST, the broker {shares - 5}" in life.state.status_reason
    assert life.ask("start", at(life.sessions[t], "10:02"))["status"] == "refused"
    answer = life.ask("adopt", at(life.sessions[t], "10:03"))
    assert answer["status"] == "done" and life.state.book.shares == shares - 5
    assert life.ask("start", at(life.sessions[t], "10:04"))["status"] == "done"
    life.check(at(life.sessions[t], "10:05"))
    life.check(at(life.sessions[t], "10:06"))
    assert life.tws.ledger.on_sale("TEST") == shares - 5 and life.state.status == "running"


def test_shares_that_came_by_hand_are_a_persons_own_on_his_word(life: AccountLife) -> None:
    t = holding(life)
    shares = life.state.book.shares
    life.tws.ledger.positions[TEST.con_id] = (shares + 100.0, 9.0)
    life.tws.happen(lambda ledger: [("position", TEST)])
    life.heard()
    tried_for(life, t, "10:00", "10:01")
    assert life.state.status == "blocked"
    assert life.ask("ignore", at(life.sessions[t], "10:03"))["result"]["unmanaged"] == 100
    assert life.ask("start", at(life.sessions[t], "10:04"))["status"] == "done"
    life.live(t + 1)
    assert life.state.status == "running" and life.desk.account.rest(life.state) == 100


def test_an_order_of_ours_that_the_book_does_not_know_blocks_its_agent(life: AccountLife) -> None:
    t = holding(life)
    (stop,) = life.tws.ledger.open_orders()
    stop.ref = stop.ref[:-1] + "7"
    life.restart()
    tried_for(life, t, "10:00", "10:01")
    assert life.state.status == "blocked" and stop.ref in life.state.status_reason


# -- gates and limits ------------------------------------------------------------------


def test_more_capital_than_the_account_is_worth_is_refused(life: AccountLife) -> None:
    life.tws.ledger.cash = 9_000.0
    answer = life.deploy(at(life.sessions[FIRST - 1], "20:00"))
    assert answer["status"] == "refused" and "the account is worth" in answer["message"]


def test_a_typed_number_that_is_not_the_account_is_refused(life: AccountLife) -> None:
    answer = life.deploy(at(life.sessions[FIRST - 1], "20:00"), confirm="DU7777777")
    assert answer["status"] == "refused" and "DU7777777 was typed" in answer["message"]


def test_an_agent_trades_the_account_that_it_was_deployed_to_and_no_other(life: AccountLife) -> None:
    deployed(life)
    life.desk.close()
    life.tws.accounts = ["DU7654321"]
    life.tws.ledger.account = "DU7654321"
    life.restart()
    failed = tried_for(life, FIRST, "16:40")
    assert "deployed to account DU1234567" in str(failed) and life.state.status == "blocked"
    assert life.tws.order_bytes() == 0


def test_an_account_that_changed_over_a_reconnect_gets_no_order_and_no_cancel(life: AccountLife) -> None:
    deployed(life)
    life.check(at(life.sessions[FIRST], "16:40"))

    def log_in_to_another() -> None:
        life.tws.accounts = ["DU7654321"]
        life.tws.ledger.account = "DU7654321"
        life.tws.drop_all()

    again_ready(life.link, log_in_to_another)
    failed = tried_for(life, FIRST + 1, "08:00", "08:01")
    assert "deployed to account DU1234567" in str(failed) and life.state.status == "blocked"
    answer = life.ask("emergency_stop", at(life.sessions[FIRST + 1], "08:02"), reason="test", all_orders=True)
    assert "TWS is logged in to account DU7654321" in str(answer["result"])
    assert life.tws.order_bytes() == 0


def test_a_symbol_that_became_another_contract_blocks_its_agent(life: AccountLife) -> None:
    deployed(life)
    life.tws.listed.remove(TEST)
    life.tws.listed.append(type(TEST)(9999, "TEST"))
    life.restart()
    failed = tried_for(life, FIRST, "16:40")
    assert "another security" in str(failed) or "no stock" in str(failed)
    assert life.state.status == "blocked" and life.tws.order_bytes() == 0


def test_a_purchase_beyond_the_cash_in_dollars_is_not_sent(life: AccountLife) -> None:
    deployed(life)
    life.check(at(life.sessions[FIRST], "16:40"))
    life.tws.ledger.cash = 500.0
    life.restart()
    life.check(at(life.sessions[FIRST + 1], "08:00"))
    assert life.tws.ledger.orders == []
    assert "a currency loan is not taken" in life.state.recent[0].reason


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
    assert cash is not None and life.state.unsure
    life.tws.commissions = True
    fill = life.tws.ledger.fills[0]
    object.__setattr__(fill, "commission", 3.5)
    life.tws.happen(lambda book: [("commission", fill)])
    life.heard()
    life.check(at(life.sessions[FIRST + 1], "09:50"))
    booked = life.named("Filled")[0].fee
    assert life.state.unsure == () and life.state.book.cash == pytest.approx(cash - (3.5 - booked))


# -- the emergency stop ----------------------------------------------------------------


def test_an_emergency_stop_cancels_what_is_ours_and_no_order_of_a_person(life: AccountLife) -> None:
    t = holding(life)
    life.tws.happen(lambda ledger: ledger.place(foreign(life)))
    now = at(life.sessions[t], "11:00")
    answer = life.ask("emergency_stop", now, reason="test")
    assert answer["result"]["items"][0]["status"] == "exit queued"
    assert sorted((o.ref.split(":")[-2] if ":" in o.ref else o.ref) for o in life.tws.ledger.open_orders()) == ["by hand", "exit"]
    life.tws.happen(lambda ledger: [e for o in ledger.open_orders() if ":exit:" in o.ref for e in ledger.fill(o, o.remaining, 10.0)])
    life.heard()
    life.check(at(life.sessions[t], "11:05"))
    assert life.state.idle and [o.ref for o in life.tws.ledger.open_orders()] == ["by hand"]


def test_an_exit_that_ib_keeps_refusing_is_told_and_not_tried_with_every_pass(life: AccountLife) -> None:
    t = holding(life)
    life.tws.fail(Fault("reject", times=500, only=lambda fields: "MKT" in fields))
    life.ask("emergency_stop", at(life.sessions[t], "11:00"), reason="test")
    for minute in range(1, 5):
        life.check(at(life.sessions[t], f"11:0{minute}"))
    sent = [o for o in life.tws.ledger.orders if ":exit:" in o.ref]
    stops = [o for o in life.tws.ledger.orders if o.type == "STP"]
    assert len(sent) == 3 and len(stops) <= 4 and life.tws.ledger.on_sale("TEST") == life.state.book.shares > 0
    said = life.ask("emergency_stop", at(life.sessions[t], "11:05"), reason="test")["result"]["items"][0]
    assert "the broker ended 3 exits in a row" in said["error"] and "the double says no" in said["error"]
    life.tws.faults.waiting.clear()
    life.check(at(life.sessions[t], "11:20"))
    assert [(o.type, o.tif) for o in life.tws.ledger.open_orders()] == [("MKT", "DAY")]


def test_all_orders_cancels_a_persons_orders_too(life: AccountLife) -> None:
    t = holding(life)
    life.tws.happen(lambda ledger: ledger.place(foreign(life)))
    life.ask("emergency_stop", at(life.sessions[t], "11:00"), reason="test", all_orders=True)
    assert [o.ref for o in life.tws.ledger.open_orders() if ":exit:" not in o.ref] == []


def test_all_orders_go_though_the_connection_is_lost_meanwhile(life: AccountLife) -> None:
    t = holding(life)
    life.tws.happen(lambda ledger: ledger.place(foreign(life)))
    life.tws.fail(Fault("drop_after", message=4), Fault("drop_before", message=58))
    answer = life.ask("emergency_stop", at(life.sessions[t], "11:00"), reason="test", all_orders=True)
    assert "all orders cancelled" in [item["status"] for item in answer["result"]["items"]]
    assert [o.ref for o in life.tws.ledger.open_orders() if ":exit:" not in o.ref] == []


def test_all_orders_go_though_one_agent_cannot_be_asked_for(life: AccountLife, monkeypatch: pytest.MonkeyPatch) -> None:
    t = holding(life)
    life.tws.happen(lambda ledger: ledger.place(foreign(life)))

    def another(agent_id: str) -> Any:
        raise Refused("TEST is another security now; close the position in TWS.")

    monkeypatch.setattr(life.desk, "executor", another)
    answer = life.ask("emergency_stop", at(life.sessions[t], "11:00"), reason="test", all_orders=True)
    assert [item["status"] for item in answer["result"]["items"]] == ["failed", "all orders cancelled"]
    assert life.tws.ledger.open_orders() == []


def foreign(life: AccountLife) -> object:
    from tests.doubles.tws.ledger import Order

    return Order(1, 0, TEST, "BUY", 3.0, "STP", 50.0, "GTC", "by hand", life.tws.ledger.account, 0, True)


def test_what_is_only_planned_is_withdrawn_though_tws_is_away(life: AccountLife) -> None:
    deployed(life)
    life.check(at(life.sessions[FIRST], "16:40"))
    life.tws.close_port()
    life.restart().account.patience = 0.1
    item = life.ask("emergency_stop", at(life.sessions[FIRST], "20:00"), reason="test")["result"]["items"][0]
    assert item["status"] == "failed" and "start TWS or Gateway" in item["error"]
    assert life.state.status == "stopped" and life.state.orders == ()
