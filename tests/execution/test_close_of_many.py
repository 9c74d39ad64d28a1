"""Agents of one stock that are closed or stopped together: one's fill is no difference of another."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from livetrading.adapters.store import Store
from livetrading.core.agent import AgentState
from livetrading.core.types import Action
from livetrading.execution.state import queries, stop_record
from livetrading.execution.stopping import close_position
from tests.doubles.account_days import deployed
from tests.doubles.account_life import TEST, AccountLife, in_account
from tests.doubles.lives import AGENT, FIRST, Always, at
from tests.doubles.series import generated
from tests.doubles.tws import TwsDouble

SECOND, THIRD = "PPO_TEST_002", "PPO_TEST_003"
ALL = (AGENT, SECOND, THIRD)


@pytest.fixture
def three(tmp_path: Path, tws: TwsDouble) -> Any:
    """Three agents hold shares of one stock, each with its stop, at 10:00 of row FIRST + 2."""
    life = in_account(tmp_path, generated(1, FIRST + 6), Always(Action.BUY), tws)
    deployed(life)
    for _ in range(2):
        life.deploy(at(life.sessions[FIRST - 1], "20:00"))
    life.check(at(life.sessions[FIRST], "16:40"))
    life.check(at(life.sessions[FIRST + 1], "08:00"))
    life.opens(FIRST + 1)
    life.check(at(life.sessions[FIRST + 1], "09:33"))
    life.check(at(life.sessions[FIRST + 1], "16:40"))
    life.check(at(life.sessions[FIRST + 2], "10:00"))
    assert all(of(life, a).book.shares for a in ALL) and len(stops(life)) == 3
    yield life
    life.node.close()


def of(life: AccountLife, agent_id: str) -> AgentState:
    return life.node.repository(agent_id).state


def stops(life: AccountLife) -> list[Any]:
    return [o for o in life.tws.ledger.open_orders() if o.type == "STP"]


def order_of(life: AccountLife, agent_id: str, kind: str) -> Any:
    return next(o for o in life.tws.ledger.open_orders() if o.ref.startswith(agent_id) and o.type == kind)


def fills(life: AccountLife, order: Any) -> None:
    life.tws.happen(lambda book: book.fill(order, order.remaining, 9.0))
    life.await_reports()


def tells_the_position_only(life: AccountLife, shares: int) -> None:
    """The account's position, before the broker tells the fill that changed it."""
    life.tws.ledger.positions[TEST.con_id] = (float(life.tws.ledger.holds("TEST") + shares), 9.0)
    life.tws.happen(lambda book: [("position", TEST)])
    life.await_reports()


def told(life: AccountLife) -> str:
    return " ".join(w for a in ALL for w in queries.agent(Store(life.home), a, life.now)["warnings"])


def test_a_close_after_a_fill_of_another_agent_that_is_not_booked_yet_sells(three: AccountLife) -> None:
    fills(three, order_of(three, SECOND, "STP"))
    answer = three.ask("close", at(three.sessions[FIRST + 2], "10:01"))
    assert answer["status"] == "done", answer
    assert (
        answer["result"]["outcome"] == "exit queued"
        and order_of(three, AGENT, "MKT").remaining == of(three, AGENT).book.shares
    )


def test_a_close_while_another_agents_exit_fills_without_a_word_waits_and_goes_on_by_itself(three: AccountLife) -> None:
    close_position.close(three.node, SECOND, "test", at(three.sessions[FIRST + 2], "10:01"))
    exit_ = order_of(three, SECOND, "MKT")
    tells_the_position_only(three, -exit_.remaining)
    answer = three.ask("close", at(three.sessions[FIRST + 2], "10:02"))
    assert answer["status"] == "done" and answer["result"]["outcome"] == "waiting for the broker", answer
    assert three.tws.ledger.on_sale("TEST") <= three.tws.ledger.holds("TEST") + exit_.remaining
    done, failed = three.tried(at(three.sessions[FIRST + 2], "10:02") + timedelta(seconds=15))
    assert (done.alarms, failed) == ([], {}) and order_of(three, AGENT, "STP")
    three.tws.ledger.positions[TEST.con_id] = (three.tws.ledger.holds("TEST") + float(exit_.remaining), 9.0)
    fills(three, exit_)
    three.tried(at(three.sessions[FIRST + 2], "10:02") + timedelta(seconds=30))
    assert order_of(three, AGENT, "MKT").remaining == of(three, AGENT).book.shares


