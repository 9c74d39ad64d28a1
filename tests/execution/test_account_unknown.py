"""An account that is away or not wholly known: what needs it waits with the reason, a person hears, nothing dies."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from livetrading.adapters.brokers.base import Health, HealthState
from livetrading.core.errors import Unavailable
from livetrading.execution import account_status
from livetrading.execution.scheduler import Scheduler
from tests.doubles.account_days import deployed, holding
from tests.doubles.account_life import AccountLife
from tests.doubles.ibkr import again_ready, await_that, impatient
from tests.doubles.lives import FIRST, at
from tests.doubles.tws import Spoil

ACCOUNT, MULTI, VALUE, MULTI_VALUE, POSITION, COMPLETED, EXECUTIONS = 6, 76, 6, 73, 61, 99, 7
MINUTE = timedelta(minutes=1)


def spoil(life: AccountLife, *spoils: Spoil) -> None:
    life.tws.do(lambda: setattr(life.tws.faults, "spoils", list(spoils)))


def worthless(value: str, *tags: str) -> list[Spoil]:
    """TWS tells these tags of the account like that."""
    return [Spoil(VALUE, 3, value, lambda f: f[2] in tags), Spoil(MULTI_VALUE, 6, value, lambda f: f[5] in tags)]


def reconnected(life: AccountLife) -> None:
    again_ready(life.link, life.tws.drop_all)


# -- figures that are none -----------------------------------------------------------


@pytest.mark.parametrize("value", ["", "n/a", "NaN", "Infinity", "1.7976931348623157E308"])
@pytest.mark.parametrize("tags", [("NetLiquidation",), ("CashBalance", "TotalCashValue")])
def test_without_a_figure_entries_wait_with_its_name_and_nothing_dies(life: AccountLife, tags, value) -> None:
    """The scheduler's own turn over the account, which an unreadable figure once ended."""
    deployed(life)
    life.check(at(life.sessions[FIRST], "16:40"))
    spoil(life, *worthless(value, *tags))
    reconnected(life)
    morning = at(life.sessions[FIRST + 1], "08:00")
    life.check(morning)
    assert life.tws.order_bytes() == 0 and [o.state for o in life.state.orders] == ["PLANNED", "PLANNED"]
    assert f"{tags[0]}" in life.node.account.risk.entries_wait()

    scheduler = Scheduler(life.home, lambda: morning)
    scheduler.node, scheduler.manager.node = life.node, life.node
    scheduler.check_account()
    told = next(iter(life.node.store.read("system")["broker"].values()))
    assert told["ready"] and tags[0] in told["absent"][0] and None in (told["net_liquidation"], told["cash_usd"])

    spoil(life)
    reconnected(life)
    life.check(at(life.sessions[FIRST + 1], "08:01"))
    assert life.tws.order_bytes() > 0


def test_a_worth_that_is_no_number_is_never_recorded_and_deploying_waits(life: AccountLife) -> None:
    spoil(life, *worthless("NaN", "NetLiquidation"))
    answer = life.deploy(at(life.sessions[FIRST - 1], "20:00"))
    assert "NetLiquidation of DU1234567 is 'NaN'" in answer["message"] and not life.node.active()
    spoil(life)
    reconnected(life)
    deployed(life)
    spoil(life, *worthless("NaN", "NetLiquidation"))
    reconnected(life)
    day = life.sessions[FIRST].isoformat()
    life.node.account.risk.value(day, at(life.sessions[FIRST], "16:40"))
    assert life.node.account.journal("DU1234567").book.valued is None
    spoil(life)
    reconnected(life)
    life.node.account.risk.value(day, at(life.sessions[FIRST], "16:41"))
    assert life.node.account.journal("DU1234567").book.valued.net_liquidation == 100_000.0


# -- questions that are not answered ----------------------------------------------------


