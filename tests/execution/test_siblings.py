"""Agents of one account and one stock: one waits for another's sale, or its fills, and never without end."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from livetrading.core.agent import AgentState
from livetrading.core.errors import Unavailable
from livetrading.core.types import Action
from livetrading.execution.state import queries
from tests.doubles.account_days import holding
from tests.doubles.account_life import TEST, AccountLife, in_account
from tests.doubles.lives import AGENT, FIRST, Always, at
from tests.doubles.series import generated
from tests.doubles.tws import Fault, TwsDouble

SECOND = "PPO_TEST_002"


@pytest.fixture
def two(request: pytest.FixtureRequest, tmp_path: Path, tws: TwsDouble) -> Any:
    """The first agent holds shares; the second has decided to buy at the open of row FIRST + 3.
    A parameter is how the second enters late."""
    life = in_account(tmp_path, generated(1, FIRST + 6), Always(Action.BUY), tws)
    t = holding(life)
    life.check(at(life.sessions[t], "16:40"))
    life.deploy(at(life.sessions[t], "20:00"), **({"late_entry": request.param} if hasattr(request, "param") else {}))
    life.check(at(life.sessions[t + 1], "08:00"))
    life.check(at(life.sessions[t + 1], "16:40"))
    assert [o.leg for o in second(life).orders] == ["entry", "stop"]
    yield life
    life.node.close()


def second(life: AccountLife) -> AgentState:
    return life.node.repository(SECOND).state


def bought(life: AccountLife) -> bool:
    return any(o.ref.startswith(SECOND) and o.action == "BUY" for o in life.tws.ledger.open_orders())


def warned(life: AccountLife) -> str:
    return " ".join(queries.agent(life.store, SECOND, life.now)["warnings"])


def test_an_entry_waits_for_an_exit_that_the_broker_works_and_its_agent_says_so(two: AccountLife) -> None:
    two.ask("close", at(two.sessions[FIRST + 2], "20:00"))
    for clock in ("08:00", "08:10", "09:15"):
        two.check(at(two.sessions[FIRST + 3], clock))
        assert not bought(two)
    assert f"{AGENT} of the same account sells TEST at the broker" in warned(two)
    two.check(at(two.sessions[FIRST + 3], "09:21"))
    (ended,) = [o for o in second(two).recent if o.leg == "entry"]
    assert (ended.state, AGENT in ended.reason) == ("EXPIRED", True) and AGENT not in warned(two)


def test_two_agents_never_meet_in_one_auction_however_long_the_exit_cannot_go(two: AccountLife) -> None:
    two.tws.fail(Fault("stall", message=4, times=99))
    two.ask("close", at(two.sessions[FIRST + 2], "20:00"))
    morning = at(two.sessions[FIRST + 3], "08:00")
    for seconds in (0, 60, 121, 3600):
        two.tried(morning + timedelta(seconds=seconds))
        assert not bought(two)
    assert f"{AGENT} of the same account sells TEST, and both could meet in one auction" in warned(two)


@pytest.mark.parametrize("two", ["day"], indirect=True)
def test_after_the_open_an_entry_waits_two_minutes_for_an_exit_that_cannot_go_and_its_agent_says_so(
    two: AccountLife,
) -> None:
    two.tws.fail(Fault("stall", message=4, times=99))
    two.ask("close", at(two.sessions[FIRST + 2], "20:00"))
    two.tried(at(two.sessions[FIRST + 3], "08:00"))
    opened = at(two.sessions[FIRST + 3], "09:31")
    for seconds in (0, 60):
        two.tried(opened + timedelta(seconds=seconds))
        assert not bought(two)
    assert f"{AGENT} of the same account sells TEST first" in warned(two)
    two.tried(opened + timedelta(seconds=121))
    assert bought(two) and AGENT not in warned(two)


def test_an_agent_whose_fills_are_never_told_blocks_no_other_whose_entries_wait_and_say_why(
    two: AccountLife, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = two.node.take_fills

    def deaf(agent_id: str, now: Any) -> bool:
        if agent_id == AGENT:
            raise Unavailable("its fills are not told.")
        return sync(agent_id, now)

    monkeypatch.setattr(two.node, "take_fills", deaf)
    held = two.tws.ledger.holds("TEST")
    two.tws.ledger.positions[TEST.con_id] = (held + 5.0, 9.0)
    two.tws.happen(lambda ledger: [("position", TEST)])
    two.await_reports()
    begun = at(two.sessions[FIRST + 3], "08:00")
    for seconds in (0, 60, 125, 140):
        two.tried(begun + timedelta(seconds=seconds))
        assert second(two).status == "running"
    assert not bought(two) and f"the fills of {AGENT} of the same account cannot be taken over" in warned(two)
    assert "its fills are not told" in " ".join(queries.agent(two.store, AGENT, two.now)["warnings"])
    monkeypatch.undo()
    for seconds in (200, 215):
        two.tried(begun + timedelta(seconds=seconds))
    assert second(two).status == "blocked" and "holds 0 TEST, the broker 5" in second(two).status_reason


def test_an_agent_that_cannot_write_its_fills_blocks_no_other_then_or_later(
    two: AccountLife, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync, trader = two.node.take_fills, two.node.trader

    def full(real: Any) -> Any:
        def asked(agent_id: str, *more: Any) -> Any:
            if agent_id == AGENT:
                raise Unavailable("the disk is full.")
            return real(agent_id, *more)

        return asked

    monkeypatch.setattr(two.node, "take_fills", full(sync))
    monkeypatch.setattr(two.node, "trader", full(trader))
    stop = next(o for o in two.tws.ledger.open_orders() if o.ref.startswith(AGENT) and o.type == "STP")
    begun = at(two.sessions[FIRST + 3], "10:30")
    two.now = begun
    two.tws.happen(lambda book: book.fill(stop, stop.remaining, stop.aux))
    two.await_reports()
    for seconds in (0, 60, 125, 140):
        two.tried(begun + timedelta(seconds=seconds))
        assert second(two).status == "running"
    monkeypatch.undo()
    for seconds in (150, 170, 200):
        two.tried(begun + timedelta(seconds=seconds))
    assert second(two).status == "running" and two.node.repository(AGENT).state.flat
