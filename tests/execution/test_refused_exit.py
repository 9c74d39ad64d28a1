"""An exit that the broker refuses leaves no position without its stop, whatever the broker says or keeps to itself."""

from datetime import timedelta

import pytest

from livetrading.core.orders import OrderState
from livetrading.execution.orders.order_plans import planned_exit
from tests.doubles.account_days import holding
from tests.doubles.account_life import AccountLife
from tests.doubles.ibkr import await_that, impatient
from tests.doubles.lives import FIRST, at
from tests.doubles.tws import Bare, Fault

PLACE = 3


def watched(life: AccountLife) -> tuple[int, Bare]:
    t = holding(life)
    return t, Bare(life.tws, "TEST")


def passes(life: AccountLife, t: int, clock: str, count: int, every: int = 1) -> list[str]:
    """So many passes from a time on, so many seconds apart: what they alarmed."""
    alarms: list[str] = []
    for n in range(count):
        alarms += [
            alarm["text"] for alarm in life.check(at(life.sessions[t], clock) + timedelta(seconds=n * every)).alarms
        ]
    return alarms


def sells(kind: str = "vanish", times: int = 1) -> Fault:
    return Fault(kind, PLACE, times=times, only=lambda fields: fields[16] == "SELL" and fields[18] == "MKT")


def resting(life: AccountLife) -> list[tuple[str, float]]:
    return [(o.type, o.qty) for o in life.tws.ledger.open_orders()]


@pytest.mark.parametrize("kind", ["vanish", "reject", "reject_inactive", "reject_held"])
def test_a_refused_close_gives_the_stop_back_within_seconds(life: AccountLife, kind: str) -> None:
    t, bare = watched(life)
    held = life.state.book.shares
    life.tws.fail(sells(kind, times=99))
    life.ask("close", at(life.sessions[t], "11:00"))
    alarms = passes(life, t, "11:00", 4)
    assert not bare.now and bare.longest < 5
    assert resting(life) == [("STP", held)] and life.state.book.shares == held
    assert any("REJECTED" in text or "CANCELED" in text for text in alarms)
    assert life.repository.exposure.bare_since is None and life.repository.exposure.seconds < 5


def test_a_refused_exit_of_an_emergency_stop_gives_the_stop_back_and_is_tried_again(life: AccountLife) -> None:
    t, bare = watched(life)
    held = life.state.book.shares
    life.tws.fail(sells(times=2))
    life.ask("emergency_stop", at(life.sessions[t], "11:00"))
    passes(life, t, "11:00:01", 3)
    assert resting(life) == [("STP", held)] and bare.longest < 5
    passes(life, t, "11:00:10", 10, every=5)
    assert [(o.type, o.tif) for o in life.tws.ledger.open_orders()] == [("MKT", "DAY")]
    life.trades(t)
    life.check(at(life.sessions[t], "11:05"))
    assert life.state.flat and life.tws.ledger.holds("TEST") == 0 and life.tws.ledger.on_sale("TEST") == 0


def test_two_refusals_and_then_an_acceptance_sell_once_and_never_leave_the_position_bare_for_long(
    life: AccountLife,
) -> None:
    t, bare = watched(life)
    held = life.state.book.shares
    life.tws.fail(sells(times=2))
    life.ask("close", at(life.sessions[t], "11:00"))
    passes(life, t, "11:00", 40, every=2)
    sold = [o for o in life.tws.ledger.orders if o.action == "SELL" and o.type == "MKT" and o.perm_id]
    assert [(o.qty, o.tif, o.live) for o in sold] == [(held, "DAY", True)]
    assert bare.longest < 5 and life.tws.ledger.on_sale("TEST") == held
    refused = [o for o in life.state.recent if o.leg == "exit"]
    assert [o.state for o in refused] == [OrderState.REJECTED] * 2 and "201" in refused[0].reason


