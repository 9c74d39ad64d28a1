"""What a real account refuses, and how it is stopped."""

from typing import Any

import pytest

from livetrading.core.errors import Refused
from tests.doubles.account_days import deployed, holding, tried_for
from tests.doubles.account_life import TEST, AccountLife
from tests.doubles.ibkr import again_ready
from tests.doubles.lives import FIRST, at
from tests.doubles.tws import Fault

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
    life.node.close()
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
    assert "another security" in str(failed) or "not know a stock" in str(failed)
    assert life.state.status == "blocked" and life.tws.order_bytes() == 0


def test_a_purchase_beyond_the_cash_in_dollars_is_not_sent(life: AccountLife) -> None:
    deployed(life)
    life.check(at(life.sessions[FIRST], "16:40"))
    life.tws.ledger.cash = 500.0
    life.restart()
    life.check(at(life.sessions[FIRST + 1], "08:00"))
    assert life.tws.ledger.orders == []
    assert "an agent never borrows currency" in life.state.recent[0].reason


# -- the emergency stop ----------------------------------------------------------------


def test_an_emergency_stop_cancels_what_is_ours_and_no_order_of_a_person(life: AccountLife) -> None:
    t = holding(life)
    life.tws.happen(lambda ledger: ledger.place(foreign(life)))
    now = at(life.sessions[t], "11:00")
    answer = life.ask("emergency_stop", now, reason="test")
    assert answer["result"]["items"][0]["status"] == "exit queued"
    assert sorted((o.ref.split(":")[-2] if ":" in o.ref else o.ref) for o in life.tws.ledger.open_orders()) == [
        "by hand",
        "exit",
    ]
    life.tws.happen(
        lambda ledger: [e for o in ledger.open_orders() if ":exit:" in o.ref for e in ledger.fill(o, o.remaining, 10.0)]
    )
    life.await_reports()
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


def test_all_orders_are_never_called_cancelled_when_no_connection_lasted_long_enough_to_ask(life: AccountLife) -> None:
    t = holding(life)
    life.tws.happen(lambda ledger: ledger.place(foreign(life)))
    life.tws.fail(Fault("drop_before", message=58, times=100))
    answer = life.ask("emergency_stop", at(life.sessions[t], "11:00"), reason="test", all_orders=True)
    assert "by hand" in [o.ref for o in life.tws.ledger.open_orders()]
    assert [i["status"] for i in answer["result"]["items"] if not i["agent_id"]] == ["waiting for the broker"]
    assert (answer["result"]["state"], answer["result"]["flat"]) == ("waiting", False)
    assert answer["result"]["flat"] is False


def test_all_orders_go_though_one_agent_cannot_be_asked_for(life: AccountLife, monkeypatch: pytest.MonkeyPatch) -> None:
    t = holding(life)
    life.tws.happen(lambda ledger: ledger.place(foreign(life)))

    def another(agent_id: str) -> Any:
        raise Refused("TEST is another security now; close the position in TWS.")

    monkeypatch.setattr(life.node, "executor", another)
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
    life.restart().account.connection.patience = 0.1
    item = life.ask("emergency_stop", at(life.sessions[FIRST], "20:00"), reason="test")["result"]["items"][0]
    assert item["status"] == "waiting for the broker" and "start TWS or Gateway" in item["error"]
    assert life.state.status == "stopped" and life.state.orders == ()
