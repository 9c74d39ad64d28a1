"""What a stop tells of each agent: counted from what it found, whoever asks and however often."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from livetrading.adapters.halt import HaltLatch
from livetrading.adapters.store import Store
from livetrading.core.errors import Unavailable
from livetrading.core.events import OrderMoved
from livetrading.core.orders import OrderState
from livetrading.core.stopping import StopState, state_of
from livetrading.core.types import Leg, Mode
from livetrading.execution import file_repair
from livetrading.execution.orders import protective_stop
from livetrading.execution.scheduler import Scheduler
from livetrading.execution.state import agent_status, queries, stop_record
from livetrading.execution.stopping import emergency_stop
from livetrading.execution.trading import replay
from tests.doubles.lives import AGENT, FIRST, Cycler, Known, Life, at, deployed, until
from tests.doubles.series import generated


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return deployed(tmp_path, generated(1, FIRST + 30), Cycler())


def stop(life: Life, t: int, clock: str) -> dict[str, Any]:
    return life.ask("emergency_stop", at(life.sessions[t], clock), reason="test")["result"]


def test_a_position_is_followed_from_the_cancel_of_its_stop_to_the_profit(life: Life) -> None:
    t = until(lambda: not life.state.flat, life, FIRST)
    held, realised = life.state.book.shares, life.state.book.realized
    first = stop(life, t - 1, "20:00")
    (item,) = first["items"]
    assert first["state"] == "queued" and item["shares"] == held and item["orders"] == 1
    assert [(o["leg"], o["qty"]) for o in item["cancelled"]] == [("stop", held)]
    assert (item["sold"], item["price"], item["pnl"], item["exit"]) == (0, None, None, "working")

    life.check(at(life.sessions[t], "16:40"))
    life.check(at(life.sessions[t + 1], "16:40"))
    second = stop(life, t + 1, "20:00")
    (item,) = second["items"]
    (fill,) = [f for f in life.named("Filled") if f.leg == "exit"]
    assert second["state"] == "done" and second["at"] == first["at"] and item["orders"] == 1
    assert (item["shares"], item["sold"], item["exit"]) == (held, held, "filled")
    assert item["price"] == pytest.approx(fill.price)
    assert item["pnl"] == pytest.approx(life.state.book.realized - realised)
    assert [(o["leg"], o["qty"]) for o in item["cancelled"]] == [("stop", held)]


def test_an_entry_that_was_withdrawn_is_named_and_nothing_is_sold(life: Life) -> None:
    life.check(at(life.sessions[FIRST], "16:40"))
    (entry, _) = life.state.orders
    (item,) = stop(life, FIRST, "20:00")["items"]
    assert {(o["leg"], o["qty"]) for o in item["cancelled"]} == {("entry", entry.qty), ("stop", entry.qty)}
    assert (item["shares"], item["sold"], item["price"], item["pnl"], item["exit"]) == (0, 0, None, None, "none")


def test_what_was_sold_before_a_stop_is_not_its_sale(life: Life) -> None:
    t = until(lambda: bool(life.named("Filled")) and life.state.flat, life, FIRST)
    (item,) = stop(life, t - 1, "20:00")["items"]
    assert (item["sold"], item["price"], item["pnl"], item["exit"]) == (0, None, None, "none")


def test_the_next_stop_counts_anew(life: Life) -> None:
    t = until(lambda: not life.state.flat, life, FIRST)
    first = stop(life, t - 1, "20:00")
    life.check(at(life.sessions[t], "16:40"))
    life.ask("rearm", at(life.sessions[t], "17:00"))
    assert stop_record.picture(life.store, HaltLatch(life.home).status()) is None
    second = stop(life, t, "20:00")
    assert second["at"] != first["at"] and second["items"][0]["sold"] == 0


def test_the_scheduler_keeps_the_picture_true_when_an_exit_fills(life: Life) -> None:
    t = until(lambda: not life.state.flat, life, FIRST)
    stop(life, t - 1, "20:00")
    life.check(at(life.sessions[t], "16:40"))
    scheduler = Scheduler(life.home, clock=lambda: at(life.sessions[t], "16:41"))
    scheduler.node.registry = Known(life.home, life.policy)
    scheduler.node.open()
    scheduler.answer_requests()
    shown = queries.system(life.store, at(life.sessions[t], "16:42"))["stop"]
    assert shown["flat"] and shown["state"] == "done" and shown["items"][0]["exit"] == "filled"
    assert not emergency_stop.needs_round(scheduler.node)


def test_the_words_count_one_agent_as_one_and_call_history_what_it_is(life: Life, tmp_path: Path) -> None:
    t = until(lambda: not life.state.flat, life, FIRST)
    assert (
        life.ask("emergency_stop", at(life.sessions[t - 1], "20:00"))["message"]
        == "Stopped; not everything is flat yet: 1 agent."
    )
    over = deployed(tmp_path / "over", generated(1, FIRST + 3), Cycler(99), mode="replay", model_rows=FIRST + 3)
    while replay.advance(over.node.trader(AGENT)):
        pass
    held = over.state.book.shares
    told = over.ask("emergency_stop", at(over.sessions[-1], "20:00"))
    (item,) = told["result"]["items"]
    assert held and (item["status"], item["shares"], item["flat"]) == ("finished replay", held, True)
    assert told["message"] == "Everything is flat: 1 agent. Shares of a finished replay are history and are not sold."


def test_a_simulated_agents_order_is_not_to_be_looked_at_in_tws(life: Life) -> None:
    t = until(lambda: bool(life.state.open_orders(Leg.EXIT)), life, FIRST)
    (stop_,) = life.state.open_orders(Leg.STOP)
    life.repository.commit(
        [OrderMoved(stop_.key, OrderState.PENDING_CANCEL, "test")], at(life.sessions[t - 1], "20:00")
    )
    (said,) = protective_stop.protect(life.node.executor(AGENT), at(life.sessions[t - 1], "20:01"))
    assert "has not confirmed the cancel" in said and "TWS" not in said
    assert agent_status.where_to_look(replace(life.state.agent, mode=Mode.BROKER, broker="ibkr")) == "look at it in TWS"


@pytest.mark.parametrize("text", ["{", '{"stop": {"1": {"at": 5}}}', '{"stop": {}}'])
def test_a_spoilt_record_stops_no_stop(life: Life, text: str) -> None:
    t = until(lambda: not life.state.flat, life, FIRST)
    life.store.path(stop_record.FILE).write_text(text)
    told = stop(life, t - 1, "20:00")
    assert told["state"] == "queued" and told["items"][0]["exit"] == "working"
    assert stop_record.picture(life.store, HaltLatch(life.home).status())["items"] == told["items"]


def test_a_stop_says_that_a_wish_for_all_orders_may_be_lost_with_its_record_until_it_is_asked_again(life: Life) -> None:
    t, latch = until(lambda: not life.state.flat, life, FIRST), HaltLatch(life.home)

    def again(clock: str, all_orders: bool = False) -> str:
        emergency_stop.stop(life.node, "test", "a person", at(life.sessions[t - 1], clock), all_orders=all_orders)
        return stop_record.picture(life.store, latch.status())["message"]

    assert "--all-orders" not in again("20:00", all_orders=True)
    life.store.path(stop_record.FILE).write_text("garbage")
    said = again("20:01")
    assert "stop.json was damaged and set aside as stop.json.damaged-" in said and "ask again with --all-orders" in said
    assert "ask again with --all-orders" in again("20:02")
    assert "--all-orders" not in again("20:03", all_orders=True)
    life.store.path(stop_record.FILE).write_text("garbage")
    (told,) = file_repair.shared(life.store, at(life.sessions[t - 1], "20:04"))
    assert "ask again with --all-orders" in told


def test_a_record_that_cannot_be_written_stops_no_stop(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    t = until(lambda: not life.state.flat, life, FIRST)
    known = Store.transaction

    def full(self: Store, name: str) -> Any:
        if name == stop_record.FILE:
            raise Unavailable("The disk is full; free some space and try again.")
        return known(self, name)

    monkeypatch.setattr(Store, "transaction", full)
    told = stop(life, t - 1, "20:00")
    assert told["state"] == "queued" and told["items"][0]["exit"] == "working"


@pytest.mark.parametrize(
    ("statuses", "state"),
    [
        ((), StopState.DONE),
        (("flat", "finished replay"), StopState.DONE),
        (("flat", "exit queued"), StopState.QUEUED),
        (("failed", "exit queued"), StopState.FAILED),
        (("failed", "waiting for the broker"), StopState.WAITING),
        (("flat", "cancel asked"), StopState.WAITING),
    ],
)
def test_the_whole_is_as_far_as_its_parts(statuses: tuple[str, ...], state: StopState) -> None:
    flat = ("flat", "finished replay")
    assert state_of([{"status": s, "flat": s in flat} for s in statuses]) == state