def test_an_emergency_stop_of_many_agents_sells_all_while_the_exits_of_the_first_fill(
    three: AccountLife, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = three.link.orders.submit

    async def fills_at_once(ticket: Any, *more: Any) -> Any:
        answer = await submit(ticket, *more)
        if ":exit:" in ticket.ref:
            order = next(o for o in three.tws.ledger.open_orders() if o.ref == ticket.ref)
            three.tws.happen(lambda book: book.fill(order, order.remaining, 9.0))
        return answer

    monkeypatch.setattr(three.link.orders, "submit", fills_at_once)
    answer = three.ask("emergency_stop", at(three.sessions[FIRST + 2], "10:01"), reason="test")
    assert "by hand" not in str(answer), answer
    three.await_reports()
    for seconds in (5, 10):
        three.tried(at(three.sessions[FIRST + 2], "10:01") + timedelta(seconds=seconds))
    assert all(of(three, a).flat for a in ALL) and three.tws.ledger.holds("TEST") == 0


def test_an_emergency_stop_takes_an_agents_stop_away_only_when_its_own_exit_is_about_to_go(
    three: AccountLife, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit, protected = three.link.orders.submit, list[int]()

    async def counted(ticket: Any, *more: Any) -> Any:
        protected.append(len(stops(three)))
        return await submit(ticket, *more)

    monkeypatch.setattr(three.link.orders, "submit", counted)
    three.ask("emergency_stop", at(three.sessions[FIRST + 2], "10:01"), reason="test")
    assert protected == [2, 1, 0]


def test_a_stop_that_is_asked_about_before_its_first_round_ends_names_every_agent(
    three: AccountLife, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit, seen = three.link.orders.submit, list[Any]()
    store = Store(three.home)

    async def looked_at(ticket: Any, *more: Any) -> Any:
        seen.append(stop_record.picture(store, three.node.latch.status()))
        return await submit(ticket, *more)

    monkeypatch.setattr(three.link.orders, "submit", looked_at)
    three.ask("emergency_stop", at(three.sessions[FIRST + 2], "10:01"), reason="test")
    first, last = seen[0], seen[-1]
    assert [item["agent_id"] for item in first["items"]] == list(ALL) and first["state"] == "waiting"
    assert "has not reached this agent yet" in first["items"][2]["error"]
    assert [item["status"] for item in last["items"]] == ["exit queued", "exit queued", "waiting for the broker"]


def test_a_shortage_names_the_account_and_all_books_and_a_short_account_is_bought_back(three: AccountLife) -> None:
    held = three.tws.ledger.holds("TEST")
    for o in stops(three):
        three.tws.happen(lambda book, ref=o.ref: book.expire(ref))
    tells_the_position_only(three, -held - 23)
    three.tried(at(three.sessions[FIRST + 2], "10:01"))
    three.tried(at(three.sessions[FIRST + 2], "10:03") + timedelta(seconds=30))
    answer = three.ask("close", at(three.sessions[FIRST + 2], "10:04"))
    text = answer["error"] if "error" in answer else str(answer)
    assert f"the account holds -23 TEST for {AGENT}, {SECOND}, {THIRD}, whose books hold {held} together" in text
    assert "only one of these agents may be the reason" in text and "buy 23 TEST back by hand and sell nothing" in text


def test_a_fill_that_is_told_25_seconds_late_blocks_no_agent_of_the_stock(three: AccountLife) -> None:
    stop, now = order_of(three, SECOND, "STP"), at(three.sessions[FIRST + 2], "10:01")
    tells_the_position_only(three, -stop.remaining)
    for seconds in (0, 12, 25):
        three.tried(now + timedelta(seconds=seconds))
        assert [of(three, a).status for a in (AGENT, THIRD)] == ["running"] * 2
    three.tws.ledger.positions[TEST.con_id] = (three.tws.ledger.holds("TEST") + float(stop.remaining), 9.0)
    fills(three, stop)
    for seconds in (30, 45):
        three.tried(now + timedelta(seconds=seconds))
    assert [of(three, a).status for a in ALL] == ["running"] * 3


def test_shares_that_are_missing_for_two_minutes_block_every_agent_of_the_stock(three: AccountLife) -> None:
    now = at(three.sessions[FIRST + 2], "10:01")
    tells_the_position_only(three, -5)
    for seconds in (0, 60, 119):
        three.tried(now + timedelta(seconds=seconds))
        assert of(three, AGENT).status == "running"
    for seconds in (121, 135):
        three.tried(now + timedelta(seconds=seconds))
    assert [of(three, a).status for a in ALL] == ["blocked"] * 3
