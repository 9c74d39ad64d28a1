"""What keeps an agent from trading stands beside it, wherever agents are listed, and not in the log alone."""

import argparse
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from livetrading.adapters.home import Home
from livetrading.adapters.store import Store
from livetrading.cli import trading
from livetrading.execution.state import queries, troubles
from tests.doubles.account_days import holding
from tests.doubles.account_life import TEST, AccountLife
from tests.doubles.ibkr import await_that
from tests.doubles.lives import AGENT, at
from tests.doubles.tws import Fault, Spoil

PLACE, POSITION, QTY = 3, 61, 14


@pytest.fixture(autouse=True)
def a_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passes are made by the test in its place."""
    monkeypatch.setattr(queries, "scheduler_lives", lambda store, now: True)


def shown(life: AccountLife) -> dict[str, Any]:
    return queries.agent(life.store, AGENT, life.now)


def listed(life: AccountLife) -> str:
    return str(trading.agents(life.home, argparse.Namespace())["text"])


def test_refused_exits_are_warned_about_and_after_three_they_are_the_status(life: AccountLife) -> None:
    t = holding(life)
    life.tws.fail(Fault("vanish", PLACE, times=99, only=lambda fields: fields[16] == "SELL" and fields[18] == "MKT"))
    life.ask("close", at(life.sessions[t], "11:00"))
    assert any("did not take the exit" in text and "201" in text for text in shown(life)["warnings"])
    for seconds in range(0, 90, 5):
        life.check(at(life.sessions[t], "11:00:01") + timedelta(seconds=seconds))
    agent = shown(life)
    assert agent["status_text"] == "exit refused" and agent["current_position"] > 0
    (text,) = [text for text in agent["warnings"] if "did not take 3 exits in a row" in text]
    assert "201" in text and text in listed(life) and "exit refused" in listed(life)
    life.tws.do(life.tws.faults.waiting.clear)
    life.ask("close", at(life.sessions[t], "11:10"))
    assert shown(life)["status_text"] == "running" and not any(
        "did not take" in text for text in shown(life)["warnings"]
    )


@pytest.mark.parametrize("unreadable", ["", "1.7976931348623157E308"])
def test_a_position_that_cannot_be_read_is_warned_about_until_it_can(life: AccountLife, unreadable: str) -> None:
    t = holding(life)
    life.check(at(life.sessions[t], "10:00"))
    life.tws.do(lambda: life.tws.faults.spoils.append(Spoil(POSITION, QTY, unreadable, times=99)))
    life.tws.happen(lambda ledger: [("position", TEST)])
    await_that(lambda: bool(life.link.session.register.odd), "the position is heard")
    life.tried(at(life.sessions[t], "10:01"))
    agent = shown(life)
    assert agent["status_text"] == "held, see warnings" and agent["status"] == "running"
    assert any("compare with TWS" in text for text in agent["warnings"]) and "compare with TWS" in listed(life)
    life.tws.do(life.tws.faults.spoils.clear)
    life.tws.happen(lambda ledger: [("position", TEST)])
    await_that(lambda: not life.link.session.register.odd, "the position is heard")
    life.check(at(life.sessions[t], "10:02"))
    assert shown(life)["status_text"] == "running" and "compare with TWS" not in listed(life)


def test_what_was_shown_of_agents_that_were_not_looked_at_stays(tmp_path: Path) -> None:
    store = Store(Home(tmp_path))
    troubles.publish(store, {"A", "B"}, {"A": "why a"}, {"B": "why b"})
    troubles.publish(store, {"A"}, {}, {})
    assert (troubles.of(store, "A"), troubles.of(store, "B")) == (("", False), ("why b", False))
    path = store.path("system")
    before = path.stat().st_mtime_ns
    troubles.publish(store, {"B"}, {}, {"B": "why b"})
    assert path.stat().st_mtime_ns == before, "what is shown already is not written again"