def test_a_refused_order_for_the_open_gives_the_stop_back_before_the_open(life: AccountLife) -> None:
    t, bare = watched(life)
    life.tws.fail(sells())
    while not any(o.leg == "exit" for o in life.state.orders):
        life.check(at(life.sessions[t], "16:40"))
        t += 1
        life.check(at(life.sessions[t], "08:00"))
    passes(life, t, "08:00:02", 3)
    assert resting(life)[0][0] == "STP" and bare.longest < 5
    life.check(at(life.sessions[t], "09:31"))
    assert [(o.type, o.tif) for o in life.tws.ledger.open_orders()] == [("MKT", "DAY")]


def test_an_order_that_works_after_all_is_not_doubled_by_the_stop(life: AccountLife) -> None:
    """Error 201 was seen on working orders: the error alone proves nothing."""
    t, bare = watched(life)
    life.tws.fail(sells("grumble"))
    life.ask("close", at(life.sessions[t], "11:00"))
    passes(life, t, "11:00", 4)
    assert [(o.type, o.tif) for o in life.tws.ledger.open_orders()] == [("MKT", "DAY")]
    assert life.tws.ledger.on_sale("TEST") == life.state.book.shares and not bare.now


def test_a_refused_order_that_the_broker_lists_later_is_cancelled_beside_the_stop(life: AccountLife) -> None:
    t, _ = watched(life)
    held = life.state.book.shares
    life.tws.fail(sells())
    life.ask("close", at(life.sessions[t], "11:00"))
    passes(life, t, "11:00", 3)
    key = next(o.key for o in life.state.recent if o.leg == "exit")
    ghost = life.tws.do(lambda: _appears(life, key, held))
    await_that(lambda: life.link.session.register.by_ref(key) is not None, "the order is listed")
    alarms = passes(life, t, "11:00:05", 2)
    assert any("which it had reported as ended" in text for text in alarms)
    assert not ghost.live and life.tws.ledger.on_sale("TEST") == held


def _appears(life: AccountLife, key: str, qty: int):
    """The broker shows an order that it had refused, and works it."""
    ledger, other = life.tws.ledger, life.tws.ledger.orders[0]
    ghost = type(other)(
        order_id=5_000,
        client_id=other.client_id,
        listing=other.listing,
        action="SELL",
        qty=float(qty),
        type="MKT",
        aux=0.0,
        tif="DAY",
        ref=key,
        account=other.account,
        parent_id=0,
        transmit=True,
    )
    life.tws.publish(ledger.place(ghost))
    return ghost


def test_while_the_broker_does_not_answer_nothing_is_sent_and_the_seconds_count(life: AccountLife) -> None:
    t, bare = watched(life)
    life.tws.fail(sells("drop_before", times=99))
    life.ask("close", at(life.sessions[t], "11:00"))
    heard = len(life.tws.orders_reported())
    life.tws.close_port()
    now = at(life.sessions[t], "11:00:01")
    await_that(lambda: not life.node.account.connection.link().health().ready, "the connection is gone")
    assert "cannot be used" in str(life.tried(now)[1])
    assert bare.now and len(life.tws.orders_reported()) == heard
    since = life.repository.exposure.bare_since
    assert (
        since == at(life.sessions[t], "11:00")
        and life.repository.exposure.of_position(now + timedelta(seconds=29)) == 30
    )
    life.tws.faults.waiting.clear()
    life.tws.open_port()
    await_that(lambda: life.node.account.connection.link().health().ready, "the connection is back")
    passes(life, t, "11:00:40", 3)
    assert not bare.now and life.tws.ledger.on_sale("TEST") == life.state.book.shares
    assert life.repository.exposure.seconds == 40 and life.repository.exposure.bare_since is None


def test_an_exit_that_got_lost_before_the_open_is_planned_anew_with_the_stop_back(life: AccountLife) -> None:
    """Between 09:25 and 09:30 it may not be sent again: the position keeps its stop until it may."""
    t, _ = watched(life)
    life.tws.fail(sells("swallow"))
    while not any(o.leg == "exit" for o in life.state.orders):
        life.check(at(life.sessions[t], "16:40"))
        t += 1
        life.check(at(life.sessions[t], "09:19"))
    held = life.state.book.shares
    life.check(at(life.sessions[t], "09:26"))
    life.check(at(life.sessions[t], "09:27"))
    assert resting(life) == [("STP", held)]
    life.check(at(life.sessions[t], "09:31"))
    assert [(o.type, o.tif, o.qty) for o in life.tws.ledger.open_orders()] == [("MKT", "DAY", held)]


