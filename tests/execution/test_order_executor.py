"""Orders: durable before they leave, found again by their key, never two where one is meant."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from livetrading.adapters.brokers.paper import PaperBroker
from livetrading.adapters.halt import HaltLatch
from livetrading.core.errors import Unavailable
from livetrading.core.events import OrderMoved
from livetrading.core.orders import OrderState
from livetrading.core.types import Action, AgentStatus, Leg
from tests.doubles.lives import AGENT, FIRST, Always, Cycler, Life, at, deployed, until
from tests.doubles.series import generated


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return deployed(tmp_path, generated(1, FIRST + 30), Cycler())


@pytest.fixture
def planned(life: Life) -> Life:
    """An entry decided this evening."""
    life.check(at(life.sessions[FIRST], "16:40"))
    assert [str(o.state) for o in life.state.orders] == ["PLANNED", "PLANNED"]
    return life


def morning(life: Life, t: int = FIRST + 1, clock: str = "08:00") -> datetime:
    return at(life.sessions[t], clock)


class Wire:
    """The paper broker behind a line that loses things, and a count of what was sent."""

    def __init__(self, life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[str] = []
        self.lose_call = self.lose_answer = False
        submit = PaperBroker.submit

        def across(broker: PaperBroker, ticket: Any, child: Any, now: datetime) -> Any:
            self.sent.append(ticket.ref)
            if self.lose_call:
                raise Unavailable("no connection")
            answer = submit(broker, ticket, child, now)
            if self.lose_answer:
                raise Unavailable("no answer")
            return answer

        monkeypatch.setattr(PaperBroker, "submit", across)


def test_an_order_is_durable_before_it_leaves(planned: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def submit(broker: PaperBroker, ticket: Any, child: Any, now: datetime) -> Any:
        seen.extend(e.state for e in planned.named("OrderMoved") if e.key == ticket.ref)
        raise Unavailable("no connection")

    monkeypatch.setattr(PaperBroker, "submit", submit)
    planned.check(morning(planned))
    assert seen[0] == "PENDING_NEW"


def test_a_lost_acknowledgement_is_looked_up_and_not_sent_again(planned: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(planned, monkeypatch)
    wire.lose_answer = True
    planned.check(morning(planned))
    assert planned.state.open_orders(Leg.ENTRY)[0].state == "PENDING_NEW"
    wire.lose_answer = False
    planned.check(morning(planned, clock="08:01"))
    assert len(wire.sent) == 1 and planned.state.open_orders(Leg.ENTRY)[0].state == "NEW"


def test_an_order_that_never_arrived_is_sent_again_under_its_key(
    planned: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire(planned, monkeypatch)
    wire.lose_call = True
    planned.check(morning(planned))
    wire.lose_call = False
    planned.restart()
    planned.check(morning(planned, clock="09:24"))
    assert wire.sent == [planned.state.open_orders(Leg.ENTRY)[0].key] * len(wire.sent) and len(wire.sent) >= 2
    planned.check(at(planned.sessions[FIRST + 1], "16:40"))
    assert len(planned.named("Filled")) == 1


def test_an_entry_in_doubt_is_given_up_after_twenty_five_past_nine(
    planned: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire(planned, monkeypatch)
    wire.lose_call = True
    planned.check(morning(planned))
    count = len(wire.sent)
    wire.lose_call = False
    planned.check(morning(planned, clock="09:26"))
    assert len(wire.sent) == count and planned.state.orders == ()


def test_an_exit_in_doubt_goes_as_a_day_order_after_the_open(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    t = until(lambda: bool(life.state.open_orders(Leg.EXIT)), life, FIRST)
    wire = Wire(life, monkeypatch)
    wire.lose_call = True
    life.check(morning(life, t))
    wire.lose_call = False
    life.check(morning(life, t, "09:27"))
    assert life.state.open_orders(Leg.EXIT)[0].state == "PLANNED"
    assert [o.state for o in life.state.open_orders(Leg.STOP)] == ["NEW"]  # until the exit may go
    life.check(morning(life, t, "09:40"))  # the simulated stop may have filled at the open: its bar tells
    life.check(at(life.sessions[t], "16:40"))
    (order,) = life.state.open_orders()
    assert (order.leg, order.state, order.tif) == ("exit", "NEW", "DAY")


def test_a_latch_set_after_the_order_was_written_still_keeps_it_here(
    planned: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire(planned, monkeypatch)
    commit = type(planned.repository).commit

    def then_halt(repository: Any, events: list[Any], now: datetime) -> Any:
        done = commit(repository, events, now)
        if any(isinstance(e, OrderMoved) and e.state == "PENDING_NEW" for e in events):
            HaltLatch(planned.home).set("now", "test", now)
        return done

    monkeypatch.setattr(type(planned.repository), "commit", then_halt)
    planned.node.trader(AGENT).run(morning(planned))
    assert wire.sent == [] and planned.state.orders == ()


@pytest.mark.parametrize("status", [AgentStatus.PAUSED, AgentStatus.BLOCKED, AgentStatus.STOPPED])
def test_no_entry_leaves_for_an_agent_that_does_not_run(planned: Life, status: AgentStatus) -> None:
    from livetrading.core.events import StatusChanged

    planned.repository.commit([StatusChanged(status, "", "test")], morning(planned, clock="07:00"))
    assert planned.check(morning(planned)).sent == [] and planned.state.orders == ()


def test_the_stop_is_gone_before_the_exit_is_sent(life: Life) -> None:
    t = until(lambda: bool(life.state.open_orders(Leg.EXIT)), life, FIRST)
    life.check(morning(life, t))
    moves = [(e.key.split(":")[2], e.state) for e in life.named("OrderMoved")]
    assert moves.index(("stop", "CANCELED")) < moves.index(("exit", "PENDING_NEW"))
    assert [str(o.leg) for o in life.state.orders] == ["exit"]


def test_an_exit_that_missed_the_open_goes_as_a_day_order_once_the_stops_end_is_known(life: Life) -> None:
    t = until(lambda: bool(life.state.open_orders(Leg.EXIT)), life, FIRST)
    life.check(morning(life, t, "15:45"))
    (order,) = life.state.open_orders(Leg.EXIT)
    assert (order.state, order.tif) == ("PLANNED", "DAY"), "the stop guards this session's bar still"
    assert [s["leg"] for s in life.check(morning(life, t, "16:40")).sent] == ["exit"]
    life.day(t + 1)
    assert [f.session for f in life.named("Filled") if f.leg == "exit"] == [life.sessions[t + 1].isoformat()]


def test_an_exit_too_late_for_its_session_expires_and_the_stop_stays(life: Life) -> None:
    t = until(lambda: bool(life.state.open_orders(Leg.EXIT)), life, FIRST)
    life.check(morning(life, t, "15:46"))
    assert [(str(o.leg), str(o.state)) for o in life.state.orders] == [("stop", "NEW")]


def test_a_missing_stop_is_placed_again_with_the_positions_size_and_said(life: Life) -> None:
    t = until(lambda: not life.state.flat, life, FIRST)
    trader = life.node.trader(AGENT)
    (stop,) = life.state.open_orders(Leg.STOP)
    trader.executor.cancel(stop.key, "by hand", morning(life, t, "07:00"))
    assert life.state.open_orders(Leg.STOP) == []
    done = life.check(morning(life, t))
    (again,) = life.state.open_orders(Leg.STOP)
    assert (again.qty, again.state, again.stop_price) == (
        life.state.book.shares,
        "NEW",
        float(life.state.book.account.stop),
    )
    assert "placed again" in done.alarms[0]["text"]


def test_a_cancel_in_doubt_of_an_order_that_never_arrived_ends_it(
    planned: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = Wire(planned, monkeypatch)
    wire.lose_call = True
    planned.check(morning(planned))
    planned.ask("pause", morning(planned, clock="08:10"))
    planned.check(morning(planned, clock="08:11"))
    assert planned.state.orders == ()


def test_waiting_for_a_cancel_writes_no_line_a_pass(tmp_path: Path) -> None:
    life = deployed(tmp_path, generated(1, FIRST + 10), Always(Action.BUY))
    life.day(FIRST)
    life.check(morning(life))
    life.ask("close", at(life.sessions[FIRST + 1], "11:00"))
    lines = life.repository.seq
    for minute in range(1, 30):
        life.check(at(life.sessions[FIRST + 1], f"11:{minute:02}"))
    assert life.repository.seq == lines


def test_an_exit_that_the_broker_rejects_brings_the_stop_back_at_once(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    t = until(lambda: bool(life.state.open_orders(Leg.EXIT)), life, FIRST)
    submit = PaperBroker.submit

    def refusing(broker: PaperBroker, ticket: Any, child: Any, now: datetime) -> Any:
        if ticket.type == "MKT":
            seen = PaperBroker(broker._store, broker._path.with_name("elsewhere.json"), broker._costs)
            return replace(submit(seen, ticket, child, now), state=OrderState.REJECTED, reason="no such luck")
        return submit(broker, ticket, child, now)

    monkeypatch.setattr(PaperBroker, "submit", refusing)
    done = life.check(morning(life, t))
    (stop,) = life.state.orders
    assert (str(stop.leg), stop.state, stop.qty) == ("stop", "NEW", life.state.book.shares)
    assert done.sent == [] and "placed again" in done.alarms[0]["text"]


def test_a_split_while_an_exit_waits_changes_what_it_sells(tmp_path: Path) -> None:
    split = FIRST + 2
    life = deployed(tmp_path, generated(1, FIRST + 10, splits={split: 2.0}), Always(Action.BUY))
    life.day(FIRST)
    life.day(FIRST + 1)
    held = life.state.book.shares
    life.ask("close", at(life.sessions[split], "11:00"))
    life.check(at(life.sessions[split], "16:40"))
    assert life.state.book.shares == 2 * held == life.state.open_orders(Leg.EXIT)[0].qty
    life.ask("pause", at(life.sessions[split], "20:00"))
    life.day(split + 1)
    assert life.state.idle and life.named("Filled")[-1].qty == 2 * held
