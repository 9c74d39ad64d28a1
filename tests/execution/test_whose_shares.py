"""Agents and a person in one account: whose shares are whose, and who says so when they differ."""

from pathlib import Path
from typing import Any

import pytest

from livetrading.core.errors import Damaged
from livetrading.core.types import Action
from tests.doubles.account_days import DAYS, deployed, holding, tried_for
from tests.doubles.account_life import TEST, AccountLife, in_account
from tests.doubles.lives import FIRST, Always, at
from tests.doubles.series import generated
from tests.doubles.tws import TwsDouble


def test_what_a_person_holds_is_turned_by_a_split_and_never_sold(eventful: AccountLife) -> None:
    life = eventful
    life.tws.ledger.positions[TEST.con_id] = (301.0, 9.0)
    deployed(life)
    for t in range(FIRST, FIRST + DAYS):
        life.live(t)
        assert life.tws.ledger.holds("TEST") == life.node.account.shares.unmanaged(life.state) + life.state.book.shares
    assert life.state.status == "running" and life.node.account.shares.unmanaged(life.state) in (903, 904)


def test_what_a_person_holds_beside_an_agent_without_shares_is_turned_by_a_split(
    tmp_path: Path, tws: TwsDouble
) -> None:
    frame = generated(1, FIRST + 4, splits={FIRST + 1: 2.0})
    life = in_account(tmp_path, frame, Always(Action.HOLD), tws)
    tws.ledger.positions[TEST.con_id] = (301.0, 9.0)
    deployed(life)
    life.live(FIRST)
    life.live(FIRST + 1)
    tried_for(life, FIRST + 2, "09:31", "09:32")
    assert life.state.status == "running" and life.node.account.shares.unmanaged(life.state) == 602
    life.node.close()


def test_a_split_that_one_agent_has_booked_and_another_has_not_is_no_difference_of_the_first(life: AccountLife) -> None:
    deployed(life)
    life.deploy(at(life.sessions[FIRST - 1], "20:00"))
    life.live(FIRST)
    life.live(FIRST + 1)
    first, second = (d.state for d in life.node.repositories.values())
    assert first.book.shares and second.book.shares
    now, day = at(life.sessions[FIRST + 2], "08:00"), life.sessions[FIRST + 2].isoformat()
    life.node.account.shares.split(first, day, 2.0, now)
    assert life.node.account.shares.others(first) == 2 * second.book.shares
    assert (
        life.node.account.shares.others(second) == 2 * first.book.shares
    )  # its own shares are still old: that is its difference


def test_an_agent_whose_model_is_gone_is_blocked_and_its_fills_are_booked_for_the_others_sake(
    life: AccountLife, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed(life)
    life.deploy(at(life.sessions[FIRST - 1], "20:00"))
    life.live(FIRST)
    life.live(FIRST + 1)
    first, second = life.node.repositories.values()
    build = life.node.build_trader

    def without_model(repository: Any) -> Any:
        if repository is first:
            raise Damaged("its model is gone.")
        return build(repository)

    monkeypatch.setattr(life.node, "build_trader", without_model)
    life.node.forget(first.agent_id)
    (stop,) = [o for o in life.tws.ledger.open_orders() if o.ref.startswith(first.agent_id)]
    life.now = at(life.sessions[FIRST + 2], "10:00")
    life.tws.happen(lambda ledger: ledger.fill(stop, stop.remaining, stop.aux))
    life.await_reports()
    tried_for(life, FIRST + 2, "10:00", "10:01", "10:02")
    assert first.state.status == "blocked" and first.state.flat
    assert second.state.status == "running" and life.tws.ledger.on_sale("TEST") == second.state.book.shares > 0


def test_shares_that_a_person_sold_of_his_own_leave_the_stop_of_an_agent_at_work(life: AccountLife) -> None:
    life.tws.ledger.positions[TEST.con_id] = (300.0, 9.0)
    t = holding(life, 300)
    shares = life.state.book.shares
    life.tws.ledger.positions[TEST.con_id] = (250.0 + shares, 9.0)
    life.tws.happen(lambda ledger: [("position", TEST)])
    life.await_reports()
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
    life.await_reports()
    tried_for(life, t, "10:00", "10:01")
    assert (
        life.state.status == "blocked" and f"holds {shares} TEST, the broker {shares - 5}" in life.state.status_reason
    )
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
    life.await_reports()
    tried_for(life, t, "10:00", "10:01")
    assert life.state.status == "blocked"
    assert life.ask("ignore", at(life.sessions[t], "10:03"))["result"]["unmanaged"] == 100
    assert life.ask("start", at(life.sessions[t], "10:04"))["status"] == "done"
    life.live(t + 1)
    assert life.state.status == "running" and life.node.account.shares.unmanaged(life.state) == 100


def test_an_order_of_ours_that_the_book_does_not_know_blocks_its_agent(life: AccountLife) -> None:
    t = holding(life)
    (stop,) = life.tws.ledger.open_orders()
    stop.ref = stop.ref[:-1] + "7"
    life.restart()
    tried_for(life, t, "10:00", "10:01")
    assert life.state.status == "blocked" and stop.ref in life.state.status_reason