def test_a_cancel_without_an_outcome_is_asked_for_again_after_a_time_and_after_a_reconnect(life: AccountLife) -> None:
    t, _ = watched(life)

    def cancels() -> int:
        return sum(1 for h in life.tws.do(lambda: list(life.tws.received)) if h.id == 4)

    life.tws.fail(Fault("stall", message=4, times=3))
    life.ask("close", at(life.sessions[t], "11:00"))
    passes(life, t, "11:00:01", 3)
    assert cancels() == 1 and resting(life)[0][0] == "STP"
    life.link.session.timing = life.link.session.timing.__class__(
        **{**vars(life.link.session.timing), "cancel_again": 0.0}
    )
    passes(life, t, "11:00:25", 1)
    asked = cancels()
    assert asked > 1 and resting(life)[0][0] == "STP"
    before = life.link.session.connections
    life.tws.drop_all()
    await_that(
        lambda: (
            life.node.account.connection.link().session.connections > before
            and life.node.account.connection.link().health().ready
        ),
        "again",
    )
    passes(life, t, "11:00:26", 3)
    assert cancels() > asked
    assert [(o.type, o.tif) for o in life.tws.ledger.open_orders()] == [("MKT", "DAY")]


def test_two_working_orders_under_one_key_are_both_cancelled_and_said(life: AccountLife) -> None:
    t, _ = watched(life)
    (stop,) = life.tws.ledger.open_orders()
    life.tws.do(lambda: _twin(life, stop))
    await_that(lambda: len(life.link.session.register.unended(stop.ref)) == 2, "the twin is known")
    life.tried(at(life.sessions[t], "11:00"))
    life.tried(at(life.sessions[t], "11:00:11"))
    assert life.state.status == "blocked" and "more than one open order" in life.state.status_reason
    assert life.link.cancel([stop.ref]) == []
    assert life.tws.ledger.on_sale("TEST") == 0


def _twin(life: AccountLife, stop) -> None:
    twin = type(stop)(
        order_id=6_000,
        client_id=stop.client_id,
        listing=stop.listing,
        action="SELL",
        qty=stop.qty,
        type="STP",
        aux=stop.aux,
        tif="GTC",
        ref=stop.ref,
        account=stop.account,
        parent_id=0,
        transmit=True,
    )
    life.tws.publish(life.tws.ledger.place(twin))


def test_the_answer_to_a_refused_close_says_so_and_the_stop_is_back_by_then(life: AccountLife) -> None:
    """Nobody may come by afterwards: a command that works without a scheduler ends with its answer."""
    t, bare = watched(life)
    life.tws.fail(sells())
    answer = life.ask("close", at(life.sessions[t], "11:00"))
    assert answer["status"] == "refused" and "IB 201" in answer["message"] and "tried again" in answer["message"]
    assert resting(life) == [("STP", life.state.book.shares)] and not bare.now and bare.longest < 5


def test_the_answer_to_a_refused_emergency_stop_says_so_and_the_stop_is_back_by_then(life: AccountLife) -> None:
    t, bare = watched(life)
    life.tws.fail(sells())
    answer = life.ask("emergency_stop", at(life.sessions[t], "11:00"))
    (item,) = answer["result"]["items"]
    assert (answer["result"]["flat"], item["flat"], item["status"]) == (False, False, "failed") and "IB 201" in item[
        "error"
    ]
    assert resting(life) == [("STP", life.state.book.shares)] and not bare.now and bare.longest < 5