@contextmanager
def silent(life: AccountLife, *messages: int) -> Iterator[None]:
    with impatient(life.link, optional=0.2, again=(60.0,)):
        life.tws.do(lambda: life.tws.faults.silent.update(messages))
        reconnected(life)
        yield
        life.tws.do(life.tws.faults.silent.clear)
        life.tws.do(life.tws.faults.waiting.clear)


@pytest.mark.parametrize("messages", [(COMPLETED,), (EXECUTIONS,), (ACCOUNT, MULTI)])
def test_while_an_answer_is_missing_entries_wait_and_a_position_can_be_closed(life: AccountLife, messages) -> None:
    t = holding(life)
    with silent(life, *messages):
        assert life.link.health().missing
        assert "has not answered the question for" in life.node.account.risk.entries_wait()
        answer = life.ask("emergency_stop", at(life.sessions[t], "11:00"), reason="test")
        assert answer["status"] == "done", answer
        assert "STP" not in {o.type for o in life.tws.ledger.open_orders()}
        assert life.tws.ledger.on_sale("TEST") == life.state.book.shares > 0
        life.trades(t)
        life.check(at(life.sessions[t], "11:02"))
        assert life.state.flat and life.tws.ledger.holds("TEST") == 0


def test_an_entry_waits_for_the_answer_and_goes_when_it_has_come(life: AccountLife) -> None:
    deployed(life)
    life.check(at(life.sessions[FIRST], "16:40"))
    with silent(life, COMPLETED):
        life.check(at(life.sessions[FIRST + 1], "08:00"))
        assert life.tws.order_bytes() == 0 and [o.state for o in life.state.orders] == ["PLANNED", "PLANNED"]
    reconnected(life)
    life.check(at(life.sessions[FIRST + 1], "08:02"))
    assert life.tws.order_bytes() > 0


def test_a_fill_that_cannot_be_told_now_does_not_block_its_agent(life: AccountLife) -> None:
    """The position says that it was bought; the executions, which say at which price, are not answered."""
    deployed(life)
    life.check(at(life.sessions[FIRST], "16:40"))
    life.check(at(life.sessions[FIRST + 1], "08:00"))
    with impatient(life.link, optional=0.2, again=(60.0,)):
        life.tws.close_port()
        life.now = at(life.sessions[FIRST + 1], "09:30")
        life._trade(lambda order: order.tif == "OPG", 100.0)
        life.tws.do(lambda: life.tws.faults.silent.add(EXECUTIONS))
        again_ready(life.node.account.connection.link(), life.tws.open_port)
        for minute in range(3):
            life.tried(at(life.sessions[FIRST + 1], f"09:{33 + minute}"))
        assert life.state.status == "running" and life.state.book.shares == 0
        life.tws.do(life.tws.faults.silent.clear)
    reconnected(life)
    life.check(at(life.sessions[FIRST + 1], "09:40"))
    assert life.state.status == "running" and life.state.book.shares == life.tws.ledger.holds("TEST") > 0


def test_a_question_that_is_not_answered_for_half_an_hour_is_no_alarm_and_for_longer_is_one(life: AccountLife) -> None:
    t = holding(life)
    life.now = at(life.sessions[t], "23:50")
    with silent(life, COMPLETED):
        assert account_status.publish(life.node, life.now + 31 * MINUTE) == []
        reconnected(life)
        (text,) = account_status.publish(life.node, life.now + 46 * MINUTE)
        assert "has not answered the question for completed orders since 23:50 New York" in text
    reconnected(life)
    assert account_status.publish(life.node, life.now + 50 * MINUTE) == []


@pytest.mark.parametrize("value", ["", "n/a", "NaN", "1.7976931348623157E308", "10.5"])
def test_a_position_that_cannot_be_read_holds_its_agent_with_the_reason(life: AccountLife, value: str) -> None:
    t = holding(life)
    stops = [o.perm_id for o in life.tws.ledger.open_orders() if o.type == "STP"]
    spoil(life, Spoil(POSITION, 14, value))
    reconnected(life)
    _, failed = life.tried(at(life.sessions[t], "10:00"))
    assert "What the account holds of TEST" in str(failed)
    assert [o.perm_id for o in life.tws.ledger.open_orders() if o.type == "STP"] == stops
    spoil(life)
    life.link.read_account()
    life.check(at(life.sessions[t], "10:01"))
    assert life.state.status == "running"


