"""The book against the broker: a difference stops the agent and nothing is sent on it."""

from datetime import timedelta
from pathlib import Path

import pytest

from livetrading.adapters.brokers.paper import rebuild
from livetrading.core.types import AgentStatus, Leg
from livetrading.execution.orders.position_tracker import difference
from tests.doubles.lives import AGENT, FIRST, Cycler, Life, at, deployed, until
from tests.doubles.series import generated


@pytest.fixture
def holding(tmp_path: Path) -> tuple[Life, int]:
    life = deployed(tmp_path, generated(1, FIRST + 30), Cycler())
    return life, until(lambda: not life.state.flat, life, FIRST)


def _by_hand(life: Life, position: int) -> None:
    """The broker's account says something else than the book."""
    path = life.home.agent(AGENT) / "paper.json"
    rebuild(life.store, path, position=position, session=life.state.booked, next_id=99, accepted=[])
    life.restart()


def test_they_agree_through_a_life(holding: tuple[Life, int]) -> None:
    life, t = holding
    for row in range(t, t + 10):
        life.day(row)
        assert difference(life.repository, life.node.trader(AGENT).broker) is None


def test_a_trade_by_hand_blocks_the_agent_with_both_sides_named(holding: tuple[Life, int]) -> None:
    life, t = holding
    shares = life.state.book.shares
    _by_hand(life, 7)
    life.check(at(life.sessions[t], "16:40"))
    assert life.state.status == AgentStatus.BLOCKED
    assert life.state.status_reason == f"the book holds {shares} TEST, the broker 7"


def test_nothing_is_sent_while_they_differ(holding: tuple[Life, int]) -> None:
    life, t = holding
    _by_hand(life, 0)
    done = life.check(at(life.sessions[t], "08:00"))
    assert done.sent == [] and "no stop is placed" in done.alarms[0]["text"]
    assert life.node.trader(AGENT).broker.find(f"{AGENT}:x") is None


def test_close_refuses_to_sell_what_the_broker_does_not_hold(holding: tuple[Life, int]) -> None:
    life, t = holding
    _by_hand(life, 0)
    now = at(life.sessions[t - 1], "20:00")
    answer = life.ask("close", now)
    assert answer["status"] == "refused" and "adopt the difference" in answer["message"]
    assert life.state.open_orders(Leg.EXIT) == []


def test_an_emergency_stop_never_calls_such_an_agent_flat(holding: tuple[Life, int]) -> None:
    life, t = holding
    _by_hand(life, 0)
    result = life.ask("emergency_stop", at(life.sessions[t - 1], "20:00") + timedelta(minutes=1))["result"]
    assert result["flat"] is False and result["items"][0]["status"] == "failed"
    assert life.state.status == AgentStatus.STOPPED