def test_an_entry_that_was_taken_stays_on_record_when_nobody_can_tell_of_its_stop(
    life: AccountLife, monkeypatch: pytest.MonkeyPatch
) -> None:
    from livetrading.adapters.brokers.ibkr.broker import IbkrBroker
    from livetrading.core.errors import Unavailable
    from tests.doubles.account_days import deployed

    find = IbkrBroker.find

    def silent(broker: IbkrBroker, ref: str):
        if ":stop:" in ref:
            raise Unavailable("nobody can tell")
        return find(broker, ref)

    deployed(life)
    life.check(at(life.sessions[FIRST], "16:40"))
    monkeypatch.setattr(IbkrBroker, "find", silent)
    life.tried(at(life.sessions[FIRST + 1], "08:00"))
    assert [o.state for o in life.state.open_orders() if o.leg == "entry"] == [OrderState.NEW]
    monkeypatch.setattr(IbkrBroker, "find", find)
    life.check(at(life.sessions[FIRST + 1], "08:01"))
    assert [o.state for o in life.state.open_orders()] == [OrderState.NEW] * 2


def test_an_exit_that_is_answered_by_silence_and_listed_nowhere_gives_the_stop_back(life: AccountLife) -> None:
    t, bare = watched(life)
    life.tws.fail(sells("swallow", times=99))
    with impatient(life.link, acknowledge=0.2):
        life.ask("close", at(life.sessions[t], "11:00"))
        passes(life, t, "11:00", 4)
    assert resting(life) == [("STP", life.state.book.shares)] and not bare.now and bare.longest < 5


def test_a_restart_between_the_refusal_and_the_next_look_does_not_send_the_exit_again(life: AccountLife) -> None:
    t, _ = watched(life)
    life.tws.fail(sells(times=99))
    now = at(life.sessions[t], "11:00")
    trader = life.node.trader(life.repository.agent_id)
    life.now = now
    life.repository.commit(planned_exit(life.state, life.state.booked, now, "DAY", "closed by test"), now)
    trader.executor.send_due(now)
    sent = len(life.tws.orders_reported())
    assert [o.complaint[:6] for o in life.state.open_orders() if o.leg == "exit"] == ["IB 201"]
    life.restart()
    passes(life, t, "11:00:01", 3)
    assert resting(life) == [("STP", life.state.book.shares)]
    assert len(life.tws.orders_reported()) == sent + 1  # the stop alone


def test_an_exit_of_shares_that_a_person_has_sold_is_withdrawn(tmp_path, calm, tws) -> None:
    """What he holds of his own is not the agent's to sell."""
    from tests.doubles.account_life import TEST, in_account
    from tests.doubles.lives import Cycler

    tws.ledger.positions[TEST.con_id] = (500.0, 9.0)
    life = in_account(tmp_path, calm, Cycler(), tws)
    try:
        t = holding(life, own=500)
        held = life.state.book.shares
        life.check(at(life.sessions[t], "16:40"))
        life.ask("close", at(life.sessions[t], "20:00"))
        tws.ledger.positions[TEST.con_id] = (500.0, 9.0)  # he sells the agent's shares by hand
        tws.happen(lambda ledger: [("position", TEST)])
        life.await_reports()
        for clock in ("20:01", "20:01:11", "20:01:22"):
            life.tried(at(life.sessions[t], clock))
        assert life.ask("adopt", at(life.sessions[t], "20:02"))["result"]["adopted"] == -held
        life.tried(at(life.sessions[t], "20:03"))
        assert life.state.flat and tws.ledger.on_sale("TEST") == 0 and tws.ledger.holds("TEST") == 500
    finally:
        life.node.close()


def test_a_refused_exit_that_fills_after_all_takes_the_stop_away_with_the_pass_that_books_it(life: AccountLife) -> None:
    """Nothing is held any more: what the stop could still sell would be another's, or a short sale."""
    t, _ = watched(life)
    held = life.state.book.shares
    life.tws.fail(sells())
    life.ask("close", at(life.sessions[t], "11:00"))
    passes(life, t, "11:00", 3)
    assert resting(life) == [("STP", held)]
    key = next(o.key for o in life.state.recent if o.leg == "exit")
    ghost = life.tws.do(lambda: _appears(life, key, held))
    life.tws.happen(lambda ledger: ledger.fill(ghost, ghost.remaining, 10.0))
    life.await_reports()
    life.check(at(life.sessions[t], "11:00:04"))
    assert life.state.flat and resting(life) == [] and life.tws.ledger.on_sale("TEST") == 0
    life.check(at(life.sessions[t], "11:00:05"))
    assert life.state.idle and life.state.status == "running"