# -- a broker that is away --------------------------------------------------------------------


def gone(life: AccountLife) -> None:
    life.tws.close_port()
    await_that(lambda: life.node.account.connection.link().health().failures > 1, "attempts fail")


def test_a_broker_that_is_away_is_told_while_shares_are_held_through_every_attempt(life: AccountLife) -> None:
    t = holding(life)
    life.now = at(life.sessions[t], "10:00")
    gone(life)
    assert account_status.publish(life.node, life.now) == []  # half a minute may pass
    life.now += MINUTE
    seen: set[str] = set()

    def every_state() -> bool:
        """Between two attempts and within one, it is one and the same alarm."""
        seen.add(life.node.account.connection.link().health().state)
        (text,) = account_status.publish(life.node, life.now)
        assert "cannot be used since 10:00 New York" in text and "start TWS or Gateway" in text
        return {"connecting", "disconnected"} <= seen

    await_that(every_state, "both states were seen")
    life.tws.open_port()
    await_that(lambda: life.node.account.connection.link().health().ready)
    assert account_status.publish(life.node, life.now) == []


def test_a_broker_that_is_away_while_nobody_needs_it_is_no_alarm(life: AccountLife) -> None:
    deployed(life)
    life.now = at(life.sessions[FIRST - 1], "20:30")
    gone(life)
    assert account_status.publish(life.node, life.now + 60 * MINUTE) == []
    due = at(life.sessions[FIRST], "16:40")
    (text,) = account_status.publish(life.node, due)
    assert "cannot be used since" in text


def test_a_daily_restart_is_no_alarm_and_an_end_of_it_that_fails_is(life: AccountLife) -> None:
    t = holding(life)
    life.now = at(life.sessions[t], "23:44")
    gone(life)
    link = life.node.account.connection.link()
    link.config = replace(link.config, restart=life.now.time(), zone="UTC")
    assert account_status.publish(life.node, life.now + 5 * MINUTE) == []
    assert account_status.publish(life.node, life.now + 20 * MINUTE)


class Told:
    """A connection whose health is as given."""

    def __init__(self, health: Health) -> None:
        self.health = lambda: health
        self.start = self.close = lambda: None


@pytest.mark.parametrize(
    ("state", "failures", "waited"),
    [
        (HealthState.STARTING, 0, True),
        (HealthState.CONNECTING, 0, True),
        (HealthState.CONNECTING, 1, False),
        (HealthState.DISCONNECTED, 3, False),
        (HealthState.FAILED, 1, False),
        (HealthState.REFUSED, 1, False),
    ],
)
def test_only_a_first_attempt_is_waited_for_in_silence(life: AccountLife, state, failures, waited) -> None:
    connection = life.node.account.connection
    connection.close()
    connection.patience, connection.connect = (
        0.0,
        lambda home, confirmed: Told(Health(False, state, "a word", life.now, failures=failures)),
    )
    connection.link()
    assert connection.connecting is waited


def test_agents_are_held_with_the_reason_while_the_broker_is_away(life: AccountLife) -> None:
    t = holding(life)
    life.now = at(life.sessions[t], "10:00")
    gone(life)
    life.node.account.connection.patience = 0.0
    seen = set()

    def held() -> bool:
        seen.add(life.node.account.connection.link().health().state)
        _, failed = life.tried(at(life.sessions[t], "10:01"))
        return "Interactive Brokers cannot be used now" in str(failed) and len(seen) > 1

    await_that(held)
    with pytest.raises(Unavailable):
        life.node.account.connection.ready()
